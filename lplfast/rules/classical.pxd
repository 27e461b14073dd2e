from .rule cimport Rule


cdef class Constant(Rule):
    cdef readonly double eta


cdef class Polyak(Rule):
    pass


cdef class AdGD(Rule):
    cdef readonly double initial
