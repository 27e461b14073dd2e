from ..iterate cimport Bracket, Iterate, LayerExtremes
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


cdef double greatest_product(LayerExtremes* one, LayerExtremes* two) noexcept nogil
cdef void renew_all(Iterate* it, double wanted, double* scratch) noexcept nogil
cdef void publish_brackets(Iterate* it, bint certified) noexcept nogil


cdef class Spectral:
    cdef readonly double tolerance

    cdef int check(self) except -1

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil
    cdef void start(self, Iterate* it, double wanted, double* scratch) noexcept nogil
    cdef void begin(self, Iterate* it, double* scratch) noexcept nogil
    cdef void drift(self, Iterate* it) noexcept nogil
    cdef void measure(self, Iterate* it, const Motion* motion, double* scratch) noexcept nogil
    cdef void publish(self, Iterate* it) noexcept nogil
    cdef void _count(self, Iterate* it) noexcept nogil
