"""Extreme eigenvalues of A A.T for one matrix A, as brackets that contain the truth.

By LAPACK, widened by what rounding can have done to it; or without an eigenvalue problem: a Rayleigh quotient is one
side, and a Cholesky factorization that completes proves the other. docs/theory.md, section 6, derives every allowance.
"""

from libc.math cimport INFINITY, NAN, fabs, sin, sqrt
from libc.string cimport memcpy
from scipy.linalg.cython_lapack cimport dgesvd, dgesvj, dsyev

from ..linalg.blas cimport matvec, matvec_t, norm
from ..linalg.blas_int cimport blas_int
from ..linalg.cholesky cimport apart, cholesky, shifted
from ..iterate cimport Bracket
from ..linalg.extremes cimport fmax, fmin
from ..linalg.passes cimport absolute_norm_sq
from ..linalg.rounding cimport U
from ..linalg.single cimport SINGLE_FROM, factor_units, gram_units, single_direction, single_factor, single_gram
from .iterations cimport inverse_iterate, quotient_at, rayleigh_cg

# Below this larger side, singular values are computed by Jacobi rotations.
cdef int JACOBI_BELOW = 52

# How often a proof is tried, each time with twice the slack, from where the last one stopped, PERTURBED by this part.
cdef int ATTEMPTS = 4
cdef double PERTURBED = 0.1

# What its entries may leave of what the Frobenius norm of a matrix says of its Gram matrix in single precision: normal
# ones leave 2/pi. Where less would be needed, they are not looked at, though of compressed layers it may be a quarter.
cdef double OF_THE_NORM = 0.6

# What a factor in single precision may be off by, in parts of what is allowed of the matrix itself.
cdef double FACTOR_PART = 1.75
# It is tried where what is known beforehand, by the trace, is this many times as much.
cdef double HOPEFUL = 8.0
# Tries in which it may be: what has not worked out by then is left to double precision.
cdef int SINGLE_ATTEMPTS = 2

# A least eigenvalue below this part of the mean is found by inverse iteration, which needs a factorization; at the
# first try, below the second one: from the last direction, conjugate gradients are often enough.
cdef double ILL_CONDITIONED = 1e-2
cdef double HOPELESS = 1e-4


cdef double units_of_single(const Matrix* A, double wanted, double* sums) noexcept nogil:
    """How many u of ||A||_F^2 the computed A @ A.T is off by, in norm, in single precision: by the entries of A where
    that may make it no more than `wanted`."""
    cdef double units = gram_units(), of_entries
    if not OF_THE_NORM * units <= wanted < units:
        return units
    of_entries = absolute_norm_sq(A.rows, A.columns, A.entries, sums) * (1.0 + (A.rows + A.columns + 8) * U)
    return units * fmin(of_entries / A.norm / A.norm, 1.0)


cdef Gram gram_within(const Matrix* A, double allowed, double* entries) noexcept nogil:
    """The smaller of A A.T and A.T A for eigenvalues that may be off by `allowed`: in single precision, if that is
    enough, which no matrix of a few rows or columns is asked for. After `entries` there is room for a copy of A."""
    cdef Gram gram
    cdef int p = min(A.rows, A.columns)
    cdef double* work = entries + <Py_ssize_t> p * p
    cdef double wanted = allowed / U / A.norm / A.norm - 4.0
    # NaN is no more than anything: `allowed` may be infinite
    cdef double units = units_of_single(A, wanted, work) if p >= SINGLE_FROM else NAN
    if units <= wanted:
        gram.rows, gram.inner, gram.entries, gram.size, gram.exact = p, units, entries, A.norm * A.norm, A
        single_gram(A.rows, A.columns, A.entries, A.norm, <float*> work, entries)
    else:
        gram = smaller_gram(A, entries)
    gram.allowed = allowed
    return gram


