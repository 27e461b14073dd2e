"""Extreme singular values of the layers, of W and of G, as brackets that contain the truth.

An exact computation (LAPACK, widened by what rounding can have done to it) is a bracket. From then on
the bracket is widened by how far the matrix has moved (Weyl), which costs next to nothing, until it is
wider than a tolerance and is computed anew. docs/theory.md derives every allowance used here.
"""

from libc.math cimport INFINITY, fmax, fmin, sqrt
from libc.string cimport memcpy
from scipy.linalg.cython_lapack cimport dgesvd, dsyev

from .blas cimport gram_columns, gram_rows, matmul_nt, matmul_tn, norm
from .iterate cimport Bracket, Iterate, Layer, Memory, Tracked
from .rounding cimport U

# Squares of norms outside this range have lost digits to underflow, or are about to overflow.
cdef double TINY = 1e-280
cdef double HUGE = 1e290

# A value this much smaller than the largest one is not chased with renewals.
cdef double NEGLIGIBLE = 1e-8

# What is known to this part of the tolerance need not be known better.
cdef double SMALL_DRIFT = 1e-3

MODES = ("certified", "exact")


cdef inline double square(double x) noexcept nogil:
    return x * x


cdef inline double positive_part(double x) noexcept nogil:
    return x if x > 0.0 else 0.0


cdef inline double width(Bracket* b) noexcept nogil:
    return b.hi - b.lo


cdef int eigenvalues(int p, double* gram, double* values, double* work, int lwork) noexcept nogil:
    """values = numpy.linalg.eigvalsh(gram), ascending; gram (p, p) is destroyed. Return 0 on success."""
    cdef int info = 0
    if p == 1:
        values[0] = gram[0]
        return 0
    dsyev(b"n", b"u", &p, gram, &p, values, work, &lwork, &info)
    return info


cdef int singular_values(int n, int k, double* A, double* values, double* work, int lwork) noexcept nogil:
    """values = numpy.linalg.svd(A, compute_uv=False), descending; A (n, k) is destroyed. 0 on success."""
    cdef int info = 0, one = 1
    dgesvd(b"n", b"n", &k, &n, A, &k, values, NULL, &one, NULL, &one, work, &lwork, &info)
    return info


cdef inline Py_ssize_t lapack_work(int n, int k) noexcept nogil:
    # dsyev: (blocks of 32 + 2) p; dgesvd without vectors: 3 p + 32 (n + k) covers its blocked parts
    cdef Py_ssize_t p = min(n, k)
    return max(34 * p, 5 * p + 34 * (<Py_ssize_t> n + k))


cdef bint gram_extremes(int n, int k, const double* A, double A_norm, Bracket* least, Bracket* greatest,
                        double* scratch) noexcept nogil:
    """Bracket the extreme eigenvalues of the smaller of A A.T and A.T A, for A (n, k).

    The Gram product of inner length q is within (q + 2) u ||A||_F^2 of the exact one, LAPACK's eigenvalues
    within 10 p u ||gram||_F of those of what it was given. False where squares over- or underflow.
    """
    cdef int p = min(n, k), q = max(n, k)
    cdef double* values = scratch
    cdef double* gram = values + p
    cdef double* work = gram + <Py_ssize_t> p * p
    cdef double F_sq = A_norm * A_norm, error
    if not TINY < F_sq < HUGE:
        return False
    if n <= k:
        gram_rows(n, k, A, gram)
    else:
        gram_columns(n, k, A, gram)
    if eigenvalues(p, gram, values, work, <int> lapack_work(n, k)):
        return False
    # ||gram||_F from its eigenvalues
    error = U * ((q + 2) * F_sq + 10.0 * p * norm(p, values) * (1.0 + 1e-6))
    least.lo = positive_part(values[0] - error)
    least.hi = positive_part(values[0]) + error
    greatest.lo = positive_part(values[p - 1] - error)
    greatest.hi = values[p - 1] + error
    return True


