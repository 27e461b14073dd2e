"""Products of matrices of some ten rows and columns, by fused multiply-adds."""

from .tiles cimport NT, TN

cdef extern from "linalg/fused.h":
    const int LENGTH "LPL_FUSED_LENGTH"
    bint fused "lpl_fused"(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const double* A, Py_ssize_t row, Py_ssize_t step,
                           const double* B, bint turned, double* C) noexcept nogil


cdef bint fused_product(Kind kind, blas_int n, blas_int k, blas_int m, const double* A, const double* B,
                        double* C) noexcept nogil:
    """C = A @ B, as `Kind` has it; False, and nothing done, if the processor or the shape does not allow it."""
    cdef Py_ssize_t row = 1 if kind == TN else k, step = n if kind == TN else 1
    if n < 3 or m < 4 or (kind == NT and not 4 <= k <= LENGTH):
        return False
    return fused(n, k, m, A, row, step, B, kind == NT, C)
