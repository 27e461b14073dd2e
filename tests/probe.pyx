# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A way into the kernels: their compiled functions, called from Python one by one.

The tests compile this when they need it (conftest.py). Functions of `.pyx` files are those that the library was built
with; what is inline in a `.pxd` is compiled here, from the same source. One module for all folders: compiling it costs
seconds, nearly all of them for what every part would need again, NumPy and the declarations of an iterate.
"""

import numpy as np

from lplfast.linalg cimport blas, cholesky as factors, extremes, passes, quartic, rounding, single, team
from lplfast.rules cimport formulas
from lplfast.spectral cimport brackets, eigenvalues, iterations, spectral, tangent
from lplfast.iterate cimport RULE_MEMORY, Bracket, Iterate, LayerExtremes, Memory, TrackedBound, TrackedExtreme
from lplfast.losses cimport convexity
from lplfast.losses.cross_entropy cimport CrossEntropy
from lplfast.losses.loss cimport Loss, Ray, Value, forget
from lplfast.rules.rule cimport Rule

FEW_ROWS = blas.FEW_ROWS


def room(Py_ssize_t size):
    return np.full(size, np.nan)


def _copy(A):
    return np.array(A, dtype=np.float64, order="C")


def _all_lower(result):
    """Of many rows only the upper triangle is written: show the whole symmetric matrix."""
    return np.triu(result) + np.triu(result, 1).T


def rule_memory(state):
    """What a rule has remembered, of the state of a run: the last field of `Memory`, with which a state begins."""
    last = sizeof(Memory) // sizeof(double)
    return state[last - RULE_MEMORY:last]


# threads

cdef class Team:
    """While this is entered, products are shared by so many threads."""

    cdef int n_threads
    cdef void* gathered

    def __init__(self, n_threads):
        self.n_threads = n_threads

    def __enter__(self):
        self.gathered = team.gather(self.n_threads)
        return self

    def __exit__(self, *exc):
        team.dismiss(self.gathered)


cdef struct Inner:
    int tiles
    int* times


cdef void count_tile(void* job, int tile) noexcept nogil:
    (<int*> job)[tile] += 1


cdef void share_again(void* job, int tile) noexcept nogil:
    cdef Inner* inner = <Inner*> job
    team.share(inner.tiles, count_tile, inner.times + tile * inner.tiles)


def shared(int tiles, int jobs, int inner=0):
    """How many times each tile was done in so many jobs; with `inner`, of jobs inside the tiles."""
    times = np.zeros((tiles, max(inner, 1)), dtype=np.intc)
    cdef int[:, ::1] counted = times
    cdef Inner nested
    cdef int _job
    nested.tiles, nested.times = inner, &counted[0, 0]
    with nogil:
        for _job in range(jobs):
            if inner:
                team.share(tiles, share_again, &nested)
            else:
                team.share(tiles, count_tile, &counted[0, 0])
    return times.ravel()


cdef void call_tile(void* job, int tile) noexcept nogil:
    with gil:
        (<object> job)(tile)


def call(int tiles, work):
    """Share tiles that each call a Python function of their number, which raises nothing."""
    with nogil:
        team.share(tiles, call_tile, <void*> work)


def both_gradients(double[:, ::1] G, double[:, ::1] W1, double[:, ::1] W2t):
    """G @ W2.T and G.T @ W1"""
    g1, g2t = np.full(np.shape(W1), np.nan), np.full(np.shape(W2t), np.nan)
    cdef double[:, ::1] one = g1, two = g2t
    blas.both_gradients(<int> W1.shape[0], <int> W1.shape[1], <int> W2t.shape[0], &G[0, 0], &W1[0, 0], &W2t[0, 0],
                        &one[0, 0], &two[0, 0])
    return g1, g2t


# blas

def product(str kind, double[:, ::1] A, double[:, ::1] B, start=None):
    """A @ B.T ("nt"), A @ B ("nn") or A.T @ B ("tn"); added to `start` if that is given."""
    cdef int n, k, m
    if kind == "nt":
        n, k, m = A.shape[0], A.shape[1], B.shape[0]
    elif kind == "nn":
        n, k, m = A.shape[0], A.shape[1], B.shape[1]
    else:
        n, k, m = A.shape[1], A.shape[0], B.shape[1]
    result = np.full((n, m), np.nan) if start is None else _copy(start)
    cdef double[:, ::1] C = result
    if kind == "nt" and start is None:
        blas.matmul_nt(n, k, m, &A[0, 0], &B[0, 0], &C[0, 0])
    elif kind == "nt":
        blas.add_matmul_nt(n, k, m, &A[0, 0], &B[0, 0], &C[0, 0])
    elif kind == "nn":
        blas.matmul_nn(n, k, m, &A[0, 0], &B[0, 0], &C[0, 0])
    elif start is None:
        blas.matmul_tn(n, k, m, &A[0, 0], &B[0, 0], &C[0, 0])
    else:
        blas.add_matmul_tn(n, k, m, &A[0, 0], &B[0, 0], &C[0, 0])
    return result


def gram(double[:, ::1] A, bint columns=False):
    """A @ A.T, or A.T @ A, in full."""
    cdef int n = A.shape[0], k = A.shape[1], p = k if columns else n
    result = np.zeros((p, p))
    cdef double[:, ::1] C = result
    if columns:
        blas.gram_columns(n, k, &A[0, 0], &C[0, 0])
    else:
        blas.gram_rows(n, k, &A[0, 0], &C[0, 0])
    return result if p < FEW_ROWS else _all_lower(result)


def symmetric_times(double[:, ::1] A, double[::1] x):
    cdef double[::1] y = room(x.shape[0])
    blas.symmetric_times(<int> x.shape[0], &A[0, 0], &x[0], &y[0])
    return np.asarray(y)


cdef double[::1] _factor(double[:, ::1] A):
    """The factor where `cholesky` leaves it, or None; what is beside it was no number before."""
    cdef int n = A.shape[0]
    cdef double[::1] F = room(factors.factor_size(n))
    factors.shifted(n, 1.0, 0.0, &A[0, 0], &F[0])
    return None if factors.cholesky(n, &F[0]) else F


def cholesky(A):
    """L with A = L @ L.T; None if there is none."""
    cdef double[:, ::1] M = _copy(A)
    cdef int n = M.shape[0], length = factors.apart(n)
    factor = _factor(M)
    if factor is None:
        return None
    rows = np.lib.stride_tricks.sliding_window_view(np.asarray(factor), n)[::length][:n]
    return np.triu(rows).T


def cholesky_row(A):
    """One more than the row at which there is no factor; 0 if there is one."""
    cdef double[:, ::1] M = _copy(A)
    cdef int n = M.shape[0]
    cdef double[::1] F = room(factors.factor_size(n))
    factors.shifted(n, 1.0, 0.0, &M[0, 0], &F[0])
    return factors.cholesky(n, &F[0])


def cholesky_solve(A, b):
    """A^-1 @ b"""
    cdef double[:, ::1] M = _copy(A)
    cdef double[::1] x = _copy(b), L = _factor(M)
    factors.cholesky_solve(<int> x.shape[0], &L[0], &x[0])
    return np.asarray(x)


def fmax(double a, double b):
    return extremes.fmax(a, b)


def fmin(double a, double b):
    return extremes.fmin(a, b)


def dot(double[::1] x, double[::1] y):
    return blas.dot(x.shape[0], &x[0], &y[0])


def matvec(double[:, ::1] A, double[::1] x):
    cdef double[::1] y = room(A.shape[0])
    blas.matvec(<int> A.shape[0], <int> A.shape[1], &A[0, 0], &x[0], &y[0])
    return np.asarray(y)


def matvec_t(double[:, ::1] A, double[::1] x):
    cdef double[::1] y = room(A.shape[1])
    blas.matvec_t(<int> A.shape[0], <int> A.shape[1], &A[0, 0], &x[0], &y[0])
    return np.asarray(y)


# rounding and sums

def sum_error(Py_ssize_t size):
    return rounding.sum_error(size)


def square_sum(double[::1] x):
    return passes.square_sum(x.shape[0], &x[0])


def distance_sq(double[::1] x, double[::1] y):
    return passes.distance_sq(x.shape[0], &x[0], &y[0])


def move(double[::1] z, double eta, double[::1] g):
    """z - eta g, and the sum of its squares."""
    cdef double[::1] to = room(z.shape[0])
    cdef double total = passes.move(z.shape[0], &z[0], eta, &g[0], &to[0])
    return np.asarray(to), total


def slope(double[::1] d, double[::1] x, double[::1] y):
    """g = d (x - y); the sums of d (x - y)^2, x^2, g^2."""
    cdef double[::1] g = room(x.shape[0])
    cdef double x_sq, g_sq, total
    total = passes.slope(x.shape[0], &d[0], &x[0], &y[0], &g[0], &x_sq, &g_sq)
    return np.asarray(g), total, x_sq, g_sq


def fall(double[::1] d, double[::1] x, double[::1] y, double[::1] z):
    """The sum of d ((x - z)^2 - (y - z)^2), and that of the absolute values."""
    cdef double absolute, total
    total = passes.fall(x.shape[0], &d[0], &x[0], &y[0], &z[0], &absolute)
    return total, absolute


def motion(double[::1] W, double[::1] W_new, double[::1] G, double[::1] d=None):
    cdef passes.Motion found
    passes.measure_motion(W.shape[0], &W[0], &W_new[0], &G[0], NULL if d is None else &d[0], &found)
    return {"moved_sq": found.moved_sq, "slope": found.slope, "absolute": found.absolute, "forms": found.forms,
            "bent_sq": found.bent_sq}


def weighted_square(double[::1] d, double[:, ::1] A):
    return passes.weighted_square(A.shape[0], A.shape[1], &d[0], &A[0, 0])


# quartic and local

def quartic_fall(dict coefficients, double eta):
    cdef quartic.Quartic q = coefficients
    return quartic.fall(&q, eta)


def first_minimiser(dict coefficients):
    cdef quartic.Quartic q = coefficients
    return quartic.first_minimiser(&q)


def local_step(double K, double sigma_sq, double sigma_W, double gap):
    return formulas.local_step(K, sigma_sq, sigma_W, gap)


def sharp_step(double K, double sigma_sq, double sigma_W, double G_2, double G_F):
    return formulas.sharp_step(K, sigma_sq, sigma_W, G_2, G_F)


# eigenvalues

cdef eigenvalues.Matrix _matrix(double[:, ::1] A):
    return eigenvalues.matrix(<int> A.shape[0], <int> A.shape[1], &A[0, 0], np.linalg.norm(A))


def cholesky_excess(double sign, double[:, ::1] M, double shift, double allowed=0.0):
    """The bound, and the matrix that the factorization was tried on, as stored."""
    cdef int p = M.shape[0]
    cdef double[::1] work = room(factors.factor_size(p)), direction = room(p)
    excess = eigenvalues.cholesky_excess(p, sign, &M[0, 0], shift, allowed, &direction[0], &work[0])
    stored = sign * np.asarray(M)
    stored[np.diag_indices(p)] = [sign * (M[i, i] - shift) for i in range(p)]
    return excess, stored


def breakdown(double sign, double[:, ::1] M, double shift, double allowed=0.0):
    """The direction that a factorization leaves that does not complete."""
    cdef int p = M.shape[0]
    cdef double[::1] work = room(factors.factor_size(p)), direction = room(p)
    assert eigenvalues.cholesky_excess(p, sign, &M[0, 0], shift, allowed, &direction[0], &work[0]) == float("inf")
    return np.asarray(direction)


def rayleigh_cg(double sign, double[:, ::1] M, v, double accuracy):
    """The Rayleigh quotient found, and where."""
    cdef int p = M.shape[0]
    cdef double[::1] x = _copy(v), work = room(4 * p)
    cdef double quotient = iterations.quotient_at(p, &M[0, 0], &x[0], &work[0])
    iterations.rayleigh_cg(p, sign, &M[0, 0], &x[0], &work[0], quotient, accuracy)
    return iterations.quotient_at(p, &M[0, 0], &x[0], &work[0]), np.asarray(x)


def bracket(bint greatest, double[:, ::1] M, int q, double F_sq, v, double accuracy):
    """(lo, hi) and the last direction; None in place of the former where it breaks down."""
    cdef int p = M.shape[0]
    cdef double[::1] x = _copy(v), work = room(factors.factor_size(p) + 4 * p)
    cdef Bracket found
    cdef eigenvalues.Gram gram = eigenvalues.no_gram()
    gram.rows, gram.inner, gram.entries, gram.size = p, q, &M[0, 0], F_sq
    if greatest:
        done = eigenvalues.bracket_greatest(&gram, &x[0], accuracy, &found, &work[0])
    else:
        done = eigenvalues.bracket_least(&gram, &x[0], accuracy, &found, &work[0])
    return ((found.lo, found.hi) if done else None), np.asarray(x)


def bracket_within(bint greatest, double[:, ::1] A, double allowed, v, double accuracy):
    """(lo, hi) of A itself, whose eigenvalues single precision may put off by `allowed`; and whether it was asked."""
    cdef int p = min(A.shape[0], A.shape[1]), q = max(A.shape[0], A.shape[1])
    cdef eigenvalues.Matrix matrix = _matrix(A)
    cdef double[::1] x = _copy(v), work = room(p * p + factors.factor_size(p) + 4 * p + (p + 16) * q)
    cdef Bracket found
    cdef eigenvalues.Gram gram = eigenvalues.gram_within(&matrix, allowed, &work[0])
    assert eigenvalues.bracket_extreme(&gram, greatest, &x[0], accuracy, &found, &work[p * p])
    return (found.lo, found.hi), gram.exact != NULL


def gram_within(double[:, ::1] A, double allowed):
    """The smaller of A @ A.T and A.T @ A, whose eigenvalues single precision may put off by `allowed`, how far it may
    be off by for that, and whether it was asked."""
    cdef int p = min(A.shape[0], A.shape[1]), q = max(A.shape[0], A.shape[1])
    cdef eigenvalues.Matrix matrix = _matrix(A)
    cdef double[::1] work = room(p * p + (p + 16) * q)
    cdef eigenvalues.Gram gram = eigenvalues.gram_within(&matrix, allowed, &work[0])
    product = np.asarray(work)[:gram.rows * gram.rows].reshape(gram.rows, gram.rows)
    return _all_lower(product), eigenvalues.single_error(&gram), gram.exact != NULL


def absolute_norm_sq(double[:, ::1] A):
    cdef double[::1] sums = room(A.shape[1])
    return passes.absolute_norm_sq(A.shape[0], A.shape[1], &A[0, 0], &sums[0])


def single_gram(double[:, ::1] A):
    """The smaller of A @ A.T and A.T @ A in single precision, and how many u of ||A||_F^2 it may be off by."""
    cdef int n = A.shape[0], k = A.shape[1], p = min(n, k)
    cdef double[:, ::1] C = np.full((p, p), np.nan)
    cdef double[::1] panels = room((p + 16) * max(n, k))
    single.single_gram(n, k, &A[0, 0], np.linalg.norm(A), <float*> &panels[0], &C[0, 0])
    return _all_lower(np.asarray(C)), single.gram_units()


def single_factor(double sign, double[:, ::1] M, double shift):
    """Whether it completes, how many u of |R|.T |R| the product of the factor may be off by, how large that is, and
    the factor."""
    cdef double norm = 0.0
    cdef int n = M.shape[0]
    cdef double[::1] work = room((n + 16) * (n + 16))
    largest = abs(np.asarray(M).diagonal() - shift).max()
    broken = single.single_factor(n, sign, shift, largest, &M[0, 0], &work[0], &norm)
    return broken < 0, single.factor_units(n), norm, np.asarray(work).view(np.float32)


def quotient(double[:, ::1] A, double[::1] x):
    """The bracket of ||A.T x||^2 / ||x||^2, or, of more rows than columns, ||A x||^2 / ||x||^2."""
    cdef double[::1] w = room(max(A.shape[0], A.shape[1]))
    cdef eigenvalues.Matrix matrix = _matrix(A)
    cdef Bracket found = eigenvalues.quotient(&matrix, &x[0], &w[0])
    return found.lo, found.hi


def iterate_power(double[:, ::1] M, v, double accuracy):
    cdef int p = M.shape[0]
    cdef double[::1] x = _copy(v), w = room(p)
    return iterations.power_iterate(p, &M[0, 0], &x[0], &w[0], accuracy)


def iterate_inverse(double[:, ::1] M, v, double accuracy):
    cdef int p = M.shape[0]
    cdef double[::1] x = _copy(v), w = room(p), factor = room(factors.factor_size(p))
    return iterations.inverse_iterate(p, &M[0, 0], &x[0], &w[0], &factor[0], accuracy)


# brackets, spectral, tangent and the rules: functions of an iterate

def widen(dict lower, dict upper):
    """The bracket now of ends of the given bound, gram_drift and matrix_path."""
    cdef TrackedExtreme squared
    squared.lower, squared.upper = lower, upper
    brackets.widen(&squared)
    return squared.now.lo, squared.now.hi


def largest_moved(dict lower, dict upper, double distance):
    cdef TrackedExtreme largest
    largest.lower, largest.upper = lower, upper
    brackets.largest_moved(&largest, distance)
    return largest.now.lo, largest.now.hi


def unknown_layer(double[:, ::1] A):
    """What the norm alone says."""
    cdef LayerExtremes layer
    cdef eigenvalues.Matrix matrix = _matrix(A)
    brackets.unknown_layer(&matrix, &layer)
    return layer


cdef class Point:
    """An `Iterate` with its `Memory`: doubles and brackets are attributes, `memory` is a dict; unset ones are 0."""

    cdef Iterate it
    cdef Memory _memory
    cdef list arrays

    def __init__(self, int n, int k, int m, **values):
        self.it.n, self.it.k, self.it.m = n, k, m
        self.it.memory = &self._memory
        self.arrays = []
        for name, value in values.items():
            setattr(self, name, value)

    cdef double* _of(self, str name) except NULL:
        cdef Iterate* it = &self.it
        for known, at in (("mu", <size_t> &it.mu), ("K", <size_t> &it.K), ("loss", <size_t> &it.loss),
                          ("gap", <size_t> &it.gap), ("gap_error", <size_t> &it.gap_error),
                          ("floor", <size_t> &it.floor), ("eps_W", <size_t> &it.eps_W),
                          ("rounding", <size_t> &it.rounding), ("gradient_error", <size_t> &it.gradient_error),
                          ("G_error", <size_t> &it.G_error), ("W1_norm", <size_t> &it.W1_norm),
                          ("W2_norm", <size_t> &it.W2_norm), ("W_norm", <size_t> &it.W_norm),
                          ("G_norm", <size_t> &it.G_norm), ("g1_norm", <size_t> &it.g1_norm),
                          ("g2_norm", <size_t> &it.g2_norm), ("grad_sq", <size_t> &it.grad_sq),
                          ("K_t_share_of_sigma_max_W", <size_t> &it.K_t_share_of_sigma_max_W),
                          ("nu_hi_from_below", <size_t> &it.nu_hi_from_below),
                          ("product_step", <size_t> &it.product_step),
                          ("gram_step", <size_t> &it.gram_step), ("eta", <size_t> &it.eta)):
            if known == name:
                return <double*> <size_t> at
        raise AttributeError(name)

    def __getattr__(self, name):
        return self._of(name)[0]

    def __setattr__(self, name, value):
        cdef Bracket* at
        if name in ("sigma_min_sq", "sigma_max_sq", "sigma_max_W", "G_max", "nu"):
            at = self._bracket(name)
            at.lo, at.hi = value
        elif name == "memory":
            self._memory = {**self._memory, **value}
        elif name in ("W1", "B", "hessian"):
            self._point(name, _copy(value))
        else:
            self._of(name)[0] = value
            if name == "mu":
                self.it.pl = value      # what a loss that knows no better has

    cdef Bracket* _bracket(self, str name) except NULL:
        if name == "sigma_min_sq":
            return &self.it.sigma_min_sq
        if name == "sigma_max_sq":
            return &self.it.sigma_max_sq
        if name == "sigma_max_W":
            return &self.it.sigma_max_W
        return &self.it.G_max if name == "G_max" else &self.it.nu

    cdef _point(self, str name, array):
        cdef double[::1] flat = array.ravel()
        self.arrays.append(flat)
        if name == "W1":
            self.it.W1 = &flat[0]
        elif name == "B":
            self.it.B = &flat[0]
        else:
            self.it.hessian = &flat[0]

    def bracket(self, str name):
        cdef Bracket* at = self._bracket(name)
        return at.lo, at.hi

    @property
    def memory(self):
        return self._memory

    def drift_layer(self, dict max_sq, double other_max, Py_ssize_t size, double A_norm, double other_norm,
                    double g_norm, int m):
        """What a step adds: (moved, e), and the ends of the layer afterwards."""
        cdef LayerExtremes layer
        cdef eigenvalues.Matrix A = eigenvalues.matrix(1, <int> size, NULL, A_norm)
        cdef eigenvalues.Matrix other = eigenvalues.matrix(m, 1, NULL, other_norm)
        cdef double e, moved
        layer = resting_layer(max_sq)
        moved = brackets.drift_layer(&layer, &self.it, &A, &other, other_max, g_norm, &e)
        return moved, e, layer

    def publish(self, spectral.Spectral how):
        how.publish(&self.it)

    def drift(self, spectral.Spectral how):
        how.drift(&self.it)

    def publish_tangent(self):
        tangent.publish_tangent(&self.it)

    def renew_tangent(self, bint by_lapack, double tolerance):
        cdef int n = self.it.n
        cdef double[::1] direction = np.cos(np.arange(2.0 * n)), scratch = room(4 * n * n + 200 * n)
        tangent.renew_tangent(&self.it, True, True, by_lapack, tolerance, NULL, &direction[0], &scratch[0])

    def renew_tangent_from(self, double[:, ::1] product, double tolerance):
        """Likewise from a product W1 @ W1.T in single precision; return how far off that may be, in norm."""
        cdef int n = self.it.n
        cdef double[::1] direction = np.cos(np.arange(2.0 * n)), scratch = room(4 * n * n + 200 * n)
        cdef eigenvalues.Matrix W1 = eigenvalues.matrix(n, self.it.k, self.it.W1, self.it.W1_norm)
        cdef eigenvalues.Gram known = eigenvalues.no_gram()
        known.rows, known.inner, known.entries = n, single.gram_units(), &product[0, 0]
        known.size, known.exact = self.it.W1_norm * self.it.W1_norm, &W1
        tangent.renew_tangent(&self.it, True, True, False, tolerance, &known, &direction[0], &scratch[0])
        return eigenvalues.single_error(&known)

    def second_order(self):
        return tangent.second_order(&self.it)

    def choose(self, Rule rule, Loss loss=None):
        """The step that a rule takes here."""
        cdef double[::1] scratch = room(1 + rule.scratch(self.it.n, self.it.k, self.it.m)
                                        + (0 if loss is None else loss.scratch() + loss.ray_size()))
        rule.choose(&self.it, loss, &scratch[0])
        return self.it.eta


cdef LayerExtremes resting_layer(dict max_sq):
    """A layer of which only the bracket of the greatest value is known; nothing has drifted."""
    cdef LayerExtremes layer
    cdef TrackedBound at_rest
    at_rest.bound = at_rest.gram_drift = at_rest.matrix_path = 0.0
    layer.min_sq.lower = layer.min_sq.upper = layer.max_sq.lower = layer.max_sq.upper = at_rest
    layer.min_sq.now.lo = layer.min_sq.now.hi = 0.0
    layer.max_sq.now = max_sq
    return layer


# losses

cdef class Weighted(Loss):
    """sum(d[:, None] * W**2) / 2, as another project might have it: nothing said but its Hessian."""

    cdef double[::1] d

    def __init__(self, d, int m):
        self.d = _copy(d)
        super().__init__((len(d), m), mu=min(d), K=max(d), minimum=0.0)

    @property
    def options(self):
        return {"d": np.array(self.d), "m": self.m}

    cdef void evaluate(self, const double* W, Value* value, double* G, double* scratch) noexcept nogil:
        cdef Py_ssize_t i
        value.gap = 0.0
        for i in range(<Py_ssize_t> self.n * self.m):
            value.gap += 0.5 * self.d[i // self.m] * W[i] * W[i]
            if G != NULL:
                G[i] = self.d[i // self.m] * W[i]
        value.loss = value.gap

    cdef const double* curvature(self) noexcept nogil:
        return &self.d[0]


def said(Loss loss, double[:, ::1] W):
    """What `evaluate` says at W of how far off value and gradient may be."""
    cdef Value value
    cdef double[:, ::1] G = np.empty(loss.shape)
    cdef double[::1] scratch = room(1 + loss.scratch())
    forget(&value)
    loss.evaluate(&W[0, 0], &value, &G[0, 0], &scratch[0])
    return {"gap_error": value.gap_error, "rounding": value.rounding, "gradient_error": value.gradient_error,
            "pl": value.pl}


def strong_part(double least, double l2, double rho):
    return convexity.strong_part(least, l2, rho)


def along(Loss loss, double[:, ::1] W, double[:, ::1] tau, double[:, ::1] B, double eta):
    """What a loss says of the ray W - eta tau + eta^2 B, with <G, tau> for the squared norm of the gradient."""
    cdef Ray ray
    value, gap, gradient = loss.value_and_gradient(W)
    cdef double[:, ::1] G = gradient
    cdef double[::1] own = room(1 + loss.ray_size()), scratch = room(1 + loss.scratch())
    cdef double[::1] here = room(1 + loss.kept_size())
    cdef Value unused
    cdef double off, best = np.nan
    ray.W, ray.G, ray.tau, ray.B = &W[0, 0], &G[0, 0], &tau[0, 0], &B[0, 0]
    ray.loss, ray.gap, ray.a, ray.own, ray.here = value, gap, np.vdot(gradient, tau), &own[0], &here[0]
    if loss.kept_size():
        loss.evaluate_here(&W[0, 0], &unused, &G[0, 0], &here[0], False, &scratch[0])
    loss.prepare(&ray, &scratch[0])
    return {"change": loss.change(&ray, eta, &off, &scratch[0]), "rounding": off,
            "slope": loss.slope(&ray, eta, &scratch[0]), "upper": loss.upper(&ray, eta, &scratch[0]),
            "growth": (<CrossEntropy> loss).growth(&ray, eta, &scratch[0]) if isinstance(loss, CrossEntropy) else np.nan,
            "upper_minimiser": loss.upper_minimiser(&ray, &scratch[0]),
            "known": loss.minimiser(&ray, &best, &scratch[0]), "minimiser": best,
            "work": (ray.evaluations, ray.gradients)}


def carried(Loss loss, double[:, ::1] W, double[:, ::1] tau, double[:, ::1] B, double eta, int steps):
    """What a loss carries along from W, by so many steps of the same move: its numbers at the end."""
    cdef Ray ray
    value, gap, gradient = loss.value_and_gradient(W)
    cdef double[:, ::1] G = gradient, to = np.array(W)
    cdef double[::1] own = room(1 + loss.ray_size()), scratch = room(1 + loss.scratch())
    cdef double[::1] here = room(loss.kept_size()), there = room(loss.kept_size())
    cdef double rounding
    cdef Value unused
    forget(&unused)
    loss.evaluate_here(&W[0, 0], &unused, &G[0, 0], &here[0], False, &scratch[0])
    for _ in range(steps):
        ray.W, ray.G, ray.tau, ray.B = &to[0, 0], &G[0, 0], &tau[0, 0], &B[0, 0]
        ray.loss, ray.gap, ray.a, ray.own, ray.here = value, gap, np.vdot(gradient, tau), &own[0], &here[0]
        loss.prepare(&ray, &scratch[0])
        loss.change(&ray, eta, &rounding, &scratch[0])
        assert loss.carry(&own[0], eta, 0.0, &here[0], &there[0])
        to = np.asarray(to) - eta * np.asarray(tau) + eta**2 * np.asarray(B)
        loss.evaluate_here(&to[0, 0], &unused, &G[0, 0], &there[0], True, &scratch[0])
        here, there = there, here
    return np.asarray(here)[:loss.carried_size()], {
        "gap": unused.gap, "rounding": unused.rounding, "gradient_error": unused.gradient_error, "G": np.asarray(G)}
