"""Everything by LAPACK at every step."""

cimport cython

from ..iterate cimport Iterate
from ..linalg.passes cimport Motion
from .spectral cimport EXACT_WIDTH, Spectral

from .spectral import ROUNDING


@cython.final
cdef class Exact(Spectral):
    """By LAPACK at every step, with its allowances: every K_t is an upper and every mu_t a lower bound, by rounding.

    Parameters
    ----------
    tolerance : float
        The width from which on an iterate is not counted as narrow.

    Examples
    --------
    >>> Exact()
    Exact(tolerance=0.01)
    """

    mode = "exact"
    upper_widths = (ROUNDING, ROUNDING)

    cdef void measure(self, Iterate* it, const Motion* motion, double* scratch) noexcept nogil:
        self.start(it, EXACT_WIDTH, scratch)