cdef int eigenvalues(blas_int p, double* gram, double* values, double* work, blas_int lwork) noexcept nogil:
    """values = numpy.linalg.eigvalsh(gram), ascending; gram (p, p) is destroyed. Return 0 on success."""
    cdef blas_int info = 0
    if p == 1:
        values[0] = gram[0]
        return 0
    dsyev(b"n", b"l", &p, gram, &p, values, work, &lwork, &info)
    return <int> info


cdef int singular_values(blas_int n, blas_int k, double* A, double* values, double* work,
                         blas_int lwork) noexcept nogil:
    """values = numpy.linalg.svd(A, compute_uv=False), descending; A (n, k) is destroyed. 0 on success."""
    cdef blas_int info = 0, one = 1
    dgesvd(b"n", b"n", &k, &n, A, &k, values, NULL, &one, NULL, &one, work, &lwork, &info)
    return <int> info


cdef int jacobi_values(blas_int n, blas_int k, double* A, double* values, double* work, blas_int lwork) noexcept nogil:
    """The same for n <= k by Jacobi rotations: slower, and accurate to some u s_max in every case."""
    cdef blas_int info = 0, one = 1, zero = 0, i
    dgesvj(b"g", b"n", b"n", &k, &n, A, &k, values, &zero, NULL, &one, work, &lwork, &info)
    for i in range(n):
        values[i] *= work[0]
    return <int> info


cdef bint symmetric_extremes(const Gram* gram, int lwork, Bracket* least, Bracket* greatest,
                             double* work) noexcept nogil:
    """Bracket the extreme eigenvalues of the matrix that `gram`, destroyed, is the computed form of, within
    `gram.inner` u `gram.size`. LAPACK's are within 10 p u ||gram||_F of those of what it was given.
    """
    cdef int p = gram.rows
    cdef double F_sq = gram.size
    cdef double* values = work
    cdef double error, low, high
    cdef Py_ssize_t i
    if not TINY < F_sq < HUGE or eigenvalues(p, gram.entries, values, work + p, lwork):
        return False
    # ||gram||_F from its eigenvalues, whose squares may leave float64; they are not needed any more
    low, high = values[0], values[p - 1]
    for i in range(p):
        values[i] /= F_sq
    error = U * F_sq * (gram.inner + 10.0 * p * norm(p, values) * (1.0 + 1e-6))
    least.lo = positive_part(low - error)
    least.hi = positive_part(low) + error
    greatest.lo = positive_part(high - error)
    greatest.hi = high + error
    return True


cdef bint gram_extremes(const Matrix* A, Bracket* least, Bracket* greatest, double* scratch) noexcept nogil:
    """Bracket the extreme eigenvalues of the smaller of A A.T and A.T A.

    The Gram product of inner length q is within (q + 2) u ||A||_F^2 of the exact one.
    """
    cdef Gram gram
    if not TINY < A.norm * A.norm < HUGE:
        return False
    gram = smaller_gram(A, scratch)
    gram.inner += 2
    return symmetric_extremes(&gram, <int> lapack_work(A.rows, A.columns), least, greatest,
                              scratch + <Py_ssize_t> gram.rows * gram.rows)


cdef bint svd_extremes(const Matrix* A, Bracket* least, Bracket* greatest, double* scratch) noexcept nogil:
    """Narrow both brackets with the squares of singular values of A.

    Jacobi's are within 8 max(n, k) u s_max (engineering; the worst seen is 1.2 max(n, k)). Those of bidiagonal QR are
    not: where values cluster, its stopping rule alone leaves 100 eps s_max (the worst seen is 116 u). For larger
    matrices, where that no longer matters, 5 max(n, k) + 256.
    """
    cdef int n = A.rows, k = A.columns, p = min(n, k), q = max(n, k)
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
                copy[i * k + j if n <= k else j * n + i] = A.entries[i * k + j]
        found = jacobi_values(p, q, copy, values, work, <int> lapack_work(n, k)) == 0
        error = 8.0 * q * U * values[0]
    if not found:
        memcpy(copy, A.entries, <Py_ssize_t> n * k * sizeof(double))
        if singular_values(n, k, copy, values, work, <int> lapack_work(n, k)):
            return False
        error = (5.0 * q + 256.0) * U * values[0]
    # the squares round: outward by two units
    least.lo = fmax(least.lo, square(positive_part(values[p - 1] - error)) * (1.0 - 2.0 * U))
    least.hi = fmin(least.hi, square(values[p - 1] + error) * (1.0 + 2.0 * U))
    greatest.lo = fmax(greatest.lo, square(positive_part(values[0] - error)) * (1.0 - 2.0 * U))
    greatest.hi = fmin(greatest.hi, square(values[0] + error) * (1.0 + 2.0 * U))
    return True


