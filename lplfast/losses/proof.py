"""What is wrong with a computed least-squares solution, at most: proved after the fact. docs/theory.md, section 5."""

import math
from typing import NamedTuple

import numpy as np

__all__ = ["SLACK", "Data", "Frame", "Proof", "U", "blocks", "norm", "summing", "unseen"]

U = float(np.finfo(float).eps) / 2

# Sums over the rows of X are taken in blocks of so many, then over the blocks: that is what their rounding grows with.
BLOCK = 512

# What the bounds' own arithmetic may lose: some tens of operations a line. Long sums have allowances of their own.
SLACK = 1e-12

# Squares that are below float64's range are lost from a sum: no more than this each.
LOST = 1e-323

# Where `frame` is above this, mu and K come from a left inverse and a residual instead.
COARSE = 2.5e-10


class Data(NamedTuple):
    """What a user hands over: `||X (W + offset) - Y||_F^2 / (2 rows) + l2/2 ||W + offset||_F^2`."""

    X: np.ndarray
    Y: np.ndarray
    l2: float
    rows: int
    offset: np.ndarray


class Frame(NamedTuple):
    """What was computed of it: the frame, the Hessian in it, the minimizer in it, and the minimizer."""

    basis: np.ndarray
    d: np.ndarray
    T: np.ndarray
    W: np.ndarray


