# cython: boundscheck=False, wraparound=False
"""The bare work, without Python in between: compiled when a benchmark asks for it, no part of the library."""

from libc.math cimport exp
from scipy.linalg.cython_blas cimport dgemm

from lplfast.linalg.blas_int cimport blas_int


def products(const double[:, ::1] W1, const double[:, ::1] W2t, const double[:, ::1] G, double[:, ::1] W,
             double[:, ::1] g1, double[:, ::1] g2t, int times):
    """W = W1 @ W2t.T; g1 = G @ W2t; g2t = G.T @ W1: so many times over."""
    cdef blas_int n = <blas_int> W1.shape[0], k = <blas_int> W1.shape[1], m = <blas_int> W2t.shape[0]
    cdef int _
    cdef double one = 1.0, zero = 0.0
    cdef double* a = <double*> &W1[0, 0]
    cdef double* b = <double*> &W2t[0, 0]
    cdef double* c = <double*> &G[0, 0]
    # row-major as the kernels have them: Fortran sees the transposes, hence swapped arguments
    with nogil:
        for _ in range(times):
            dgemm(b"t", b"n", &m, &n, &k, &one, b, &k, a, &k, &zero, &W[0, 0], &m)
            dgemm(b"n", b"n", &k, &n, &m, &one, b, &k, c, &m, &zero, &g1[0, 0], &k)
            dgemm(b"n", b"t", &k, &m, &n, &one, a, &k, c, &m, &zero, &g2t[0, 0], &k)


def exponentials(const double[::1] x, double[::1] y):
    """y = exp(x), one call after the other."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(x.shape[0]):
            y[i] = exp(x[i])
