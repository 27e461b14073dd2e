from .rule cimport Capped


cdef class Local(Capped):
    cdef readonly object growth_from
    cdef double first


cdef class Sharp(Capped):
    pass


cdef class Contraction(Capped):
    pass
