"""Losses of the rows of X @ W, measured from their minimizer: what they are at one W, by one pass over the rows.

    evaluate         D by a product, D = X @ (W - W_star)       X @ E, X.T @ R
    evaluate_here    the same, and D is kept                    or D as it was carried: X.T @ R alone

R are the derivatives of the D_i there. In between rows are in tiles (rows.h), eight side by side.
docs/theory.md, section 12.
"""

import numpy as np

from libc.math cimport INFINITY, NAN, hypot, sqrt
from libc.string cimport memcpy, memset

from ..threads import single_threaded_blas
from ..validation import as_double, as_matrix, as_shaped
from ..linalg.blas cimport add_matmul_tn, dot, matmul_nn, matmul_tn
from ..linalg.extremes cimport fmax
from ..linalg.team cimport share as between_threads
from .convexity cimport strong_part
from .gram import Gram
from .loss cimport Loss, Value
from .rows cimport TILE, from_tiles, to_tiles
from ..linalg.rounding cimport TINY, U

# Numbers of a block of X at most: a part of a core's own cache.
cdef enum:
    CACHED = 48 * 1024


# A part has so many blocks, and so many multiplications by X, at least.
cdef int BLOCKS = 4
cdef double WORK = 2.5e5


cdef void sum_part(void* job, int part) noexcept nogil:
    (<RowSums> (<Pass*> job).loss)._sum_part(<Pass*> job, part)


cdef void add_sums(const Sums* part, Sums* sums) noexcept nogil:
    sums.gap += part.gap
    sums.R_sq += part.R_sq
    sums.off += part.off
    sums.bent += part.bent
    sums.spread = fmax(sums.spread, part.spread)


