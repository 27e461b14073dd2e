"""Cross-entropy of the rows of X @ W: of a softmax, and of m sigmoids. docs/theory.md, section 12."""

import numpy as np

from libc.math cimport INFINITY, NAN, exp, fabs, log, log1p, sqrt

from ..linalg.blas cimport dot
from .displacement cimport NEAR, SUMMARY, greater, lesser, near_excess, row_growth, summarize, two_points
from .loss cimport Loss, Ray
from ..linalg.rounding cimport TINY, U
from .rowwise cimport BEND, BLOCK, E_NORM, LOGIT_ERROR, OWN, PROBABILITIES, TAU_NORM, Rowwise

# Beyond it products of probabilities and exponentials may leave float64.
cdef double FAR = 600.0

# The minimiser of `upper` is looked for at so many steps at most, each so many times the last one at most, and as
# closely as this: a part of it is taken.
cdef enum:
    LOOKS = 8
cdef double GROWTH = 100.0
cdef double CLOSE = 0.05


cdef inline double tilt(int m, const double* logs, const double* P, double* d, double* spare, double* off,
                        double* p) noexcept nogil:
    """d = p - P, where logits that differ by d turn the probabilities P into p; return log(sum(P exp(d))) - P @ d.
    Unless it is NULL, `p` receives p.

    With c = d - P @ d and S = P @ (exp(c) - 1 - c), a sum of positive numbers, it is log1p(S), and
    p - P = P * (exp(c) - 1 - S) / (1 + S): neither cancels, however small d is. `off` receives what the plain formula,
    used where c is huge, may round by; `spare` is room for m numbers.
    """
    cdef double mean = 0.0, widest = 0.0, S = 0.0, top, e
    cdef int j
    for j in range(m):
        mean += P[j] * d[j]
    for j in range(m):
        d[j] -= mean
        widest = greater(widest, fabs(d[j]))
    if widest <= NEAR:
        for j in range(m):
            spare[j] = near_excess(d[j])
            if p != NULL:
                p[j] = P[j] * (1.0 + (d[j] + spare[j]))
    elif widest <= FAR:
        for j in range(m):
            if fabs(d[j]) <= NEAR:
                spare[j] = near_excess(d[j])
                e = 1.0 + (d[j] + spare[j])
            else:
                e = exp(d[j])
                spare[j] = e - 1.0 - d[j]
            if p != NULL:
                p[j] = P[j] * e
    else:
        # a probability that has underflowed may count again
        top = logs[0] + d[0]
        for j in range(m):
            d[j] += logs[j]
            top = greater(top, d[j])
        for j in range(m):
            S += exp(d[j] - top)
        S = top + log(S)
        for j in range(m):
            d[j] = exp(d[j] - S)
            if p != NULL:
                p[j] = d[j]
            d[j] -= P[j]
        off[0] += 8.0 * U * (fabs(top) + fabs(S) + 2.0 * widest)
        return S
    for j in range(m):
        S += P[j] * spare[j]
    for j in range(m):
        d[j] = P[j] * ((d[j] + spare[j]) - S) / (1.0 + S)
    if p != NULL:
        for j in range(m):
            p[j] /= 1.0 + S
    return log1p(S)


