"""Row-major BLAS: each function's docstring is its formula, all matrices are contiguous.

Fortran sees a row-major (n, m) matrix as its (m, n) transpose, hence the swapped arguments.
"""

from libc.math cimport sqrt
from scipy.linalg.cython_blas cimport ddot, dgemm, dgemv, dsymv, dsyrk, idamax
from scipy.linalg.cython_lapack cimport dpotrf, dpotrs

# Below this many multiplications a plain loop beats the call, and never meets the lock
# that some OpenBLAS builds take in dgemm.
cdef enum:
    SMALL = 1000

# Below this many rows symmetric matrices are worked on in plain loops, too: about as fast, and OpenBLAS takes a lock in
# each of these calls, in which two threads of small problems would meet.
cdef enum:
    FEW_ROWS = 24


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


cdef inline double short_dot(int size, const double* x, const double* y) noexcept nogil:
    """x @ y, in four lanes and without a call."""
    cdef double[4] s
    cdef int i, j
    for j in range(4):
        s[j] = 0.0
    for i in range(0, size - 3, 4):
        for j in range(4):
            s[j] += x[i + j] * y[i + j]
    for i in range(size - size % 4, size):
        s[0] += x[i] * y[i]
    return (s[0] + s[1]) + (s[2] + s[3])


cdef inline void subtract(int size, double a, const double* x, double* y) noexcept nogil:
    """y -= a * x"""
    cdef int i
    for i in range(size):
        y[i] -= a * x[i]


cdef inline void symmetric_times(int n, const double* A, const double* x, double* y) noexcept nogil:
    """y = A @ x with A (n, n) symmetric, of which only the row-major lower triangle is read."""
    cdef double one = 1.0, zero = 0.0
    cdef int step = 1, i
    if n >= FEW_ROWS:
        dsymv(b"u", &n, &one, <double*> A, &n, <double*> x, &step, &zero, y, &step)
        return
    for i in range(n):
        y[i] = short_dot(i + 1, A + i * n, x)
        subtract(i, -x[i], A + i * n, y)


cdef inline int cholesky(int n, double* A) noexcept nogil:
    """A = L with L @ L.T = A: in the row-major lower triangle, nothing else is touched. Nonzero if there is none."""
    cdef int info = 0, i, j
    cdef double pivot
    cdef double[FEW_ROWS] column
    if n >= FEW_ROWS:
        dpotrf(b"u", &n, A, &n, &info)
        return info
    for j in range(n):
        if not A[j * n + j] > 0.0:
            return j + 1
        pivot = sqrt(A[j * n + j])
        A[j * n + j] = pivot
        for i in range(j + 1, n):
            column[i] = A[i * n + j] / pivot
            A[i * n + j] = column[i]
            subtract(i - j, column[i], column + j + 1, A + i * n + j + 1)
    return 0


cdef inline void cholesky_solve(int n, const double* L, double* x) noexcept nogil:
    """x = (L @ L.T)^-1 @ x, L from `cholesky`."""
    cdef int info = 0, one = 1, i
    if n >= FEW_ROWS:
        dpotrs(b"u", &n, &one, <double*> L, &n, x, &n, &info)
        return
    for i in range(n):
        x[i] = (x[i] - short_dot(i, L + i * n, x)) / L[i * n + i]
    for i in range(n - 1, -1, -1):
        x[i] /= L[i * n + i]
        subtract(i, x[i], L + i * n, x)


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


cdef inline Py_ssize_t largest_at(int size, const double* x) noexcept nogil:
    """abs(x).argmax()"""
    cdef int one = 1
    return idamax(&size, <double*> x, &one) - 1
