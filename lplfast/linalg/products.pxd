"""Products that are not cut: in plain loops, by fused multiply-adds, by BLAS; whichever is fastest at their size."""

from .blas_int cimport blas_int
from .tiles cimport Kind

cdef extern from "linalg/products.h":
    const int FEW_ROWS "LPL_FEW_ROWS"
    void small_nt "lpl_small_nt"(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil
    void small_nn "lpl_small_nn"(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil
    void small_tn "lpl_small_tn"(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil

cdef enum:
    # below so many multiplications, nothing gains over plain loops
    SMALLEST = 48
    # up to so many, they beat a call of BLAS, and never meet the lock that some OpenBLAS builds take in dgemm
    SMALL = 1000

# C = A @ B, as `Kind` has it; of at least SMALLEST multiplications
cdef void one_product(Kind kind, blas_int n, blas_int k, blas_int m, const double* A, const double* B,
                      double* C) noexcept nogil
