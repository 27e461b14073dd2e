from .rule cimport Rule


cdef class CallableRule(Rule):
    cdef readonly object function
