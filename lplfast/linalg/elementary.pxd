"""exp(c) - 1 - c of one number; `elementary.h` has it in lanes, with exp and log1p."""

from libc.math cimport exp, fabs

cdef extern from "linalg/elementary.h":
    double near_excess "LPL_NEAR_EXCESS"(double c) noexcept nogil


cdef inline double excess(double c) noexcept nogil:
    """exp(c) - 1 - c, a convex function, without cancellation."""
    return near_excess(c) if fabs(c) <= 0.35 else exp(c) - 1.0 - c
