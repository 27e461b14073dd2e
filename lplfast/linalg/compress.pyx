"""Thin QR of the wide layers, one block of columns after the other: no copy of them, no GIL.

The stack `[W1; W2.T]` is (k, h), row-major, with h > k: in LAPACK's eyes its transpose Z (h, k). A block of rows of Z
that fits into the cache is copied, and merged into R by Householder reflectors: `[R; block] = Q' [R'; 0]`. Why that
changes no trajectory: docs/theory.md, section 5.
"""

import numpy as np

from ..validation import as_double, as_doubles
from libc.string cimport memcpy, memset
from scipy.linalg.cython_lapack cimport dgemqrt, dgeqrt, dtpmqrt, dtpqrt

# Rows of Z in a block: at least four times its columns, and few enough for the cache if those are some 40.
cdef Py_ssize_t BLOCK_ROWS = 1024

# Reflectors are merged by so many into products of matrices.
cdef int PANEL = 8


cdef Py_ssize_t block_rows(Py_ssize_t k) noexcept nogil:
    return max(BLOCK_ROWS, 4 * k)


cdef void load(Py_ssize_t h, Py_ssize_t k, const double* rows, Py_ssize_t size, double scale,
               double* block) noexcept nogil:
    """block = scale * rows[:, :size]: LAPACK's (size, k)."""
    cdef Py_ssize_t i, j
    for j in range(k):
        for i in range(size):
            block[j * size + i] = scale * rows[j * h + i]


cdef void store(Py_ssize_t h, Py_ssize_t k, double* rows, Py_ssize_t size, const double* block) noexcept nogil:
    """rows[:, :size] = block."""
    cdef Py_ssize_t j
    for j in range(k):
        memcpy(rows + j * h, block + j * size, size * sizeof(double))


cdef void factorize(Py_ssize_t h, int k, const double* Z, double scale, double* kept, double* panels, double* R,
                    double* block, double* work) noexcept nogil:
    """R = the triangular factor of scale * Z.T, row-major lower: R[j, i] = R_ij.

    `kept`, if it is not NULL, receives the reflectors, laid out like Z, and `panels` their triangular factors.
    """
    cdef Py_ssize_t at = 0, rows = block_rows(k), i, j
    cdef int size, zero = 0, info = 0, panel = min(PANEL, k)
    while at < h:
        size = <int> min(rows, h - at)
        load(h, k, Z + at, size, scale, block)
        if at == 0:
            dgeqrt(&size, &k, &panel, block, &size, panels, &panel, work, &info)
            for j in range(k):
                for i in range(k):
                    R[j * k + i] = block[j * size + i] if i <= j else 0.0
        else:
            dtpqrt(&size, &k, &zero, &panel, R, &k, block, &size, panels, &panel, work, &info)
        if kept != NULL:
            store(h, k, kept + at, size, block)
            panels += panel * k
        at += size


cdef void expand(Py_ssize_t h, int k, double* kept, double* panels, double* C, double* block, double* result,
                 double* work) noexcept nogil:
    """kept = (Q C).T: the reflectors in `kept` are replaced by their product's first k columns times C (k, k)."""
    cdef Py_ssize_t rows = block_rows(k), count = (h + rows - 1) // rows, at = (count - 1) * rows, j
    cdef int size, zero = 0, info = 0, panel = min(PANEL, k)
    panels += (count - 1) * panel * k
    while at >= 0:
        size = <int> min(rows, h - at)
        load(h, k, kept + at, size, 1.0, block)
        memset(result, 0, <Py_ssize_t> size * k * sizeof(double))
        if at == 0:
            for j in range(k):
                memcpy(result + j * size, C + j * k, k * sizeof(double))
            dgemqrt(b"l", b"n", &size, &k, &k, &panel, block, &size, panels, &panel, result, &size, work, &info)
        else:
            dtpmqrt(b"l", b"n", &size, &k, &k, &zero, &panel, block, &size, panels, &panel, C, &k, result, &size,
                    work, &info)
        store(h, k, kept + at, size, result)
        panels -= panel * k
        at -= rows


def as_wide(stack):
    """Return the stack as the factorization reads it, or raise: one of fewer columns than rows has no such factor."""
    stack = as_doubles("stack", stack, 2)
    if not 1 <= stack.shape[0] <= stack.shape[1]:
        raise ValueError(f"stack: expected a shape (k, h) with 1 <= k <= h, got {stack.shape}")
    return stack


def triangular_factor(wide, scale):
    """Return the transpose of R, lower triangular (k, k), where `scale * stack.T = Q R`; stack (k, h) with h >= k."""
    cdef const double[:, ::1] stack = as_wide(wide)
    cdef double factor_of = as_double("scale", scale)
    cdef Py_ssize_t h = stack.shape[1], k = stack.shape[0]
    factor = np.empty((k, k))
    cdef double[:, ::1] R = factor
    cdef double[::1] block = np.empty(block_rows(k) * k), panels = np.empty(PANEL * k), work = np.empty(PANEL * k)
    with nogil:
        factorize(h, <int> k, &stack[0, 0], factor_of, NULL, &panels[0], &R[0, 0], &block[0], &work[0])
    return factor


def orthonormal_rows(wide, scale):
    """Return the transpose of Q, orthonormal rows (k, h), where `scale * stack.T = Q R`; stack (k, h) with h >= k."""
    cdef const double[:, ::1] stack = as_wide(wide)
    cdef double factor_of = as_double("scale", scale)
    cdef Py_ssize_t h = stack.shape[1], k = stack.shape[0], size = block_rows(k)
    rows = np.empty((k, h))
    cdef double[:, ::1] Q = rows, R = np.empty((k, k)), identity = np.eye(k)
    cdef double[:, ::1] panels = np.empty(((h + size - 1) // size, PANEL * k))
    cdef double[::1] block = np.empty(size * k), result = np.empty(size * k), work = np.empty(PANEL * k)
    with nogil:
        factorize(h, <int> k, &stack[0, 0], factor_of, &Q[0, 0], &panels[0, 0], &R[0, 0], &block[0], &work[0])
        expand(h, <int> k, &Q[0, 0], &panels[0, 0], &identity[0, 0], &block[0], &result[0], &work[0])
    return rows
