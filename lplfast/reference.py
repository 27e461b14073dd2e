"""The plain NumPy twin of everything compiled: slow, obvious, at full width, `numpy.linalg.svd` at every step.

It shares no code with the kernels; the tests compare the two, and `bench` times them side by side.
"""

import collections

import numpy as np
from scipy.optimize import brentq

__all__ = ["RULES", "K_t", "K_t_sharp", "Loss", "descend", "local_constants", "logistic_loss", "matrix_factorization",
           "softmax_loss", "squared_loss"]

# basis: orthonormal columns spanning the directions of W1 that the loss can see
Loss = collections.namedtuple("Loss", "value gap gradient mu K minimum minimizer basis")


def squared_loss(X, Y, *, l2=0.0, reduction="sum", offset=None):
    """Return the Loss `||X (W + offset) - Y||_F^2 / (2 or 2N) + l2/2 ||W + offset||_F^2`."""
    X, Y = np.asarray(X, dtype=float), np.asarray(Y, dtype=float)
    Y = Y.reshape(len(Y), -1)
    N, n = X.shape
    weight = 1 / N if reduction == "mean" else 1.0
    offset = np.zeros((n, Y.shape[1])) if offset is None else np.asarray(offset, dtype=float)
    s = np.linalg.svd(X, compute_uv=False)
    rank = np.linalg.matrix_rank(X)
    stacked = np.vstack([np.sqrt(weight) * X, np.sqrt(l2) * np.eye(n)])
    targets = np.vstack([np.sqrt(weight) * Y, np.zeros((n, Y.shape[1]))])
    best = np.linalg.lstsq(stacked, targets, rcond=n * 2e-16)[0]
    smallest = (s[-1] if n <= N else 0.0) if l2 > 0 else s[rank - 1]
    V = np.linalg.svd(X)[2].T

    def value(W):
        return 0.5 * np.sum((stacked @ (W + offset) - targets) ** 2)

    def gap(W):
        return 0.5 * np.sum((stacked @ (W + offset - best)) ** 2)

    def gradient(W):
        return stacked.T @ (stacked @ (W + offset - best))

    return Loss(value, gap, gradient, mu=weight * smallest**2 + l2, K=weight * s[0] ** 2 + l2,
                minimum=0.5 * np.sum((stacked @ best - targets) ** 2), minimizer=best - offset,
                basis=V if l2 > 0 else V[:, :rank])


def matrix_factorization(Y, *, offset=None):
    """Return the Loss `||W + offset - Y||_F^2 / 2`."""
    Y = np.asarray(Y, dtype=float)
    return squared_loss(np.eye(len(Y)), Y, offset=offset)


def logistic_loss(X, Y, *, l2, reduction="sum", offset=None):
    """Return the Loss `sum(log(1 + exp(-Y X (W + offset)))) + l2/2 ||W + offset||_F^2`, for labels -1 and 1."""
    def curvature(Z):
        s = 1 / (1 + np.exp(-Z))
        return np.einsum("ij,jk->ijk", s * (1 - s), np.eye(Z.shape[1]))

    def divergence(Z, D):
        s = 1 / (1 + np.exp(-Z))
        return np.log1p(s * np.expm1(D)) - s * D

    return _classification(
        X, Y.shape[1], l2=l2, reduction=reduction, offset=offset, top=1 / 4, curvature=curvature, divergence=divergence,
        loss=lambda Z: np.logaddexp(0.0, -Y * Z), slope=lambda Z: -Y / (1 + np.exp(Y * Z)))


def softmax_loss(X, P, *, l2, reduction="sum", offset=None):
    """Return the Loss `sum(cross-entropy(softmax(X (W + offset)), P)) + l2/2 ||W + offset||_F^2`, P probabilities."""
    def softmax(Z):
        E = np.exp(Z - Z.max(axis=1, keepdims=True))
        return E / E.sum(axis=1, keepdims=True)

    def curvature(Z):
        p = softmax(Z)
        return np.einsum("ij,jk->ijk", p, np.eye(Z.shape[1])) - np.einsum("ij,ik->ijk", p, p)

    def divergence(Z, D):
        p = softmax(Z)
        C = D - (p * D).sum(axis=1, keepdims=True)
        return np.log1p((p * np.expm1(C)).sum(axis=1))

    return _classification(
        X, P.shape[1], l2=l2, reduction=reduction, offset=offset, top=1 / 2, curvature=curvature, divergence=divergence,
        loss=lambda Z: np.logaddexp.reduce(Z, axis=1) - (P * Z).sum(axis=1), slope=lambda Z: softmax(Z) - P)


