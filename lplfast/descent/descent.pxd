cimport cython

from ..iterate cimport Iterate, Memory
from ..linalg.passes cimport Motion
from ..losses.loss cimport Loss
from ..rules.rule cimport Rule
from ..spectral.spectral cimport Spectral


# A row of the history. First what belongs to an iterate, then what belongs to the step from it.
cdef struct Row:
    double iteration
    double loss
    double gap
    double gap_bound
    double grad_norm
    double mu_t
    double sigma_min_sq
    double sigma_max_sq
    double sigma_max_W
    double nu_lo
    double nu_hi
    double drift
    double loss_evaluations
    double gradient_evaluations
    double eigenproblems
    double backtracks
    double rounding
    double floor
    double bracket_width
    double time
    double slack_pl
    double rate_bound
    double step_size
    double K_t
    double K_t_sharp
    double slack_descent
    double slack_rate
    double slack_drift


# What underflow may have taken, by the sizes of the matrices alone: added where products of doubles may be subnormal.
# At any ordinary size, adding it changes no bit.
cdef struct Underflow:
    double W1           # from the norm of W1, or of its gradient
    double W2
    double G            # from the norm of G
    double product      # from the entries of W1 W2 together
    double g            # from the entries of a gradient together
    double step1        # from those of a step of W1
    double step2
    double squares      # from s_min(T)^2
    double kernel       # from the extremes of the tangent kernel


# An inequality, as found at one iterate.
cdef struct Inequality:
    double difference   # of its two sides; negative where it fails
    double claim        # the smaller side
    double allowance    # how far below 0 rounding alone may have taken the difference


# What the hooks of one step hand on to each other. Nothing of it outlives the step.
cdef struct Step:
    # _step, before anything else: where the step begins, for _undo and for whatever compares the two ends of the step
    Iterate old
    Memory before
    # _choose
    double eta
    double K_t
    double K_t_sharp
    double K_best           # the smaller of the two
    # _judge, when the loss has been evaluated where the step leads
    Motion motion
    double first_order      # eta ||grad L||^2
    double promised         # the decrease of the loss by the descent lemma
    double decrease         # the one measured
    double terms            # the sum of the absolute values of the terms that `decrease` is a sum of
    double uncertain        # what rounding at both ends of the step may have done to the decrease
    double allowance        # how far `decrease` may be below `promised` by rounding alone
    # _count_checks, where the gap is known
    double rate_allowance   # likewise, below what the guaranteed rate says


@cython.final
cdef class Descent:
    cdef readonly Loss loss
    cdef readonly Rule rule
    cdef readonly Spectral spectral
    cdef object _block          # the NumPy array that owns all memory below, Memory first
    cdef Py_ssize_t _remembered  # how many doubles of it `memory` is
    cdef Iterate it
    cdef double* spare          # where the next layers go, for rules that look at the gradients of one step ago
    cdef double* scratch
    cdef Row* row
    cdef Underflow lost
    cdef bint evaluated
    cdef bint by_motion         # whether the decrease of the loss follows from how W has moved
    cdef readonly Py_ssize_t filled     # how many rows were written in all
    cdef double promised        # where the descent lemma failed: the decrease it promised,
    cdef double measured        # and the one measured

    cdef void _count_underflow(self) noexcept nogil
    cdef void _point(self, double* Z, double* g) noexcept nogil
    cdef object _stack(self, const double* Z)
    cdef void _evaluate(self) noexcept nogil
    cdef void _allow_underflow(self) noexcept nogil
    cdef void _count_evaluation(self) noexcept nogil
    cdef void _gradients(self) noexcept nogil
    cdef bint _finite(self) noexcept nogil
    cdef void _look(self, Row* row) noexcept nogil
    cdef int _step(self, Row* row, bint redo) noexcept nogil
    cdef void _renew_brackets(self, Row* row) noexcept nogil
    cdef void _prepare_ray(self) noexcept nogil
    cdef bint _choose(self, Step* step) noexcept nogil
    cdef void _move(self, double eta) noexcept nogil
    cdef void _undo(self, Step* step) noexcept nogil
    cdef void _judge(self, Step* step) noexcept nogil
    cdef bint _count_checks(self, Step* step, Row* row) noexcept nogil
    cdef void _advance_memory(self, Step* step, Row* row) noexcept nogil
    cdef void _refresh_brackets(self, Step* step) noexcept nogil
    cdef bint _at_rest(self) noexcept nogil
    cdef int _verdict(self, double max_iter, double tol, double grad_tol, double max_growth) noexcept nogil
    cdef int _run(self, double* rows, Py_ssize_t capacity, Py_ssize_t every, double max_iter, double tol,
                  double grad_tol, double max_growth, double budget) noexcept nogil
