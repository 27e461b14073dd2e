from ..iterate cimport Bracket, Iterate, LayerExtremes, TrackedExtreme
from ..linalg.passes cimport Motion


# Within a run, exact means this relative width of s_min^2; narrower may cost an SVD.
cdef extern from *:
    """
    #define LPL_EXACT_WIDTH 1e-10
    """
    const double EXACT_WIDTH "LPL_EXACT_WIDTH"


cdef inline double relative_width(Bracket* b) noexcept nogil:
    """(hi - lo) / lo, and 0 for a point, 0 included."""
    return (b.hi - b.lo) / b.lo if b.hi > b.lo else 0.0


cdef inline double widest(Iterate* it) noexcept nogil:
    """The relative width of the widest bracket that the constants are made of; of s_max(W), what it makes of K_t."""
    return max(relative_width(&it.sigma_min_sq), relative_width(&it.sigma_max_sq),
               (it.sigma_max_W.hi - it.sigma_max_W.lo) * it.K_t_share_of_sigma_max_W)


cdef void unknown_layer(int n, int k, double A_norm, LayerExtremes* layer) noexcept nogil
cdef void widen(TrackedExtreme* squared) noexcept nogil
cdef double drift_layer(LayerExtremes* layer, Iterate* it, double other_max, Py_ssize_t size, double A_norm, double other_norm,
                        double g_norm, int m, double* e) noexcept nogil
cdef void largest_moved(TrackedExtreme* largest, double distance) noexcept nogil


cdef double greatest_product(LayerExtremes* one, LayerExtremes* two) noexcept nogil


cdef class Spectral:
    cdef readonly str mode
    cdef readonly double tolerance
    cdef bint always
    cdef bint estimates

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil
    cdef void start(self, Iterate* it, double wanted, double* scratch) noexcept nogil
    cdef void begin(self, Iterate* it, double* scratch) noexcept nogil
    cdef void drift(self, Iterate* it) noexcept nogil
    cdef void measure(self, Iterate* it, const Motion* motion, double* scratch) noexcept nogil
    cdef double _affordable(self, Iterate* it) noexcept nogil
    cdef void _renew(self, Iterate* it, double* scratch) noexcept nogil
    cdef void _keep_narrow(self, Iterate* it, LayerExtremes* layer, bint greatest, int n, int k, const double* A, double A_norm,
                           double wanted, double* direction, double* scratch) noexcept nogil
    cdef void _renew_largest(self, Iterate* it, const double* A, double A_norm, TrackedExtreme* largest, double* direction,
                             double* scratch) noexcept nogil
    cdef void publish(self, Iterate* it) noexcept nogil
    cdef void _count(self, Iterate* it) noexcept nogil
