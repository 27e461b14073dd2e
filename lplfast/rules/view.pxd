from ..iterate cimport Iterate


cdef class IterateView:
    cdef Iterate* it
    cdef object _memory

    cdef Iterate* _at(self) except NULL
    cdef int _leave(self) except -1
