"""Extreme singular values of the layers, of W and of G, as brackets that contain the truth.

An exact computation (LAPACK, widened by what rounding can have done to it) is a bracket. From then on
the bracket is widened by how far the matrix has moved (Weyl), which costs next to nothing, until it is
wider than a tolerance and is computed anew. docs/theory.md derives every allowance used here.
"""

from libc.math cimport INFINITY, fabs, fmax, fmin, sqrt
from libc.string cimport memcpy
from scipy.linalg.cython_lapack cimport dgesvd, dgesvj, dpotrf, dpotrs, dsyev

from .blas cimport dot, gram_columns, gram_rows, matmul_nt, matmul_tn, matvec_t, norm, symmetric_times
from .iterate cimport Bracket, Iterate, Layer, Memory, Tracked
from .rounding cimport U

# Squares of norms outside this range have lost digits to underflow, or are about to overflow.
cdef double TINY = 1e-280
cdef double HUGE = 1e290

# A value this much smaller than the largest one is not chased with renewals.
cdef double NEGLIGIBLE = 1e-8

# What is known to this part of the tolerance need not be known better.
cdef double SMALL_DRIFT = 1e-3

# Matrices of fewer rows are handed to LAPACK, which is then as fast as a proof by Cholesky.
cdef int PROOF_FROM = 8

# Below this larger side, singular values are computed by Jacobi rotations.
cdef int JACOBI_BELOW = 52

# A certificate may take up this part of the tolerance; the rest is left for drift.
cdef double PROOF_WIDTH = 0.125

# Iterations for an eigenvalue: until one changes it by this part of the width wanted; so many at most.
cdef double SETTLED = 0.1
cdef int POWER_STEPS = 40
cdef int INVERSE_STEPS = 12

MODES = ("certified", "exact", "power")


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


cdef int jacobi_values(int n, int k, double* A, double* values, double* work, int lwork) noexcept nogil:
    """The same for n <= k by Jacobi rotations: slower, and accurate to some u s_max in every case."""
    cdef int info = 0, one = 1, zero = 0, i
    dgesvj(b"g", b"n", b"n", &k, &n, A, &k, values, &zero, NULL, &one, work, &lwork, &info)
    for i in range(n):
        values[i] *= work[0]
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
    cdef double F_sq = A_norm * A_norm, error, low, high
    cdef Py_ssize_t i
    if not TINY < F_sq < HUGE:
        return False
    if n <= k:
        gram_rows(n, k, A, gram)
    else:
        gram_columns(n, k, A, gram)
    if eigenvalues(p, gram, values, work, <int> lapack_work(n, k)):
        return False
    # ||gram||_F from its eigenvalues, whose squares may leave float64; they are not needed any more
    low, high = values[0], values[p - 1]
    for i in range(p):
        values[i] /= F_sq
    error = U * F_sq * ((q + 2) + 10.0 * p * norm(p, values) * (1.0 + 1e-6))
    least.lo = positive_part(low - error)
    least.hi = positive_part(low) + error
    greatest.lo = positive_part(high - error)
    greatest.hi = high + error
    return True


cdef bint svd_extremes(int n, int k, const double* A, Bracket* least, Bracket* greatest,
                       double* scratch) noexcept nogil:
    """Narrow both brackets with the squares of singular values of A (n, k).

    Jacobi's are within 8 max(n, k) u s_max (engineering; the worst seen is 1.2 max(n, k)). Those of bidiagonal QR are
    not: where values cluster, its stopping rule alone leaves 100 eps s_max (the worst seen is 116 u). For larger
    matrices, where that no longer matters, 5 max(n, k) + 256.
    """
    cdef int p = min(n, k), q = max(n, k)
    cdef double* values = scratch
    cdef double* copy = values + p
    cdef double* work = copy + <Py_ssize_t> n * k
    cdef double error
    cdef Py_ssize_t i, j
    cdef bint found = False
    if q < JACOBI_BELOW:
        # as (p, q): Jacobi wants the short side in rows
        for i in range(n):
            for j in range(k):
                copy[i * k + j if n <= k else j * n + i] = A[i * k + j]
        found = jacobi_values(p, q, copy, values, work, <int> lapack_work(n, k)) == 0
        error = 8.0 * q * U * values[0]
    if not found:
        memcpy(copy, A, <Py_ssize_t> n * k * sizeof(double))
        if singular_values(n, k, copy, values, work, <int> lapack_work(n, k)):
            return False
        error = (5.0 * q + 256.0) * U * values[0]
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


