"""Row-major BLAS: each function's docstring is its formula, all matrices are contiguous.

Fortran sees a row-major (n, m) matrix as its (m, n) transpose, hence the swapped arguments.
"""

from libc.math cimport sqrt
from scipy.linalg.cython_blas cimport ddot, dgemm, dgemv, dsymv, dsyrk

# Below this many multiplications a plain loop beats the call, and never meets the lock
# that some OpenBLAS builds take in dgemm.
cdef enum:
    SMALL = 1000


cdef inline void matmul_nt(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil:
    """C = A @ B.T with A (n, k), B (m, k), C (n, m)."""
    cdef double one = 1.0, zero = 0.0, s
    cdef Py_ssize_t i, j, l
    if <double> n * k * m > SMALL:
        dgemm(b"t", b"n", &m, &n, &k, &one, <double*> B, &k, <double*> A, &k, &zero, C, &m)
        return
    for i in range(n):
        for j in range(m):
            s = 0.0
            for l in range(k):
                s += A[i * k + l] * B[j * k + l]
            C[i * m + j] = s


cdef inline void add_matmul_nt(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil:
    """C += A @ B.T with A (n, k), B (m, k), C (n, m)."""
    cdef double one = 1.0
    dgemm(b"t", b"n", &m, &n, &k, &one, <double*> B, &k, <double*> A, &k, &one, C, &m)


cdef inline void matmul_nn(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil:
    """C = A @ B with A (n, k), B (k, m), C (n, m)."""
    cdef double one = 1.0, zero = 0.0, a
    cdef Py_ssize_t i, j, l
    if <double> n * k * m > SMALL:
        dgemm(b"n", b"n", &m, &n, &k, &one, <double*> B, &m, <double*> A, &k, &zero, C, &m)
        return
    for i in range(n):
        for j in range(m):
            C[i * m + j] = 0.0
        for l in range(k):
            a = A[i * k + l]
            for j in range(m):
                C[i * m + j] += a * B[l * m + j]


cdef inline void matmul_tn(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil:
    """C = A.T @ B with A (k, n), B (k, m), C (n, m)."""
    cdef double one = 1.0, zero = 0.0, a
    cdef Py_ssize_t i, j, l
    if <double> n * k * m > SMALL:
        dgemm(b"n", b"t", &m, &n, &k, &one, <double*> B, &m, <double*> A, &n, &zero, C, &m)
        return
    for i in range(n * m):
        C[i] = 0.0
    for l in range(k):
        for i in range(n):
            a = A[l * n + i]
            for j in range(m):
                C[i * m + j] += a * B[l * m + j]


cdef inline void add_matmul_tn(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil:
    """C += A.T @ B with A (k, n), B (k, m), C (n, m)."""
    cdef double one = 1.0
    dgemm(b"n", b"t", &m, &n, &k, &one, <double*> B, &m, <double*> A, &n, &one, C, &m)


cdef inline void gram_rows(int n, int k, const double* A, double* C) noexcept nogil:
    """C = A @ A.T with A (n, k), C (n, n); only the row-major lower triangle is written."""
    cdef double one = 1.0, zero = 0.0
    dsyrk(b"u", b"t", &n, &k, &one, <double*> A, &k, &zero, C, &n)


cdef inline void gram_columns(int n, int k, const double* A, double* C) noexcept nogil:
    """C = A.T @ A with A (n, k), C (k, k); only the row-major lower triangle is written."""
    cdef double one = 1.0, zero = 0.0
    dsyrk(b"u", b"n", &k, &n, &one, <double*> A, &k, &zero, C, &k)


cdef inline void symmetric_times(int n, const double* A, const double* x, double* y) noexcept nogil:
    """y = A @ x with A (n, n) symmetric, of which only the row-major lower triangle is read."""
    cdef double one = 1.0, zero = 0.0
    cdef int step = 1
    dsymv(b"u", &n, &one, <double*> A, &n, <double*> x, &step, &zero, y, &step)


cdef inline void matvec_t(int n, int k, const double* A, const double* x, double* y) noexcept nogil:
    """y = A.T @ x with A (n, k)."""
    cdef double one = 1.0, zero = 0.0
    cdef int step = 1
    dgemv(b"n", &k, &n, &one, <double*> A, &k, <double*> x, &step, &zero, y, &step)


cdef inline double dot(Py_ssize_t size, const double* x, const double* y) noexcept nogil:
    """x @ y, in pieces that a 32-bit BLAS length can hold."""
    cdef double s = 0.0
    cdef int one = 1, piece
    while size > 0:
        piece = <int> min(size, <Py_ssize_t> 1 << 30)
        s += ddot(&piece, <double*> x, &one, <double*> y, &one)
        x += piece
        y += piece
        size -= piece
    return s


cdef inline double norm(Py_ssize_t size, const double* x) noexcept nogil:
    """sqrt(x @ x): overflows and underflows with the square, which the loop reports."""
    return sqrt(dot(size, x, x))
