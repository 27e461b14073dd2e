"""Losses of the rows of X @ W, measured from their minimizer: what they share.

An evaluation is two products with X: D = X @ (W - W_star), and G = X.T @ R of the derivatives R of the D_i there
(row_sums.pyx). Along a ray, a sum gives D:

    _look            X @ [tau, B], once a ray            one product, twice as wide
    change, slope    D - eta X tau + eta^2 X B           a sum
    carry            the same, as D of the next iterate  a sum

So a rule that looks along the ray pays three products a step, however often it looks. What is carried is off by
LOGIT_ERROR, which `carry` adds to and a product resets: docs/theory.md, section 12.
"""

from libc.math cimport NAN, isfinite, sqrt

from ..linalg.blas cimport dot, matmul_nn
from ..linalg.rounding cimport U
from ..linalg.team cimport share as between_threads
from .loss cimport Loss, Ray, Value, forget
from .row_sums cimport E_NORM, HERE, LOGIT_ERROR, Pass, RowSums, Sums, add_sums
from .rows cimport TILE, move_tiles, slope_of_tiles, to_tiles


cdef void look_part(void* job, int part) noexcept nogil:
    (<Rowwise> (<Pass*> job).loss)._look_part(<Pass*> job, part)


cdef void part_along(void* job, int part) noexcept nogil:
    (<Rowwise> (<Pass*> job).loss)._part_along(<Pass*> job, part)


cdef void carry_part(void* job, int part) noexcept nogil:
    cdef Pass* rows = <Pass*> job
    cdef int m = (<Rowwise> rows.loss).m
    cdef Py_ssize_t first = (<Rowwise> rows.loss).part_begins(part)
    cdef Py_ssize_t tiles = ((<Rowwise> rows.loss).part_begins(part + 1) - first) // TILE
    move_tiles(tiles, m, rows.from_here + HERE + first * m, rows.eta, rows.own + OWN + 2 * first * m,
               rows.here + HERE + first * m)


