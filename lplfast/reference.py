"""The plain NumPy twin of everything compiled: slow, obvious, at full width, `numpy.linalg.svd` at every step.

It shares no code with the kernels; the tests compare the two, and `bench` times them side by side.
"""

import collections

import numpy as np
from scipy.optimize import brentq

__all__ = ["RULES", "K_t", "K_t_sharp", "Loss", "adgd", "armijo", "arora2018", "descend", "local_constants",
           "logistic_loss", "matrix_factorization", "rate_bound", "softmax_loss", "squared_loss", "xu2023"]

# basis: orthonormal columns spanning the directions of W1 that the loss can see
# target: the Y of a squared loss without ridge
# hessian: for a quadratic loss, the (n, n) matrix H with l(W) = l* + <W - W*, H (W - W*)> / 2
Loss = collections.namedtuple("Loss", "value gap gradient mu K minimum minimizer basis target hessian",
                              defaults=(None, None))


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
                basis=V if l2 > 0 else V[:, :rank], target=None if l2 > 0 else np.sqrt(weight) * (Y - X @ offset),
                hessian=stacked.T @ stacked)


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
        # plain where the exponential would overflow, far from the minimizer
        far = abs(D) > 500
        plain = np.logaddexp(np.log(s) + D, np.log1p(-s)) - s * D
        return np.where(far, plain, np.log1p(s * np.expm1(np.where(far, 0.0, D))) - s * D)

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
        # plain where the exponentials would overflow, far from the minimizer
        far = abs(C).max(axis=1) > 500
        plain = np.logaddexp.reduce(np.log(p) + C, axis=1)
        return np.where(far, plain, np.log1p((p * np.expm1(np.where(far[:, np.newaxis], 0.0, C))).sum(axis=1)))

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
    at = {
        "K": loss.K,
        "mu": loss.mu,
        "target": loss.target,
        "evaluate": (loss.gap, loss.gradient),
        "loss": loss.value(W),
        "gap": loss.gap(W),
        "grad_norm": np.hypot(np.linalg.norm(G @ W2.T), np.linalg.norm(W1.T @ G)),
        "G_norm": np.linalg.norm(G),
        "G_max": np.linalg.norm(G, 2),
        "sigma_min_sq": smallest1**2 + smallest2**2,
        "sigma_max_sq": s1[0] ** 2 + s2[0] ** 2,
        "sigma_max_W": np.linalg.norm(loss.basis.T @ W, 2),
        "mu_t": loss.mu * (smallest1**2 + smallest2**2),
        "W1": loss.basis.T @ W1,
        "W2": W2,
        "W": W,
        "G": G,
        # what the loss sees of the product moves by -eta tau + eta^2 B
        "tau": loss.basis @ (loss.basis.T @ (G @ W2.T @ W2 + W1 @ W1.T @ G)),
        "B": G @ W2.T @ W1.T @ G,
        "gradient": np.concatenate([(G @ W2.T).ravel(), (W1.T @ G).ravel()]),
        "hessian": loss.hessian,
    }
    at["nu_lo"], at["nu_hi"] = at["mu_t"], np.nan
    if loss.hessian is not None:
        least, at["nu_hi"] = _tangent_extremes(loss, W1, W2)
        at["nu_lo"] = max(at["nu_lo"], least)       # a least eigenvalue of 0 comes out as some -u
    # a bound on ||H^(1/2) B||_F that needs no B
    at["curve"] = np.sqrt(loss.K) * min(np.linalg.norm(G @ W2.T) * np.linalg.norm(W1.T @ G),
                                        at["G_max"] * at["sigma_max_W"] * at["G_norm"])
    return at


def _tangent_extremes(loss, W1, W2):
    """Return the extreme eigenvalues of the tangent kernel, `H U W2.T W2 + H^(1/2) W1 W1.T H^(1/2) U` as a map of U."""
    values, vectors = np.linalg.eigh(loss.basis.T @ loss.hessian @ loss.basis)
    root = vectors * np.sqrt(values) @ vectors.T
    one = loss.basis.T @ W1
    # on an eigenvector of W2.T W2, p its eigenvalue, it is an (n, n) matrix
    spectra = [np.linalg.eigvalsh(root @ (p * np.eye(len(one)) + one @ one.T) @ root)
               for p in np.linalg.eigvalsh(W2.T @ W2)]
    return np.min(spectra), np.max(spectra)


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


def _first_positive_root(polynomial):
    """Return the first positive root of a polynomial, from the eigenvalues of its companion matrix."""
    roots = np.roots(polynomial.coef[::-1])
    real = roots[abs(roots.imag) <= 1e-9 * abs(roots)].real
    x = real[real > 0].min()
    for _ in range(2):      # a companion matrix knows small roots to u times the large ones only
        x -= polynomial(x) / polynomial.deriv()(x)
    return x


