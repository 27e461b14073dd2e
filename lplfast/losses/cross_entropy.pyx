"""Cross-entropy of the rows of X @ W: of a softmax, and of m sigmoids. docs/theory.md, section 12."""

import numpy as np

from libc.math cimport INFINITY, NAN, fabs, sqrt
from libc.string cimport memcpy, memset

from ..linalg.blas cimport dot
from ..linalg.extremes cimport fmax, fmin
from ..linalg.team cimport Work, share
from .loss cimport Loss, Ray
from ..linalg.rounding cimport TINY, U
from .row_sums cimport BLOCK, E_NORM, LOGIT_ERROR, Pass
from .rows cimport (SUMMARY, TILE, bend_of_pairs, growth_of_pairs, growth_of_rows, spread_of_pairs, spread_of_rows,
                    summarize, tilt)
from .rowwise cimport BEND, OWN, PROBABILITIES, TAU_NORM, Rowwise

# The minimiser of `upper` is looked for at so many steps at most, each so many times the last one at most, and as
# closely as this: a part of it is taken.
cdef enum:
    LOOKS = 8
cdef double GROWTH = 100.0
cdef double CLOSE = 0.05


cdef void bend_part(void* job, int part) noexcept nogil:
    cdef Pass* rows = <Pass*> job
    cdef Py_ssize_t first = (<CrossEntropy> rows.loss).part_begins(part)
    cdef Py_ssize_t tiles = ((<CrossEntropy> rows.loss).part_begins(part + 1) - first) // TILE
    rows.slope[part] = (<CrossEntropy> rows.loss).bend(first, tiles, rows.ray)


cdef void growth_part(void* job, int part) noexcept nogil:
    cdef Pass* rows = <Pass*> job
    cdef Py_ssize_t first = (<CrossEntropy> rows.loss).part_begins(part)
    cdef Py_ssize_t tiles = ((<CrossEntropy> rows.loss).part_begins(part + 1) - first) // TILE
    rows.slope[part] = (<CrossEntropy> rows.loss).rows_growth(first, tiles, rows.ray, rows.eta, rows.rho)


cdef class CrossEntropy(Rowwise):
    """D_i is the divergence from the distribution that the minimizer gives row i to the one that W gives it.

    Parameters
    ----------
    X, W_star, mu, K, minimum, weight, l2, uncertainty, unseen, lost, minimum_error, X_max
        As of `Rowwise`.
    logits : (N, m) array
        What the minimizer makes of X, a frozen matrix included.
    """

    def __init__(self, X, logits, W_star, *, mu, K, minimum, weight=1.0, l2, uncertainty=0.0, unseen=None,
                 lost=0.0, minimum_error=None, X_max=None):
        super().__init__(X, W_star, mu=mu, K=K, minimum=minimum, weight=weight, l2=l2, uncertainty=uncertainty,
                         unseen=unseen, lost=lost, minimum_error=minimum_error, X_max=X_max, steepest=0.5)
        logits = self._outputs("logits", logits)
        logs = self._log_probabilities(logits)
        self.logits = logits
        self.logs, self.probabilities = self._tiles(logs), self._tiles(np.exp(logs))
        self.widest, self.faintest = sqrt(np.einsum("ij,ij->i", self.X, self.X).max()), abs(logs).max()
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

    cdef double bend(self, Py_ssize_t first, Py_ssize_t tiles, const Ray* ray) noexcept nogil:
        """Return the sum of the second derivatives along A of the rows of tiles from row `first` on, with the
        probabilities at W and logits that move by -eta A + eta^2 C, [A, C] the tiles of moves; fill their summary."""
        return 0.0

    cdef double rows_growth(self, Py_ssize_t first, Py_ssize_t tiles, const Ray* ray, double eta,
                            double rho) noexcept nogil:
        """Return what these rows exceed their tangents by at eta, at most, with probabilities off by the part rho."""
        return 0.0

    cdef double _sum_of_parts(self, Work work, Pass* rows) noexcept nogil:
        """Return the sum of what `work` leaves of each part."""
        cdef double total
        cdef int part
        rows.loss = <void*> self
        share(self.parts, work, rows)
        total = rows.slope[0]
        for part in range(1, self.parts):
            total += rows.slope[part]
        return total

    cdef void _look_at_rows(self, Ray* ray, double* scratch) noexcept nogil:
        """Remember every row, and what rounding may do to the probabilities at W."""
        cdef Pass rows
        if ray.own[TAU_NORM] != ray.own[TAU_NORM]:
            self._look(ray, scratch)
        rows.ray = ray
        ray.gB = dot(<Py_ssize_t> self.n * self.m, ray.G, ray.B)
        ray.own[BEND] = self._sum_of_parts(bend_part, &rows)
        # docs/theory.md, section 12
        ray.own[PROBABILITIES] = (
            2.0 * (ray.here[LOGIT_ERROR] + (self.m + 14) * U * self.widest * ray.here[E_NORM])
            + 4.0 * U * self.faintest + 2.0 * (self.m + 40) * U)

    cdef double growth(self, Ray* ray, double eta, double* scratch) noexcept nogil:
        """Return what l(W(eta)) exceeds its tangent at W by, <G, W(eta) - W>, at most, rounding included; NaN where
        squares have underflowed."""
        cdef Py_ssize_t size = <Py_ssize_t> self.n * self.m
        cdef double moved, grown, ridge, slack, sums = (BLOCK + <double> self.N + size + 64.0) * U
        cdef Pass rows
        if ray.own[PROBABILITIES] != ray.own[PROBABILITIES]:
            self._look_at_rows(ray, scratch)
        moved = eta * (sqrt(ray.tt) + eta * sqrt(ray.bb))
        if not ray.tt > TINY:       # or the square of B is 0, as it may
            return NAN
        rows.ray, rows.eta, rows.rho = ray, eta, ray.own[PROBABILITIES]
        grown = self.weight * self._sum_of_parts(growth_part, &rows)
        ridge = 0.5 * self.l2 * (fmax(0.0, ray.tt - 2.0 * eta * ray.tb + eta * eta * ray.bb) * eta * eta
                                 + 4.0 * sums * moved * moved)
        # X tau and X B are off by (n + 8) u of the norms, in the logits
        slack = (self.n + 8) * U * moved * (self.X_norm / self.X_max)
        return ((grown + ridge) * (1.0 + sums)
                + slack * (sqrt(2.0 * self.K * (grown + ridge)) + self.K * slack))

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
            eta = fmin(GROWTH * eta, found)
            if fabs(eta - before) <= CLOSE * eta:
                break
        return eta