cdef double power_iterate(int p, const double* gram, double* v, double* w, double enough) noexcept nogil:
    """The Rayleigh quotient of gram (p, p) at v, after power iteration from v; never above the greatest
    eigenvalue but for rounding. Stops when a step changes it by less than `enough` of itself."""
    cdef double size = norm(p, v), quotient = 0.0, before
    cdef int _step
    cdef Py_ssize_t i
    for _step in range(POWER_STEPS):
        if not size > 0.0:
            break
        for i in range(p):
            v[i] /= size
        symmetric_times(p, gram, v, w)
        before, quotient = quotient, dot(p, v, w)
        memcpy(v, w, p * sizeof(double))
        size = norm(p, v)
        if quotient - before <= enough * quotient:
            break
    return quotient


cdef double inverse_iterate(int p, const double* gram, double* v, double* w, double* factor,
                            double enough) noexcept nogil:
    """The Rayleigh quotient of gram (p, p) at v, after inverse iteration from v; never below the least
    eigenvalue but for rounding. `factor` receives the Cholesky factor; INFINITY if there is none."""
    cdef double size = norm(p, v), quotient = INFINITY, before
    cdef int _step, info = 0, one = 1
    cdef Py_ssize_t i
    memcpy(factor, gram, <Py_ssize_t> p * p * sizeof(double))
    dpotrf(b"u", &p, factor, &p, &info)
    if info:
        return INFINITY
    for _step in range(INVERSE_STEPS):
        if not 0.0 < size < INFINITY:
            return INFINITY
        for i in range(p):
            v[i] /= size
        # w = gram^-1 v: then w.T gram w = w.T v
        memcpy(w, v, p * sizeof(double))
        dpotrs(b"u", &p, &one, factor, &p, w, &p, &info)
        size = norm(p, w)
        before, quotient = quotient, dot(p, v, w) / (size * size)
        memcpy(v, w, p * sizeof(double))
        if before - quotient <= enough * quotient:
            break
    return quotient


cdef double cholesky_excess(int p, double sign, const double* gram, double shift, double* work) noexcept nogil:
    """How far below 0 the eigenvalues of `sign (gram - shift I)` can be, given that Cholesky completes on it;
    INFINITY if it does not. The allowance is a theorem, whatever the order of operations."""
    cdef Py_ssize_t i, j
    cdef double trace = 0.0, largest = 0.0, gamma = (p + 1) * U / (1.0 - (p + 1) * U)
    cdef int info = 0
    for i in range(p):
        for j in range(i):
            work[i * p + j] = sign * gram[i * p + j]
        work[i * p + i] = sign * (gram[i * p + i] - shift)
        trace += work[i * p + i]
        largest = fmax(largest, fabs(work[i * p + i]))
    dpotrf(b"u", &p, work, &p, &info)
    if info:
        return INFINITY
    return (gamma / (1.0 - gamma) * trace + U * largest) * (1.0 + (p + 8) * U)


cdef bint bracket_greatest(int p, int q, const double* gram, double F_sq, double* direction, double room,
                           Bracket* greatest, double* work) noexcept nogil:
    """Bracket the greatest eigenvalue of A A.T, given as the product gram of inner length q, to the relative
    width `room`: from below by a Rayleigh quotient, from above by a Cholesky factorization that completes."""
    cdef double quotient = power_iterate(p, gram, direction, work, SETTLED * room)
    cdef double above = quotient * (1.0 + 0.75 * room), excess
    # the product: gamma_q ||A||_F^2; the quotient: some 2 p operations on numbers that add up to ||A||_F^2
    cdef double error = (q + 2) * U * F_sq
    excess = cholesky_excess(p, -1.0, gram, above, work)
    greatest.lo = positive_part(quotient - (2.0 * p + 10) * U * F_sq - error)
    greatest.hi = above + excess + error
    return width(greatest) <= room * greatest.lo


cdef bint bracket_least(int p, int q, const double* gram, double F_sq, double* direction, double room,
                        Bracket* least, double* work) noexcept nogil:
    """Bracket the least eigenvalue of A A.T likewise: from above by a Rayleigh quotient, from below by a
    Cholesky factorization that completes."""
    cdef double quotient = inverse_iterate(p, gram, direction, work, work + p, SETTLED * room)
    cdef double below = quotient * (1.0 - 0.75 * room), excess
    cdef double error = (q + 2) * U * F_sq
    if not quotient < INFINITY:
        return False
    excess = cholesky_excess(p, 1.0, gram, below, work)
    least.lo = positive_part(below - excess - error)
    # w.T v = w.T gram w to the backward error of the solve, gamma_(3p+1) ||A||_F^2
    least.hi = quotient + (3.0 * p + 20) * U * F_sq + error
    return width(least) <= room * least.lo


