"""Cholesky factors, and solves with them.

Apart from `blas.pxd`: Cython takes a second to read SciPy's list of LAPACK, for each module that needs it.
"""

from scipy.linalg.cython_lapack cimport dpotrs

from .blas cimport FEW_ROWS, short_dot, subtract
from .blas_int cimport blas_int
from .blocks cimport MANY_ROWS, factor_in_tiles

cdef extern from "linalg/cholesky.h":
    const int ROWS "LPL_ROWS"
    int small_cholesky "lpl_small_cholesky"(int n, double* A) noexcept nogil
    int middle_cholesky "lpl_cholesky"(int n, int apart, double* A) noexcept nogil


cdef inline int padded(int n) noexcept nogil:
    """How many rows there is room for, so that they make whole lots of eight."""
    return (n + ROWS - 1) // ROWS * ROWS if FEW_ROWS <= n < MANY_ROWS else n


cdef inline int apart(int n) noexcept nogil:
    """How far apart rows are: where they make whole lots never a power of two, at which they would share their place in
    the cache."""
    return padded(n) + ROWS if FEW_ROWS <= n < MANY_ROWS else n


cdef inline Py_ssize_t factor_size(int n) noexcept nogil:
    """How many doubles a factor of n rows takes."""
    return <Py_ssize_t> padded(n) * apart(n)


cdef inline void shifted(int n, double sign, double shift, const double* A, double* F) noexcept nogil:
    """F = sign * (A - shift * I) where `cholesky` expects it, A (n, n) as `gram_rows` writes it."""
    cdef Py_ssize_t i, j, length = apart(n), size = padded(n), lot = ROWS if length > n else 1
    for i in range(n):
        for j in range(0 if n < FEW_ROWS else i, n):
            F[i * length + j] = sign * A[i * n + j]
        F[i * length + i] = sign * (A[i * n + i] - shift)
        for j in range(n, size):
            F[i * length + j] = 0.0
        # what is computed along with the diagonal, and not used, is finite
        for j in range(i // lot * lot, i):
            F[i * length + j] = 0.0
    # rows and columns to fill up whole lots: of an identity
    for i in range(n, size):
        for j in range(i // lot * lot, size):
            F[i * length + j] = i == j


cdef inline int cholesky(int n, double* F) noexcept nogil:
    """The factor of A = L @ L.T, over A as `shifted` puts it there: L in the row-major lower triangle, of n >= FEW_ROWS
    rows L.T in the upper one. Else, one more than the row at which there is none: those above it are complete."""
    if n < FEW_ROWS:
        return small_cholesky(n, F)
    if n < MANY_ROWS:
        return middle_cholesky(padded(n), apart(n), F)
    return factor_in_tiles(n, F)


cdef inline void cholesky_solve(int rows, const double* L, double* x) noexcept nogil:
    """x = (L @ L.T)^-1 @ x, L from `cholesky`."""
    cdef blas_int info = 0, one = 1, n = rows, length = apart(rows)
    cdef int i
    if n >= FEW_ROWS:
        dpotrs(b"l", &n, &one, <double*> L, &length, x, &n, &info)
        return
    for i in range(rows):
        x[i] = (x[i] - short_dot(i, L + i * n, x)) / L[i * n + i]
    for i in range(rows - 1, -1, -1):
        x[i] /= L[i * n + i]
        subtract(i, x[i], L + i * n, x)
