"""Thin QR of the wide layers, one block of columns after the other: no copy of them, no GIL.

The stack `[W1; W2.T]` is (k, h), row-major, with h > k: in LAPACK's eyes its transpose Z (h, k). A block of rows of Z
that fits into the cache is merged into R, `[R; block] = Q' R'`: by the Cholesky factor of its Gram matrix where its
columns are certainly far from dependent, by Householder reflectors where they are not. Either has a positive diagonal
in the end, which makes R unique. Why that changes no trajectory, and how far it is off: docs/theory.md, section 5.

A wide stack takes minutes: every 0.1 s the loops over blocks come back to Python, which may have been interrupted.
"""

import numpy as np

from ..interrupts import SECONDS_BETWEEN_LOOKS, look_up
from ..validation import as_count, as_double, as_doubles

from libc.math cimport copysign
from libc.string cimport memcpy, memset
from scipy.linalg.cython_blas cimport dgemm, dsyrk, dtrmm, dtrsm
from scipy.linalg.cython_lapack cimport dgemqrt, dgeqrt, dpotrf, dtpmqrt, dtpqrt

from ..clock cimport seconds
from .blas_int cimport blas_int
from .rounding cimport TINY

# A Gram matrix will do where its least eigenvalue, with columns of length 1, is at least this: R is then as good as
# that of the reflectors, at a third of the time.
cdef double INDEPENDENT = 1.0 / 64.0

# BLAS may not count beyond this.
cdef Py_ssize_t INT_LIMIT = 2**31 - 1

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
    double* factors     # R after each block; and whether that was merged by reflectors
    unsigned char* reflected
    double* R
    double* block
    double* work
    double* gram        # room for two (k, k) matrices
    Py_ssize_t at
    bint begun          # R is that of columns that came before these


cdef bint merge_by_gram(Factorization* f, blas_int size) noexcept nogil:
    """Merge columns of Z into R by `R'.T @ R' = R.T @ R + block.T @ block`; False if that might not be good enough."""
    cdef Py_ssize_t k = f.k, i, j
    cdef blas_int columns = f.k, lead = <blas_int> f.h, info = 0
    cdef double one = 1.0, zero = 0.0
    cdef double* gram = f.gram
    cdef double* trial = gram + k * k
    if f.scale != 1.0 or f.h > INT_LIMIT:
        return False
    # the row-major upper triangle
    dsyrk(b"l", b"t", &columns, &size, &one, <double*> f.Z + f.at, &lead, &zero, gram, &columns)
    if f.at > 0 or f.begun:
        dsyrk(b"l", b"t", &columns, &columns, &one, f.R, &columns, &one, gram, &columns)
    memcpy(trial, gram, k * k * sizeof(double))
    for j in range(k):
        if not TINY < gram[j * k + j] < 1.0 / TINY:
            return False
        trial[j * k + j] *= 1.0 - INDEPENDENT
    dpotrf(b"l", &columns, trial, &columns, &info)
    if info == 0:
        dpotrf(b"l", &columns, gram, &columns, &info)
    if info != 0:
        return False
    for i in range(k):
        for j in range(k):
            f.R[j * k + i] = gram[i * k + j] if i <= j else 0.0
    return True


cdef void merge_by_reflectors(Factorization* f, blas_int size, double* panels) noexcept nogil:
    """Merge columns of Z into R; `block` and `panels` then have the reflectors."""
    cdef Py_ssize_t i, j, k = f.k
    cdef blas_int columns = f.k, zero = 0, info = 0, panel = min(PANEL, f.k)
    load(f.h, k, f.Z + f.at, size, f.scale, f.block)
    if f.at > 0 or f.begun:
        dtpqrt(&size, &columns, &zero, &panel, f.R, &columns, f.block, &size, panels, &panel, f.work, &info)
        return
    dgeqrt(&size, &columns, &panel, f.block, &size, panels, &panel, f.work, &info)
    for j in range(k):
        for i in range(k):
            f.R[j * k + i] = f.block[j * size + i] if i <= j else 0.0


cdef void factorize(Factorization* f, double until) noexcept nogil:
    """Go on with R = the triangular factor of scale * Z.T, row-major lower: R[j, i] = R_ij, until then or the end."""
    cdef Py_ssize_t rows = block_rows(f.k), k = f.k, number
    cdef blas_int size
    cdef bint by_gram
    while f.at < f.h and seconds() < until:
        size, number = <blas_int> min(rows, f.h - f.at), f.at // rows
        by_gram = merge_by_gram(f, size)
        if not by_gram:
            merge_by_reflectors(f, size, f.panels if f.kept == NULL else f.panels + number * PANEL * k)
        if f.kept != NULL:
            memcpy(f.factors + number * k * k, f.R, k * k * sizeof(double))
            f.reflected[number] = not by_gram
            if not by_gram:
                store(f.h, k, f.kept + f.at, size, f.block)
        f.at += size


cdef void make_positive(Factorization* f) noexcept nogil:
    """Change the signs of rows of R, columns of its transpose, so that its diagonal is positive."""
    cdef Py_ssize_t k = f.k, i, j
    for j in range(k):
        if copysign(1.0, f.R[j * k + j]) < 0.0:
            for i in range(j, k):
                f.R[i * k + j] = -f.R[i * k + j]