def _classification(X, m, *, l2, reduction, offset, top, loss, slope, curvature, divergence):
    """Return the Loss of a function of the rows of X (W + offset), its minimizer by Newton's method from 0."""
    N, n = X.shape
    weight = 1 / N if reduction == "mean" else 1.0
    offset = np.zeros((n, m)) if offset is None else offset

    def value(V):
        return weight * np.sum(loss(X @ V)) + l2 / 2 * np.sum(V**2)

    def gradient(V):
        return weight * X.T @ slope(X @ V) + l2 * V

    def newton_step(V):
        H = weight * np.einsum("ia,ib,ijk->ajbk", X, X, curvature(X @ V), optimize=True).reshape(n * m, n * m)
        return np.linalg.solve(H + l2 * np.eye(n * m), gradient(V).ravel()).reshape(n, m)

    best = np.zeros((n, m))
    for _ in range(100):
        step = newton_step(best)
        t = 1.0
        while value(best - t * step) > value(best) * (1 + 1e-14):
            t /= 2
        best = best - t * step
        if np.linalg.norm(step) <= 1e-14 * np.linalg.norm(best):
            break
    Z = X @ best

    def gap(W):
        E = W + offset - best
        return weight * np.sum(divergence(Z, X @ E)) + l2 / 2 * np.sum(E**2)

    return Loss(lambda W: value(W + offset), gap, lambda W: gradient(W + offset), mu=l2,
                K=weight * top * np.linalg.norm(X, 2) ** 2 + l2, minimum=value(best), minimizer=best - offset,
                basis=np.eye(n))


def local_constants(loss, W1, W2):
    """Return a dict of everything that the local constants are made of."""
    W = W1 @ W2
    G = loss.gradient(W)
    s1 = np.linalg.svd(loss.basis.T @ W1, compute_uv=False)
    s2 = np.linalg.svd(W2, compute_uv=False)
    h = W1.shape[1]
    smallest1 = s1[-1] if h >= loss.basis.shape[1] else 0.0
    smallest2 = s2[-1] if h >= W2.shape[1] else 0.0
    return {
        "K": loss.K,
        "loss": loss.value(W),
        "gap": loss.gap(W),
        "grad_norm": np.hypot(np.linalg.norm(G @ W2.T), np.linalg.norm(W1.T @ G)),
        "G_norm": np.linalg.norm(G),
        "G_max": np.linalg.norm(G, 2),
        "sigma_min_sq": smallest1**2 + smallest2**2,
        "sigma_max_sq": s1[0] ** 2 + s2[0] ** 2,
        "sigma_max_W": np.linalg.norm(loss.basis.T @ W, 2),
        "mu_t": loss.mu * (smallest1**2 + smallest2**2),
        # what the loss sees of the product moves by -eta tau + eta^2 B
        "G": G,
        "tau": loss.basis @ (loss.basis.T @ (G @ W2.T @ W2 + W1 @ W1.T @ G)),
        "B": G @ W2.T @ W1.T @ G,
        # of a quadratic, a difference of gradients
        "hessian": lambda V: loss.gradient(V) - loss.gradient(np.zeros_like(V)),
    }


def K_t(at, eta):
    """Return the local smoothness constant of Xu et al. (2025) of a step of size eta."""
    K, s, g = at["K"], at["sigma_max_sq"], np.sqrt(2 * at["K"] * at["gap"])
    return K * s + g + 3 * K * s * g * eta + 6 * K**2 * at["sigma_max_W"] * at["gap"] * eta**2


def K_t_sharp(at, eta):
    """Return the sharper local smoothness constant of docs/theory.md."""
    K, s, G = at["K"], at["sigma_max_sq"], at["G_max"]
    return K * s + G + K * s * G * eta + K * at["sigma_max_W"] * G * at["G_norm"] * eta**2 / 2


