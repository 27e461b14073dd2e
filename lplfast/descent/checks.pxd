"""The inequalities that are checked at every step, and what rounding may take from each: docs/theory.md, section 7."""

from libc.math cimport INFINITY, fabs

from ..iterate cimport Check, Iterate
from ..linalg.rounding cimport U
from .underflow cimport Underflow


cdef extern from *:
    """
    #define LPL_ALLOWANCE 50.0
    #define LPL_SHARP 1e-6
    """
    # beside the rounding of W, inequalities are checked up to this many (n + m) u times the sum of the absolute values
    # of their terms
    const double ALLOWANCE "LPL_ALLOWANCE"
    # an inequality that is checked to this part of what it claims has been checked, even if it is an equality
    const double SHARP "LPL_SHARP"


# An inequality, as found at one iterate.
cdef struct Inequality:
    double difference   # of its two sides; negative where it fails
    double claim        # the smaller side
    double allowance    # how far below 0 rounding alone may have taken the difference


cdef inline bint count_check(Check* check, double t, double slack, double difference, double claim,
                             double allowance) noexcept nogil:
    """Count one checked inequality `difference >= 0`; return whether it fails by more than rounding explains.

    It is uninformative if rounding may take more than its slack, and more than a millionth of the claim: then its slack
    is rounding, and not among those of which the smallest is kept. An allowance that is no number is none.
    """
    cdef bint vacuous = not allowance < INFINITY
    cdef bint violated = not vacuous and not difference >= -allowance
    check.steps += 1
    check.violations += violated
    if vacuous or (not violated and allowance > difference and not allowance <= SHARP * fabs(claim)):
        check.uninformative += 1
    elif check.steps - check.uninformative == 1 or slack < check.smallest:
        check.smallest = slack
        check.smallest_at = t
    return violated


cdef inline double share(const Iterate* it) noexcept nogil:
    """The part of the sum of its terms that rounding may have put an inequality off by."""
    return ALLOWANCE * (it.n + it.m) * U


cdef inline double step_rounding(const Iterate* old, const Iterate* new, const Underflow* lost,
                                 double eta) noexcept nogil:
    """What the rounding of the gradients and of the step may have done to the decrease of the loss."""
    cdef double d1, d2, r1, r2
    # the computed gradients are d1, d2 away from those of the stored layers; the step itself rounds: r1, r2
    d1 = ((new.m + 4) * U * old.G_norm + old.G_error) * (old.W2_norm + lost.W2) + lost.g
    d2 = ((new.n + 4) * U * old.G_norm + old.G_error) * (old.W1_norm + lost.W1) + lost.g
    r1 = eta * d1 + U * (old.W1_norm + 2.0 * eta * old.g1_norm) + lost.step1
    r2 = eta * d2 + U * (old.W2_norm + 2.0 * eta * old.g2_norm) + lost.step2
    return 1.01 * (new.G_norm * (r1 * (new.W2_norm + lost.W2) + r2 * (new.W1_norm + lost.W1) + r1 * r2)
                   + 2.0 * eta * (old.g1_norm * d1 + old.g2_norm * d2))


cdef inline Inequality pl_inequality(const Iterate* it, double pl) noexcept nogil:
    """||grad L||^2 / 2 >= pl gap: true of the computed W, whatever its rounding, for every G."""
    cdef double P = 0.5 * it.grad_sq, pl_gap = pl * it.gap, off
    # but g1 and g2 are sums that round
    off = U * it.G_norm * ((it.m + 4) * it.g1_norm * it.W2_norm + (it.n + 4) * it.g2_norm * it.W1_norm)
    # and G itself may be off: ||T(G)||^2 / 2 is at least s_min(T)^2 (||grad l|| - gradient_error)^2 / 2
    off += it.sigma_min_sq.lo * it.G_norm * it.gradient_error
    off += share(it) * (P + pl_gap) + pl * (it.gap_error + it.rounding)
    return Inequality(difference=P - pl_gap, claim=pl_gap, allowance=off)
