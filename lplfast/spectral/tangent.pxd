"""The extreme eigenvalues of the tangent kernel of a quadratic loss, as bounds that drift and are renewed.

docs/theory.md, section 9.
"""

from ..iterate cimport Iterate, Tangent
from ..linalg.rounding cimport U
from .eigenvalues cimport Gram


cdef inline void drift_tangent(Tangent* tangent, double moved) noexcept nogil:
    """The Gram matrices of both layers have moved by at most `moved` in all."""
    tangent.lower_drift = (tangent.lower_drift + moved) * (1.0 + 2.0 * U)
    tangent.upper_drift = (tangent.upper_drift + moved) * (1.0 + 2.0 * U)


cdef void renew_tangent(Iterate* it, bint lower, bint upper, bint by_lapack, double room, const Gram* known,
                        double* directions, double* scratch) noexcept nogil
cdef bint lower_is_narrow(Iterate* it, double tolerance, double closest) noexcept nogil
cdef bint upper_is_narrow(Iterate* it, double tolerance, double closest) noexcept nogil
cdef void publish_tangent(Iterate* it) noexcept nogil
cdef double second_order(Iterate* it) noexcept nogil
