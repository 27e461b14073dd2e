"""The unit roundoff of float64, u = 2^-53, and how sums round, as the allowances of docs/theory.md use them."""

cdef extern from *:
    """
    #define LPL_UNIT_ROUNDOFF 1.1102230246251565e-16
    #define LPL_BLOCK 4096
    """
    const double U "LPL_UNIT_ROUNDOFF"
    const Py_ssize_t BLOCK "LPL_BLOCK"      # what `sums.pxd` adds up before it adds to the total


cdef inline double sum_error(Py_ssize_t size) noexcept nogil:
    """How many u of the sum of the absolute values a sum of products, of `sums.pxd`, is off by at most."""
    return min(size, BLOCK) / 8 + size / BLOCK + 16
