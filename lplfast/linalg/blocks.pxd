"""The Cholesky factor of a large matrix, in tiles that the calling thread's team shares."""

from .blas_int cimport blas_int

# From so many rows on: below, a second thread gains nothing.
cdef enum:
    MANY_ROWS = 320

cdef int factor_in_tiles(blas_int n, double* A) noexcept nogil
