from .iterate cimport Iterate
from .rule cimport Rule


cdef class IterateView:
    cdef Iterate* it
    cdef object _memory

    cdef Iterate* _at(self) except NULL
    cdef void _leave(self)


cdef class CallableRule(Rule):
    cdef readonly object function
    cdef readonly dict errors

    cdef void _call(self, Iterate* it) noexcept