cdef Bracket quotient(int n, int k, const double* A, double A_norm, const double* x, double* w) noexcept nogil:
    """Bracket ||A.T x||^2 / ||x||^2 for A (n, k): between the extreme eigenvalues of A A.T, wherever x points."""
    cdef double size = norm(n, x), error
    cdef Bracket found
    found.lo, found.hi = 0.0, INFINITY
    if not 0.0 < size < INFINITY:
        return found
    matvec_t(n, k, A, x, w)
    error = (n + k + 8) * U * A_norm
    found.lo = square(positive_part(norm(k, w) / size - error)) * (1.0 - 2.0 * U)
    found.hi = square(norm(k, w) / size + error) * (1.0 + 2.0 * U)
    return found


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
    cdef double enough = SETTLED * PROOF_WIDTH * tolerance, least = 0.0
    if n <= k:
        gram_rows(n, k, A, scratch)
        least = inverse_iterate(n, scratch, directions + n, work, work + n, enough)
        if not least < INFINITY:
            least = 0.0
    else:
        gram_columns(n, k, A, scratch)
    layer.max_sq.now.lo = layer.max_sq.now.hi = power_iterate(p, scratch, directions, work, enough)
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
                                                         SETTLED * PROOF_WIDTH * tolerance))


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
                + max(lapack_work(n, k), lapack_work(m, k), lapack_work(n, m)))

    cdef void start(self, Iterate* it, double wanted, double* scratch) noexcept nogil:
        """Compute everything by LAPACK, at the evaluated iterate: s_min^2 of the layers by their Gram matrices if
        that gives it to the relative width `wanted`, else by SVD."""
        renew_layer(it.n, it.k, it.W1, it.W1_norm, wanted, &it.memory.layer1, scratch)
        renew_layer(it.m, it.k, it.W2t, it.W2_norm, wanted, &it.memory.layer2, scratch)
        renew_largest(it.n, it.m, it.W, it.W_norm, &it.memory.W_max, scratch)
        renew_largest(it.n, it.m, it.G, it.G_norm, &it.memory.G_max, scratch)
        it.memory.renewals += 4
        self.publish(it)
        self._count(it)

    cdef void drift(self, Iterate* it, double* scratch) noexcept nogil:
        """Before the step of size `it.eta` is taken: add what it will move the layers by."""
        if self.always or self.estimates:
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
        cdef double* directions = it.directions
        cdef double W_moved = 0.0, G_moved = 0.0, least, greatest, half = 0.5 * self.tolerance
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
        for i in range(size):
            W_moved += square(it.W[i] - it.W_old[i])
            G_moved += square(it.G[i] - it.G_old[i])
        largest_moved(&memory.W_max, sqrt(W_moved) * (1.0 + (size + 8) * U))
        largest_moved(&memory.G_max, sqrt(G_moved) * (1.0 + (size + 8) * U))
        least = self.tolerance * fmax(memory.W_max.now.lo, NEGLIGIBLE * it.W_norm)
        if not width(&memory.W_max.now) <= least and it.n <= it.m:
            # from inside, at the last direction
            memory.W_max.now.lo = fmax(memory.W_max.now.lo, sqrt(quotient(it.n, it.m, it.W, it.W_norm, directions,
                                                                          scratch).lo) * (1.0 - 2.0 * U))
        if not width(&memory.W_max.now) <= least:
            memory.renewals += 1
            if not prove_largest(it.n, it.m, it.W, it.W_norm, self.tolerance, &memory.W_max, directions, scratch):
                renew_largest(it.n, it.m, it.W, it.W_norm, &memory.W_max, scratch)
        directions += min(it.n, it.m)
        # ||G||_2 matters only beside K s_max(T)^2
        greatest = it.K * (one.max_sq.now.lo + two.max_sq.now.lo) + memory.G_max.now.lo
        if not width(&memory.G_max.now) <= self.tolerance * greatest:
            memory.renewals += 1
            if not prove_largest(it.n, it.m, it.G, it.G_norm, self.tolerance, &memory.G_max, directions, scratch):
                renew_largest(it.n, it.m, it.G, it.G_norm, &memory.G_max, scratch)
        self.publish(it)
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
            renew_layer(n, k, A, A_norm, SMALL_DRIFT * self.tolerance, layer, scratch)

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
        it.memory.narrow += widest(it) <= self.tolerance


cdef void largest_moved(Tracked* largest, double distance) noexcept nogil:
    """The bracket of a largest singular value after its matrix has moved by at most `distance`."""
    largest.drift = (largest.drift + distance) * (1.0 + 2.0 * U)
    largest.now.lo = positive_part(largest.exact.lo - largest.drift)
    largest.now.hi = (largest.exact.hi + largest.drift) * (1.0 + U)


def _spectral(mode, tolerance):
    return Spectral(mode, tolerance=tolerance)
