"""The extreme eigenvalues nu_lo, nu_hi of the tangent kernel of a quadratic loss with diagonal Hessian H = diag(d).

The spectrum of `M(Q) = H Q W2.T W2 + H^(1/2) W1 W1.T H^(1/2) Q` is that of the matrices
`H^(1/2) (p I + W1 W1.T) H^(1/2)`, p over the eigenvalues of W2.T W2: its extremes are two (n, n) eigenproblems.
Any p below the least eigenvalue gives a lower, any above the greatest an upper bound. docs/theory.md, section 9.
"""

from libc.math cimport NAN, fmin, sqrt

from ..linalg.blas cimport FEW_ROWS, gram_rows, matmul_tn, norm
from .eigenvalues cimport (
    HUGE, NEGLIGIBLE, TINY, Gram, bracket_greatest, bracket_least, lapack_work, positive_part, symmetric_extremes,
)
from ..iterate cimport Bracket, Iterate, Tangent, turn_units
from ..linalg.rounding cimport U
from ..linalg.passes cimport weighted_square


cdef inline bint chased(Tangent* tangent) noexcept nogil:
    """Whether the least eigenvalue is worth a computation."""
    return tangent.least > NEGLIGIBLE * tangent.most


cdef double tangent_size(Iterate* it, double p) noexcept nogil:
    return (it.K * (it.W1_norm * it.W1_norm) + p * norm(it.n, it.hessian)) * (1.0 + (it.n * it.k + it.n + 16) * U)


cdef Gram tangent_gram(Iterate* it, double p, double* gram, double* roots) noexcept nogil:
    """H^(1/2) (W1 @ W1.T + p I) H^(1/2), computed into `gram`, and an upper bound on its size. It is within (k + 10) u
    times that of the exact one: the product, two roots, two scalings, and the sums on the diagonal."""
    cdef Gram formed
    cdef const double* d = it.hessian
    cdef Py_ssize_t n = it.n, i, j
    cdef double own
    if it.turn == NULL:
        gram_rows(it.n, it.k, it.W1, gram)
    else:
        # (turn.T @ W1) @ (turn.T @ W1).T
        matmul_tn(it.n, it.n, it.k, it.turn, it.W1, it.turned)
        gram_rows(it.n, it.k, it.turned, gram)
    for i in range(n):
        roots[i] = sqrt(d[i])
    for i in range(n):
        own = d[i] * (gram[i * n + i] + p)
        for j in range(0 if n < FEW_ROWS else i + 1, n):
            gram[i * n + j] *= roots[i] * roots[j]
        gram[i * n + i] = own
    formed.rows, formed.entries, formed.size = it.n, gram, tangent_size(it, p)
    formed.inner = it.k + 10 + <int> (2.0 * turn_units(it))
    return formed


cdef void renew_tangent(Iterate* it, bint by_lapack, double tolerance, double* direction,
                        double* scratch) noexcept nogil:
    """Compute both extremes anew, at the brackets of the layers as they are; `direction` has room for two vectors.

    Where nothing can be computed, the bounds are those of the layers alone: mu s_min(T)^2 and K s_max(T)^2.
    """
    cdef Tangent* tangent = &it.memory.tangent
    cdef Bracket* one = &it.memory.layer1.min_sq.now
    cdef double p_lo = it.memory.layer2.min_sq.now.lo, p_hi = it.memory.layer2.max_sq.now.hi
    cdef Bracket least, greatest, unused
    cdef Gram gram
    cdef Py_ssize_t n = it.n
    cdef double* work = scratch + n * n
    cdef int lwork = <int> lapack_work(it.n, it.n)
    cdef bint found, formed = False
    cdef Py_ssize_t i
    tangent.gram_drift = 0.0
    tangent.least = (one.lo + p_lo) * (1.0 - U)
    tangent.most = (one.lo + p_hi) * (1.0 - U)
    tangent.hi_from_below = 0.0
    tangent.lo, tangent.hi = 0.0, it.K * it.sigma_max_sq.hi * (1.0 + 2.0 * U)
    if chased(tangent):
        gram = tangent_gram(it, p_lo, scratch, work)
        found = not by_lapack and TINY < gram.size < HUGE and bracket_least(&gram, direction, tolerance, &least, work)
        formed = found
        if not found:
            it.memory.eigenproblems += 1
            found = symmetric_extremes(&gram, lwork, &least, &unused, work)
        if found:
            tangent.lo = least.lo
    if formed:
        # the same, but for p
        for i in range(n):
            scratch[i * n + i] += it.hessian[i] * (p_hi - p_lo)
        gram.size = tangent_size(it, p_hi)
    else:
        gram = tangent_gram(it, p_hi, scratch, work)
    found = not by_lapack and TINY < gram.size < HUGE and bracket_greatest(&gram, direction + n, tolerance, &greatest,
                                                                           work)
    if not found:
        it.memory.eigenproblems += 1
        found = symmetric_extremes(&gram, lwork, &unused, &greatest, work)
    if found:
        tangent.hi = greatest.hi
        # the true p may be that much smaller, and the greatest eigenvalue then by K times as much
        tangent.hi_from_below = positive_part(
            greatest.lo - it.K * (p_hi - it.memory.layer2.max_sq.now.lo) * (1.0 + 4.0 * U)) * (1.0 - U)


