"""Extreme singular values of the layers, of W and of G, as brackets that contain the truth.

An exact computation (LAPACK, widened by what rounding can have done to it) is a bracket. From then on
the bracket is widened by how far the matrix has moved (Weyl), which costs next to nothing, until it is
wider than a tolerance and is computed anew. docs/theory.md derives every allowance used here.
"""

from libc.math cimport INFINITY, fmax, fmin, sqrt

from .blas cimport gram_columns, gram_rows, matmul_nt, matmul_tn, norm
from .extremes cimport (
    HUGE, NEGLIGIBLE, TINY, bracket_greatest, bracket_least, gram_extremes, inverse_iterate, lapack_work, positive_part,
    power_iterate, quotient, square, svd_extremes, width,
)
from .iterate cimport Bracket, Iterate, Layer, Memory, Tracked
from .rounding cimport U
from .sums cimport distance_sq
from .tangent cimport publish_tangent, renew_tangent, tangent_is_narrow

# What is known to this part of the tolerance need not be known better.
cdef double SMALL_DRIFT = 1e-3

# From this many rows on, a proof by Cholesky is faster than LAPACK's eigenvalues: measured 1.2 times at 4 rows, 2
# at 12, 2.4 at 20; the directions that it leaves behind save renewals, too. A single row needs neither.
cdef int PROOF_FROM = 2

# A certificate may take up this part of the tolerance; the rest is left for drift.
cdef double PROOF_WIDTH = 0.125

MODES = ("certified", "exact", "power")


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
        largest.exact.lo = 0.0      # A_norm may be no more than an upper bound
        largest.exact.hi = A_norm * (1.0 + (<double> n * m + 8) * U)
    largest.drift = 0.0
    largest.now = largest.exact


cdef void sharpen_layer(int n, int k, const double* A, double A_norm, Layer* layer, double* directions,
                        double* scratch) noexcept nogil:
    """Narrow the brackets of the layer A (n, k), n <= k, from inside: by Rayleigh quotients at the last directions."""
    layer.max_sq.now.lo = fmax(layer.max_sq.now.lo, quotient(n, k, A, A_norm, directions, scratch).lo)
    layer.min_sq.now.hi = fmin(layer.min_sq.now.hi, quotient(n, k, A, A_norm, directions + n, scratch).hi)


cdef bint layer_is_narrow(Layer* layer, double least, double greatest) noexcept nogil:
    return width(&layer.min_sq.now) <= least and width(&layer.max_sq.now) <= greatest


cdef void estimate_layer(int n, int k, const double* A, double tolerance, Layer* layer, double* directions,
                         double* scratch) noexcept nogil:
    """Estimate both extremes of the layer A (n, k) by power and inverse iteration: no certificate. The greatest is
    approached from below, the least from above; it is called 0 where its Cholesky factorization breaks down."""
    cdef int p = min(n, k)
    cdef double* work = scratch + <Py_ssize_t> p * p
    cdef double least = 0.0
    if n <= k:
        gram_rows(n, k, A, scratch)
        least = inverse_iterate(n, scratch, directions + n, work, work + n, PROOF_WIDTH * tolerance)
        if not least < INFINITY:
            least = 0.0
    else:
        gram_columns(n, k, A, scratch)
    layer.max_sq.now.lo = layer.max_sq.now.hi = power_iterate(p, scratch, directions, work, PROOF_WIDTH * tolerance)
    layer.min_sq.now.lo = layer.min_sq.now.hi = least


cdef void estimate_largest(int n, int m, const double* A, double tolerance, Tracked* largest, double* direction,
                           double* scratch) noexcept nogil:
    """Estimate the largest singular value of A (n, m) by power iteration, from below: no certificate."""
    cdef int p = min(n, m)
    if n <= m:
        gram_rows(n, m, A, scratch)
    else:
        gram_columns(n, m, A, scratch)
    largest.now.lo = largest.now.hi = sqrt(power_iterate(p, scratch, direction, scratch + <Py_ssize_t> p * p,
                                                         PROOF_WIDTH * tolerance))


cdef bint prove_layer(int n, int k, const double* A, double A_norm, double tolerance, Layer* layer,
                      double* directions, double* scratch) noexcept nogil:
    """Renew both brackets of the layer A (n, k) without an eigenvalue problem; False if that did not work out."""
    cdef Bracket least, greatest
    cdef double F_sq = A_norm * A_norm, room = PROOF_WIDTH * tolerance
    cdef double* work = scratch + <Py_ssize_t> n * n
    if n < PROOF_FROM or n > k or not TINY < F_sq < HUGE:
        return False
    gram_rows(n, k, A, scratch)
    if not (bracket_greatest(n, k, scratch, F_sq, directions, room, &greatest, work)
            and bracket_least(n, k, scratch, F_sq, directions + n, room, &least, work)):
        return False
    layer.min_sq.exact = layer.min_sq.now = least
    layer.max_sq.exact = layer.max_sq.now = greatest
    layer.min_sq.drift = layer.max_sq.drift = layer.path = 0.0
    return True


