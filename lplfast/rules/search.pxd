from ..iterate cimport Iterate
from ..losses.loss cimport Loss, Ray
from .rule cimport Capped, Rule


cdef class Majorizer(Capped):
    cdef readonly double relax


cdef class ExactLineSearch(Rule):
    cdef void _search(self, Iterate* it, Loss loss, Ray* ray, double* scratch) noexcept nogil


cdef class Armijo(Rule):
    cdef readonly double c
    cdef readonly double shrink
