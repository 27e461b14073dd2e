from ..iterate cimport Iterate


cdef class IterateView:
    cdef Iterate* it
    cdef object _memory

    cdef Iterate* _at(self) except NULL
    cdef object _copied(self, const double* values, Py_ssize_t rows, Py_ssize_t columns)
    cdef int _write_back(self, double* kept) except -1