cdef bint prove_largest(int n, int m, const double* A, double A_norm, double tolerance, Tracked* largest,
                        double* direction, double* scratch) noexcept nogil:
    """Renew the largest singular value of A (n, m) without an eigenvalue problem; False if that did not work out."""
    cdef Bracket greatest
    cdef int p = min(n, m), q = max(n, m)
    cdef double F_sq = A_norm * A_norm
    if p < PROOF_FROM or not TINY < F_sq < HUGE:
        return False
    if n <= m:
        gram_rows(n, m, A, scratch)
    else:
        gram_columns(n, m, A, scratch)
    if not bracket_greatest(p, q, scratch, F_sq, direction, PROOF_WIDTH * tolerance, &greatest,
                            scratch + <Py_ssize_t> p * p):
        return False
    largest.exact.lo = sqrt(greatest.lo) * (1.0 - 2.0 * U)
    largest.exact.hi = sqrt(greatest.hi) * (1.0 + 2.0 * U)
    largest.drift = 0.0
    largest.now = largest.exact
    return True


cdef void widen_layer(Layer* layer, bint full) noexcept nogil:
    """The brackets now, from the exact ones and the drift since: through the Gram matrix and the path."""
    cdef double path = layer.path
    layer.max_sq.now.lo = fmax(positive_part(layer.max_sq.exact.lo - layer.max_sq.drift) * (1.0 - U),
                               square(positive_part(sqrt(layer.max_sq.exact.lo) * (1.0 - U) - path))
                               * (1.0 - 4.0 * U))
    layer.max_sq.now.hi = fmin((layer.max_sq.exact.hi + layer.max_sq.drift) * (1.0 + 2.0 * U),
                               square(sqrt(layer.max_sq.exact.hi) + path) * (1.0 + 6.0 * U))
    if full:
        layer.min_sq.now.lo = fmax(positive_part(layer.min_sq.exact.lo - layer.min_sq.drift) * (1.0 - U),
                                   square(positive_part(sqrt(layer.min_sq.exact.lo) * (1.0 - U) - path))
                                   * (1.0 - 4.0 * U))
        layer.min_sq.now.hi = fmin((layer.min_sq.exact.hi + layer.min_sq.drift) * (1.0 + 2.0 * U),
                                   square(sqrt(layer.min_sq.exact.hi) + path) * (1.0 + 6.0 * U))


cdef double drift_layer(Layer* layer, int n, int k, int m, double* W, double* G, bint first, double A_norm,
                        double other_norm, double g_norm, double G_norm, double eta, double tolerance,
                        double* scratch) noexcept nogil:
    """Add what one step `A - eta g` adds to the drift of the layer A (n, k) and of its Gram matrix; return the
    latter."""
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
        product = norm(<Py_ssize_t> n * n, scratch)
        if not product * product > TINY:
            product = sqrt(TINY)        # its square has underflowed
        product = (product * (1.0 + (<double> n * n + 6) * U)
                   + (k + 2.0 * m + 8) * U * A_norm * other_norm * G_norm)
        moved = fmin(moved, (2.0 * eta * product + step * step + 2.0 * rounding * (s + step)
                             + rounding * rounding) * (1.0 + 8.0 * U))
    layer.min_sq.drift = (layer.min_sq.drift + moved) * (1.0 + 2.0 * U)
    layer.max_sq.drift = layer.min_sq.drift
    layer.path = (layer.path + e) * (1.0 + 2.0 * U)
    return moved