cdef class Softmax(CrossEntropy):
    """Cross-entropy of softmax(X @ W): one distribution over the m columns for each row."""

    def _log_probabilities(self, logits):
        logits = logits - logits.max(axis=1, keepdims=True)
        self.centered = True
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    cdef double spread(self, Py_ssize_t first, Py_ssize_t tiles, const double* D, double* bent) noexcept nogil:
        return spread_of_rows(tiles, self.m, &self.probabilities[first * self.m], D, bent)

    cdef double tilt_rows(self, Py_ssize_t first, Py_ssize_t tiles, double* D, double* R_sq, double* off, double* spare,
                          double* kept) noexcept nogil:
        cdef Py_ssize_t at = first * self.m
        return tilt(tiles, self.m, &self.logs[at], &self.probabilities[at], D, NULL if kept == NULL else kept + at,
                    spare, R_sq, off)

    cdef Py_ssize_t kept_of_rows(self) noexcept nogil:
        return self.padded * self.m

    cdef Py_ssize_t summary_size(self) noexcept nogil:
        return SUMMARY * self.padded

    cdef double bend(self, Py_ssize_t first, Py_ssize_t tiles, const Ray* ray) noexcept nogil:
        return summarize(tiles, self.m, ray.here + self.carried_size() + first * self.m,
                         ray.own + OWN + 2 * first * self.m, ray.own + Rowwise.ray_size(self) + SUMMARY * first)

    cdef double rows_growth(self, Py_ssize_t first, Py_ssize_t tiles, const Ray* ray, double eta,
                            double rho) noexcept nogil:
        return growth_of_rows(tiles, ray.own + Rowwise.ray_size(self) + SUMMARY * first, eta, rho)


cdef class Logistic(CrossEntropy):
    """Cross-entropy of sigmoid(X @ W): a distribution over two values for each row and column."""

    def _log_probabilities(self, logits):
        # of the negative and of the positive label
        return np.stack([-np.logaddexp(0.0, logits), -np.logaddexp(0.0, -logits)], axis=-1)

    cdef double spread(self, Py_ssize_t first, Py_ssize_t tiles, const double* D, double* bent) noexcept nogil:
        return spread_of_pairs(tiles, self.m, &self.probabilities[2 * first * self.m], D, bent)

    cdef double tilt_rows(self, Py_ssize_t first, Py_ssize_t tiles, double* D, double* R_sq, double* off, double* spare,
                          double* kept) noexcept nogil:
        # tile by tile, as many roundings as the allowance of `evaluate` is for
        cdef double s = 0.0, in_tile, _both
        cdef double[2 * TILE] pair
        cdef Py_ssize_t _i, at = first * self.m
        cdef double* d = D
        cdef int _j
        for _i in range(tiles):
            in_tile = 0.0
            for _j in range(self.m):
                memset(pair, 0, TILE * sizeof(double))
                memcpy(pair + TILE, d, TILE * sizeof(double))
                in_tile += tilt(1, 2, &self.logs[2 * at], &self.probabilities[2 * at], pair,
                                NULL if kept == NULL else kept + 2 * at, spare, &_both, off)
                memcpy(d, pair + TILE, TILE * sizeof(double))
                d += TILE
                at += TILE
            s += in_tile
        R_sq[0] += dot(tiles * TILE * self.m, D, D)
        return s

    cdef Py_ssize_t kept_of_rows(self) noexcept nogil:
        return 2 * self.padded * self.m

    cdef double bend(self, Py_ssize_t first, Py_ssize_t tiles, const Ray* ray) noexcept nogil:
        return bend_of_pairs(tiles, self.m, ray.here + self.carried_size() + 2 * first * self.m,
                             ray.own + OWN + 2 * first * self.m)

    cdef double rows_growth(self, Py_ssize_t first, Py_ssize_t tiles, const Ray* ray, double eta,
                            double rho) noexcept nogil:
        return growth_of_pairs(tiles, self.m, ray.here + self.carried_size() + 2 * first * self.m,
                               ray.own + OWN + 2 * first * self.m, eta, rho)
