"""The extreme eigenvalues nu_lo, nu_hi of the tangent kernel of a quadratic loss with diagonal Hessian H = diag(d).

The spectrum of `M(Q) = H Q W2.T W2 + H^(1/2) W1 W1.T H^(1/2) Q` is that of the matrices
`H^(1/2) (p I + W1 W1.T) H^(1/2)`, p over the eigenvalues of W2.T W2: its extremes are two (n, n) eigenproblems.
Any p below the least eigenvalue gives a lower, any above the greatest an upper bound. docs/theory.md, section 9.
"""

from libc.math cimport NAN, sqrt

from ..linalg.blas cimport FEW_ROWS, gram_rows, matmul_tn, norm
from .eigenvalues cimport (
    HUGE, NEGLIGIBLE, TINY, Gram, bracket_extreme, lapack_work, positive_part, single_error, symmetric_extremes,
)
from ..iterate cimport Bracket, Iterate, Tangent, turn_units
from ..linalg.extremes cimport fmin
from ..linalg.rounding cimport U
from ..linalg.passes cimport weighted_square


cdef double tangent_size(Iterate* it, double p) noexcept nogil:
    return (it.K * (it.W1_norm * it.W1_norm) + p * norm(it.n, it.hessian)) * (1.0 + (it.n * it.k + it.n + 16) * U)


cdef Gram tangent_gram(Iterate* it, double p, const double* product, double* gram, double* roots) noexcept nogil:
    """H^(1/2) (W1 @ W1.T + p I) H^(1/2), computed into `gram` from the first product, and an upper bound on its size.
    It is within (k + 10) u times that of the exact one: the product, two roots, two scalings, and the sums on the
    diagonal."""
    cdef Gram formed
    cdef const double* d = it.hessian
    cdef Py_ssize_t n = it.n, i, j
    for i in range(n):
        roots[i] = sqrt(d[i])
    for i in range(n):
        for j in range(0 if n < FEW_ROWS else i + 1, n):
            gram[i * n + j] = product[i * n + j] * (roots[i] * roots[j])
        gram[i * n + i] = d[i] * (product[i * n + i] + p)
    formed.rows, formed.entries, formed.size = it.n, gram, tangent_size(it, p)
    formed.allowed, formed.exact = 0.0, NULL
    formed.inner = it.k + 10 + 2.0 * turn_units(it)
    return formed


cdef bint renew_side(Iterate* it, const Gram* gram, bint greatest, bint by_lapack, double room, double* direction,
                     Bracket* found, double* work) noexcept nogil:
    """Bracket the least, or the greatest, eigenvalue of `gram`: by proof, or by LAPACK, which destroys it."""
    cdef Bracket unused
    if not by_lapack and TINY < gram.size < HUGE and bracket_extreme(gram, greatest, direction, room, found, work):
        return True
    it.memory.eigenproblems += 1
    if greatest:
        return symmetric_extremes(gram, <int> lapack_work(it.n, it.n), &unused, found, work)
    return symmetric_extremes(gram, <int> lapack_work(it.n, it.n), found, &unused, work)


cdef void renew_lower(Iterate* it, bint by_lapack, double room, const double* product, double off, double* direction,
                      double* scratch) noexcept nogil:
    """Compute the lower bound anew, from a product that is off by `off`: as if it had drifted by that.
    Where that cannot be done, or the least value is negligible, it is 0: what is left is that of the layers,
    mu s_min(T)^2."""
    cdef Tangent* tangent = &it.memory.tangent
    cdef double one = it.memory.layer1.min_sq.now.lo, p = it.memory.layer2.min_sq.now.lo
    cdef double* work = scratch + <Py_ssize_t> it.n * it.n
    cdef Bracket found
    cdef Gram gram
    tangent.lower_drift, tangent.lo = off, 0.0
    tangent.least = (one + p) * (1.0 - U)
    if not tangent.least > NEGLIGIBLE * (one + it.memory.layer2.max_sq.now.hi):
        return
    gram = tangent_gram(it, p, product, scratch, work)
    if renew_side(it, &gram, False, by_lapack, room, direction, &found, work):
        tangent.lo = found.lo