cdef bint svd_extremes(int n, int k, const double* A, Bracket* least, Bracket* greatest,
                       double* scratch) noexcept nogil:
    """Narrow both brackets with the squares of LAPACK's singular values, each within 10 max(n, k) u s_max."""
    cdef int p = min(n, k)
    cdef double* values = scratch
    cdef double* copy = values + p
    cdef double* work = copy + <Py_ssize_t> n * k
    cdef double error
    memcpy(copy, A, <Py_ssize_t> n * k * sizeof(double))
    if singular_values(n, k, copy, values, work, <int> lapack_work(n, k)):
        return False
    error = 10.0 * max(n, k) * U * values[0]
    # the squares round: outward by two units
    least.lo = fmax(least.lo, square(positive_part(values[p - 1] - error)) * (1.0 - 2.0 * U))
    least.hi = fmin(least.hi, square(values[p - 1] + error) * (1.0 + 2.0 * U))
    greatest.lo = fmax(greatest.lo, square(positive_part(values[0] - error)) * (1.0 - 2.0 * U))
    greatest.hi = fmin(greatest.hi, square(values[0] + error) * (1.0 + 2.0 * U))
    return True


cdef void renew_layer(int n, int k, const double* A, double A_norm, double wanted, Layer* layer,
                      double* scratch) noexcept nogil:
    """Compute both extremes of the layer A (n, k) anew.

    By its Gram matrix; and where the smallest value is then not known to the relative width `wanted`,
    by SVD, whose errors are relative to s_min s_max where those of the Gram matrix are to ||A||_F^2.
    """
    cdef Bracket* least = &layer.min_sq.exact
    cdef Bracket* greatest = &layer.max_sq.exact
    cdef int p = min(n, k)
    least.lo = greatest.lo = 0.0
    least.hi = greatest.hi = INFINITY
    cdef bint found = gram_extremes(n, k, A, A_norm, least, greatest, scratch)
    if not found or (n <= k and width(least) > wanted * least.lo):
        found = svd_extremes(n, k, A, least, greatest, scratch) or found
    if not found:
        # what the Frobenius norm alone says
        greatest.lo = square(A_norm) / p * (1.0 - (<double> n * k + 8) * U)
        greatest.hi = square(A_norm) * (1.0 + (<double> n * k + 8) * U)
        least.hi = greatest.hi
    if k < n:
        least.lo = least.hi = 0.0       # n rows of length k < n: s_n(A) is exactly 0
    layer.min_sq.now = layer.min_sq.exact
    layer.max_sq.now = layer.max_sq.exact
    layer.min_sq.drift = layer.max_sq.drift = layer.path = 0.0


cdef void renew_largest(int n, int m, const double* A, double A_norm, Tracked* largest,
                        double* scratch) noexcept nogil:
    """Compute the largest singular value of A (n, m) anew."""
    cdef Bracket least, greatest
    if gram_extremes(n, m, A, A_norm, &least, &greatest, scratch):
        largest.exact.lo = sqrt(greatest.lo) * (1.0 - 2.0 * U)
        largest.exact.hi = sqrt(greatest.hi) * (1.0 + 2.0 * U)
    else:
        largest.exact.lo = A_norm / sqrt(<double> min(n, m)) * (1.0 - (<double> n * m + 8) * U)
        largest.exact.hi = A_norm * (1.0 + (<double> n * m + 8) * U)
    largest.drift = 0.0
    largest.now = largest.exact


cdef void widen_layer(Layer* layer, bint full) noexcept nogil:
    """The brackets now, from the exact ones and the drift since: through the Gram matrix and the path."""
    cdef double path = layer.path
    layer.max_sq.now.lo = fmax(positive_part(layer.max_sq.exact.lo - layer.max_sq.drift),
                               square(positive_part(sqrt(layer.max_sq.exact.lo) * (1.0 - U) - path))
                               * (1.0 - 4.0 * U))
    layer.max_sq.now.hi = fmin((layer.max_sq.exact.hi + layer.max_sq.drift) * (1.0 + U),
                               square(sqrt(layer.max_sq.exact.hi) + path) * (1.0 + 6.0 * U))
    if full:
        layer.min_sq.now.lo = fmax(positive_part(layer.min_sq.exact.lo - layer.min_sq.drift) * (1.0 - U),
                                   square(positive_part(sqrt(layer.min_sq.exact.lo) * (1.0 - U) - path))
                                   * (1.0 - 4.0 * U))
        layer.min_sq.now.hi = fmin((layer.min_sq.exact.hi + layer.min_sq.drift) * (1.0 + U),
                                   square(sqrt(layer.min_sq.exact.hi) + path) * (1.0 + 6.0 * U))


