from .iterate cimport Iterate


cdef class Spectral:
    cdef readonly str mode
    cdef readonly double tolerance
    cdef bint always

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil
    cdef void start(self, Iterate* it, double* scratch) noexcept nogil
    cdef void drift(self, Iterate* it, double* scratch) noexcept nogil
    cdef void measure(self, Iterate* it, double* scratch) noexcept nogil
    cdef void publish(self, Iterate* it) noexcept nogil
    cdef void _count(self, Iterate* it) noexcept nogil
