"""Whether to go on from an iterate, and if not, why. What rounding may hide: docs/theory.md, section 7."""

from libc.math cimport INFINITY, fabs, isfinite, sqrt

from ..iterate cimport Iterate, Memory, excess, excess_tolerance
from ..linalg.extremes cimport fmax
from ..linalg.rounding cimport U

cdef extern from *:
    """
    #define LPL_UNDERFLOWN 1e-280
    """
    const double UNDERFLOWN "LPL_UNDERFLOWN"    # a squared gradient norm below this has lost digits to underflow

# `OUTCOMES` in descent.pyx has their public names.
cdef enum:
    RUNNING
    CONVERGED
    MAX_ITER
    FLOOR_REACHED
    SADDLE
    DIVERGED
    OVERFLOWED
    STALLED
    GUARANTEE_FAILED
    REDO            # never leaves descent.pyx


# When to stop, as `Descent.advance` has it.
cdef struct Limits:
    double max_iter
    double tol
    double grad_tol
    double max_growth


cdef inline bint finite(const Iterate* it) noexcept nogil:
    """Whether the loss and the squares of the gradients are float64 numbers."""
    # with an upper bound on the norm of the gradients, which may not be there yet
    cdef double bound = it.G_norm * (it.W1_norm + it.W2_norm)
    return isfinite(it.loss) and isfinite(it.floor) and isfinite(bound * bound)


cdef inline bint at_rest(const Iterate* it) noexcept nogil:
    """Whether G is 0 in every entry: then a gap of 0 has not underflowed."""
    cdef Py_ssize_t i
    for i in range(<Py_ssize_t> it.n * it.m):
        if it.G[i] != 0.0:
            return False
    return True


cdef inline int stopping_status(Iterate* it, const Limits* limits) noexcept nogil:
    """Whether to go on from the current iterate, and if not, why."""
    cdef Memory* memory = it.memory
    cdef double unsure, lost, hidden
    if not finite(it):
        return OVERFLOWED
    # rounding and an uncertain l* may hide as much; neither may pass for convergence
    unsure, lost = it.gap_error + it.rounding, it.lost
    if it.gap < -unsure - lost - 8.0 * (it.n + it.m) * U * fabs(it.loss):
        return GUARANTEE_FAILED     # below the minimum
    if it.unreached > 0.0:
        # a network of this width is asked for no more than it can reach
        hidden = excess_tolerance(it)
        if excess(it) + hidden <= limits.tol * (memory.gap_0 - it.unreached):
            return CONVERGED
    else:
        hidden = fmax(it.floor, unsure + lost)
        if it.gap + unsure + lost <= limits.tol * memory.gap_0 or (it.gap + unsure == 0.0 and at_rest(it)):
            return CONVERGED
    # a gradient that is 0 from the start, or where the gap is known not to be, is a saddle's
    if (limits.grad_tol > 0.0 and sqrt(it.grad_sq) <= limits.grad_tol * memory.grad_0 and memory.grad_0 > 0.0
            and (it.grad_sq > 0.0 or it.gap != it.gap)):
        return CONVERGED
    if excess(it) <= hidden:
        return FLOOR_REACHED
    # no limit is none, whatever a state says that the first gap was
    if limits.max_growth < INFINITY and it.gap > limits.max_growth * memory.gap_0:
        return DIVERGED
    if it.grad_sq == 0.0:
        # where l* is not known, this may be it
        return SADDLE if it.gap == it.gap else STALLED
    if it.grad_sq < UNDERFLOWN:
        return STALLED
    # the next step would not move the layers beyond their rounding
    if memory.eta > 0.0 and memory.eta * sqrt(it.grad_sq) <= 0.5 * U * (it.W1_norm + it.W2_norm):
        return STALLED
    return MAX_ITER if memory.t >= limits.max_iter else RUNNING
