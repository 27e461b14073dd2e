from ..iterate cimport Iterate, LayerExtremes, TrackedExtreme
from .eigenvalues cimport Gram, Matrix
from .spectral cimport Spectral


# One layer as it is kept narrow: its brackets, where iterations for its greatest and its least eigenvector start, and
# its Gram matrix once something has asked for that.
cdef struct Layer:
    Matrix A
    LayerExtremes* extremes
    double* directions
    Gram gram       # of no rows until then
    double allowed  # what that may put the eigenvalues off by that are renewed


# How wide brackets may be now: relative widths of least values, of greatest ones and of what is added to these, and an
# absolute one of s_max(T)^2 and of the tangent kernel.
cdef struct Widths:
    double least
    double greatest
    double closest


cdef class Certified(Spectral):
    cdef double _affordable(self, Iterate* it) noexcept nogil
    cdef void _renew(self, Iterate* it, double* scratch) noexcept nogil
    cdef void _renew_beside(self, Iterate* it, const Widths* widths, double* scratch) noexcept nogil
    cdef double _least_width(self, Iterate* it, const Widths* widths, double* scratch) noexcept nogil
    cdef void _renew_tangent(self, Iterate* it, Layer* one, const Widths* widths, double* scratch) noexcept nogil
    cdef void _keep_narrow(self, Iterate* it, Layer* layer, const Widths* widths, double greatest, double least,
                           double* scratch) noexcept nogil
    cdef void _renew_side(self, Iterate* it, Layer* layer, bint greatest, const Widths* widths, double wanted,
                          double* scratch) noexcept nogil
    cdef void _renew_largest(self, Iterate* it, const Matrix* A, TrackedExtreme* largest, double allowed,
                             double* direction, double* scratch) noexcept nogil
