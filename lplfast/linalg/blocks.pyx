"""The Cholesky factor of a large matrix, in tiles.

Strip by strip: the tile on the diagonal is factored, those right of it are solved for, and what they contribute is
taken from all that is left. On one thread that takes as long as LAPACK's, which does the same in pieces of its own.
"""

from scipy.linalg.cython_blas cimport dgemm, dsyrk, dtrsm
from scipy.linalg.cython_lapack cimport dpotrf

from .team cimport share
from .tiles cimport Triangle, edge, tile_row

# Strips: more of them leave more to share, fewer make larger products.
cdef int STRIPS = 6


# What is left of a matrix when `done` strips of its factor are there, and the one that is being made.
cdef struct Rest:
    Triangle whole
    int done


cdef inline double* tile_at(const Rest* rest, int row, int column, blas_int* rows, blas_int* columns) noexcept nogil:
    cdef const Triangle* whole = &rest.whole
    cdef blas_int top = edge(whole.n, whole.strips, row), left = edge(whole.n, whole.strips, column)
    rows[0] = edge(whole.n, whole.strips, row + 1) - top
    columns[0] = edge(whole.n, whole.strips, column + 1) - left
    return whole.C + <Py_ssize_t> top * whole.n + left


cdef void solve_tile(void* job, int tile) noexcept nogil:
    """R[done, i] = L[done, done]^-1 @ A[done, i]"""
    cdef const Rest* rest = <const Rest*> job
    cdef int done = rest.done
    cdef blas_int n = rest.whole.n, rows, columns, same
    cdef double one = 1.0
    cdef double* diagonal = tile_at(rest, done, done, &rows, &same)
    cdef double* right = tile_at(rest, done, done + 1 + tile, &rows, &columns)
    dtrsm(b"r", b"l", b"t", b"n", &columns, &rows, &one, diagonal, &n, right, &n)


cdef void subtract_tile(void* job, int tile) noexcept nogil:
    """A[i, j] -= R[done, i].T @ R[done, j]"""
    cdef const Rest* rest = <const Rest*> job
    cdef int done = rest.done, j, i = tile_row(rest.whole.strips - done - 1, tile, &j)
    cdef blas_int n = rest.whole.n, inner, rows, columns
    cdef double one = 1.0, minus = -1.0
    cdef double* left = tile_at(rest, done, done + 1 + i, &inner, &rows)
    cdef double* right = tile_at(rest, done, done + 1 + j, &inner, &columns)
    cdef double* C = tile_at(rest, done + 1 + i, done + 1 + j, &rows, &columns)
    if i == j:
        dsyrk(b"l", b"n", &rows, &inner, &minus, left, &n, &one, C, &n)
    else:
        dgemm(b"n", b"t", &columns, &rows, &inner, &minus, right, &n, left, &n, &one, C, &n)


cdef int factor_in_tiles(blas_int n, double* A) noexcept nogil:
    """The factor of A = R.T @ R, over the row-major upper triangle of A; else, one more than the row at which there is
    none: those above it are complete."""
    cdef Rest rest
    cdef blas_int rows, info = 0
    cdef double* diagonal
    cdef int others
    rest.whole.n, rest.whole.C, rest.whole.strips, rest.done = n, A, STRIPS, 0
    while rest.done < STRIPS:
        diagonal = tile_at(&rest, rest.done, rest.done, &rows, &rows)
        dpotrf(b"l", &rows, diagonal, &n, &info)
        if info:
            return <int> (edge(n, STRIPS, rest.done) + info)
        others = STRIPS - rest.done - 1
        share(others, solve_tile, &rest)
        share(others * (others + 1) // 2, subtract_tile, &rest)
        rest.done += 1
    return 0
