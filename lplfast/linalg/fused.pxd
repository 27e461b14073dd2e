"""Products of matrices of some ten rows and columns, by fused multiply-adds: twice as fast there as a call of BLAS."""

from .blas_int cimport blas_int
from .tiles cimport Kind

cdef extern from *:
    """
    #define LPL_FUSED_MOST 1.3e5
    #define LPL_FUSED_MOST_TURNED 6e5
    """
    # Up to so many multiplications it is as fast as BLAS, or faster
    const double FUSED_MOST "LPL_FUSED_MOST"
    # and of A @ B.T, for which BLAS goes through B entry by entry up to there
    const double FUSED_MOST_TURNED "LPL_FUSED_MOST_TURNED"


cdef bint fused_product(Kind kind, blas_int n, blas_int k, blas_int m, const double* A, const double* B,
                        double* C) noexcept nogil