def _first_minimiser(a, b, c, d):
    """Return the first positive root of the quartic's derivative."""
    return _first_positive_root(np.polynomial.Polynomial([-a, 2 * b, 3 * c, 4 * d]))


def _fall(quartic, eta):
    """Return how much lower the quartic is after a step of size eta."""
    a, b, c, d = quartic
    return a * eta - b * eta**2 - c * eta**3 - d * eta**4


def _curvature(at, U, V):
    """Return <U, H V>, H the Hessian of a quadratic loss."""
    return np.vdot(U, at["hessian"] @ V)


def _exact_curve(at):
    """Have the contraction bound use B itself, as the rules do that compute it."""
    at["curve"] = np.sqrt(_curvature(at, at["B"], at["B"])) if at["hessian"] is not None else np.nan


def _majorizer(at, t):
    K, tau, B = at["K"], at["tau"], at["B"]
    _exact_curve(at)
    quartic = _quartic(at, (K * np.vdot(tau, tau), K * np.vdot(tau, B), K * np.vdot(B, B)))
    return max((_first_minimiser(*quartic), _root(K_t_sharp, at)), key=lambda eta: _fall(quartic, eta))


def _exact(at, t):
    tau, B = at["tau"], at["B"]
    _exact_curve(at)
    if at["hessian"] is not None:
        return _first_minimiser(*_quartic(at, (_curvature(at, tau, tau), _curvature(at, tau, B),
                                               _curvature(at, B, B))))
    gradient = at["evaluate"][1]

    def slope(eta):
        return np.vdot(gradient(at["W"] - eta * tau + eta**2 * B), 2 * eta * B - tau)

    K = at["K"]
    low = 0.0
    high = _first_minimiser(*_quartic(at, (K * np.vdot(tau, tau), K * np.vdot(tau, B), K * np.vdot(B, B))))
    while slope(high) < 0:
        low, high = high, 2 * high
    return brentq(slope, low, high, xtol=1e-300, rtol=1e-14)


def _contraction(at, t):
    _exact_curve(at)
    q = at["curve"] / np.sqrt(2 * at["gap"])
    eta, sharp = 2 / (at["nu_lo"] + at["nu_hi"]), _root(K_t_sharp, at)
    if 2 * q * eta > at["nu_lo"]:
        eta = at["nu_lo"] / (2 * q)
    c = max(1 - eta * at["nu_lo"], eta * at["nu_hi"] - 1) + q * eta**2
    return eta if c**2 < 1 - at["nu_lo"] * sharp * (2 - sharp * K_t_sharp(at, sharp)) else sharp


def _printed_margins(at):
    """Return p1, p2, alpha, beta as Xu et al. (2023) print them."""
    n, m = at["W"].shape
    n = at["W1"].shape[0]
    E, s = np.sqrt(2 * at["loss"]), np.linalg.svd(at["target"], compute_uv=False)
    p1 = max(s[-1] - E, 0) / np.sqrt(at["K"])
    p2 = (np.linalg.norm(at["target"]) + E) / np.sqrt(at["mu"])
    D = np.linalg.eigvalsh(at["W1"].T @ at["W1"] - at["W2"] @ at["W2"].T)
    top, bottom = max(D[-1], 0), max(-D[0], 0)
    nth, mth = max(D[-n], 0) if n <= D.size else 0, max(-D[m - 1], 0) if m <= D.size else 0
    # the larger root x of (x + a) (x - b) = p^2, from the product of both where b - a would cancel
    alpha = sum((b - a + root) / 2 if b > a else 2 * (a * b + p**2) / max(a - b + root, np.finfo(float).tiny)
                for a, b, p in ((bottom, nth, p1 if n <= m else 0), (top, mth, p1 if m <= n else 0))
                for root in [np.sqrt((a + b) ** 2 + 4 * p**2)])
    beta = sum((x + np.sqrt(x**2 + 4 * p2**2)) / 2 for x in (top, bottom))
    return p1, p2, alpha, beta


def _xu_polynomial(at, low, high, p, g):
    mu, K = at["mu"], at["K"]
    return np.polynomial.Polynomial([1, -2 * mu * low, K * mu * high**2 + 2 * mu * p * g, 2 * mu * K * high * p * g,
                                     mu * K * p**2 * g**2])


