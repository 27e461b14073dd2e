"""The PL constant of a self-concordant loss of rows at a distance from its minimizer: docs/theory.md, section 12."""

from libc.math cimport expm1

from ..linalg.rounding cimport U

# Below it a power series is closer than the formula, whose numerator cancels.
cdef extern from *:
    """
    #define LPL_SERIES 0.01
    """
    const double SERIES "LPL_SERIES"


cdef inline double strong_part(double least, double l2, double rho) noexcept nogil:
    """A lower bound on ||grad||^2 / (2 gap) of a loss with a ridge l2, its data curved by `least` or more at the
    minimizer, along each direction, from where no logits of a row differ from the minimizer's by more than the range
    `rho`."""
    cdef double mean, late
    if rho < SERIES:
        # alternating: an upper bound
        late = 0.5 - rho * (1.0 / 6 - rho * (1.0 / 24 - rho * (1.0 / 120 - rho / 720.0)))
    else:
        late = (rho + expm1(-rho)) / rho / rho
    # how much of the curvature at the minimizer is left on the way, and how much of it counts for the gap
    mean = -expm1(-rho) / rho if rho > 0.0 else 1.0
    mean = least * mean + l2
    return mean * (mean / (2.0 * least * late + l2)) * (1.0 - 512.0 * U)