cdef class Rowwise(RowSums):
    """A loss of rows with what rules ask along a ray; `RowSums` has the parameters.

    A subclass says in `tilt_rows` what D_i is.
    """

    cdef Py_ssize_t ray_size(self) noexcept nogil:
        return OWN + 2 * self.padded * self.m

    cdef void prepare(self, Ray* ray, double* scratch) noexcept nogil:
        Loss.prepare(self, ray, scratch)
        # the products are made when they are asked for
        ray.own[TAU_NORM] = ray.own[PROBABILITIES] = NAN

    cdef void _look(self, Ray* ray, double* scratch) noexcept nogil:
        """Multiply X with tau and B."""
        cdef Py_ssize_t i, j, m = self.m
        cdef double* both = scratch
        cdef Pass rows
        for i in range(self.n):
            for j in range(m):
                both[2 * i * m + j], both[(2 * i + 1) * m + j] = ray.tau[i * m + j], ray.B[i * m + j]
        rows.loss, rows.both, rows.own = <void*> self, both, ray.own
        rows.scratch = scratch + 2 * <Py_ssize_t> self.n * m
        between_threads(self.parts, look_part, &rows)
        ray.tt, ray.tb = dot(self.n * m, ray.tau, ray.tau), dot(self.n * m, ray.tau, ray.B)
        ray.bb = dot(self.n * m, ray.B, ray.B)
        ray.own[TAU_NORM], ray.own[B_NORM] = sqrt(ray.tt), sqrt(ray.bb)

    cdef void _look_part(self, Pass* rows, int part) noexcept nogil:
        cdef Py_ssize_t first = self.part_begins(part), end = self.part_begins(part + 1)
        cdef double* by_row = self.room_of_part(rows, part)
        cdef int count
        while first < end:
            count = <int> min(<Py_ssize_t> self.block, self.N - first)
            # own = X[rows] @ [tau, B]
            matmul_nn(count, self.n, 2 * self.m, &self.X[first, 0], rows.both, by_row)
            to_tiles(count, 2 * self.m, by_row, rows.own + OWN + 2 * first * self.m)
            first += self.block

    cdef double _along(self, Ray* ray, double eta, Value* value, double* scratch) noexcept nogil:
        """Fill `value` at W(eta); return the derivative of l(W(eta)) there."""
        cdef Py_ssize_t i, nm = <Py_ssize_t> self.n * self.m
        cdef const double* W_star = &self.W_star[0, 0]
        cdef double slope, ridge = 0.0, E_sq = 0.0, e, moved
        cdef Sums sums
        cdef Pass rows
        cdef int part
        if ray.own[TAU_NORM] != ray.own[TAU_NORM]:
            self._look(ray, scratch)
        rows.loss, rows.scratch, rows.ray, rows.eta = <void*> self, scratch, ray, eta
        between_threads(self.parts, part_along, &rows)
        sums, slope = rows.sums[0], rows.slope[0]
        for part in range(1, self.parts):
            add_sums(&rows.sums[part], &sums)
            slope += rows.slope[part]
        for i in range(nm):
            e = (ray.W[i] - W_star[i]) - eta * (ray.tau[i] - eta * ray.B[i])
            E_sq += e * e
            ridge += e * (2.0 * eta * ray.B[i] - ray.tau[i])
        moved = eta * (ray.own[TAU_NORM] + eta * ray.own[B_NORM])
        self._tell(&sums, sqrt(E_sq), (ray.here[LOGIT_ERROR] + (self.n + 4) * U * self.X_norm * moved
                                       + 4.0 * U * self.X_max * ray.here[E_NORM]), value)
        return self.weight * slope + self.l2 * ridge

    cdef void _part_along(self, Pass* rows, int part) noexcept nogil:
        cdef Py_ssize_t first = self.part_begins(part), end = self.part_begins(part + 1), tiles
        cdef const Ray* ray = rows.ray
        cdef const double* moves
        cdef double* D = self.room_of_part(rows, part)
        cdef double* spare = D + <Py_ssize_t> self.block * self.m
        cdef Sums* sums = &rows.sums[part]
        sums.gap = sums.R_sq = sums.off = sums.spread = sums.bent = rows.slope[part] = 0.0
        while first < end:
            tiles = min(<Py_ssize_t> self.block, self.padded - first) // TILE
            moves = ray.own + OWN + 2 * first * self.m
            move_tiles(tiles, self.m, ray.here + HERE + first * self.m, rows.eta, moves, D)
            sums.gap += self.tilt_rows(first, tiles, D, &sums.R_sq, &sums.off, spare, NULL)
            rows.slope[part] += slope_of_tiles(tiles, self.m, D, rows.eta, moves)
            first += self.block

    cdef double change(self, Ray* ray, double eta, double* rounding, double* scratch) noexcept nogil:
        cdef Value value
        forget(&value)
        self._along(ray, eta, &value, scratch)
        ray.evaluations += 1
        rounding[0] = 2.0 * U * (ray.gap + value.gap) + value.rounding if isfinite(value.gap) else NAN
        return value.gap - ray.gap

    cdef double slope(self, Ray* ray, double eta, double* scratch) noexcept nogil:
        cdef Value value
        forget(&value)
        ray.evaluations += 1
        ray.gradients += 1
        return self._along(ray, eta, &value, scratch)

    cdef bint carry(self, const double* own, double eta, double slack, const double* before,
                    double* here) noexcept nogil:
        cdef double moved = eta * (own[TAU_NORM] + eta * own[B_NORM])
        cdef Pass rows
        if own[TAU_NORM] != own[TAU_NORM]:
            return False
        rows.loss, rows.own, rows.from_here, rows.here, rows.eta = <void*> self, <double*> own, before, here, eta
        between_threads(self.parts, carry_part, &rows)
        here[LOGIT_ERROR] = (before[LOGIT_ERROR] + self.X_max * slack + (self.n + 4) * U * self.X_norm * moved
                             + 4.0 * U * self.X_max * before[E_NORM])
        return True
