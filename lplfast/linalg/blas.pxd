"""Row-major BLAS: each function's docstring is its formula, all matrices are contiguous.

Fortran sees a row-major (n, m) matrix as its (m, n) transpose, hence the swapped arguments.
"""

from libc.math cimport sqrt
from scipy.linalg.cython_blas cimport ddot, dgemm, dgemv, dsymv, dsyrk, idamax
from scipy.linalg.cython_lapack cimport dpotrf, dpotrs

from .lanes cimport LANES    # and with it the macros

# Up to this many multiplications a loop beats the call, and never meets the lock
# that some OpenBLAS builds take in dgemm.
cdef enum:
    SMALL = 1000

# Below this many rows symmetric matrices are worked on in plain loops, too: about as fast, and OpenBLAS takes a lock in
# each of these calls, in which two threads of small problems would meet.
cdef extern from *:
    """
    #define LPL_FEW_ROWS 24

    LPL_ANY_CPU void lpl_small_nt(int n, int k, int m, const double* A, const double* B, double* C) {
        ptrdiff_t i, j, l;
        for (i = 0; i < n; i++, A += k)
            for (j = 0; j < m; j++) {
                const double* b = B + j * k;
                double sum = 0.0;
                lpl_lanes s = {0};
                for (l = 0; l + LPL_LANES <= k; l += LPL_LANES)
                    s += LPL_AT(A + l) * LPL_AT(b + l);
                for (; l < k; l++)
                    sum += A[l] * b[l];
                *C++ = sum + LPL_ADD_UP(s);
            }
    }

    /* C = A @ B, where row i of A begins at A + i * row and has its entries `step` apart; the last lanes may overlap */
    #define LPL_SMALL(row, step) \\
        ptrdiff_t i, j, l, last; \\
        for (i = 0; i < n; i++, A += row, C += m) { \\
            for (j = 0; j < m && m >= LPL_LANES; j += LPL_LANES) { \\
                lpl_lanes s = {0}; \\
                last = j + LPL_LANES <= m ? j : m - LPL_LANES; \\
                for (l = 0; l < k; l++) \\
                    s += A[l * (step)] * LPL_AT(B + l * m + last); \\
                LPL_PUT(C + last) = s; \\
            } \\
            for (; j < m; j++) { \\
                double sum = 0.0; \\
                for (l = 0; l < k; l++) \\
                    sum += A[l * (step)] * B[l * m + j]; \\
                C[j] = sum; \\
            } \\
        }

    LPL_ANY_CPU void lpl_small_nn(int n, int k, int m, const double* A, const double* B, double* C) { LPL_SMALL(k, 1) }

    LPL_ANY_CPU void lpl_small_tn(int n, int k, int m, const double* A, const double* B, double* C) { LPL_SMALL(1, n) }

    /* With whole lanes in rows of their own: column j is subtracted from all later ones; its entries above the diagonal
       are 0 and change nothing. */
    LPL_ANY_CPU int lpl_small_cholesky(int n, double* A) {
        double L[LPL_FEW_ROWS * LPL_FEW_ROWS], column[LPL_FEW_ROWS];
        ptrdiff_t i, j, l;
        for (i = 0; i < n; i++)
            for (l = 0; l < LPL_FEW_ROWS; l++)
                L[i * LPL_FEW_ROWS + l] = l <= i ? A[i * n + l] : 0.0;
        for (j = 0; j < n; j++) {
            double pivot = L[j * LPL_FEW_ROWS + j], inverse;
            if (!(pivot > 0.0))
                return (int) j + 1;
            pivot = sqrt(pivot);
            inverse = 1.0 / pivot;
            A[j * n + j] = pivot;
            for (i = 0; i < LPL_FEW_ROWS; i++)
                column[i] = 0.0;
            for (i = j + 1; i < n; i++)
                A[i * n + j] = column[i] = L[i * LPL_FEW_ROWS + j] * inverse;
            for (i = j + 1; i < n; i++)
                for (l = j / LPL_LANES * LPL_LANES; l <= i; l += LPL_LANES)
                    LPL_PUT(L + i * LPL_FEW_ROWS + l) = (LPL_AT(L + i * LPL_FEW_ROWS + l)
                                                         - column[i] * LPL_AT(column + l));
        }
        return 0;
    }
    """
    const int FEW_ROWS "LPL_FEW_ROWS"
    int small_cholesky "lpl_small_cholesky"(int n, double* A) noexcept nogil
    void small_nt "lpl_small_nt"(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil
    void small_nn "lpl_small_nn"(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil
    void small_tn "lpl_small_tn"(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil


cdef inline void matmul_nt(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil:
    """C = A @ B.T with A (n, k), B (m, k), C (n, m)."""
    cdef double one = 1.0, zero = 0.0
    if <double> n * k * m > SMALL:
        dgemm(b"t", b"n", &m, &n, &k, &one, <double*> B, &k, <double*> A, &k, &zero, C, &m)
    else:
        small_nt(n, k, m, A, B, C)


cdef inline void add_matmul_nt(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil:
    """C += A @ B.T with A (n, k), B (m, k), C (n, m)."""
    cdef double one = 1.0
    dgemm(b"t", b"n", &m, &n, &k, &one, <double*> B, &k, <double*> A, &k, &one, C, &m)


cdef inline void matmul_nn(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil:
    """C = A @ B with A (n, k), B (k, m), C (n, m)."""
    cdef double one = 1.0, zero = 0.0
    if <double> n * k * m > SMALL:
        dgemm(b"n", b"n", &m, &n, &k, &one, <double*> B, &m, <double*> A, &k, &zero, C, &m)
    else:
        small_nn(n, k, m, A, B, C)


cdef inline void matmul_tn(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil:
    """C = A.T @ B with A (k, n), B (k, m), C (n, m)."""
    cdef double one = 1.0, zero = 0.0
    if <double> n * k * m > SMALL:
        dgemm(b"n", b"t", &m, &n, &k, &one, <double*> B, &m, <double*> A, &n, &zero, C, &m)
    else:
        small_tn(n, k, m, A, B, C)


cdef inline void add_matmul_tn(int n, int k, int m, const double* A, const double* B, double* C) noexcept nogil:
    """C += A.T @ B with A (k, n), B (k, m), C (n, m)."""
    cdef double one = 1.0
    dgemm(b"n", b"t", &m, &n, &k, &one, <double*> B, &m, <double*> A, &n, &one, C, &m)


cdef inline void gram_rows(int n, int k, const double* A, double* C) noexcept nogil:
    """C = A @ A.T with A (n, k), C (n, n); of n >= FEW_ROWS rows only the row-major upper triangle is written."""
    cdef double one = 1.0, zero = 0.0
    if n < FEW_ROWS:
        matmul_nt(n, k, n, A, A, C)
    else:
        dsyrk(b"l", b"t", &n, &k, &one, <double*> A, &k, &zero, C, &n)


cdef inline void gram_columns(int n, int k, const double* A, double* C) noexcept nogil:
    """C = A.T @ A with A (n, k), C (k, k); of k >= FEW_ROWS columns only the row-major upper triangle is written."""
    cdef double one = 1.0, zero = 0.0
    if k < FEW_ROWS:
        matmul_tn(k, n, k, A, A, C)
    else:
        dsyrk(b"l", b"n", &k, &n, &one, <double*> A, &k, &zero, C, &k)


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
    """y = A @ x with A (n, n) symmetric; of n >= FEW_ROWS rows only the row-major upper triangle is read."""
    cdef double one = 1.0, zero = 0.0
    cdef int step = 1
    if n < FEW_ROWS:
        small_nn(1, n, n, x, A, y)
    else:
        dsymv(b"l", &n, &one, <double*> A, &n, <double*> x, &step, &zero, y, &step)


cdef inline int cholesky(int n, double* A) noexcept nogil:
    """The factor of A = L @ L.T, over A: L in the row-major lower triangle, of n >= FEW_ROWS rows L.T in the upper one,
    at which LAPACK is faster. Nothing else is touched. Nonzero if there is none."""
    cdef int info = 0
    if n < FEW_ROWS:
        return small_cholesky(n, A)
    dpotrf(b"l", &n, A, &n, &info)
    return info


cdef inline void cholesky_solve(int n, const double* L, double* x) noexcept nogil:
    """x = (L @ L.T)^-1 @ x, L from `cholesky`."""
    cdef int info = 0, one = 1, i
    if n >= FEW_ROWS:
        dpotrs(b"l", &n, &one, <double*> L, &n, x, &n, &info)
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
    """x @ y, in pieces that a 32-bit BLAS length can hold; of a few numbers, without a call."""
    cdef double s = 0.0
    cdef int one = 1, piece
    if size < FEW_ROWS:
        return short_dot(<int> size, x, y)
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
