"""Losses of the rows of X @ W, measured from their minimizer: cross-entropy of a softmax, and of m sigmoids."""

import numpy as np

from libc.math cimport exp, fabs, fmax, log, log1p, sqrt
from libc.string cimport memset

from ..validation import as_double, as_matrix, as_shaped
from ..linalg.blas cimport add_matmul_tn, dot, matmul_nn
from .loss cimport Loss, Value
from ..linalg.rounding cimport U

# X passes through the cache in blocks of so many rows: once for X @ E, and from there for X.T @ R.
cdef enum:
    BLOCK = 128

# exp(c) - 1 - c by its series below, by exp above: either way right to some 40 u.
cdef double NEAR = 0.35

# Beyond it products of probabilities and exponentials may leave float64.
cdef double FAR = 600.0


cdef inline double near_excess(double c) noexcept nogil:
    """exp(c) - 1 - c for |c| <= NEAR: c^2 (1/2! + c/3! + ...), whose next term is below u of the first."""
    return c * c * (1.0 / 2 + c * (1.0 / 6 + c * (1.0 / 24 + c * (1.0 / 120 + c * (1.0 / 720 + c * (
        1.0 / 5040 + c * (1.0 / 40320 + c * (1.0 / 362880 + c * (1.0 / 3628800 + c * (1.0 / 39916800 + c * (
            1.0 / 479001600 + c * (1.0 / 6227020800.0 + c * (1.0 / 87178291200.0)))))))))))))


cdef inline double excess(double c) noexcept nogil:
    """exp(c) - 1 - c, a convex function, without cancellation."""
    return near_excess(c) if fabs(c) <= NEAR else exp(c) - 1.0 - c


cdef inline double tilt(int m, const double* logs, const double* P, double* d, double* spare,
                        double* off) noexcept nogil:
    """d = p - P, where logits that differ by d turn the probabilities P into p; return log(sum(P exp(d))) - P @ d.

    With c = d - P @ d and S = P @ (exp(c) - 1 - c), a sum of positive numbers, it is log1p(S), and
    p - P = P * (exp(c) - 1 - S) / (1 + S): neither cancels, however small d is. `off` receives what the plain formula,
    used where c is huge, may round by; `spare` is room for m numbers.
    """
    cdef double mean = 0.0, widest = 0.0, S = 0.0, top
    cdef int j
    for j in range(m):
        mean += P[j] * d[j]
    for j in range(m):
        d[j] -= mean
        widest = fmax(widest, fabs(d[j]))
    if widest <= NEAR:
        for j in range(m):
            spare[j] = near_excess(d[j])
    elif widest <= FAR:
        for j in range(m):
            spare[j] = excess(d[j])
    else:
        # a probability that has underflowed may count again
        top = logs[0] + d[0]
        for j in range(m):
            d[j] += logs[j]
            top = fmax(top, d[j])
        for j in range(m):
            S += exp(d[j] - top)
        S = top + log(S)
        for j in range(m):
            d[j] = exp(d[j] - S) - P[j]
        off[0] += 8.0 * U * (fabs(top) + fabs(S) + 2.0 * widest)
        return S
    for j in range(m):
        S += P[j] * spare[j]
    for j in range(m):
        d[j] = P[j] * ((d[j] + spare[j]) - S) / (1.0 + S)
    return log1p(S)


