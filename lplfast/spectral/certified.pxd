from ..iterate cimport Iterate, LayerExtremes, TrackedExtreme
from .eigenvalues cimport Matrix
from .spectral cimport Spectral


cdef class Certified(Spectral):
    cdef double _affordable(self, Iterate* it) noexcept nogil
    cdef void _renew(self, Iterate* it, double* scratch) noexcept nogil
    cdef void _renew_greatest(self, Iterate* it, double close, double closest, double* scratch) noexcept nogil
    cdef void _renew_least(self, Iterate* it, double tolerance, double* scratch) noexcept nogil
    cdef void _renew_tangent(self, Iterate* it, double tolerance, double closest, double* scratch) noexcept nogil
    cdef void _keep_narrow(self, Iterate* it, const Matrix* A, LayerExtremes* layer, bint greatest, double wanted,
                           double* direction, double* scratch) noexcept nogil
    cdef void _renew_largest(self, Iterate* it, const Matrix* A, TrackedExtreme* largest, double* direction,
                             double* scratch) noexcept nogil