cdef class Spectral:
    """How the singular values behind the constants are found.

    Parameters
    ----------
    mode : {"certified", "exact", "power"}
        `"exact"`: by LAPACK at every step. `"certified"`: brackets by drift around exact values, renewed when
        wider than `tolerance`, by LAPACK or by a Cholesky factorization whose completion is the proof. Either
        way every K_t is an upper and every mu_t a lower bound, with rounding. `"power"`: warm-started power and
        inverse iteration at every step: an estimate, whose K_t errs low and mu_t high.
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
        self.estimates = mode == "power"

    def __repr__(self):
        return f"Spectral({self.mode!r}, tolerance={self.tolerance!r})"

    def __reduce__(self):
        return _spectral, (self.mode, self.tolerance)

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil:
        """How many doubles the other methods work in."""
        cdef Py_ssize_t rows = max(n, m)
        return (2 * rows + max(2 * rows * rows, rows * k)
                + max(lapack_work(n, k), lapack_work(m, k), lapack_work(n, m), lapack_work(n, n)))

    cdef void start(self, Iterate* it, double wanted, double* scratch) noexcept nogil:
        """Compute everything by LAPACK, at the evaluated iterate: s_min^2 of the layers by their Gram matrices if
        that gives it to the relative width `wanted`, else by SVD."""
        renew_layer(it.n, it.k, it.W1, it.W1_norm, wanted, &it.memory.layer1, scratch)
        renew_layer(it.m, it.k, it.W2t, it.W2_norm, wanted, &it.memory.layer2, scratch)
        renew_largest(it.n, it.m, it.W, it.W_norm, &it.memory.W_max, scratch)
        renew_largest(it.n, it.m, it.G, it.G_norm, &it.memory.G_max, scratch)
        it.memory.renewals += 4
        it.memory.eigenproblems += 4
        self.publish(it)
        if it.hessian != NULL and not self.estimates:
            it.memory.renewals += 1
            renew_tangent(it, True, self.tolerance, NULL, scratch)
            publish_tangent(it)
        self._count(it)

    cdef void drift(self, Iterate* it, double* scratch) noexcept nogil:
        """Before the step of size `it.eta` is taken: add what it will move the layers by."""
        if self.always or self.estimates:
            return
        cdef double moved = drift_layer(&it.memory.layer1, it.n, it.k, it.m, it.W, it.G, True, it.W1_norm, it.W2_norm,
                                        it.g1_norm, it.G_norm, it.eta, self.tolerance, scratch)
        moved += drift_layer(&it.memory.layer2, it.m, it.k, it.n, it.W, it.G, False, it.W2_norm, it.W1_norm,
                             it.g2_norm, it.G_norm, it.eta, self.tolerance, scratch)
        it.memory.tangent.drift = (it.memory.tangent.drift + moved) * (1.0 + 2.0 * U)

    cdef void measure(self, Iterate* it, double* scratch) noexcept nogil:
        """After the step: the brackets at the evaluated iterate, renewed where they have become too wide."""
        cdef Memory* memory = it.memory
        cdef Layer* one = &memory.layer1
        cdef Layer* two = &memory.layer2
        cdef Py_ssize_t size = <Py_ssize_t> it.n * it.m
        cdef double* directions = it.directions
        cdef double least, greatest, half = 0.5 * self.tolerance
        if self.always:
            self.start(it, EXACT_WIDTH, scratch)
            return
        if self.estimates:
            estimate_layer(it.n, it.k, it.W1, self.tolerance, one, directions, scratch)
            estimate_layer(it.m, it.k, it.W2t, self.tolerance, two, directions + 2 * it.n, scratch)
            directions += 2 * it.n + 2 * it.m
            estimate_largest(it.n, it.m, it.W, self.tolerance, &memory.W_max, directions, scratch)
            estimate_largest(it.n, it.m, it.G, self.tolerance, &memory.G_max, directions + min(it.n, it.m), scratch)
            self.publish(it)
            return
        widen_layer(one, it.k >= it.n)
        widen_layer(two, it.k >= it.m)
        greatest = one.max_sq.now.lo + two.max_sq.now.lo
        least = half * fmax(one.min_sq.now.lo + two.min_sq.now.lo, NEGLIGIBLE * greatest)
        greatest *= half
        self._keep_narrow(memory, one, it.n, it.k, it.W1, it.W1_norm, least, greatest, directions, scratch)
        directions += 2 * it.n
        self._keep_narrow(memory, two, it.m, it.k, it.W2t, it.W2_norm, least, greatest, directions, scratch)
        directions += 2 * it.m
        # the computed W and G have moved by exactly the differences of what is stored
        # but where the square of a difference underflows
        largest_moved(&memory.W_max, sqrt(fmax(distance_sq(size, it.W, it.W_old), TINY)) * (1.0 + (size + 8) * U))
        largest_moved(&memory.G_max, sqrt(fmax(distance_sq(size, it.G, it.G_old), TINY)) * (1.0 + (size + 8) * U))
        least = self.tolerance * fmax(memory.W_max.now.lo, NEGLIGIBLE * it.W_norm)
        if not width(&memory.W_max.now) <= least and it.n <= it.m:
            # from inside, at the last direction
            memory.W_max.now.lo = fmax(memory.W_max.now.lo, sqrt(quotient(it.n, it.m, it.W, it.W_norm, directions,
                                                                          scratch).lo) * (1.0 - 2.0 * U))
        if not width(&memory.W_max.now) <= least:
            memory.renewals += 1
            if not prove_largest(it.n, it.m, it.W, it.W_norm, self.tolerance, &memory.W_max, directions, scratch):
                memory.eigenproblems += 1
                renew_largest(it.n, it.m, it.W, it.W_norm, &memory.W_max, scratch)
        directions += min(it.n, it.m)
        # ||G||_2 matters only beside K s_max(T)^2
        greatest = it.K * (one.max_sq.now.lo + two.max_sq.now.lo) + memory.G_max.now.lo
        if not width(&memory.G_max.now) <= self.tolerance * greatest:
            memory.renewals += 1
            if not prove_largest(it.n, it.m, it.G, it.G_norm, self.tolerance, &memory.G_max, directions, scratch):
                memory.eigenproblems += 1
                renew_largest(it.n, it.m, it.G, it.G_norm, &memory.G_max, scratch)
        directions += min(it.n, it.m)
        self.publish(it)
        if it.hessian != NULL and not tangent_is_narrow(it, self.tolerance):
            memory.renewals += 1
            renew_tangent(it, False, PROOF_WIDTH * self.tolerance, directions, scratch)
            publish_tangent(it)
        self._count(it)

    cdef void _keep_narrow(self, Memory* memory, Layer* layer, int n, int k, const double* A, double A_norm,
                           double least, double greatest, double* directions, double* scratch) noexcept nogil:
        """Sharpen the brackets of a layer that have become too wide; if that is not enough, renew them."""
        if layer_is_narrow(layer, least, greatest):
            return
        if n <= k:
            sharpen_layer(n, k, A, A_norm, layer, directions, scratch)
            if layer_is_narrow(layer, least, greatest):
                return
        memory.renewals += 1
        if not prove_layer(n, k, A, A_norm, self.tolerance, layer, directions, scratch):
            memory.eigenproblems += 1
            renew_layer(n, k, A, A_norm, SMALL_DRIFT * self.tolerance, layer, scratch)

    cdef void publish(self, Iterate* it) noexcept nogil:
        """Turn what is tracked into the brackets of the iterate."""
        cdef Layer* one = &it.memory.layer1
        cdef Layer* two = &it.memory.layer2
        cdef Bracket* W_max = &it.memory.W_max.now
        cdef Bracket* G_max = &it.memory.G_max.now
        it.sigma_min_sq.lo = (one.min_sq.now.lo + two.min_sq.now.lo) * (1.0 - U)
        it.sigma_min_sq.hi = (one.min_sq.now.hi + two.min_sq.now.hi) * (1.0 + 2.0 * U)
        it.sigma_max_sq.lo = (one.max_sq.now.lo + two.max_sq.now.lo) * (1.0 - U)
        it.sigma_max_sq.hi = (one.max_sq.now.hi + two.max_sq.now.hi) * (1.0 + 2.0 * U)
        # W and G as computed are at most eps_W and G_error away from those of the stored layers
        it.sigma_max_W.lo = positive_part(W_max.lo - it.eps_W) * (1.0 - U)
        it.sigma_max_W.hi = (W_max.hi + it.eps_W) * (1.0 + 2.0 * U)
        if it.W_norm * it.W_norm < TINY:
            # its square has underflowed: s_max(W) <= s_max(W1) s_max(W2)
            it.sigma_max_W.hi = sqrt(one.max_sq.now.hi) * sqrt(two.max_sq.now.hi) * (1.0 + 4.0 * U)
        it.G_max.lo = positive_part(G_max.lo - it.G_error) * (1.0 - 2.0 * U)
        it.G_max.hi = fmin(G_max.hi + it.G_error + 8.0 * U * it.G_norm, it.G_norm)
        publish_tangent(it)

    cdef void _count(self, Iterate* it) noexcept nogil:
        """Count the iterates at which every bracket is as narrow as was asked."""
        it.memory.narrow += widest(it) <= self.tolerance


cdef void largest_moved(Tracked* largest, double distance) noexcept nogil:
    """The bracket of a largest singular value after its matrix has moved by at most `distance`."""
    largest.drift = (largest.drift + distance) * (1.0 + 2.0 * U)
    largest.now.lo = positive_part(largest.exact.lo - largest.drift) * (1.0 - U)
    largest.now.hi = (largest.exact.hi + largest.drift) * (1.0 + 2.0 * U)


def _spectral(mode, tolerance):
    return Spectral(mode, tolerance=tolerance)
