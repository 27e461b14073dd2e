"""Brackets of the extreme eigenvalues of A A.T for one matrix A, by LAPACK or by proof."""

from ..iterate cimport Bracket
from ..linalg.rounding cimport TINY

# Squares of norms outside (TINY, HUGE) have lost digits to underflow, or are about to overflow. A least value this
# NEGLIGIBLE beside the greatest is not chased with renewals.
cdef extern from *:
    """
    #define LPL_HUGE 1e290
    #define LPL_NEGLIGIBLE 1e-8
    """
    const double HUGE "LPL_HUGE"
    const double NEGLIGIBLE "LPL_NEGLIGIBLE"


cdef inline double square(double x) noexcept nogil:
    return x * x


cdef inline double positive_part(double x) noexcept nogil:
    return x if x > 0.0 else 0.0


cdef inline double coarse(double x) noexcept nogil:
    """x to 14 bits."""
    cdef double high = x * 549755813889.0      # 2^39 + 1
    return high - (high - x)


# Ends of brackets that an iteration has found are rounded outward to few bits: then they do not depend on how the
# iteration was rounded, at another width or on another processor.
cdef inline double coarse_below(double x) noexcept nogil:
    return coarse(x * (1.0 - 1.3e-4))


cdef inline double coarse_above(double x) noexcept nogil:
    return coarse(x * (1.0 + 1.3e-4))


cdef inline double width(Bracket* b) noexcept nogil:
    return b.hi - b.lo


cdef inline Py_ssize_t lapack_work(int n, int k) noexcept nogil:
    # dsyev: (blocks of 32 + 2) p; dgesvd without vectors: 3 p + 32 (n + k) covers its blocked parts
    cdef Py_ssize_t p = min(n, k)
    return max(34 * p, 5 * p + 34 * (<Py_ssize_t> n + k))


cdef int eigenvalues(int p, double* gram, double* values, double* work, int lwork) noexcept nogil
cdef bint gram_extremes(int n, int k, const double* A, double A_norm, Bracket* least, Bracket* greatest,
                        double* scratch) noexcept nogil
cdef bint symmetric_extremes(int p, double formed, double F_sq, double* gram, int lwork, Bracket* least,
                             Bracket* greatest, double* work) noexcept nogil
cdef bint svd_extremes(int n, int k, const double* A, Bracket* least, Bracket* greatest,
                       double* scratch) noexcept nogil
cdef double power_iterate(int p, const double* gram, double* v, double* w, double room) noexcept nogil
cdef double inverse_iterate(int p, const double* gram, double* v, double* w, double* factor,
                            double room) noexcept nogil
cdef double ascend(int p, double sign, const double* gram, double* v, double* work, double room) noexcept nogil
cdef double cholesky_excess(int p, double sign, const double* gram, double shift, double* work) noexcept nogil
cdef bint bracket_greatest(int p, int q, const double* gram, double F_sq, double* direction, double room,
                           Bracket* greatest, double* work) noexcept nogil
cdef bint bracket_least(int p, int q, const double* gram, double F_sq, double* direction, double room,
                        Bracket* least, double* work) noexcept nogil
cdef Bracket quotient(int n, int k, const double* A, double A_norm, const double* x, double* w) noexcept nogil
