from ..iterate cimport Iterate
from ..losses.loss cimport Loss
from .rule cimport Rule


# What Xu et al. (2023) know of an iterate: alpha <= s_min(T)^2, s_max(T)^2 <= beta, s_max(W) <= p2, p1 <= s_min(W)
cdef struct Margins:
    double p1
    double p2
    double alpha
    double beta


cdef class Xu2023(Rule):
    cdef readonly str bound
    cdef readonly double c1
    cdef readonly double c2
    cdef int kind

    cdef void _begin(self, Iterate* it, Loss loss, double* scratch) noexcept nogil


cdef class Arora2018(Rule):
    pass


cdef class Du2018(Rule):
    cdef readonly object eps
    cdef double accuracy