cdef void drift_layer(Layer* layer, int n, int k, int m, double* W, double* G, bint first, double A_norm,
                      double other_norm, double g_norm, double G_norm, double eta, double tolerance,
                      double* scratch) noexcept nogil:
    """Add what one step `A - eta g` adds to the drift of the layer A (n, k) and of its Gram matrix."""
    cdef double step = (1.0 + (<double> n * k + 6) * U) * eta * g_norm
    cdef double rounding = U * (1.0 + 8.0 * U) * (A_norm * (1.0 + (<double> n * k + 6) * U) + 2.0 * step)
    cdef double e = step + rounding
    cdef double s = sqrt(layer.max_sq.now.hi) * (1.0 + 2.0 * U)
    cdef double value = layer.min_sq.now.hi if k >= n else layer.max_sq.now.lo
    cdef double moved = (2.0 * s * e + e * e) * (1.0 + 8.0 * U), product
    if moved > SMALL_DRIFT * tolerance * value:
        # A_new A_new.T - A A.T = -eta (C + C.T) + eta^2 g g.T with C = A g.T = W @ G.T (W.T @ G for layer 2):
        # far smaller than s ||g|| where G is small against W in the directions that count
        if first:
            matmul_nt(n, m, n, W, G, scratch)
        else:
            matmul_tn(n, m, n, W, G, scratch)
        product = (norm(<Py_ssize_t> n * n, scratch) * (1.0 + (<double> n * n + 6) * U)
                   + (k + 2.0 * m + 8) * U * A_norm * other_norm * G_norm)
        moved = fmin(moved, (2.0 * eta * product + step * step + 2.0 * rounding * (s + step)
                             + rounding * rounding) * (1.0 + 8.0 * U))
    layer.min_sq.drift = (layer.min_sq.drift + moved) * (1.0 + 2.0 * U)
    layer.max_sq.drift = layer.min_sq.drift
    layer.path = (layer.path + e) * (1.0 + 2.0 * U)


