"""What underflow may take from a step, by the sizes of the matrices alone."""

from ..iterate cimport Iterate
from ..linalg.extremes cimport fmax
from ..linalg.rounding cimport LEAST, LEAST_NORM, U, underflow


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


cdef inline void count_underflow(Iterate* it, Underflow* lost) noexcept nogil:
    """What underflow may take, for these sizes; docs/theory.md, section 7."""
    cdef Py_ssize_t n = it.n, k = it.k, m = it.m
    lost.W1, lost.W2, lost.G = n * k * LEAST_NORM, m * k * LEAST_NORM, n * m * LEAST_NORM
    lost.product = lost.g = underflow(n * k * m)
    lost.step1 = lost.W1 * U + underflow(n * k)
    lost.step2 = lost.W2 * U + underflow(m * k)
    lost.squares = (n + m) * k * LEAST
    # K times it, but no subnormal number, with which products are slow
    lost.kernel = lost.squares * fmax(it.mu if it.K_is_local else it.K, 1.0) + LEAST
    it.lost = underflow(n * m)
