"""Losses with their constants and minimizers, computed the plain way."""

import collections

import numpy as np

__all__ = ["Loss", "logistic_loss", "matrix_factorization", "pseudo_huber_loss", "softmax_loss", "squared_loss"]


# basis: orthonormal columns spanning the directions of W1 that the loss can see
# target: the Y of a squared loss without ridge
# hessian: for a quadratic loss, the (n, n) matrix H with l(W) = l* + <W - W*, H (W - W*)> / 2
# growth: where more is known than K, a function of (W, tau, B) that returns one of eta: what l(W - eta tau + eta^2 B)
# exceeds its tangent at W by, at most
# pl: where more is known than mu, a function of W that returns a number c with ||gradient||^2 >= 2 c gap
Loss = collections.namedtuple("Loss", "value gap gradient mu K minimum minimizer basis target hessian growth pl",
                              defaults=(None, None, None, None))


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

    return _of_rows(
        X, Y.shape[1], l2=l2, reduction=reduction, offset=offset, top=1 / 4, curvature=curvature, divergence=divergence,
        loss=lambda Z: np.logaddexp(0.0, -Y * Z), slope=lambda Z: -Y * np.exp(-np.logaddexp(0.0, Y * Z)),
        growth=lambda Z, A, C: _logistic_growth(1 / (1 + np.exp(-Z)), A, C), spread=lambda D: abs(D).max())


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

    return _of_rows(
        X, P.shape[1], l2=l2, reduction=reduction, offset=offset, top=1 / 2, curvature=curvature, divergence=divergence,
        loss=lambda Z: np.logaddexp.reduce(Z, axis=1) - (P * Z).sum(axis=1), slope=lambda Z: softmax(Z) - P,
        growth=lambda Z, A, C: _softmax_growth(softmax(Z), A, C), spread=lambda D: np.ptp(D, axis=1).max(),
        centered=True)


def pseudo_huber_loss(X, Y, *, delta, l2, reduction="sum", offset=None):
    """Return the Loss `sum(delta^2 (sqrt(1 + (R/delta)^2) - 1)) + l2/2 ||W + offset||_F^2`, R = X (W + offset) - Y."""
    def root(Z):
        return np.sqrt(1 + ((Z - Y) / delta) ** 2)

    def curvature(Z):
        return np.einsum("ij,jk->ijk", root(Z) ** -3, np.eye(Z.shape[1]))

    def divergence(Z, D):
        # h(r + d) - h(r) - h'(r) d is d^2 / (p (p q + 1 + x y)), with x, y the residuals in units of delta
        x, y, p, q = (Z - Y) / delta, (Z + D - Y) / delta, root(Z), root(Z + D)
        # (p q)^2 - (x y)^2 is 1 + x^2 + y^2
        rest = np.where(x * y > 0, p * q + x * y, (1 + x**2 + y**2) / (p * q - x * y))
        return D**2 / (p * (1 + rest))

    return _of_rows(
        X, Y.shape[1], l2=l2, reduction=reduction, offset=offset, top=1.0, curvature=curvature, divergence=divergence,
        loss=lambda Z: (Z - Y) ** 2 / (1 + root(Z)), slope=lambda Z: (Z - Y) / root(Z))


def _strong_part(d, l2, rho):
    """Return the PL constant from where logits differ from the minimizer's by a range of rho, d the curvature there."""
    if d + l2 == 0:
        return 0.0
    if rho < 0.01:
        mean, late = 1 - rho / 2 + rho**2 / 6 - rho**3 / 24, 1 / 2 - rho / 6 + rho**2 / 24 - rho**3 / 120
    else:
        mean, late = -np.expm1(-rho) / rho, (rho + np.expm1(-rho)) / rho**2
    return (d * mean + l2) ** 2 / (2 * d * late + l2)


def _two_points(v, b):
    """Return the most that log E exp(X) is for X of mean 0 and variance v that is at most b."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = np.log1p((v * (np.expm1(b) - b) + b**2 * (np.expm1(-v / b) + v / b)) / (b**2 + v))
    return np.where((v > 0) & (b > 0), found, 0.0)


def _softmax_growth(p, A, C):
    """Return what rows with probabilities p exceed their tangents by where logits move by -eta A + eta^2 C."""
    a, c = (M - (p * M).sum(axis=1, keepdims=True) for M in (A, C))
    aa, ac, cc = ((p * one * other).sum(axis=1) for one, other in ((a, a), (a, c), (c, c)))

    def growth(eta):
        v = eta**2 * (aa - 2 * eta * ac + eta**2 * cc)
        b = eta * -a.min(axis=1) + eta**2 * c.max(axis=1)
        r = eta * np.ptp(A, axis=1) + eta**2 * np.ptp(C, axis=1)
        return np.fmin(_two_points(v, b), r**2 / 8).sum()

    growth.bend = aa.sum()      # its second derivative at 0
    return growth


def _logistic_growth(p, A, C):
    """The same of labels that are either 0 or 1, with probability p of 1."""
    def growth(eta):
        U = -eta * A + eta**2 * C
        return np.fmin(_two_points(p * (1 - p) * U**2, np.where(U > 0, (1 - p) * U, -p * U)), U**2 / 8).sum()

    growth.bend = np.sum(p * (1 - p) * A**2)
    return growth


# many arguments: what a loss of rows is, each once and by name
def _of_rows(X, m, *, l2, reduction, offset, top, loss, slope, curvature, divergence, growth=None, spread=None,
             centered=False):
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
        H = H + l2 * np.eye(n * m)
        # without a ridge, the step of least norm: nothing is known of what the data do not see
        return (np.linalg.solve(H, gradient(V).ravel()) if l2 > 0 else
                np.linalg.lstsq(H, gradient(V).ravel(), rcond=1e-10)[0]).reshape(n, m)

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

    V = np.linalg.svd(X)[2][:np.linalg.matrix_rank(X)].T

    def pl(W):
        D = W + offset - best
        # what the data see of it
        seen = V @ (V.T @ D)
        if centered:
            seen = seen - seen.mean(axis=1, keepdims=True)
        if not seen.any():
            return l2
        E = X @ D
        bent = weight * np.einsum("ij,ijk,ik->", E, curvature(Z), E) / np.sum(seen**2)
        rest = l2 / 2 * np.sum((D - seen) ** 2)
        share = rest / gap(W) if rest > 0 else 0.0
        return l2 + (_strong_part(bent, l2, spread(E)) - l2) * (1 - share)

    def along(W, tau, B):
        rows = growth(X @ (W + offset), X @ tau, X @ B)

        def whole(eta):
            return weight * rows(eta) + l2 / 2 * np.sum((eta * tau - eta**2 * B) ** 2)

        whole.bend = weight * rows.bend + l2 * np.sum(tau**2)
        return whole

    return Loss(lambda W: value(W + offset), gap, lambda W: gradient(W + offset), mu=l2,
                K=weight * top * np.linalg.norm(X, 2) ** 2 + l2, minimum=value(best), minimizer=best - offset,
                basis=np.eye(n) if l2 > 0 else V, growth=along if growth else None,
                pl=pl if spread else None)