cdef class CrossEntropy(Rowwise):
    """D_i is the divergence from the distribution that the minimizer gives row i to the one that W gives it.

    Parameters
    ----------
    X, W_star, mu, K, minimum, weight, l2, uncertainty, unseen, lost, minimum_error
        As of `Rowwise`.
    logits : (N, m) array
        What the minimizer makes of X, a frozen matrix included.
    """

    def __init__(self, X, logits, W_star, *, mu, K, minimum, weight=1.0, l2, uncertainty=0.0, unseen=None,
                 lost=0.0, minimum_error=None):
        super().__init__(X, W_star, mu=mu, K=K, minimum=minimum, weight=weight, l2=l2, uncertainty=uncertainty,
                         unseen=unseen, lost=lost, minimum_error=minimum_error, steepest=0.5)
        logits = self._outputs("logits", logits)
        logs = self._log_probabilities(logits)
        self.logits = logits
        self.logs, self.probabilities = np.ascontiguousarray(logs), np.ascontiguousarray(np.exp(logs))
        self.widest, self.faintest = np.linalg.norm(self.X, axis=1).max(), abs(logs).max()
        self.made = True

    def _log_probabilities(self, logits):
        """Return the logarithms of the distributions that these logits stand for, one a row."""
        raise TypeError(f"{type(self).__name__}: expected Softmax or Logistic to be called, got their base class")

    def made_of(self):
        """The logits, and what is known of the minimizer and of X, by name."""
        self.check()
        return {"logits": np.array(self.logits), "unseen": None if self.unseen is None else np.array(self.unseen),
                "lost": self.lost, "minimum_error": self.minimum_error}

    # Along a ray, every row's own curvature: what it exceeds its tangent at W by, at most, for a few numbers a row.

    cdef Py_ssize_t ray_size(self) noexcept nogil:
        return Rowwise.ray_size(self) + self.summary_size()

    cdef Py_ssize_t summary_size(self) noexcept nogil:
        """How many numbers are remembered of all rows."""
        return 0

    cdef double summarize_rows(self, const double* p, const double* moves, double* summary) noexcept nogil:
        """Remember all rows: probabilities p, logits that move by -eta A + eta^2 C, [A, C] the rows of `moves`; return
        the sum of their second derivatives along A."""
        return 0.0

    cdef double rows_growth(self, const double* summary, double eta, double rho) noexcept nogil:
        """Return what all rows exceed their tangents by at eta, at most, with probabilities off by the part rho."""
        return 0.0

    cdef void _look_at_rows(self, Ray* ray, double* scratch) noexcept nogil:
        """Remember every row, and what rounding may do to the probabilities at W."""
        if ray.own[TAU_NORM] != ray.own[TAU_NORM]:
            self._look(ray, scratch)
        ray.gB = dot(<Py_ssize_t> self.n * self.m, ray.G, ray.B)
        ray.own[BEND] = self.summarize_rows(ray.here + self.carried_size(), ray.own + OWN,
                                            ray.own + Rowwise.ray_size(self))
        # docs/theory.md, section 12
        ray.own[PROBABILITIES] = (
            2.0 * (ray.here[LOGIT_ERROR] + (self.m + 14) * U * self.widest * ray.here[E_NORM])
            + 4.0 * U * self.faintest + 2.0 * (self.m + 40) * U)

    cdef double growth(self, Ray* ray, double eta, double* scratch) noexcept nogil:
        """Return what l(W(eta)) exceeds its tangent at W by, <G, W(eta) - W>, at most, rounding included; NaN where
        squares have underflowed."""
        cdef Py_ssize_t size = <Py_ssize_t> self.n * self.m
        cdef double moved, rows, ridge, slack, sums = (BLOCK + <double> self.N + size + 64.0) * U
        if ray.own[PROBABILITIES] != ray.own[PROBABILITIES]:
            self._look_at_rows(ray, scratch)
        moved = eta * (sqrt(ray.tt) + eta * sqrt(ray.bb))
        if not ray.tt > TINY:       # or the square of B is 0, as it may
            return NAN
        rows = self.weight * self.rows_growth(ray.own + Rowwise.ray_size(self), eta, ray.own[PROBABILITIES])
        ridge = 0.5 * self.l2 * (greater(0.0, ray.tt - 2.0 * eta * ray.tb + eta * eta * ray.bb) * eta * eta
                                 + 4.0 * sums * moved * moved)
        # X tau and X B are off by (n + 8) u of the norms, in the logits
        slack = (self.n + 8) * U * moved * (self.X_norm / self.X_max)
        return ((rows + ridge) * (1.0 + sums)
                + slack * (sqrt(2.0 * self.K * (rows + ridge)) + self.K * slack))

    cdef double upper(self, Ray* ray, double eta, double* scratch) noexcept nogil:
        cdef double by_K = Loss.upper(self, ray, eta, scratch), by_rows
        if by_K == INFINITY:
            return by_K
        by_rows = -eta * ray.a + eta * eta * ray.gB + self.growth(ray, eta, scratch)
        return by_rows if by_rows < by_K else by_K

    cdef double upper_minimiser(self, Ray* ray, double* scratch) noexcept nogil:
        """From where the curvature at W alone would have it: by cubics through what is known at 0 and two steps."""
        cdef double eta = Loss.upper_minimiser(self, ray, scratch), found, before = 0.0, lack, at_before, A, B, root
        cdef int _i
        if eta == 0.0:
            return 0.0
        if ray.own[PROBABILITIES] != ray.own[PROBABILITIES]:
            self._look_at_rows(ray, scratch)
        # upper = -a eta + lack eta^2
        at_before = ray.gB + 0.5 * (self.weight * ray.own[BEND] + self.l2 * ray.tt)
        if at_before > 0.0:
            eta = 0.5 * ray.a / at_before
        for _i in range(LOOKS):
            lack = (self.upper(ray, eta, scratch) + ray.a * eta) / (eta * eta)
            if not lack > 0.0:
                return before
            # lack = A + B eta, by the last two: the minimiser of a cubic
            B = (lack - at_before) / (eta - before)
            A = lack - B * eta
            root = A * A + 3.0 * ray.a * B
            found = ray.a / (A + sqrt(root)) if root > 0.0 and A + sqrt(root) > 0.0 else 0.5 * ray.a / lack
            before, at_before = eta, lack
            eta = lesser(GROWTH * eta, found)
            if fabs(eta - before) <= CLOSE * eta:
                break
        return eta


