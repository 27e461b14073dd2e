"""Cholesky factors, and solves with them.

Apart from `blas.pxd`: Cython takes a second to read SciPy's list of LAPACK, for each module that needs it.
"""

from scipy.linalg.cython_lapack cimport dpotrs

from .blas cimport FEW_ROWS, short_dot, subtract
from .blas_int cimport blas_int
from .blocks cimport MANY_ROWS, factor_in_tiles

cdef extern from "linalg/cholesky.h":
    const int ROWS "LPL_ROWS"
    void whole_shifted "lpl_shifted"(int n, int apart, double sign, double shift, const double* A,
                                     double* F) noexcept nogil
    int whole_cholesky "lpl_cholesky"(int n, int apart, double* A) noexcept nogil


cdef inline int padded(int n) noexcept nogil:
    """How many rows there is room for, so that they make whole lots."""
    return (n + ROWS - 1) // ROWS * ROWS if n < MANY_ROWS else n


cdef inline int apart(int n) noexcept nogil:
    """How far apart rows are: where they make whole lots never a multiple of sixteen, since at powers of two they would
    share their place in the cache."""
    return padded(n) + ROWS if n < MANY_ROWS and padded(n) % 16 == 0 else padded(n)


cdef inline Py_ssize_t factor_size(int n) noexcept nogil:
    """How many doubles a factor of n rows takes."""
    return <Py_ssize_t> padded(n) * apart(n)


cdef inline void shifted(int n, double sign, double shift, const double* A, double* F) noexcept nogil:
    """F = sign * (A - shift * I) where `cholesky` expects it, A (n, n) as `gram_rows` writes it."""
    cdef Py_ssize_t length = n, i, j
    if n < MANY_ROWS:
        whole_shifted(n, apart(n), sign, shift, A, F)
        return
    for i in range(n):
        F[i * length + i] = sign * (A[i * length + i] - shift)
        for j in range(i + 1, n):
            F[i * length + j] = sign * A[i * length + j]


cdef inline int cholesky(int n, double* F) noexcept nogil:
    """R, A = R.T @ R, over the row-major upper triangle of A as `shifted` puts it there. Else, one more than the row at
    which there is none: those above it are complete."""
    if n < MANY_ROWS:
        return whole_cholesky(padded(n), apart(n), F)
    return factor_in_tiles(n, F)


cdef inline void cholesky_solve(int rows, const double* R, double* x) noexcept nogil:
    """x = (R.T @ R)^-1 @ x, R from `cholesky`."""
    cdef blas_int info = 0, one = 1, n = rows, length = apart(rows)
    cdef int i
    if n >= FEW_ROWS:
        dpotrs(b"l", &n, &one, <double*> R, &length, x, &n, &info)
        return
    for i in range(rows):
        x[i] /= R[i * length + i]
        subtract(rows - i - 1, x[i], R + i * length + i + 1, x + i + 1)
    for i in range(rows - 1, -1, -1):
        x[i] = (x[i] - short_dot(rows - i - 1, R + i * length + i + 1, x + i + 1)) / R[i * length + i]