cdef bint tangent_is_narrow(Iterate* it, double tolerance, double closest) noexcept nogil:
    """Whether the drift has moved the bounds by no more than `tolerance` times the lower one and `closest`, or
    computing them anew is not worth it: the layers' least values, as they are now, are negligible or would be gone in
    one step."""
    cdef Tangent* tangent = &it.memory.tangent
    cdef double one = it.memory.layer1.min_sq.now.lo, least = one + it.memory.layer2.min_sq.now.lo
    if tangent.gram_drift <= min(tolerance * tangent.least, closest):
        return True
    return tangent.most > 0.0 and not least > max(NEGLIGIBLE * (one + it.memory.layer2.max_sq.now.hi), it.gram_step)


cdef void publish_tangent(Iterate* it) noexcept nogil:
    """The bounds now. With E the drift of both Gram matrices, `p I + W1 W1.T` has lost at most `E I`, which is at most
    the part `E / least` of itself: so have the matrices between H^(1/2), and their eigenvalues."""
    cdef Tangent* tangent = &it.memory.tangent
    it.nu.lo = it.pl * it.sigma_min_sq.lo * (1.0 - 2.0 * U)
    it.nu.hi = it.nu_hi_from_below = NAN
    if it.hessian == NULL:
        return
    it.nu.hi = it.K * it.sigma_max_sq.hi * (1.0 + 2.0 * U)
    # H is at least mu I; and the greatest eigenvalue falls by at most ||H^(1/2) E I H^(1/2)||
    it.nu_hi_from_below = max(
        it.mu * it.sigma_max_sq.lo * (1.0 - 2.0 * U),
        positive_part(tangent.hi_from_below - it.K * tangent.gram_drift * (1.0 + 4.0 * U)) * (1.0 - U))
    if chased(tangent):
        it.nu.lo = max(it.nu.lo, tangent.lo * positive_part(1.0 - tangent.gram_drift / tangent.least * (1.0 + 2.0 * U))
                       * (1.0 - 4.0 * U))
    if tangent.most > 0.0:
        it.nu.hi = min(it.nu.hi, tangent.hi * (1.0 + tangent.gram_drift / tangent.most * (1.0 + 2.0 * U))
                       * (1.0 + 4.0 * U))
        it.nu.hi = min(it.nu.hi, (tangent.hi + it.K * tangent.gram_drift) * (1.0 + 4.0 * U))


cdef double second_order(Iterate* it) noexcept nogil:
    """||H^(1/2) B||_F, where B is known and its square has not underflowed, else an upper bound."""
    cdef double square = weighted_square(it.n, it.m, it.hessian, it.B) if it.B != NULL else 0.0
    if square > TINY:
        return sqrt(square) * (1.0 + (<Py_ssize_t> it.n * it.m + 16) * U)
    # B = g1 g2 = G W.T G
    return sqrt(it.K) * fmin(it.g1_norm * it.g2_norm, it.G_max.hi * it.sigma_max_W.hi * it.G_norm) * (1.0 + 16.0 * U)