cdef inline double factor_error(double units, double trace) noexcept nogil:
    """How far below 0 an eigenvalue can be of a matrix of that trace, of which a factorization of so many roundings an
    entry has completed."""
    cdef double gamma = units * U / (1.0 - units * U)
    return gamma / (1.0 - gamma) * trace


cdef inline double factor_allowance(const Gram* gram, int attempt) noexcept nogil:
    """What the factor of a try may be off by for being in single precision."""
    return FACTOR_PART * gram.allowed if attempt < SINGLE_ATTEMPTS else 0.0


cdef double cholesky_excess(int p, double sign, const double* gram, double shift, double allowed, double* direction,
                            double* work) noexcept nogil:
    """How far below 0 the eigenvalues of `sign (gram - shift I)` can be, given that Cholesky completes on it: in single
    precision, if its allowance is, or may turn out to be, `allowed` at most, else in double precision. The allowances
    are theorems, whatever the order of operations. If it does not complete, INFINITY, and `direction` is one in which
    that matrix is not positive."""
    cdef Py_ssize_t i, stopped = -1
    cdef double trace = 0.0, largest = 0.0, error, size = 0.0
    for i in range(p):
        trace += sign * (gram[i * p + i] - shift)
        largest = fmax(largest, fabs(gram[i * p + i] - shift))
    error = factor_error(factor_units(p), trace)
    if p >= SINGLE_FROM and 0.0 < error <= HOPEFUL * allowed:
        stopped = single_factor(p, sign, shift, largest, gram, work, &size)
        if stopped >= 0:
            single_direction(p, stopped, work, direction)
            perturb(p, direction)
            return INFINITY
        error = factor_error(factor_units(p), fmin(trace, size))
    if not (size > 0.0 and error <= allowed):
        error = factor_error(p + 3, trace)
        shifted(p, sign, shift, gram, work)
        stopped = cholesky(p, work) - 1
        if stopped >= 0:
            breakdown(p, stopped, work, direction)
            return INFINITY
    return (error + U * largest) * (1.0 + (p + 8) * U)


cdef void breakdown(int p, Py_ssize_t at, const double* factor, double* direction) noexcept nogil:
    """A direction x with x.T H x <= 0, of the matrix H that `cholesky` has stopped on at row `at`; and a little of all
    others."""
    cdef Py_ssize_t length = apart(p), i, j
    cdef double sum
    # with R the factor so far and r the column that follows: x = [-R^-1 r, 1, 0, ...]
    for i in range(at - 1, -1, -1):
        sum = factor[i * length + at]
        for j in range(i + 1, at):
            sum += factor[i * length + j] * direction[j]
        direction[i] = -sum / factor[i * length + i]
    direction[at] = 1.0
    for i in range(at + 1, p):
        direction[i] = 0.0
    perturb(p, direction)


cdef void perturb(int p, double* direction) noexcept nogil:
    """Normalize a direction, and add a little of all others: it may be an eigenvector, which an iteration cannot leave.
    """
    cdef double size = norm(p, direction)
    cdef Py_ssize_t i
    for i in range(p):
        direction[i] = direction[i] / size + PERTURBED * sin(i + 1.0) / sqrt(p)


