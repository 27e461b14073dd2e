"""The extreme eigenvalues of the tangent kernel of a quadratic loss, as bounds that drift and are renewed."""

from ..iterate cimport Iterate


cdef void renew_tangent(Iterate* it, bint by_lapack, double tolerance, double* direction,
                        double* scratch) noexcept nogil
cdef bint tangent_is_narrow(Iterate* it, double tolerance, double closest) noexcept nogil
cdef void publish_tangent(Iterate* it) noexcept nogil
cdef double second_order(Iterate* it) noexcept nogil
