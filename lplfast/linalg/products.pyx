"""Products that are not cut: which way is fastest at their size."""

from .tiles cimport NN, NT, TN, product_of, whole_product

cdef extern from "linalg/fused.h":
    const int LENGTH "LPL_FUSED_LENGTH"
    bint fused "lpl_fused"(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const double* A, Py_ssize_t row, Py_ssize_t step,
                           const double* B, bint turned, double* C) noexcept nogil
    bint multiplies_eight "lpl_multiplies_eight"() noexcept nogil

# Up to so many multiplications, fused ones of our own are as fast as BLAS, or faster.
cdef double FUSED_MOST = 1.3e5
# Likewise of A @ B.T, for which BLAS goes through B entry by entry up to there.
cdef double FUSED_MOST_TURNED = 6e5
# Where eight numbers are multiplied as fast as four, also between these: up to the first, OpenBLAS lays nothing out,
# and from the second on it gains by that. In between, ours take 0.5 to 0.8 of the time.
cdef double LAID_OUT = 1e6
cdef double LAID_OUT_WELL = 4.5e6


cdef bint fused_pays(Kind kind, double work) noexcept nogil:
    if work <= (FUSED_MOST_TURNED if kind == NT else FUSED_MOST):
        return True
    if work > LAID_OUT_WELL or not multiplies_eight():
        return False
    return kind == NT or work > LAID_OUT


cdef bint fused_product(Kind kind, blas_int n, blas_int k, blas_int m, const double* A, const double* B,
                        double* C) noexcept nogil:
    """The product by fused multiply-adds; False, and nothing done, if the shape or the processor does not allow it."""
    cdef Py_ssize_t row = 1 if kind == TN else k, step = n if kind == TN else 1
    if n < 3 or m < 4 or (kind == NT and not 4 <= k <= LENGTH):
        return False
    return fused(n, k, m, A, row, step, B, kind == NT, C)


cdef void one_product(Kind kind, blas_int n, blas_int k, blas_int m, const double* A, const double* B,
                      double* C) noexcept nogil:
    cdef double work = <double> n * k * m
    if fused_pays(kind, work) and fused_product(kind, n, k, m, A, B, C):
        return
    if work > SMALL:
        whole_product(product_of(kind, n, k, m, A, B, 0.0, C))
    elif kind == NT:
        small_nt(n, k, m, A, B, C)
    elif kind == NN:
        small_nn(n, k, m, A, B, C)
    else:
        small_tn(n, k, m, A, B, C)