cdef class Softmax(CrossEntropy):
    """Cross-entropy of softmax(X @ W): one distribution over the m columns for each row."""

    def _log_probabilities(self, logits):
        logits = logits - logits.max(axis=1, keepdims=True)
        self.centered = True
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    cdef double spread(self, Py_ssize_t first, int rows, const double* D, double* bent) noexcept nogil:
        cdef double widest = 0.0, low, high, mean, row
        cdef const double* P = &self.probabilities[first, 0]
        cdef int _i, j
        for _i in range(rows):
            low = high = D[0]
            mean = row = 0.0
            for j in range(self.m):
                low, high = lesser(low, D[j]), greater(high, D[j])
                mean += P[j] * D[j]
            for j in range(self.m):
                row += P[j] * (D[j] - mean) * (D[j] - mean)
            bent[0] += row
            widest = greater(widest, high - low)
            P += self.m
            D += self.m
        return widest

    cdef double tilt_rows(self, Py_ssize_t first, int rows, double* D, double* R_sq, double* off, double* spare,
                          double* kept) noexcept nogil:
        cdef double s = 0.0
        cdef int i
        for i in range(rows):
            s += tilt(self.m, &self.logs[first + i, 0], &self.probabilities[first + i, 0], D + <Py_ssize_t> i * self.m,
                      spare, off, NULL if kept == NULL else kept + (first + i) * self.m)
        R_sq[0] += dot(<Py_ssize_t> rows * self.m, D, D)
        return s

    cdef Py_ssize_t summary_size(self) noexcept nogil:
        return SUMMARY * self.N

    cdef Py_ssize_t kept_of_rows(self) noexcept nogil:
        return self.N * self.m

    cdef double summarize_rows(self, const double* p, const double* moves, double* summary) noexcept nogil:
        cdef double bend = 0.0
        cdef Py_ssize_t i, m = self.m
        for i in range(self.N):
            summarize(self.m, p + i * m, moves + 2 * i * m, moves + (2 * i + 1) * m, summary + i * SUMMARY)
            bend += summary[i * SUMMARY]
        return bend

    cdef double rows_growth(self, const double* summary, double eta, double rho) noexcept nogil:
        cdef double s = 0.0
        cdef Py_ssize_t i
        for i in range(self.N):
            s += row_growth(summary + i * SUMMARY, eta, rho)
        return s


cdef class Logistic(CrossEntropy):
    """Cross-entropy of sigmoid(X @ W): a distribution over two values for each row and column."""

    def _log_probabilities(self, logits):
        # of the negative and of the positive label
        z = logits.ravel()
        return np.column_stack([-np.logaddexp(0.0, z), -np.logaddexp(0.0, -z)])

    cdef double spread(self, Py_ssize_t first, int rows, const double* D, double* bent) noexcept nogil:
        # of the logits 0 and D, column by column
        cdef double widest = 0.0, row
        cdef const double* P = &self.probabilities[first * self.m, 0]
        cdef Py_ssize_t i, j
        for i in range(rows):
            row = 0.0
            for j in range(i * self.m, (i + 1) * self.m):
                widest = greater(widest, fabs(D[j]))
                row += P[2 * j] * P[2 * j + 1] * D[j] * D[j]
            bent[0] += row
        return widest

    cdef double tilt_rows(self, Py_ssize_t first, int rows, double* D, double* R_sq, double* off, double* spare,
                          double* kept) noexcept nogil:
        # row by row, as many roundings as the allowance of `evaluate` is for
        cdef double s = 0.0, row
        cdef double[2] pair
        cdef Py_ssize_t _i, _j, at = 0
        for _i in range(rows):
            row = 0.0
            for _j in range(self.m):
                pair[0], pair[1] = 0.0, D[at]
                row += tilt(2, &self.logs[first * self.m + at, 0], &self.probabilities[first * self.m + at, 0], pair,
                            spare, off, NULL if kept == NULL else kept + 2 * (first * self.m + at))
                D[at] = pair[1]
                at += 1
            s += row
        R_sq[0] += dot(at, D, D)
        return s

    cdef Py_ssize_t kept_of_rows(self) noexcept nogil:
        return 2 * self.N * self.m

    cdef Py_ssize_t summary_size(self) noexcept nogil:
        return 4 * self.N * self.m

    cdef double summarize_rows(self, const double* p, const double* moves, double* summary) noexcept nogil:
        # of two values, variance and largest value are known at every eta
        cdef double bend = 0.0
        cdef Py_ssize_t i, j, m = self.m, at = 0
        for i in range(self.N):
            for j in range(m):
                summary[4 * at], summary[4 * at + 1] = p[2 * at], p[2 * at + 1]
                summary[4 * at + 2], summary[4 * at + 3] = moves[2 * i * m + j], moves[(2 * i + 1) * m + j]
                bend += p[2 * at] * p[2 * at + 1] * moves[2 * i * m + j] * moves[2 * i * m + j]
                at += 1
        return bend

    cdef double rows_growth(self, const double* summary, double eta, double rho) noexcept nogil:
        cdef double total = 0.0, u, b
        cdef Py_ssize_t i
        for i in range(self.N * self.m):
            u = eta * (eta * summary[4 * i + 3] - summary[4 * i + 2])
            b = (u * summary[4 * i] if u > 0.0 else -u * summary[4 * i + 1]) + 2.0 * rho * fabs(u)
            total += lesser(0.125 * u * u,
                            two_points(summary[4 * i] * summary[4 * i + 1] * u * u * (1.0 + 4.0 * rho), b))
        return total