cdef class RowSums(Loss):
    """l(W) = minimum + weight sum_i D_i(X[i] @ (W - W_star)) + l2/2 ||W - W_star||_F^2.

    D_i is what the convex function that row i is put into exceeds its tangent at W_star by. For a loss with a minimizer
    W_star, this is the loss itself: its gap without cancellation, and so its gradient. Where W_star is a minimizer only
    nearly, the two differ by the linear term `<grad l(W_star), W - W_star>`; `uncertainty` bounds that gradient, and
    goes into `gap_error`. A subclass says in `tilt_rows` what D_i is.

    Parameters
    ----------
    X : (N, n) array
        The inputs.
    W_star : (n, m) array
        The minimizer.
    mu, K, minimum : float
        Constants and least value.
    weight, l2 : float
        Of a row, and of the ridge.
    uncertainty : float
        An upper bound on the norm of the gradient at W_star.
    blur : float
        What the outputs at W_star that D_i was made of may be off by, in the Frobenius norm, as far as `uncertainty`
        does not account for it: the loss at W may be off by so much of the norm of the derivatives of D_i.
    unseen : (n, n - r) array, optional
        Orthonormal columns that all rows of X are orthogonal to, if there are such.
    lost : float
        X @ W is at most this times ||W|| from what it stands for, if X is what other data see in a frame.
    minimum_error : float, optional
        What the loss may exceed its least value by at W_star. Without it, `uncertainty**2 / (2 mu)`.
    steepest : float
        An upper bound on the second derivatives of D_i, at most 2.
    X_max : float, optional
        An upper bound on the largest singular value of X. Without it, one is worked out.
    """

    def __init__(self, X, W_star, *, mu, K, minimum, weight, l2, uncertainty, blur=0.0, unseen=None, lost=0.0,
                 minimum_error=None, steepest, X_max=None):
        X, W_star = as_matrix("X", X), as_matrix("W_star", W_star)
        unseen = None if unseen is None else as_matrix("unseen", unseen)
        if X.shape[1] != W_star.shape[0]:
            raise ValueError(f"X: expected {W_star.shape[0]} columns, a row of W_star each, got {X.shape[1]}")
        if unseen is not None and len(unseen) != X.shape[1]:
            raise ValueError(f"unseen: expected {X.shape[1]} rows, one a column of X, got {len(unseen)}")
        weight, l2 = as_double("weight", weight), as_double("l2", l2)
        uncertainty = as_double("uncertainty", uncertainty)
        blur, steepest = as_double("blur", blur), as_double("steepest", steepest)
        lost = as_double("lost", lost)
        mu = as_double("mu", mu)
        if minimum_error is None:
            minimum_error = 0.5 * uncertainty * uncertainty / mu if mu > 0 else (INFINITY if uncertainty > 0 else 0.0)
        minimum_error = as_double("minimum_error", minimum_error)
        super().__init__(W_star.shape, mu=mu, K=K, minimum=minimum)
        # copies: the caller's arrays may change, unless they are nobody else's and cannot be written to
        self.X = X if X.flags.owndata and not X.flags.writeable else X.copy()
        self.W_star = W_star.copy()
        self.N = X.shape[0]
        self.padded = (self.N + TILE - 1) // TILE * TILE
        self.block = min(BLOCK, max(TILE, CACHED // self.n // TILE * TILE))
        blocks = (self.N + self.block - 1) // self.block
        self.parts = max(1, min(PARTS, blocks // BLOCKS, int(self.N * self.n * self.m / WORK)))
        self.weight, self.l2, self.uncertainty = weight, l2, uncertainty
        self.blur, self.steepest = blur, steepest
        self.X_norm = np.linalg.norm(X)
        if X_max is None:
            with single_threaded_blas():
                X_max = sqrt(Gram(X).largest) * (1.0 + 4.0 * U)
        self.X_max = as_double("X_max", X_max)
        self.unseen = None if unseen is None else unseen.copy()
        if unseen is not None:
            self.unseen_off = np.linalg.norm(X @ unseen) + 2 * (self.n + 8) * U * self.X_norm
        self.unseen_off += lost
        self.lost, self.minimum_error = lost, minimum_error

    cdef bint complete(self) noexcept:
        return self.made

    def _outputs(self, name, outputs):
        """Return what the minimizer makes of X as a matrix of the right shape, or raise."""
        return as_shaped(name, outputs, (self.N, self.m)).copy()

    def _tiles(self, rows):
        """Return an array of N rows of vectors or matrices as tiles: eight rows at a time, side by side, 0 below."""
        whole = np.zeros((self.padded, *rows.shape[1:]))
        whole[: self.N] = rows
        return np.moveaxis(whole.reshape(-1, TILE, *rows.shape[1:]), 1, -1).ravel()

    def _rows(self, tiles):
        """Return the (N, m) matrix that `_tiles` was given."""
        return np.asarray(tiles).reshape(-1, self.m, TILE).swapaxes(1, 2).reshape(-1, self.m)[: self.N].copy()

    @property
    def minimizer(self):
        """The (n, m) matrix W_star, as a new array."""
        self.check()
        return np.array(self.W_star)

    @property
    def options(self):
        """The arguments that make this loss again, by name."""
        self.check()
        return {"X": np.array(self.X), **self.made_of(), "W_star": self.minimizer, "mu": self.mu, "K": self.K,
                "minimum": self.minimum, "weight": self.weight, "l2": self.l2, "uncertainty": self.uncertainty}

    def made_of(self):
        """The arguments that a subclass takes beside those of every loss of rows, by name."""
        return {}

    cdef Py_ssize_t scratch(self) noexcept nogil:
        # E, or [tau, B]; and of each part its sum of X.T @ R and its room
        cdef Py_ssize_t nm = <Py_ssize_t> self.n * self.m
        return (2 + self.parts) * nm + self.parts * self._room()

    cdef Py_ssize_t _room(self) noexcept nogil:
        # a block of rows, of twice as many columns, or as tiles and as rows; two tiles
        return 2 * <Py_ssize_t> self.block * self.m + 2 * TILE * <Py_ssize_t> max(self.m, 2)

    cdef double* room_of_part(self, Pass* rows, int part) noexcept nogil:
        """What a part of a pass works in."""
        return rows.scratch + self.parts * <Py_ssize_t> self.n * self.m + part * self._room()

    cdef Py_ssize_t part_begins(self, int part) noexcept nogil:
        """The row that a part begins with, of the padded ones."""
        cdef Py_ssize_t blocks = (self.N + self.block - 1) // self.block
        return min(self.padded, blocks * part // self.parts * self.block)

    cdef int most_threads(self) noexcept nogil:
        return self.parts

    cdef void evaluate(self, const double* W, Value* value, double* G, double* scratch) noexcept nogil:
        self.evaluate_here(W, value, G, NULL, False, scratch)

    cdef Py_ssize_t carried_size(self) noexcept nogil:
        return HERE + self.padded * self.m

    cdef Py_ssize_t kept_size(self) noexcept nogil:
        return self.carried_size() + self.kept_of_rows()

    cdef void evaluate_here(self, const double* W, Value* value, double* G, double* here, bint carried,
                            double* scratch) noexcept nogil:
        cdef Py_ssize_t i, nm = <Py_ssize_t> self.n * self.m
        cdef const double* W_star = &self.W_star[0, 0]
        cdef double* E = scratch
        cdef double E_norm, error, bent, rounding = (BLOCK + <double> self.N / BLOCK + self.m + 64.0) * U
        cdef Sums sums
        # E = W - W_star
        for i in range(nm):
            E[i] = W[i] - W_star[i]
        if G != NULL:
            memset(G, 0, nm * sizeof(double))
        self._sum_rows(E, G, here, carried, &sums, scratch + nm)
        if G != NULL:
            for i in range(nm):
                G[i] = self.weight * G[i] + self.l2 * E[i]
        E_norm = sqrt(dot(nm, E, E))
        # |fl(X E) - X E|
        error = here[LOGIT_ERROR] if carried else (self.n + 2) * U * self.X_norm * E_norm
        if here != NULL:
            here[LOGIT_ERROR], here[E_NORM] = error, E_norm
        self._tell(&sums, E_norm, error, value)
        if G != NULL:
            bent = fmax(0.0, sqrt(sums.bent) * (1.0 - rounding) - sums.logit_error)
            value.pl = self.local_pl(E, self.weight * bent * bent, sums.spread + 2.0 * sums.logit_error, value,
                                     scratch + nm)

    cdef void _sum_rows(self, const double* E, double* G, double* here, bint carried, Sums* sums,
                        double* scratch) noexcept nogil:
        """G += X.T @ R and the sums over all rows at E; D is read from `here` if it was carried, else written there,
        unless G and `here` are NULL."""
        cdef Py_ssize_t i, nm = <Py_ssize_t> self.n * self.m
        cdef double* of_part
        cdef Pass rows
        cdef int part
        rows.loss, rows.scratch = <void*> self, scratch
        rows.E, rows.G, rows.here, rows.carried = E, G, here, carried
        between_threads(self.parts, sum_part, &rows)
        sums[0] = rows.sums[0]
        for part in range(1, self.parts):
            add_sums(&rows.sums[part], sums)
            if G != NULL:
                of_part = scratch + part * nm
                for i in range(nm):
                    G[i] += of_part[i]

    cdef void _sum_part(self, Pass* rows, int part) noexcept nogil:
        cdef Py_ssize_t first = self.part_begins(part), end = self.part_begins(part + 1), tiles
        cdef double* D = self.room_of_part(rows, part)
        cdef double* by_row = D + <Py_ssize_t> self.block * self.m
        cdef double* spare = by_row + <Py_ssize_t> self.block * self.m
        cdef double* here = rows.here
        cdef double* kept
        cdef double* G = rows.G
        cdef Sums* sums = &rows.sums[part]
        cdef int count
        sums.gap = sums.R_sq = sums.off = sums.spread = sums.bent = 0.0
        if G != NULL and part > 0:
            G = rows.scratch + part * <Py_ssize_t> self.n * self.m
            memset(G, 0, <Py_ssize_t> self.n * self.m * sizeof(double))
        while first < end:
            count = <int> min(<Py_ssize_t> self.block, self.N - first)
            tiles = (count + TILE - 1) // TILE
            kept = NULL if here == NULL else here + HERE + first * self.m
            if rows.carried:
                memcpy(D, kept, tiles * TILE * self.m * sizeof(double))
            else:
                # D = X[rows] @ E
                matmul_nn(count, self.n, self.m, &self.X[first, 0], rows.E, by_row)
                to_tiles(count, self.m, by_row, D)
                if kept != NULL:
                    memcpy(kept, D, tiles * TILE * self.m * sizeof(double))
            if G != NULL:
                sums.spread = fmax(sums.spread, self.spread(first, tiles, D, &sums.bent))
            sums.gap += self.tilt_rows(first, tiles, D, &sums.R_sq, &sums.off, spare,
                                       NULL if here == NULL else here + self.carried_size())
            if G != NULL:
                # G += X[rows].T @ R, with R in the place of D
                from_tiles(count, self.m, D, by_row)
                add_matmul_tn(self.n, count, self.m, &self.X[first, 0], by_row, G)
            first += self.block

    cdef void _tell(self, Sums* sums, double E_norm, double logit_error, Value* value) noexcept nogil:
        """Fill `value` from the sums over all rows at a W of this distance from W_star, of logits that are off by so
        much."""
        cdef Py_ssize_t nm = <Py_ssize_t> self.n * self.m
        cdef double R_norm = sqrt(sums.R_sq), d_off, share
        value.gap = self.weight * sums.gap + 0.5 * self.l2 * E_norm * E_norm
        value.loss = self.minimum + value.gap
        value.gap_error = self.uncertainty * E_norm + self.minimum_error + self.weight * self.blur * R_norm
        # <P, d> and c are sums over m, and there is what X was taken not to see
        sums.logit_error = d_off = logit_error + ((self.m + 10) * U * self.X_norm + self.unseen_off) * E_norm
        share = (BLOCK + <double> self.N / BLOCK + 64.0) * U
        value.rounding = (self.weight * (d_off * (R_norm + d_off) + sums.off)
                          + (share + nm * U) * value.gap)
        value.gradient_error = (self.weight * (self.X_max * (self.steepest * d_off + 64.0 * U * R_norm)
                                               + (share * self.X_norm + self.unseen_off) * R_norm)
                                + 4.0 * U * self.l2 * E_norm)

    cdef double local_pl(self, const double* E, double bent, double rho, const Value* value,
                         double* scratch) noexcept nogil:
        """A lower bound on ||G||^2 / (2 gap) at W_star + E; NaN if there is none but mu. docs/theory.md, section 12.

        `bent` is a lower bound on <E, H E>, H the Hessian at W_star without that of the ridge, and logits of a row
        differ from the minimizer's by numbers that are at most rho apart. The gap is that of what the data see of E,
        times `strong_part` at most half a squared gradient, and of the ridge on the rest, times l2 exactly so.
        `scratch` is room for as many numbers as E.
        """
        cdef Py_ssize_t i, nm = <Py_ssize_t> self.n * self.m
        cdef int j, away
        cdef double size = dot(nm, E, E), gap = value.gap - value.rounding
        cdef double rounding = (self.n + self.m + 8) * U * sqrt(size)
        cdef double left = 0.0, right = 0.0, row, rest, share
        if not (rho < INFINITY and gap > 0.0 and size > TINY):
            return NAN
        # what the data do not see of E
        if self.unseen is not None:
            away = <int> self.unseen.shape[1]
            # scratch = unseen.T @ E
            matmul_tn(away, self.n, self.m, &self.unseen[0, 0], E, scratch)
            left = sqrt(dot(<Py_ssize_t> away * self.m, scratch, scratch))
        if self.centered:
            for i in range(self.n):
                row = 0.0
                for j in range(self.m):
                    row += E[i * self.m + j]
                right += row * row
            right = sqrt(right / self.m)
        rest = hypot(left, right) + rounding
        share = 0.5 * self.l2 * rest * rest * (1.0 + 16.0 * U) / gap
        rest = fmax(0.0, fmax(left, right) - rounding)
        size = (size - rest * rest) * (1.0 + 8.0 * U) + (nm + 8) * U * size
        if not share < 1.0:
            return NAN
        return self.l2 + (strong_part(bent / size, self.l2, rho) - self.l2) * (1.0 - share) * (1.0 - 8.0 * U)

    cdef double spread(self, Py_ssize_t first, Py_ssize_t tiles, const double* D, double* bent) noexcept nogil:
        """The largest range within a row of D, tiles of X @ (W - W_star) from row `first` on, and in `bent` their
        quadratic forms with the second derivatives of D_i at the minimizer; infinite where the range does not bound
        what these become."""
        return INFINITY

    cdef double tilt_rows(self, Py_ssize_t first, Py_ssize_t tiles, double* D, double* R_sq, double* off, double* spare,
                          double* kept) noexcept nogil:
        """Replace D, tiles of X @ (W - W_star) from row `first` on, by the derivatives of D_i there; return the sum of
        the D_i.

        Rows beyond the last are 0 and must stay 0. `R_sq` and `off` receive the sum of squares of what replaces D, and
        what the sum may be off by beyond what `evaluate` allows for. `spare` is room for two tiles of max(m, 2)
        columns. Unless it is NULL, `kept` is for what the subclass keeps of all rows.
        """
        return 0.0

    cdef Py_ssize_t kept_of_rows(self) noexcept nogil:
        """How many numbers a subclass keeps of all rows at an iterate."""
        return 0
