"""Sums over whole matrices in one pass: in lanes, and in blocks, so that their rounding stays small at any size."""

from .blas cimport dot
from .rounding cimport BLOCK    # and with it LPL_BLOCK

cdef extern from "linalg/passes.h":
    # How a step has moved W, M = W_new - W
    ctypedef struct Motion "lpl_motion":
        double moved_sq     # ||M||_F^2
        double slope        # <G, M> for the G before the step,
        double absolute     # and the sum of the absolute values
        double forms        # <M, H M> with H the Hessian of a quadratic loss, else 0
        double bent_sq      # ||H M||_F^2, likewise

    # (x**2).sum(), to the bits that `move` finds
    double square_sum "lpl_square_sum"(Py_ssize_t size, const double* x) noexcept nogil
    # ((x - y)**2).sum()
    double distance_sq "lpl_distance_sq"(Py_ssize_t size, const double* x, const double* y) noexcept nogil
    # to = x
    void copy "lpl_copy"(Py_ssize_t size, const double* x, double* to) noexcept nogil
    # to = z - eta * g; the sum of its squares
    double move "lpl_move"(Py_ssize_t size, const double* z, double eta, const double* g, double* to) noexcept nogil
    # to = x, which it may be; (x**2).sum(), and ((x - z)**2).sum(), ((x - (z - eta * g))**2).sum()
    double arrive "lpl_arrive"(Py_ssize_t size, const double* x, const double* z, double eta, const double* g,
                               double* to, double* moved_sq, double* off_sq) noexcept nogil
    # g = d * (x - y); (d * (x - y)**2).sum(), and (x**2).sum(), (g**2).sum()
    double slope "lpl_slope"(Py_ssize_t size, const double* d, const double* x, const double* y, double* g,
                             double* x_sq, double* g_sq) noexcept nogil
    # (d * (x - y) * ((x - z) + (y - z))).sum(), which is (d * ((x - z)**2 - (y - z)**2)).sum() without cancellation;
    # and the sum of the absolute values
    double fall "lpl_fall"(Py_ssize_t size, const double* d, const double* x, const double* y, const double* z,
                           double* absolute) noexcept nogil
    # M = W_new - W, and all that `Motion` says of it; d is the Hessian entry by entry, or NULL
    void measure_motion "lpl_measure"(Py_ssize_t size, const double* W, const double* W_new, const double* G,
                                      const double* d, Motion* motion) noexcept nogil
    # the largest entry of |A| @ (|A|.T @ 1), A (n, k), at least || |A| ||_2^2; `sums` has room for k
    double absolute_norm_sq "lpl_absolute_norm_sq"(Py_ssize_t n, Py_ssize_t k, const double* A,
                                                   double* sums) noexcept nogil


cdef inline double weighted_cross(Py_ssize_t n, Py_ssize_t m, const double* d, const double* U,
                                  const double* V) noexcept nogil:
    """(d[:, None] * U * V).sum() of (n, m) matrices"""
    cdef double s = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        s += d[i] * dot(m, U + i * m, V + i * m)
    return s


cdef inline double weighted_square(Py_ssize_t n, Py_ssize_t m, const double* d, const double* U) noexcept nogil:
    """(d[:, None] * U**2).sum() of an (n, m) matrix"""
    return weighted_cross(n, m, d, U, U)