class Proof:
    """Bounds on what is wrong with a computed solution; one pass over the data."""

    def __init__(self, data, found, frame):
        X, Y, l2, rows, offset = data
        basis, d, T, W = frame
        self.X, self.found, self.basis, self.d, self.l2, self.rows = X, found, basis, d, l2, rows
        (N, n), m = X.shape, Y.shape[1]
        whole = W + offset
        absolute = abs(whole)
        self.norms = _column_norms(X, rows)
        scaled = basis / np.sqrt(d)
        gram, q, r_sq, off_sq = np.zeros((d.size, d.size)), np.zeros((d.size, m)), 0.0, 0.0
        for block in blocks(N):
            A = X[block] @ scaled
            r = X[block] @ whole - Y[block]
            gram += A.T @ A
            q += A.T @ r
            r_sq += float(np.vdot(r, r))
            off_sq += float((((n + 3) * U * (abs(X[block]) @ absolute + abs(Y[block]))) ** 2).sum())
        gram, q = gram / rows, q / rows
        # the ridge as further rows of data, and what rounding may do to A: the product, and `scaled`
        data_trace = float(np.trace(gram))
        below, ridge_rows = math.sqrt(l2) * scaled, math.sqrt(l2) * whole
        ridge = below.T @ below
        q += below.T @ ridge_rows
        bent = (n + 6) * U * norm(self.norms @ abs(scaled))
        sums = summing(N) * data_trace + (n + 8) * U * float(np.trace(ridge))
        measured = norm(gram + ridge - np.eye(d.size)) + sums + 2 * U * d.size
        self.top = math.sqrt(1 + measured) + bent
        self.frame = (measured + 2 * self.top * bent + bent * bent) * (1 + SLACK)
        self.G_off = abs(basis.T @ basis - np.eye(d.size)) + (n + 2) * U * (abs(basis).T @ abs(basis))
        self.V_off = norm(self.G_off)
        # the same for the residual, and for D^(-1/2) V.T times the gradient
        self.sums = (min(N, BLOCK) * m + math.ceil(N / BLOCK) + n * m + 16) * U
        self.data_sq, self.ridge_sq = r_sq / rows, float(np.vdot(ridge_rows, ridge_rows))
        lost = N * m * LOST
        self.r_norm = math.sqrt((r_sq * (1 + self.sums) + lost) / rows)
        self.r_off = math.sqrt((off_sq * (1 + N * m * U) + lost) / rows)
        q_off = (bent * self.r_norm + self.top * self.r_off + summing(N) * math.sqrt(data_trace) * self.r_norm
                 + (n + 8) * U * norm(abs(below).T @ abs(ridge_rows)))
        # what is stored are T and W, which rounding separates
        self.apart = abs(W - basis @ T) + (d.size + 3) * U * (abs(basis) @ abs(T) + abs(W))
        self.apart_seen = norm(self.norms @ self.apart) + norm(math.sqrt(l2) * self.apart)
        self.q = norm(q) + q_off
        if d.size < n:
            # the gradient at V T, as the part of W that V does not reach has no place in the proof
            self.q += self.top * self.apart_seen

    def curvatures(self):
        """Return mu and K, a lower and an upper bound on the curvatures of the loss."""
        low, high = float(self.d.min()), float(self.d.max())
        mu, K = 0.0, math.inf
        if self.frame < 1 and self.V_off < 1:
            mu = low * (1 - self.frame) / (1 + self.V_off) * (1 - SLACK)
            K = high * (1 + self.frame) / (1 - self.V_off) * (1 + SLACK)
        if not self.frame < COARSE:
            mu = max(mu, self._by_left_inverse())
            K = min(K, self._by_residual())
        return float(max(mu, self.l2)), float(K)

    def _by_left_inverse(self):
        """Return a lower bound on mu from L with `L X = P + E`, P a projection to the range of V.

        There `||w|| <= ||(1 + E)^-1 L|| ||X w||`; E is bounded after the columns have been scaled by their norms.
        """
        N, n = self.X.shape
        if self.l2 > 0 and self.found.rank < n:
            return self.l2
        L, V = self.found.left_inverse(), self.found.V
        if not np.isfinite(L).all():
            return self.l2
        size = self.norms.copy()
        size[size == 0] = size.max()
        left, right = size[:, np.newaxis] * L, self.X / size
        e = 0.0
        seen = np.eye(n)
        if self.found.rank < n:
            # P = V (V.T V)^-1 V.T
            V1, V2 = size[:, np.newaxis] * V, V.T / size
            seen = V1 @ V2
            inner = self.G_off + self.V_off * self.V_off / (1 - self.V_off) if self.V_off < 1 else np.inf
            e = norm(abs(V1) @ (inner + (n + 8) * U * np.eye(V.shape[1])) @ abs(V2))
        e += norm(left @ right - seen) + (N + 8) * U * norm(abs(left) @ abs(right) + abs(seen))
        if not e < 0.5:
            return self.l2
        peak = float(abs(L).max())
        gram = (L / peak) @ (L / peak).T
        length = peak * math.sqrt(float(np.linalg.eigvalsh(gram)[-1]) + (N + 10 * n + 10) * U * float(np.trace(gram)))
        added = e / (1 - e) / float(size.min()) * norm(left)
        return (((1 - SLACK) / (length + added))**2 / self.rows + self.l2) * (1 - 2 * U)

    def _by_residual(self):
        """Return an upper bound on K from `||X|| <= ||U|| s_1 ||V|| + ||X - U S V.T||_F`."""
        U_, V, s = self.found.U, self.found.V, self.found.s
        U_off = norm(U_.T @ U_ - np.eye(s.size)) + (self.X.shape[0] + 2) * U * s.size
        scaled = U_ * (s / s[0])
        rest = norm(self.X / s[0] - scaled @ V.T) + (s.size + 6) * U * (s.size + 1)
        top = (math.sqrt((1 + U_off) * (1 + self.V_off)) + rest) * float(s[0])
        return (top * top / self.rows + self.l2) * (1 + SLACK)

    def uncertainty(self, mu):
        """Return a bound on `sqrt(2 gap)` at V T: on the norm of H^(-1/2) times the gradient there."""
        return self._distance(mu) + (self.apart_seen if self.d.size == self.X.shape[1] else 0.0)

    def minimizer_error(self, mu, uncertainty):
        """Return a bound on the distance from the minimizer to the true one."""
        if self.frame < 0.5:
            mu = float(self.d.min()) * (1 - self.frame) / (1 + self.V_off) * (1 - SLACK)
        return uncertainty / math.sqrt(mu) * (1 + SLACK) + norm(self.apart) if mu > 0 else math.inf

    def minimum_error(self, minimum, uncertainty):
        """Return a bound on the error of `minimum`.

        Its distance from the loss at the minimizer as evaluated, what rounding may do to that, and the gap there. But
        the truth is between 0 and that loss.
        """
        n = self.X.shape[1]
        loss = (self.data_sq + self.ridge_sq) / 2
        off = self.r_norm * self.r_off + self.r_off * self.r_off / 2 + (self.sums + 8 * U) * loss
        if self.d.size < n:
            off += self.r_norm * self.apart_seen + self.apart_seen * self.apart_seen / 2
        off += (self.X.shape[0] + n) * self.apart.shape[1] * LOST
        found = abs(minimum - loss) + off + uncertainty * uncertainty / 2
        return float(min(found, max(minimum, loss + off - minimum))) * (1 + SLACK)

    def _distance(self, mu):
        """Return a bound on the norm of H^(-1/2) times the gradient, from `q`."""
        if self.frame < 0.5:
            return self.q / math.sqrt(1 - self.frame) * (1 + SLACK)
        if not mu > 0:
            return math.inf
        return math.sqrt(float(self.d.max())) * self.q * (1 + self.V_off) / math.sqrt(mu) * (1 + SLACK)


def unseen(X, null, rows):
    """Return upper bounds on the curvature of the data along directions that they are taken not to see."""
    off = (X.shape[1] + 8) * U * (_column_norms(X, rows) @ abs(null))
    return (_column_norms(X @ null, rows) + off) ** 2


def _column_norms(A, rows):
    """Return upper bounds on the norms of the columns, divided by the root of `rows`."""
    peak = abs(A).max(axis=0)
    peak[peak == 0] = 1.0
    return peak * np.sqrt(((A / peak) ** 2).sum(axis=0) / rows) * (1 + (A.shape[0] + 8) * U)


def norm(A):
    """Return an upper bound on the Frobenius norm, without squares that leave float64."""
    peak = float(abs(A).max(initial=0.0))
    if not 0 < peak < math.inf:
        return peak
    return peak * float(np.linalg.norm(A / peak)) * (1 + (A.size + 8) * U)


def blocks(N):
    """Return the slices of N rows that sums are taken over one by one."""
    return [slice(at, at + BLOCK) for at in range(0, N, BLOCK)]


def summing(N):
    """Return what rounding may do to a sum of N products, relative to that of their absolute values."""
    return (min(N, BLOCK) + math.ceil(N / BLOCK) + 4) * U
