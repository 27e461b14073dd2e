from ..iterate cimport Iterate
from ..losses.loss cimport Loss
from .rule cimport Capped, Rule


cdef class Majorizer(Capped):
    pass


cdef class ExactLineSearch(Rule):
    cdef void _search(self, Iterate* it, Loss loss, double* scratch) noexcept nogil


cdef class Armijo(Rule):
    cdef readonly double c
    cdef readonly double shrink
