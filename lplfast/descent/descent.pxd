from ..iterate cimport Iterate, Memory
from ..linalg.passes cimport Motion
from .history cimport Row
from .state cimport State
from .stopping cimport Limits


# What the hooks of one step hand on to each other. Nothing of it outlives the step.
cdef struct Step:
    # _step, before anything else: where the step begins, for _undo and for whatever compares the two ends of the step
    Iterate old
    Memory before
    bint gap_known          # whether l* is
    # _choose
    double eta
    double K_t
    double K_t_sharp
    double K_best           # the smaller of the two, which the descent lemma is checked with
    # _judge, when the loss has been evaluated where the step leads
    Motion motion
    double first_order      # eta ||grad L||^2
    double promised         # the decrease of the loss by the descent lemma
    double decrease         # the one measured
    double terms            # the sum of the absolute values of the terms that `decrease` is a sum of
    double uncertain        # what rounding at both ends of the step may have done to the decrease
    double allowance        # how far `decrease` may be below `promised` by rounding alone
    double K_t_step         # the smoothness constant that the step shows once it has been taken; never above K_best
    # _fill_step_row
    double contraction      # 1 - rate: the part of the gap that the step certainly takes
    # _count_checks, where the gap is known
    double rate_allowance   # likewise, below what the guaranteed rate says


cdef class Descent(State):
    cdef readonly Py_ssize_t filled     # how many rows were written in all
    cdef double promised        # where the descent lemma failed: the decrease it promised,
    cdef double measured        # and the one measured

    cdef void _evaluate_start(self, double wanted) noexcept nogil
    cdef int _step(self, Row* row, bint redo) noexcept nogil
    cdef void _renew_brackets(self, Row* row) noexcept nogil
    cdef void _prepare_ray(self) noexcept nogil
    cdef bint _choose(self, Step* step) noexcept nogil
    cdef double _promise(self, double eta) noexcept nogil
    cdef void _move(self, double eta) noexcept nogil
    cdef bint _carry(self, Step* step) noexcept nogil
    cdef void _undo(self, Step* step) noexcept nogil
    cdef void _judge(self, Step* step) noexcept nogil
    cdef void _fill_step_row(self, Step* step, Row* row) noexcept nogil
    cdef bint _count_checks(self, Step* step, Row* row) noexcept nogil
    cdef void _advance_memory(self, Step* step, Row* row) noexcept nogil
    cdef void _refresh_brackets(self, Step* step) noexcept nogil
    cdef int _run(self, double* rows, Py_ssize_t capacity, Py_ssize_t every, const Limits* limits,
                  double budget) noexcept nogil