cdef void renew_upper(Iterate* it, bint by_lapack, double room, const double* product, double off, double* direction,
                      double* scratch) noexcept nogil:
    """Compute the upper bound anew likewise. Where that cannot be done, it is that of the layers, K s_max(T)^2."""
    cdef Tangent* tangent = &it.memory.tangent
    cdef double p = it.memory.layer2.max_sq.now.hi
    cdef double* work = scratch + <Py_ssize_t> it.n * it.n
    cdef Bracket found
    cdef Gram gram = tangent_gram(it, p, product, scratch, work)
    tangent.upper_drift, tangent.hi_from_below = off, 0.0
    # drift is compared with the matrix that the bound is of, which may be less than the true one by `off`
    tangent.most = positive_part((it.memory.layer1.min_sq.now.lo + p) * (1.0 - 2.0 * U) - off)
    tangent.hi = it.K * it.sigma_max_sq.hi * (1.0 + 2.0 * U)
    # the greatest eigenvalue is K p at least
    gram.allowed = room * it.K * p
    if renew_side(it, &gram, True, by_lapack, room, direction, &found, work):
        tangent.hi = found.hi
        # the true p may be that much smaller, and the greatest eigenvalue then by K times as much
        tangent.hi_from_below = positive_part(
            found.lo - it.K * (p - it.memory.layer2.max_sq.now.lo) * (1.0 + 4.0 * U)) * (1.0 - U)


cdef void renew_tangent(Iterate* it, bint lower, bint upper, bint by_lapack, double room, const Gram* known,
                        double* directions, double* scratch) noexcept nogil:
    """Compute the lower bound, the upper one, or both anew, at the brackets of the layers as they are. `known` is
    W1 @ W1.T where that has been computed, else NULL; `directions` has room for two vectors."""
    cdef Py_ssize_t square = <Py_ssize_t> it.n * it.n
    cdef const double* product = scratch
    cdef double off = 0.0
    if known != NULL:
        product, off = known.entries, single_error(known)
    else:
        if it.turn == NULL:
            gram_rows(it.n, it.k, it.W1, scratch)
        else:
            # (turn.T @ W1) @ (turn.T @ W1).T
            matmul_tn(it.n, it.n, it.k, it.turn, it.W1, it.turned)
            gram_rows(it.n, it.k, it.turned, scratch)
        scratch += square
    if lower:
        renew_lower(it, by_lapack, room, product, off, directions, scratch)
    if upper:
        renew_upper(it, by_lapack, room, product, off, directions + it.n, scratch)


cdef bint lower_is_narrow(Iterate* it, double tolerance, double closest) noexcept nogil:
    """Whether the drift has lowered the lower bound by no more than the part `tolerance` and by `closest`, or computing
    it anew is not worth it: the layers' least values, as they are now, are negligible or would be gone in one step."""
    cdef Tangent* tangent = &it.memory.tangent
    cdef double one = it.memory.layer1.min_sq.now.lo, least = one + it.memory.layer2.min_sq.now.lo
    if tangent.lower_drift <= min(tolerance * tangent.least, closest):
        return True
    return not least > max(NEGLIGIBLE * (one + it.memory.layer2.max_sq.now.hi), it.gram_step)


cdef bint upper_is_narrow(Iterate* it, double tolerance, double closest) noexcept nogil:
    """Whether the drift has raised the upper bound by no more than the part `tolerance` of itself and by `closest`."""
    cdef Tangent* tangent = &it.memory.tangent
    cdef double drift = tangent.upper_drift
    return drift <= closest and (drift <= tolerance * tangent.most or it.K * drift <= tolerance * tangent.hi)


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
        positive_part(tangent.hi_from_below - it.K * tangent.upper_drift * (1.0 + 4.0 * U)) * (1.0 - U))
    if tangent.lo > 0.0:
        it.nu.lo = max(it.nu.lo, tangent.lo * positive_part(1.0 - tangent.lower_drift / tangent.least * (1.0 + 2.0 * U))
                       * (1.0 - 4.0 * U))
    if tangent.most > 0.0:
        it.nu.hi = min(it.nu.hi, tangent.hi * (1.0 + tangent.upper_drift / tangent.most * (1.0 + 2.0 * U))
                       * (1.0 + 4.0 * U))
        it.nu.hi = min(it.nu.hi, (tangent.hi + it.K * tangent.upper_drift) * (1.0 + 4.0 * U))


cdef double second_order(Iterate* it) noexcept nogil:
    """||H^(1/2) B||_F, where B is known and its square has not underflowed, else an upper bound."""
    cdef double square = weighted_square(it.n, it.m, it.hessian, it.B) if it.B != NULL else 0.0
    if square > TINY:
        return sqrt(square) * (1.0 + (<Py_ssize_t> it.n * it.m + 16) * U)
    # B = g1 g2 = G W.T G
    return sqrt(it.K) * fmin(it.g1_norm * it.g2_norm, it.G_max.hi * it.sigma_max_W.hi * it.G_norm) * (1.0 + 16.0 * U)
