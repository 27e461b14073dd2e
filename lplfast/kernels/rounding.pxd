"""The unit roundoff of float64, u = 2^-53, as the allowances of docs/theory.md use it."""

cdef extern from *:
    """
    #define LPL_UNIT_ROUNDOFF 1.1102230246251565e-16
    """
    const double U "LPL_UNIT_ROUNDOFF"
