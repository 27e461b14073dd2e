"""Thin QR of the wide layers, one block of columns after the other: no copy of them, no GIL.

The stack `[W1; W2.T]` is (k, h), row-major, with h > k: in LAPACK's eyes its transpose Z (h, k). A block of rows of Z
that fits into the cache is copied, and merged into R by Householder reflectors: `[R; block] = Q' [R'; 0]`. Why that
changes no trajectory: docs/theory.md, section 5.

A wide stack takes minutes: every 0.1 s the loops over blocks come back to Python, which may have been interrupted.
"""

import numpy as np

from ..interrupts import SECONDS_BETWEEN_LOOKS, look_up
from ..validation import as_count, as_double, as_doubles

from libc.string cimport memcpy, memset
from scipy.linalg.cython_lapack cimport dgemqrt, dgeqrt, dtpmqrt, dtpqrt

from ..clock cimport seconds
from .blas_int cimport blas_int

# Rows of Z in a block: at least four times its columns, and few enough for the cache if those are some 40.
cdef Py_ssize_t BLOCK_ROWS = 1024

# Reflectors are merged by so many into products of matrices.
cdef blas_int PANEL = 8


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


# The arrays of a factorization, and how far it has come: columns of Z before `at` are in R.
cdef struct Factorization:
    Py_ssize_t h
    blas_int k
    const double* Z
    double scale
    double* kept        # receives the reflectors, laid out like Z, with `panels` their triangular factors; or is NULL
    double* panels
    double* R
    double* block
    double* work
    Py_ssize_t at
    bint begun          # R is that of columns that came before these


cdef void factorize(Factorization* f, double until) noexcept nogil:
    """Go on with R = the triangular factor of scale * Z.T, row-major lower: R[j, i] = R_ij, until then or the end."""
    cdef Py_ssize_t h = f.h, at = f.at, rows = block_rows(f.k), i, j
    cdef blas_int k = f.k, size, zero = 0, info = 0, panel = min(PANEL, k)
    cdef double* R = f.R
    cdef double* block = f.block
    cdef double* panels = f.panels if f.kept == NULL else f.panels + at // rows * panel * k
    while at < h and seconds() < until:
        size = <blas_int> min(rows, h - at)
        load(h, k, f.Z + at, size, f.scale, block)
        if at == 0 and not f.begun:
            dgeqrt(&size, &k, &panel, block, &size, panels, &panel, f.work, &info)
            for j in range(k):
                for i in range(k):
                    R[j * k + i] = block[j * size + i] if i <= j else 0.0
        else:
            dtpqrt(&size, &k, &zero, &panel, R, &k, block, &size, panels, &panel, f.work, &info)
        if f.kept != NULL:
            store(h, k, f.kept + at, size, block)
            panels += panel * k
        at += size
    f.at = at


cdef void expand(Factorization* f, double* C, double* result, double until) noexcept nogil:
    """Go on with kept = (Q C).T: the reflectors are replaced by their product's first k columns times C (k, k).

    From the last block to the first: those up to `at` are left.
    """
    cdef Py_ssize_t h = f.h, rows = block_rows(f.k), at = (f.at - 1) // rows * rows, j
    cdef blas_int k = f.k, size, zero = 0, info = 0, panel = min(PANEL, k)
    cdef double* block = f.block
    cdef double* panels = f.panels + at // rows * panel * k
    while f.at > 0 and seconds() < until:
        size = <blas_int> min(rows, h - at)
        load(h, k, f.kept + at, size, 1.0, block)
        memset(result, 0, <Py_ssize_t> size * k * sizeof(double))
        if at == 0:
            for j in range(k):
                memcpy(result + j * size, C + j * k, k * sizeof(double))
            dgemqrt(b"l", b"n", &size, &k, &k, &panel, block, &size, panels, &panel, result, &size, f.work, &info)
        else:
            dtpmqrt(b"l", b"n", &size, &k, &k, &zero, &panel, block, &size, panels, &panel, C, &k, result, &size,
                    f.work, &info)
        store(h, k, f.kept + at, size, result)
        panels -= panel * k
        f.at = at
        at -= rows


def as_wide(stack):
    """Return the stack as the factorization reads it, or raise: one of fewer columns than rows has no such factor."""
    stack = as_doubles("stack", stack, 2)
    if not 1 <= stack.shape[0] <= stack.shape[1]:
        raise ValueError(f"stack: expected a shape (k, h) with 1 <= k <= h, got {stack.shape}")
    return stack


def triangular_factor(wide, scale):
    """Return the transpose of R, lower triangular (k, k), where `scale * stack.T = Q R`; stack (k, h) with h >= k."""
    return _extended(as_wide(wide), as_double("scale", scale), None)


def extend_factor(factor, columns, scale):
    """Return the triangular factor of columns that it is given of, and `scale` times more of them (k, any number).

    The bits are those of all columns at once, if the pieces before the last have whole blocks, `columns_per_piece`.
    """
    columns, factor = as_doubles("columns", columns, 2), as_doubles("factor", factor, 2)
    k = columns.shape[0]
    if columns.size == 0 or factor.shape != (k, k):
        raise ValueError("columns, factor: expected shapes (k, columns) and (k, k), "
                         f"got {columns.shape} and {factor.shape}")
    return _extended(columns, as_double("scale", scale), factor)


def columns_per_piece(k):
    """Return how many columns a piece of a stack of k rows has that is read by itself: whole blocks, some 4 MB."""
    rows = block_rows(as_count("k", k))
    return rows * max(1, 2**19 // (rows * k))


cdef _extended(wide, double scale, before):
    cdef const double[:, ::1] stack = wide
    cdef Py_ssize_t h = stack.shape[1], k = stack.shape[0]
    factor = np.empty((k, k)) if before is None else before.copy()
    cdef double[:, ::1] R = factor
    cdef double[::1] block = np.empty(block_rows(k) * k), panels = np.empty(PANEL * k), work = np.empty(PANEL * k)
    cdef Factorization f = Factorization(h, <blas_int> k, &stack[0, 0], scale, NULL, &panels[0], &R[0, 0], &block[0],
                                         &work[0], 0, before is not None)
    _factorize(&f)
    return factor


cdef int _factorize(Factorization* f) except -1:
    """R of all of Z, with a look at interrupts now and then."""
    cdef double pause = SECONDS_BETWEEN_LOOKS
    while f.at < f.h:
        with nogil:
            factorize(f, seconds() + pause)
        look_up()
    return 0


def orthonormal_rows(wide, scale):
    """Return the transpose of Q, orthonormal rows (k, h), where `scale * stack.T = Q R`; stack (k, h) with h >= k."""
    cdef const double[:, ::1] stack = as_wide(wide)
    cdef double factor_of = as_double("scale", scale)
    cdef Py_ssize_t h = stack.shape[1], k = stack.shape[0], size = block_rows(k)
    rows = np.empty((k, h))
    cdef double[:, ::1] Q = rows, R = np.empty((k, k)), identity = np.eye(k)
    cdef double[:, ::1] panels = np.empty(((h + size - 1) // size, PANEL * k))
    cdef double[::1] block = np.empty(size * k), result = np.empty(size * k), work = np.empty(PANEL * k)
    cdef double pause = SECONDS_BETWEEN_LOOKS
    cdef Factorization f = Factorization(h, <blas_int> k, &stack[0, 0], factor_of, &Q[0, 0], &panels[0, 0], &R[0, 0],
                                         &block[0], &work[0], 0, False)
    _factorize(&f)
    while f.at > 0:
        with nogil:
            expand(&f, &identity[0, 0], &result[0], seconds() + pause)
        look_up()
    return rows