cdef bint bracket_greatest(const Gram* gram, double* direction, double room, Bracket* greatest,
                           double* work) noexcept nogil:
    """Bracket the greatest eigenvalue of the A A.T that `gram` is the computed form of, to about the relative width
    `room`: from below by a Rayleigh quotient, from above by a Cholesky factorization. False if that breaks down.
    """
    cdef int p = gram.rows
    # the product: gamma_q ||A||_F^2; the quotient: gamma_(3p) ||A||_F^2, the length of v included
    cdef double F_sq = gram.size, error = (gram.inner + 4) * U * F_sq, slack = 0.75 * room, above, excess, found
    cdef int attempt
    for attempt in range(ATTEMPTS):
        found = quotient_at(p, gram.entries, direction, work)
        rayleigh_cg(p, 1.0, gram.entries, direction, work, found, room if attempt == 0 else 0.1 * room)
        if gram.exact != NULL:
            # that of A itself is known better
            found = greatest.lo = quotient(gram.exact, direction, work).lo
        else:
            found = quotient_at(p, gram.entries, direction, work)
            greatest.lo = positive_part(round_down_14_bits(found) - (3.0 * p + 12) * U * F_sq - error)
        above = round_up_14_bits(found * (1.0 + slack))
        excess = cholesky_excess(p, -1.0, gram.entries, above, factor_allowance(gram, attempt), direction, work)
        if excess < INFINITY:
            greatest.hi = above + excess + error
            return True
        slack *= 2.0
    return False


cdef bint bracket_least(const Gram* gram, double* direction, double room, Bracket* least, double* work) noexcept nogil:
    """Bracket the least eigenvalue of A A.T likewise: from above by a Rayleigh quotient, from below by a
    Cholesky factorization. Where it is small beside ||A||_F^2, rounding leaves the bracket wider than `room`."""
    cdef int p = gram.rows
    cdef double F_sq = gram.size, error = (gram.inner + 4) * U * F_sq, slack = 0.75 * room, below, excess, found
    cdef int attempt
    for attempt in range(ATTEMPTS):
        found = quotient_at(p, gram.entries, direction, work)
        if attempt < 2 and found > (ILL_CONDITIONED if attempt else HOPELESS) * F_sq / p:
            rayleigh_cg(p, -1.0, gram.entries, direction, work, found, room if attempt == 0 else 0.1 * room)
            if gram.exact == NULL:
                found = quotient_at(p, gram.entries, direction, work)
        else:
            found = inverse_iterate(p, gram.entries, direction, work, work + p, room if attempt == 0 else 0.1 * room)
        # w.T v = w.T gram w to the backward error of the solve, gamma_(3p+1) ||A||_F^2, and the rounding of w.T v
        least.hi = round_up_14_bits(found) + (4.0 * p + 20) * U * F_sq + error
        if gram.exact != NULL:
            found = least.hi = quotient(gram.exact, direction, work).hi
        if not found < INFINITY:
            return False
        below = round_down_14_bits(found * (1.0 - slack))
        excess = cholesky_excess(p, 1.0, gram.entries, below, factor_allowance(gram, attempt), direction, work)
        if excess < INFINITY:
            least.lo = positive_part(below - excess - error)
            return True
        slack *= 2.0
    return False


cdef Bracket quotient(const Matrix* A, const double* x, double* w) noexcept nogil:
    """Bracket ||A.T x||^2 / ||x||^2, or, of more rows than columns, ||A x||^2 / ||x||^2: between the extreme
    eigenvalues of the smaller of A A.T and A.T A, wherever x points."""
    cdef int n = A.rows, k = A.columns
    cdef double size = norm(min(n, k), x), length, error
    cdef Bracket found
    found.lo, found.hi = 0.0, INFINITY
    if not 0.0 < size < INFINITY:
        return found
    if n <= k:
        matvec_t(n, k, A.entries, x, w)
    else:
        matvec(n, k, A.entries, x, w)
    length = norm(max(n, k), w)
    if not length < INFINITY:
        return found
    error = (n + k + 8) * U * A.norm
    found.lo = round_down_14_bits(square(positive_part(length / size - error)))
    found.hi = round_up_14_bits(square(length / size + error))
    return found
