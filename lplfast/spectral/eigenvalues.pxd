"""Brackets of the extreme eigenvalues of A A.T for one matrix A, by LAPACK or by proof. Every allowance:
docs/theory.md, section 6.2."""

from ..iterate cimport Bracket
from ..linalg.blas cimport gram_columns, gram_rows
from ..linalg.blas_int cimport blas_int
from ..linalg.rounding cimport TINY, U

# Squares of norms outside (TINY, HUGE) have lost digits to underflow, or are about to overflow. A least value this
# NEGLIGIBLE beside the greatest is not chased with renewals.
cdef extern from *:
    """
    #define LPL_HUGE 1e290
    #define LPL_NEGLIGIBLE 1e-8
    """
    const double HUGE "LPL_HUGE"
    const double NEGLIGIBLE "LPL_NEGLIGIBLE"


# A matrix, its entries row by row, and its Frobenius norm or an upper bound on that.
cdef struct Matrix:
    int rows
    int columns
    const double* entries
    double norm


# The computed form of a positive semidefinite matrix A A.T, (rows, rows), as `gram_rows` writes it. `inner` roundings
# are behind an entry, so that it is off by some inner u size in norm, with a size of ||A||_F^2 or more.
cdef struct Gram:
    int rows
    double inner
    double* entries
    double size
    double allowed          # what single precision may put an eigenvalue off by
    const Matrix* exact     # where it was computed in single precision, A, else NULL


cdef inline Matrix matrix(int rows, int columns, const double* entries, double norm) noexcept nogil:
    cdef Matrix A
    A.rows, A.columns, A.entries, A.norm = rows, columns, entries, norm
    return A


cdef inline Gram no_gram() noexcept nogil:
    cdef Gram gram
    gram.rows, gram.inner, gram.size, gram.allowed, gram.entries, gram.exact = 0, 0.0, 0.0, 0.0, NULL, NULL
    return gram


cdef inline Gram smaller_gram(const Matrix* A, double* entries) noexcept nogil:
    """The smaller of A A.T and A.T A, computed into `entries`."""
    cdef Gram gram
    gram.rows, gram.inner = min(A.rows, A.columns), max(A.rows, A.columns)
    gram.entries, gram.size, gram.allowed, gram.exact = entries, A.norm * A.norm, 0.0, NULL
    if A.rows <= A.columns:
        gram_rows(A.rows, A.columns, A.entries, entries)
    else:
        gram_columns(A.rows, A.columns, A.entries, entries)
    return gram


cdef inline double single_error(const Gram* gram) noexcept nogil:
    """How far off, in norm, `gram` may be from its matrix if it was computed in single precision, else 0."""
    return (gram.inner + 4.0) * U * gram.size if gram.exact != NULL else 0.0


cdef inline double square(double x) noexcept nogil:
    return x * x


cdef inline double positive_part(double x) noexcept nogil:
    return x if x > 0.0 else 0.0


cdef inline double round_14_bits(double x) noexcept nogil:
    """x to 14 bits."""
    cdef double high = x * 549755813889.0      # 2^39 + 1
    return high - (high - x)


# Ends of brackets that an iteration has found are rounded outward to few bits: then they do not depend on how the
# iteration was rounded, at another width or on another processor.
cdef inline double round_down_14_bits(double x) noexcept nogil:
    return round_14_bits(x * (1.0 - 1.3e-4))


cdef inline double round_up_14_bits(double x) noexcept nogil:
    return round_14_bits(x * (1.0 + 1.3e-4))


cdef inline double width(Bracket* b) noexcept nogil:
    return b.hi - b.lo


cdef inline Py_ssize_t lapack_work(int n, int k) noexcept nogil:
    # dsyev: (blocks of 32 + 2) p; dgesvd without vectors: 3 p + 32 (n + k) covers its blocked parts
    cdef Py_ssize_t p = min(n, k)
    return max(34 * p, 5 * p + 34 * (<Py_ssize_t> n + k))


cdef Gram gram_within(const Matrix* A, double allowed, double* entries) noexcept nogil
cdef int eigenvalues(blas_int p, double* gram, double* values, double* work, blas_int lwork) noexcept nogil
cdef bint gram_extremes(const Matrix* A, Bracket* least, Bracket* greatest, double* scratch) noexcept nogil
cdef bint symmetric_extremes(const Gram* gram, int lwork, Bracket* least, Bracket* greatest,
                             double* work) noexcept nogil
cdef bint svd_extremes(const Matrix* A, Bracket* least, Bracket* greatest, double* scratch) noexcept nogil
cdef double cholesky_excess(int p, double sign, const double* gram, double shift, double allowed, double* direction,
                            double* work) noexcept nogil
cdef void breakdown(int p, Py_ssize_t at, const double* factor, double* direction) noexcept nogil
cdef bint bracket_greatest(const Gram* gram, double* direction, double room, Bracket* greatest,
                           double* work) noexcept nogil
cdef bint bracket_least(const Gram* gram, double* direction, double room, Bracket* least, double* work) noexcept nogil
cdef Bracket quotient(const Matrix* A, const double* x, double* w) noexcept nogil


cdef inline bint bracket_extreme(const Gram* gram, bint greatest, double* direction, double room, Bracket* found,
                                 double* work) noexcept nogil:
    if greatest:
        return bracket_greatest(gram, direction, room, found, work)
    return bracket_least(gram, direction, room, found, work)
