"""One row of the history: a struct of doubles whose names are the columns.

Which way each errs: docs/history.md; what rounds: docs/theory.md, section 7.
"""

from libc.math cimport NAN, sqrt

from ..iterate cimport Bracket, Iterate, Memory
from ..linalg.extremes cimport fmax
from ..linalg.rounding cimport LEAST, U
from ..spectral.spectral cimport widest
from .sharpness cimport sharpness


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
    double sharpness_lo
    double sharpness_hi
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
    double K_t_step
    double slack_descent
    double slack_rate
    double slack_drift


cdef inline Py_ssize_t column_count() noexcept nogil:
    return sizeof(Row) // sizeof(double)


cdef inline double checked_pl(const Iterate* it, double mu_t) noexcept nogil:
    """The constant that the PL inequality is checked with: mu_t, and for a loss that is not quadratic nu_lo."""
    return mu_t if it.hessian != NULL else fmax(mu_t, it.nu.lo)


cdef inline void fill_iterate_row(Row* row, Iterate* it) noexcept nogil:
    """Write the iterate's part of its row, and NaN for the step's."""
    cdef Memory* memory = it.memory
    cdef Bracket sharp = sharpness(it)
    cdef double mu_t = fmax(0.0, it.mu * it.sigma_min_sq.lo * (1.0 - 4.0 * U) - LEAST)
    row.iteration = memory.t
    row.loss = it.loss
    row.gap = it.gap
    row.gap_bound = memory.gap_bound
    row.grad_norm = sqrt(it.grad_sq)
    row.mu_t = mu_t
    row.sigma_min_sq = it.sigma_min_sq.lo
    row.sigma_max_sq = it.sigma_max_sq.hi
    row.sigma_max_W = it.sigma_max_W.hi
    row.floor = fmax(it.floor, it.rounding + (it.gap_error if it.gap == it.gap else 0.0))
    row.nu_lo = it.nu.lo
    row.nu_hi = it.nu.hi
    row.sharpness_lo, row.sharpness_hi = sharp.lo, sharp.hi
    row.drift = memory.imbalance_drift
    row.loss_evaluations = memory.evaluations
    row.gradient_evaluations = memory.gradients
    row.eigenproblems = memory.eigenproblems
    row.backtracks = memory.backtracks
    row.rounding = memory.rounding_so_far
    row.bracket_width = widest(it)
    row.time = memory.seconds
    # ||grad L||^2 / 2 >= pl gap, as a part of the left side
    row.slack_pl = 1.0 - checked_pl(it, mu_t) * it.gap / (0.5 * it.grad_sq) if it.grad_sq > 0.0 else NAN
    row.rate_bound = row.step_size = row.K_t = row.K_t_sharp = row.K_t_step = NAN
    row.slack_descent = row.slack_rate = row.slack_drift = NAN
