"""Public: `cdef class MyRule(Rule)` with its own `choose` steps in the compiled loop like any other rule."""

from .iterate cimport Iterate
from .loss cimport Loss


cdef class Rule:
    cdef readonly bint needs_ray        # whether `tau` and `B` of the iterate must be there

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil


cdef class Majorizer(Rule):
    cdef readonly object cap
    cdef double longest


cdef class ExactLineSearch(Rule):
    pass


cdef class Polyak(Rule):
    pass


cdef class Constant(Rule):
    cdef readonly double eta


cdef class Local(Rule):
    cdef readonly object cap
    cdef readonly object growth_from
    cdef double longest
    cdef double first


cdef class Sharp(Rule):
    cdef readonly object cap
    cdef double longest