def xu2023(bound, c1=0.5, c2=1.5):
    """Return the rule of Xu et al. (2023), a function of (constants, t) that remembers t = 0."""
    first = {}

    def choose(at, t):
        g = np.sqrt(2 * at["K"] * at["gap"])
        if t == 0:
            _, p2, alpha, beta = _printed_margins(at)
            first["bounds"] = c1 * alpha, c2 * beta, p2
            f = _xu_polynomial(at, *first["bounds"], g).coef
            extra = 4 * c2 * at["gap"] * at["K"] * np.array([1 / (c2 - 1), 2 * beta / ((1 - c1) * alpha)])
            first["eta_max"] = min(_first_positive_root(np.polynomial.Polynomial([f[1], f[2] + more, f[3], f[4]]))
                                   for more in extra)
        if bound == "rho":
            f = _xu_polynomial(at, at["sigma_min_sq"], at["sigma_max_sq"], at["sigma_max_W"], at["G_norm"])
        elif bound == "rho-hat":
            _, p2, alpha, beta = _printed_margins(at)
            f = _xu_polynomial(at, alpha, beta, p2, g)
        elif bound == "f" or t == 0:
            f = _xu_polynomial(at, *first["bounds"], g)
        else:
            return first["eta"]
        first["eta"] = min(_first_positive_root(f.deriv()), first["eta_max"])
        return first["eta"]

    return choose


def arora2018():
    """Return the rule of Arora et al. (2018), which remembers t = 0."""
    first = {}

    def choose(at, t):
        if t == 0:
            first["eta"] = _printed_margins(at)[0] ** 3 / (6144 * 8 * np.linalg.norm(at["target"]) ** 4)
        return first["eta"]

    return choose


def _du(at, t):
    norm = np.linalg.norm(at["target"])
    return np.sqrt(norm / 2 / np.linalg.matrix_rank(at["target"])) / (100 * (t + 1) * norm**1.5)


def armijo(c=0.5, shrink=0.5):
    """Return the backtracking rule, which remembers its last step."""
    last = {}

    def choose(at, t):
        _exact_curve(at)
        eta = 2 * last["eta"] if t else 1 / (at["K"] * at["sigma_max_sq"])
        gap = at["evaluate"][0]
        while at["gap"] - gap(at["W"] - eta * at["tau"] + eta**2 * at["B"]) < c * eta * at["grad_norm"] ** 2:
            eta *= shrink
        last["eta"] = eta
        return eta

    return choose


def adgd(initial=1e-10):
    """Return the rule of Malitsky and Mishchenko (2020), which remembers two steps and a gradient."""
    etas, gradients = [], []

    def choose(at, t):
        gradients.append(at["gradient"])
        if t == 0:
            etas.append(initial)
        else:
            growth = np.sqrt(1 + etas[-1] / etas[-2]) * etas[-1] if t > 1 else np.inf
            curvature = np.linalg.norm(gradients[-1] - gradients[-2]) / np.linalg.norm(gradients[-2]) / etas[-1]
            etas.append(min(growth, 1 / (2 * curvature)))
        return etas[-1]

    return choose


# name -> function without arguments that returns the rule, a function of (constants, t)
RULES = {
    "local": lambda: lambda at, t: _root(K_t, at),
    "sharp": lambda: lambda at, t: _root(K_t_sharp, at),
    "majorizer": lambda: _majorizer,
    "contraction": lambda: _contraction,
    "exact": lambda: _exact,
    "xu-rho": lambda: xu2023("rho"),
    "xu-rho-hat": lambda: xu2023("rho-hat"),
    "xu-f": lambda: xu2023("f"),
    "xu-f0": lambda: xu2023("f0"),
    "arora": arora2018,
    "du": lambda: _du,
    "polyak": lambda: lambda at, t: at["gap"] / at["grad_norm"] ** 2,
    "armijo": armijo,
    "adgd": adgd,
}


def rate_bound(at, eta):
    """Return the best guaranteed ratio of gaps for a step of size eta."""
    K, PL, smoothness = at["K"], at["nu_lo"], min(K_t(at, eta), K_t_sharp(at, eta))
    rates = [1 - PL * eta * (2 - eta * smoothness) if eta * smoothness <= 2
             else 1 + eta * (eta * smoothness - 2) * K * at["sigma_max_sq"]]
    move = -eta * at["tau"] + eta**2 * at["B"]
    square = K * np.vdot(move, move) if at["hessian"] is None else _curvature(at, move, move)
    decrease = -np.vdot(at["G"], move) - square / 2
    if decrease > 0:
        rates.append(1 - 2 * PL * decrease / at["grad_norm"] ** 2)
    if at["hessian"] is not None:
        rates.append((max(1 - eta * at["nu_lo"], eta * at["nu_hi"] - 1)
                      + eta**2 * at["curve"] / np.sqrt(2 * at["gap"])) ** 2)
    return min(rates)


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
        at["rate_bound"] = rate_bound(at, eta)
        G = loss.gradient(W1 @ W2)
        W1, W2 = W1 - eta * G @ W2.T, W2 - eta * W1.T @ G
