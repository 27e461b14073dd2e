"""The same in Numba: the whole loop compiled, products by BLAS into arrays made once."""

import math

import numpy as np
from numba import njit

from .numpy_rival import COLUMNS, local_step

__all__ = ["NumbaDescent"]

_local_step = njit(local_step)


class NumbaDescent:
    """All steps in one call of compiled code; extremes by `eigvalsh` of Gram matrices. Layers with h >= n, m only."""

    def __init__(self, X, Y, W1, W2):
        s = np.linalg.svd(X, compute_uv=False)
        minimum = np.sum((X @ np.linalg.lstsq(X, Y, rcond=None)[0] - Y) ** 2) / 2
        self.data = X, Y, float(s[-1] ** 2), float(s[0] ** 2), float(minimum)
        self.Z = np.vstack([W1, W2.T])

    def advance(self, steps, given=None):
        """Take `steps` steps: the local ones, or the `given` ones."""
        # NaN asks for the step's own, so that both are one compiled function
        given = np.full(steps, np.nan) if given is None else np.ascontiguousarray(given)
        self.rows = _descend(*self.data, self.Z, given)

    @property
    def history(self):
        """A dict of arrays, one number a step."""
        return dict(zip(COLUMNS, self.rows.T, strict=True))


@njit
def _descend(X, Y, mu, K, minimum, Z, given):
    n, m = X.shape[1], Y.shape[1]
    g, W, G, R = np.empty_like(Z), np.empty((n, m)), np.empty((n, m)), np.empty(Y.shape)
    short, long = np.empty((min(n, m), min(n, m))), np.empty((max(n, m), max(n, m)))
    rows = np.empty((len(given), 16))
    loss, P, G_norm, s_min, s, W_max, G_max = _evaluate(X, Y, Z, g, W, G, R, short, long)
    gap = gap_bound = loss - minimum
    for t in range(len(given)):
        mu_t, root = mu * s_min, math.sqrt(2 * K * gap)
        eta = _local_step(K, s, root, W_max) if math.isnan(given[t]) else given[t]
        K_t = K * s + root + 3 * K * s * root * eta + 6 * K * K * W_max * gap * eta * eta
        K_t_sharp = K * s + G_max + K * s * G_max * eta + K * W_max * G_max * G_norm * eta * eta / 2
        K_best = min(K_t, K_t_sharp)
        rate = 1 - mu_t * eta * (2 - eta * K_best) if eta * K_best <= 2 else 1 + eta * (eta * K_best - 2) * K * s
        rows[t, :13] = (loss, gap, gap_bound, math.sqrt(P), mu_t, s_min, s, W_max, 1 - mu_t * gap / (P / 2), rate, eta,
                        K_t, K_t_sharp)
        _move(Z, g, eta)
        before, P_before = gap, P
        loss, P, G_norm, s_min, s, W_max, G_max = _evaluate(X, Y, Z, g, W, G, R, short, long)
        gap = loss - minimum
        gap_bound *= rate
        decrease = (before - gap) / (eta * P_before)
        rows[t, 13], rows[t, 14] = decrease - (1 - eta * K_best / 2), rate - gap / before
        rows[t, 15] = 2 * decrease - 1
    return rows


@njit
def _evaluate(X, Y, Z, g, W, G, R, short, long):
    """Return `l`, `||grad||^2`, `||G||_F`, `s_min(T)^2`, `s_max(T)^2`, `s_max(W)`, `||G||_2`; the gradient into g."""
    n = len(W)
    W1, W2t = Z[:n], Z[n:]
    np.dot(W1, W2t.T, W)
    np.dot(X, W, R)
    R -= Y
    np.dot(X.T, R, G)
    np.dot(G, W2t, g[:n])
    np.dot(G.T, W1, g[n:])
    # the Gram matrices of whichever side is shorter
    narrow = n <= W.shape[1]
    if narrow:
        np.dot(W, W.T, short)
        W_ends = _ends(short)
        np.dot(G, G.T, short)
        G_ends = _ends(short)
    else:
        np.dot(W.T, W, short)
        W_ends = _ends(short)
        np.dot(G.T, G, short)
        G_ends = _ends(short)
    W_short, W_long = (W1, W2t) if narrow else (W2t, W1)
    np.dot(W_short, W_short.T, short)
    np.dot(W_long, W_long.T, long)
    ends, others = _ends(short), _ends(long)
    r, d, flat = R.ravel(), g.ravel(), G.ravel()
    return (np.dot(r, r) / 2, np.dot(d, d), math.sqrt(np.dot(flat, flat)), ends[0] + others[0], ends[1] + others[1],
            math.sqrt(W_ends[1]), math.sqrt(G_ends[1]))


@njit
def _ends(gram):
    values = np.linalg.eigvalsh(gram)
    return values[0], values[-1]


@njit
def _move(Z, g, eta):
    """Z -= eta g, without an array between."""
    for i in range(Z.shape[0]):
        for j in range(Z.shape[1]):
            Z[i, j] -= eta * g[i, j]