cdef class Spectral:
    """How the singular values behind the constants are found.

    Parameters
    ----------
    mode : {"certified", "exact"}
        `"exact"`: by LAPACK at every step. `"certified"`: brackets by drift around exact values, renewed when
        wider than `tolerance`. Either way every K_t is an upper and every mu_t a lower bound, with rounding.
    tolerance : float
        The relative width at which a bracket is renewed.

    Examples
    --------
    >>> Spectral("certified", tolerance=0.01)
    Spectral('certified', tolerance=0.01)
    """

    def __init__(self, mode="certified", *, double tolerance=0.01):
        if mode not in MODES:
            raise ValueError(f"constants: expected one of {', '.join(map(repr, MODES))}, got {mode!r}")
        if not 0.0 < tolerance < 1.0:
            raise ValueError(f"tolerance: expected a number between 0 and 1, got {tolerance!r}")
        self.mode = mode
        self.tolerance = tolerance
        self.always = mode == "exact"

    def __repr__(self):
        return f"Spectral({self.mode!r}, tolerance={self.tolerance!r})"

    def __reduce__(self):
        return _spectral, (self.mode, self.tolerance)

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil:
        """How many doubles the other methods work in."""
        cdef Py_ssize_t rows = max(n, m)
        return rows + max(rows * rows, rows * k) + max(lapack_work(n, k), lapack_work(m, k),
                                                       lapack_work(n, m))

    cdef void start(self, Iterate* it, double* scratch) noexcept nogil:
        """Compute everything exactly, at the evaluated iterate."""
        renew_layer(it.n, it.k, it.W1, it.W1_norm, 0.0, &it.memory.layer1, scratch)
        renew_layer(it.m, it.k, it.W2t, it.W2_norm, 0.0, &it.memory.layer2, scratch)
        renew_largest(it.n, it.m, it.W, it.W_norm, &it.memory.W_max, scratch)
        renew_largest(it.n, it.m, it.G, it.G_norm, &it.memory.G_max, scratch)
        it.memory.renewals += 4
        self.publish(it)
        self._count(it)

    cdef void drift(self, Iterate* it, double* scratch) noexcept nogil:
        """Before the step of size `it.eta` is taken: add what it will move the layers by."""
        if self.always:
            return
        drift_layer(&it.memory.layer1, it.n, it.k, it.m, it.W, it.G, True, it.W1_norm, it.W2_norm, it.g1_norm,
                    it.G_norm, it.eta, self.tolerance, scratch)
        drift_layer(&it.memory.layer2, it.m, it.k, it.n, it.W, it.G, False, it.W2_norm, it.W1_norm, it.g2_norm,
                    it.G_norm, it.eta, self.tolerance, scratch)

    cdef void measure(self, Iterate* it, double* scratch) noexcept nogil:
        """After the step: the brackets at the evaluated iterate, renewed where they have become too wide."""
        cdef Memory* memory = it.memory
        cdef Layer* one = &memory.layer1
        cdef Layer* two = &memory.layer2
        cdef Py_ssize_t i, size = <Py_ssize_t> it.n * it.m
        cdef double W_moved = 0.0, G_moved = 0.0, least, greatest, half = 0.5 * self.tolerance
        if self.always:
            self.start(it, scratch)
            return
        widen_layer(one, it.k >= it.n)
        widen_layer(two, it.k >= it.m)
        greatest = one.max_sq.now.lo + two.max_sq.now.lo
        least = half * fmax(one.min_sq.now.lo + two.min_sq.now.lo, NEGLIGIBLE * greatest)
        greatest *= half
        if not (width(&one.min_sq.now) <= least and width(&one.max_sq.now) <= greatest):
            renew_layer(it.n, it.k, it.W1, it.W1_norm, SMALL_DRIFT * self.tolerance, one, scratch)
            memory.renewals += 1
        if not (width(&two.min_sq.now) <= least and width(&two.max_sq.now) <= greatest):
            renew_layer(it.m, it.k, it.W2t, it.W2_norm, SMALL_DRIFT * self.tolerance, two, scratch)
            memory.renewals += 1
        # the computed W and G have moved by exactly the differences of what is stored
        for i in range(size):
            W_moved += square(it.W[i] - it.W_old[i])
            G_moved += square(it.G[i] - it.G_old[i])
        largest_moved(&memory.W_max, sqrt(W_moved) * (1.0 + (size + 8) * U))
        largest_moved(&memory.G_max, sqrt(G_moved) * (1.0 + (size + 8) * U))
        if not width(&memory.W_max.now) <= self.tolerance * fmax(memory.W_max.now.lo, NEGLIGIBLE * it.W_norm):
            renew_largest(it.n, it.m, it.W, it.W_norm, &memory.W_max, scratch)
            memory.renewals += 1
        # ||G||_2 matters only beside K s_max(T)^2
        greatest = it.K * (one.max_sq.now.lo + two.max_sq.now.lo) + memory.G_max.now.lo
        if not width(&memory.G_max.now) <= self.tolerance * greatest:
            renew_largest(it.n, it.m, it.G, it.G_norm, &memory.G_max, scratch)
            memory.renewals += 1
        self.publish(it)
        self._count(it)

    cdef void publish(self, Iterate* it) noexcept nogil:
        """Turn what is tracked into the brackets of the iterate."""
        cdef Layer* one = &it.memory.layer1
        cdef Layer* two = &it.memory.layer2
        cdef Bracket* W_max = &it.memory.W_max.now
        cdef Bracket* G_max = &it.memory.G_max.now
        it.sigma_min_sq.lo = (one.min_sq.now.lo + two.min_sq.now.lo) * (1.0 - U)
        it.sigma_min_sq.hi = (one.min_sq.now.hi + two.min_sq.now.hi) * (1.0 + U)
        it.sigma_max_sq.lo = (one.max_sq.now.lo + two.max_sq.now.lo) * (1.0 - U)
        it.sigma_max_sq.hi = (one.max_sq.now.hi + two.max_sq.now.hi) * (1.0 + U)
        # W and G as computed are eps_W and K eps_W away from those of the stored layers
        it.sigma_max_W.lo = positive_part(W_max.lo - it.eps_W)
        it.sigma_max_W.hi = W_max.hi + it.eps_W
        it.G_max.lo = positive_part(G_max.lo - it.K * it.eps_W)
        it.G_max.hi = fmin(G_max.hi + it.K * it.eps_W, it.G_norm)

    cdef void _count(self, Iterate* it) noexcept nogil:
        """Count the iterates at which every bracket is as narrow as was asked."""
        it.memory.narrow += (width(&it.sigma_min_sq) <= self.tolerance * it.sigma_min_sq.lo
                             and width(&it.sigma_max_sq) <= self.tolerance * it.sigma_max_sq.lo
                             and width(&it.sigma_max_W) <= self.tolerance * it.sigma_max_W.lo)


cdef void largest_moved(Tracked* largest, double distance) noexcept nogil:
    """The bracket of a largest singular value after its matrix has moved by at most `distance`."""
    largest.drift = (largest.drift + distance) * (1.0 + 2.0 * U)
    largest.now.lo = positive_part(largest.exact.lo - largest.drift)
    largest.now.hi = (largest.exact.hi + largest.drift) * (1.0 + U)


def _spectral(mode, tolerance):
    return Spectral(mode, tolerance=tolerance)