cdef void expand(Factorization* f, double* C, double* result, double until) noexcept nogil:
    """Go on with kept = (Q C).T, Q the first k columns of all orthogonal factors, C (k, k).

    From the last block to the first: those up to `at` are left, and C is that of their Q.
    """
    cdef Py_ssize_t h = f.h, rows = block_rows(f.k), at = (f.at - 1) // rows * rows
    cdef blas_int k = f.k, size
    while f.at > 0 and seconds() < until:
        size = <blas_int> min(rows, h - at)
        if f.reflected[at // rows]:
            reflect(f, at, size, C, result)
        else:
            divide(f, at, size, C, result)
        store(h, k, f.kept + at, size, result)
        f.at = at
        at -= rows


cdef void reflect(Factorization* f, Py_ssize_t at, blas_int size, double* C, double* result) noexcept nogil:
    """[C; result] = Q' [C; 0], Q' the reflectors of a block; of the first block, result = Q' [C; 0]."""
    cdef Py_ssize_t j
    cdef blas_int k = f.k, zero = 0, info = 0, panel = min(PANEL, k)
    cdef double* panels = f.panels + at // block_rows(k) * PANEL * k
    load(f.h, k, f.kept + at, size, 1.0, f.block)
    memset(result, 0, <Py_ssize_t> size * k * sizeof(double))
    if at > 0:
        dtpmqrt(b"l", b"n", &size, &k, &k, &zero, &panel, f.block, &size, panels, &panel, C, &k, result, &size,
                f.work, &info)
        return
    for j in range(k):
        memcpy(result + j * size, C + j * k, k * sizeof(double))
    dgemqrt(b"l", b"n", &size, &k, &k, &panel, f.block, &size, panels, &panel, result, &size, f.work, &info)


cdef void divide(Factorization* f, Py_ssize_t at, blas_int size, double* C, double* result) noexcept nogil:
    """[C; result] = [R; block] R'^-1 C, R' the factor after a block and R the one before it."""
    cdef Py_ssize_t number = at // block_rows(f.k), square = <Py_ssize_t> f.k * f.k
    cdef blas_int k = f.k, lead = <blas_int> f.h
    cdef double one = 1.0, zero = 0.0
    dtrsm(b"l", b"u", b"n", b"n", &k, &k, &one, f.factors + number * square, &k, C, &k)
    dgemm(b"n", b"n", &size, &k, &k, &one, <double*> f.Z + at, &lead, C, &k, &zero, result, &size)
    if at > 0:
        dtrmm(b"l", b"u", b"n", b"n", &k, &k, &one, f.factors + (number - 1) * square, &k, C, &k)


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
    cdef double[:, ::1] R = factor, gram = np.empty((2 * k, k))
    cdef double[::1] block = np.empty(block_rows(k) * k), panels = np.empty(PANEL * k), work = np.empty(PANEL * k)
    cdef Factorization f = Factorization(
        h=h, k=<blas_int> k, Z=&stack[0, 0], scale=scale, kept=NULL, panels=&panels[0], factors=NULL, reflected=NULL,
        R=&R[0, 0], block=&block[0], work=&work[0], gram=&gram[0, 0], at=0, begun=before is not None)
    _factorize(&f)
    make_positive(&f)
    return factor


cdef int _factorize(Factorization* f) except -1:
    """R of all of Z, with a look at interrupts now and then."""
    cdef double pause = SECONDS_BETWEEN_LOOKS
    while f.at < f.h:
        with nogil:
            factorize(f, seconds() + pause)
        look_up()
    return 0


def _signs(factor):
    """Return the signs of rows of R, columns of its transpose, that make its diagonal positive."""
    return np.copysign(1.0, np.diag(factor))


def orthonormal_rows(wide, scale):
    """Return the transpose of Q, orthonormal rows (k, h), where `scale * stack.T = Q R`; stack (k, h) with h >= k."""
    cdef const double[:, ::1] stack = as_wide(wide)
    cdef double factor_of = as_double("scale", scale)
    cdef Py_ssize_t h = stack.shape[1], k = stack.shape[0], size = block_rows(k), blocks = (h - 1) // size + 1
    rows, factor = np.empty((k, h)), np.empty((k, k))
    cdef double[:, ::1] Q = rows, R = factor, gram = np.empty((2 * k, k))
    cdef double[:, ::1] panels = np.empty((blocks, PANEL * k)), factors = np.empty((blocks, k * k)), C
    cdef unsigned char[::1] reflected = np.empty(blocks, np.uint8)
    cdef double[::1] block = np.empty(size * k), result = np.empty(size * k), work = np.empty(PANEL * k)
    cdef double pause = SECONDS_BETWEEN_LOOKS
    cdef Factorization f = Factorization(
        h=h, k=<blas_int> k, Z=&stack[0, 0], scale=factor_of, kept=&Q[0, 0], panels=&panels[0, 0],
        factors=&factors[0, 0], reflected=&reflected[0], R=&R[0, 0], block=&block[0], work=&work[0], gram=&gram[0, 0],
        at=0, begun=False)
    _factorize(&f)
    C = np.diag(_signs(factor))
    while f.at > 0:
        with nogil:
            expand(&f, &C[0, 0], &result[0], seconds() + pause)
        look_up()
    return rows