cdef class Rowwise(Loss):
    """l(W) = minimum + weight sum_i D_i(X[i] @ (W - W_star)) + l2/2 ||W - W_star||_F^2.

    D_i is the divergence from the distribution that the minimizer gives row i to the one that W gives it. For a loss
    with a minimizer W_star, this is the loss itself: its gap without cancellation, and so its gradient. Where W_star is
    a minimizer only nearly, the two differ by the linear term `<grad l(W_star), W - W_star>`; `uncertainty` bounds
    that gradient, and goes into `gap_error`.

    Parameters
    ----------
    X : (N, n) array
        The inputs.
    logits : (N, m) array
        What the minimizer makes of them, a frozen matrix included.
    W_star : (n, m) array
        The minimizer.
    mu, K, minimum : float
        Constants and least value.
    weight, l2 : float
        Of a row, and of the ridge.
    uncertainty : float
        An upper bound on the norm of the gradient at W_star.
    """

    def __init__(self, X, logits, W_star, *, mu, K, minimum, weight=1.0, l2, uncertainty=0.0):
        X, W_star = as_matrix("X", X), as_matrix("W_star", W_star)
        if X.shape[1] != W_star.shape[0]:
            raise ValueError(f"X: expected {W_star.shape[0]} columns, a row of W_star each, got {X.shape[1]}")
        logits = as_shaped("logits", logits, (X.shape[0], W_star.shape[1]))
        weight, l2 = as_double("weight", weight), as_double("l2", l2)
        uncertainty = as_double("uncertainty", uncertainty)
        super().__init__(W_star.shape, mu=mu, K=K, minimum=minimum)
        # copies: the caller's arrays may change
        self.X, self.logits, self.W_star = X.copy(), logits.copy(), W_star.copy()
        self.N = X.shape[0]
        logs = self._log_probabilities(logits)
        self.logs, self.probabilities = np.ascontiguousarray(logs), np.ascontiguousarray(np.exp(logs))
        self.weight, self.l2, self.uncertainty = weight, l2, uncertainty
        self.X_norm, self.X_max = np.linalg.norm(X), np.linalg.norm(X, 2)
        self.made = True

    cdef bint complete(self) noexcept:
        return self.made

    def _log_probabilities(self, logits):
        """Return the logarithms of the distributions that these logits stand for, one a row."""
        raise TypeError(f"{type(self).__name__}: expected Softmax or Logistic to be called, got their base class")

    @property
    def minimizer(self):
        """The (n, m) matrix W_star, as a new array."""
        self.check()
        return np.array(self.W_star)

    @property
    def options(self):
        """The arguments that make this loss again, by name."""
        self.check()
        return {"X": np.array(self.X), "logits": np.array(self.logits), "W_star": self.minimizer, "mu": self.mu,
                "K": self.K, "minimum": self.minimum, "weight": self.weight, "l2": self.l2,
                "uncertainty": self.uncertainty}

    cdef Py_ssize_t scratch(self) noexcept nogil:
        return <Py_ssize_t> self.n * self.m + <Py_ssize_t> BLOCK * self.m + max(self.m, 2)

    cdef void evaluate(self, const double* W, Value* value, double* G, double* scratch) noexcept nogil:
        cdef Py_ssize_t i, first, nm = <Py_ssize_t> self.n * self.m
        cdef int rows
        cdef const double* W_star = &self.W_star[0, 0]
        cdef double* E = scratch
        cdef double* D = E + nm
        cdef double* spare = D + <Py_ssize_t> BLOCK * self.m
        cdef double gap = 0.0, R_sq = 0.0, off = 0.0, E_norm, R_norm, d_off, share
        # E = W - W_star
        for i in range(nm):
            E[i] = W[i] - W_star[i]
        if G != NULL:
            memset(G, 0, nm * sizeof(double))
        for i in range((self.N + BLOCK - 1) // BLOCK):
            first = i * BLOCK
            rows = <int> min(<Py_ssize_t> BLOCK, self.N - first)
            # D = X[rows] @ E
            matmul_nn(rows, self.n, self.m, &self.X[first, 0], E, D)
            gap += self.tilt_rows(first, rows, D, &R_sq, &off, spare)
            if G != NULL:
                # G += X[rows].T @ R, with R in the place of D
                add_matmul_tn(self.n, rows, self.m, &self.X[first, 0], D, G)
        if G != NULL:
            for i in range(nm):
                G[i] = self.weight * G[i] + self.l2 * E[i]
        E_norm, R_norm = sqrt(dot(nm, E, E)), sqrt(R_sq)
        value.gap = self.weight * gap + 0.5 * self.l2 * E_norm * E_norm
        value.loss = self.minimum + value.gap
        value.gap_error = self.uncertainty * (E_norm + 0.5 * self.uncertainty / self.mu)
        # |fl(X E) - X E| <= d_off; sums of blocks: docs/theory.md, section 12
        d_off = (self.n + self.m + 12) * U * self.X_norm * E_norm
        share = (BLOCK + <double> self.N / BLOCK + 64.0) * U
        value.rounding = (self.weight * (d_off * (R_norm + d_off) + off)
                          + (share + nm * U) * value.gap)
        value.gradient_error = (self.weight * (self.X_max * (0.5 * d_off + 64.0 * U * R_norm)
                                               + share * self.X_norm * R_norm) + 4.0 * U * self.l2 * E_norm)

    cdef double tilt_rows(self, Py_ssize_t first, int rows, double* D, double* R_sq, double* off,
                          double* spare) noexcept nogil:
        """Replace D, rows of differences of logits, by those of probabilities; return the sum of their divergences.

        `R_sq` and `off` receive the sum of squares of what replaces D, and of what far rows may round by.
        """
        return 0.0


cdef class Softmax(Rowwise):
    """Cross-entropy of softmax(X @ W): one distribution over the m columns for each row."""

    def _log_probabilities(self, logits):
        logits = logits - logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    cdef double tilt_rows(self, Py_ssize_t first, int rows, double* D, double* R_sq, double* off,
                          double* spare) noexcept nogil:
        cdef double s = 0.0
        cdef int i
        for i in range(rows):
            s += tilt(self.m, &self.logs[first + i, 0], &self.probabilities[first + i, 0], D + <Py_ssize_t> i * self.m,
                      spare, off)
        R_sq[0] += dot(<Py_ssize_t> rows * self.m, D, D)
        return s


cdef class Logistic(Rowwise):
    """Cross-entropy of sigmoid(X @ W): a distribution over two values for each row and column."""

    def _log_probabilities(self, logits):
        # of the negative and of the positive label
        z = logits.ravel()
        return np.column_stack([-np.logaddexp(0.0, z), -np.logaddexp(0.0, -z)])

    cdef double tilt_rows(self, Py_ssize_t first, int rows, double* D, double* R_sq, double* off,
                          double* spare) noexcept nogil:
        cdef double s = 0.0
        cdef double[2] pair
        cdef Py_ssize_t i, at = first * self.m
        for i in range(<Py_ssize_t> rows * self.m):
            pair[0], pair[1] = 0.0, D[i]
            s += tilt(2, &self.logs[at + i, 0], &self.probabilities[at + i, 0], pair, spare, off)
            D[i] = pair[1]
        R_sq[0] += dot(<Py_ssize_t> rows * self.m, D, D)
        return s
