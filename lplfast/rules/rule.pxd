"""Public: `cdef class MyRule(Rule)` with its own `choose` steps in the compiled loop like any other rule."""

from ..iterate cimport Iterate
from ..losses.loss cimport Loss
from .view cimport IterateView


cdef class Rule:
    # Set in __cinit__, which nobody leaves out and nobody calls twice: descents lay out their memory by them.
    # What the loop has to prepare: `tau` and `B` of the iterate, three products a step, or `B` alone, one product;
    # the gradients of one step ago
    cdef readonly bint needs_tau
    cdef readonly bint needs_B
    cdef readonly bint needs_previous
    # whether Python is asked for the step: the loop then calls `ask` in place of `choose`
    cdef bint asks
    cdef dict errors            # what was raised there, by thread

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil
    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil
    cdef void ask(self, Iterate* it) noexcept with gil
    cdef object _asked(self, IterateView view)


cdef class Capped(Rule):
    cdef readonly object cap
    cdef double longest