def _root(smoothness, at):
    """Return the root of `eta * smoothness(at, eta) = 1`, which lies in (0, 1 / smoothness(at, 0)]."""
    return brentq(lambda eta: eta * smoothness(at, eta) - 1, 0.0, 2 / smoothness(at, 0.0), xtol=1e-300, rtol=1e-15)


def _quartic(at, curvature):
    """Return the coefficients a, b, c, d of `L - a eta + b eta^2 + c eta^3 + d eta^4`."""
    (tt, tb, bb), a = curvature, at["grad_norm"] ** 2
    return a, np.vdot(at["G"], at["B"]) + tt / 2, -tb, bb / 2


def _first_minimiser(a, b, c, d):
    """Return the first positive root of the quartic's derivative, from the eigenvalues of a companion matrix."""
    slope = np.polynomial.Polynomial([-a, 2 * b, 3 * c, 4 * d])
    roots = np.roots(slope.coef[::-1])
    real = roots[abs(roots.imag) <= 1e-9 * abs(roots)].real
    eta = real[real > 0].min()
    for _ in range(2):      # a companion matrix knows small roots to u times the large ones only
        eta -= slope(eta) / slope.deriv()(eta)
    return eta


def _fall(quartic, eta):
    """Return how much lower the quartic is after a step of size eta."""
    a, b, c, d = quartic
    return a * eta - b * eta**2 - c * eta**3 - d * eta**4


def _majorizer(at, t):
    K, tau, B = at["K"], at["tau"], at["B"]
    quartic = _quartic(at, (K * np.vdot(tau, tau), K * np.vdot(tau, B), K * np.vdot(B, B)))
    eta = max((_first_minimiser(*quartic), _root(K_t_sharp, at)), key=lambda eta: _fall(quartic, eta))
    at["certified"] = _fall(quartic, eta)
    return eta


def _exact(at, t):
    tau, B, H = at["tau"], at["B"], at["hessian"]
    quartic = _quartic(at, (np.vdot(tau, H(tau)), np.vdot(tau, H(B)), np.vdot(B, H(B))))
    eta = _first_minimiser(*quartic)
    at["certified"] = _fall(quartic, eta)
    return eta


RULES = {
    "local": lambda at, t: _root(K_t, at),
    "sharp": lambda at, t: _root(K_t_sharp, at),
    "majorizer": _majorizer,
    "exact": _exact,
    "polyak": lambda at, t: at["gap"] / at["grad_norm"] ** 2,
}


def descend(loss, W1, W2, choose, steps):
    """Take `steps` steps of gradient descent with the sizes `choose(constants, t)`.

    Returns
    -------
    W1, W2 : arrays
        The layers at the end.
    history : list of dict
        Of each iterate `local_constants`, and for the step from it `step_size, K_t, K_t_sharp, rate_bound` and
        the slacks.

    """
    history = []
    for t in range(steps + 1):
        at = local_constants(loss, W1, W2)
        P = at["grad_norm"] ** 2
        at["slack_pl"] = 1 - at["mu_t"] * at["gap"] / (P / 2) if P else np.nan
        if history:
            before = history[-1]
            eta, K = before["step_size"], min(before["K_t"], before["K_t_sharp"])
            decrease = (before["gap"] - at["gap"]) / (eta * before["grad_norm"] ** 2)
            before["slack_descent"] = decrease - (1 - eta * K / 2)
            before["slack_drift"] = 2 * decrease - 1
            before["slack_rate"] = before["rate_bound"] - at["gap"] / before["gap"]
        history.append(at)
        if t == steps:
            return W1, W2, history
        eta = at["step_size"] = choose(at, t)
        at["K_t"], at["K_t_sharp"] = K_t(at, eta), K_t_sharp(at, eta)
        K = min(at["K_t"], at["K_t_sharp"])
        at["rate_bound"] = (1 - at["mu_t"] * eta * (2 - eta * K) if eta * K <= 2
                            else 1 + eta * (eta * K - 2) * at["K"] * at["sigma_max_sq"])
        if at.get("certified", -1) >= 0:
            at["rate_bound"] = min(at["rate_bound"], 1 - 2 * at["mu_t"] * at["certified"] / at["grad_norm"] ** 2)
        G = loss.gradient(W1 @ W2)
        W1, W2 = W1 - eta * G @ W2.T, W2 - eta * W1.T @ G
