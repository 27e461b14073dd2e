"""The unit roundoff of float64, u = 2^-53, and how sums round, as docs/theory.md, section 7, uses them."""

cdef extern from *:
    """
    #define LPL_UNIT_ROUNDOFF 1.1102230246251565e-16
    #define LPL_BLOCK 4096
    #define LPL_LEAST 0x1p-1022
    #define LPL_LEAST_NORM 0x1p-511
    #define LPL_TINY 1e-280
    """
    const double U "LPL_UNIT_ROUNDOFF"      # u of the literature; by a longer name, allowances would not fit a line
    const Py_ssize_t BLOCK "LPL_BLOCK"      # what `passes.h` adds up before it adds to the total
    # what a product of two doubles may lose to underflow, whether that is gradual or flushed to 0: the least normal
    # number; and what a number whose square has been lost to it may be
    const double LEAST "LPL_LEAST"
    const double LEAST_NORM "LPL_LEAST_NORM"
    # squares of norms below this have lost digits to underflow
    const double TINY "LPL_TINY"


cdef inline double underflow(Py_ssize_t size) noexcept nogil:
    """What a sum of `size` products of up to three factors may lose to underflow."""
    return 4.0 * size * LEAST


cdef inline double sum_error(Py_ssize_t size) noexcept nogil:
    """How many u of the sum of the absolute values a sum of products, of `passes.h`, is off by at most."""
    return min(size, BLOCK) / 8 + size / BLOCK + 16
