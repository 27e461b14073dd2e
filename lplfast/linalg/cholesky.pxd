"""Cholesky factors, and solves with them.

Apart from `blas.pxd`: Cython takes a second to read SciPy's list of LAPACK, for each module that needs it.
"""

from scipy.linalg.cython_lapack cimport dpotrf, dpotrs

from .blas cimport FEW_ROWS, short_dot, subtract
from .blas_int cimport blas_int
from .blocks cimport MANY_ROWS, factor_in_tiles

cdef extern from "linalg/cholesky.h":
    int small_cholesky "lpl_small_cholesky"(int n, double* A) noexcept nogil


cdef inline int cholesky(blas_int n, double* A) noexcept nogil:
    """The factor of A = L @ L.T, over A: L in the row-major lower triangle, of n >= FEW_ROWS rows L.T in the upper one,
    at which LAPACK is faster. Nothing else is touched. Nonzero if there is none."""
    cdef blas_int info = 0
    if n < FEW_ROWS:
        return small_cholesky(n, A)
    if n >= MANY_ROWS:
        return factor_in_tiles(n, A)
    dpotrf(b"l", &n, A, &n, &info)
    return <int> info


cdef inline void cholesky_solve(blas_int n, const double* L, double* x) noexcept nogil:
    """x = (L @ L.T)^-1 @ x, L from `cholesky`."""
    cdef blas_int info = 0, one = 1, i
    if n >= FEW_ROWS:
        dpotrs(b"l", &n, &one, <double*> L, &n, x, &n, &info)
        return
    for i in range(n):
        x[i] = (x[i] - short_dot(i, L + i * n, x)) / L[i * n + i]
    for i in range(n - 1, -1, -1):
        x[i] /= L[i * n + i]
        subtract(i, x[i], L + i * n, x)
