"""The greatest eigenvalue of the Hessian of L, as a bracket. docs/theory.md, section 9."""

from libc.math cimport NAN, sqrt

from ..iterate cimport Bracket, Iterate, turn_units
from ..linalg.extremes cimport fmax
from ..linalg.rounding cimport TINY, U, sum_error


cdef inline double gradient_quotient(Iterate* it) noexcept nogil:
    """A lower bound on the greatest eigenvalue of the tangent kernel of a quadratic loss: ||grad L||^2 / (2 gap)."""
    cdef double off, slope
    if not it.gap > TINY:
        return 0.0
    # the computed gradients, of the computed W, are that far from those of it
    off = U * it.G_norm * ((it.m + 4) * it.W2_norm + (it.n + 4) * it.W1_norm
                           + turn_units(it) * (it.W1_norm + it.W2_norm)) * (1.0 + 16.0 * U)
    slope = fmax(0.0, sqrt(it.grad_sq) * (1.0 - (sum_error((<Py_ssize_t> it.n + it.m) * it.k) + 4.0) * U) - off)
    return slope * slope / (2.0 * it.gap) * (1.0 - (sum_error(<Py_ssize_t> it.n * it.m) + 8.0) * U)


cdef inline Bracket sharpness(Iterate* it) noexcept nogil:
    """The Hessian is the tangent kernel's, or at most K T*T, and 2 <G, U1 U2>, which is at most ||G||_2 in norm."""
    cdef Bracket found
    cdef double top
    if it.hessian == NULL:
        found.lo = NAN
        found.hi = (it.K * it.sigma_max_sq.hi + it.G_max.hi) * (1.0 + 4.0 * U)
        return found
    top = fmax(it.nu_hi_from_below, gradient_quotient(it))
    # its trace is not negative, so neither is its greatest eigenvalue
    found.lo = fmax(0.0, top - it.G_max.hi) * (1.0 - 2.0 * U)
    found.hi = (it.nu.hi + it.G_max.hi) * (1.0 + 2.0 * U)
    return found
