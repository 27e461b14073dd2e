from .iterate cimport Bracket, Iterate, Layer, Memory


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
    """The relative width of the widest bracket that the constants are made of."""
    return max(relative_width(&it.sigma_min_sq), relative_width(&it.sigma_max_sq), relative_width(&it.sigma_max_W))


cdef class Spectral:
    cdef readonly str mode
    cdef readonly double tolerance
    cdef bint always
    cdef bint estimates

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil
    cdef void start(self, Iterate* it, double wanted, double* scratch) noexcept nogil
    cdef void drift(self, Iterate* it, double* scratch) noexcept nogil
    cdef void measure(self, Iterate* it, double* scratch) noexcept nogil
    cdef void _keep_narrow(self, Memory* memory, Layer* layer, int n, int k, const double* A, double A_norm,
                           double least, double greatest, double* directions, double* scratch) noexcept nogil
    cdef void publish(self, Iterate* it) noexcept nogil
    cdef void _count(self, Iterate* it) noexcept nogil
