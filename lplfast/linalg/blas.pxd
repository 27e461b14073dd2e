"""Row-major products: each function's docstring is its formula, all matrices are contiguous.

Fortran sees a row-major (n, m) matrix as its (m, n) transpose, hence the swapped arguments.
"""

from libc.math cimport sqrt
from scipy.linalg.cython_blas cimport ddot, dgemm, dgemv, dsymv, dsyrk, idamax

from .blas_int cimport blas_int     # written by setup.py
from .products cimport FEW_ROWS, SMALL, SMALLEST, one_product, small_nn, small_nt, small_tn
from .tiles cimport CUT, LONG_PASS, NN, NT, TN, cut_gram, cut_matvec_t, cut_product, product_of, two_products


cdef inline void matmul_nt(blas_int n, blas_int k, blas_int m, const double* A, const double* B,
                           double* C) noexcept nogil:
    """C = A @ B.T with A (n, k), B (m, k), C (n, m)."""
    cdef double work = <double> n * k * m
    if work < SMALLEST:
        small_nt(n, k, m, A, B, C)
    elif work < CUT:
        one_product(NT, n, k, m, A, B, C)
    else:
        cut_product(product_of(NT, n, k, m, A, B, 0.0, C))


cdef inline void add_matmul_nt(blas_int n, blas_int k, blas_int m, const double* A, const double* B,
                               double* C) noexcept nogil:
    """C += A @ B.T with A (n, k), B (m, k), C (n, m)."""
    cdef double one = 1.0
    if <double> n * k * m >= CUT:
        cut_product(product_of(NT, n, k, m, A, B, 1.0, C))
    else:
        dgemm(b"t", b"n", &m, &n, &k, &one, <double*> B, &k, <double*> A, &k, &one, C, &m)


cdef inline void matmul_nn(blas_int n, blas_int k, blas_int m, const double* A, const double* B,
                           double* C) noexcept nogil:
    """C = A @ B with A (n, k), B (k, m), C (n, m)."""
    cdef double work = <double> n * k * m
    if work < SMALLEST:
        small_nn(n, k, m, A, B, C)
    elif work < CUT:
        one_product(NN, n, k, m, A, B, C)
    else:
        cut_product(product_of(NN, n, k, m, A, B, 0.0, C))


cdef inline void matmul_tn(blas_int n, blas_int k, blas_int m, const double* A, const double* B,
                           double* C) noexcept nogil:
    """C = A.T @ B with A (k, n), B (k, m), C (n, m)."""
    cdef double work = <double> n * k * m
    if work < SMALLEST:
        small_tn(n, k, m, A, B, C)
    elif work < CUT:
        one_product(TN, n, k, m, A, B, C)
    else:
        cut_product(product_of(TN, n, k, m, A, B, 0.0, C))


cdef inline void add_matmul_tn(blas_int n, blas_int k, blas_int m, const double* A, const double* B,
                               double* C) noexcept nogil:
    """C += A.T @ B with A (k, n), B (k, m), C (n, m)."""
    cdef double one = 1.0
    dgemm(b"n", b"t", &m, &n, &k, &one, <double*> B, &m, <double*> A, &n, &one, C, &m)


cdef inline void both_gradients(blas_int n, blas_int k, blas_int m, const double* G, const double* W1,
                                const double* W2t, double* g1, double* g2t) noexcept nogil:
    """g1 = G @ W2.T, g2.T = G.T @ W1 with W1 (n, k), W2.T (m, k), G (n, m)."""
    if <double> n * k * m >= CUT:
        two_products(product_of(NN, n, m, k, G, W2t, 0.0, g1), product_of(TN, m, n, k, G, W1, 0.0, g2t))
    else:
        matmul_nn(n, m, k, G, W2t, g1)
        matmul_tn(m, n, k, G, W1, g2t)


cdef inline void gram_rows(blas_int n, blas_int k, const double* A, double* C) noexcept nogil:
    """C = A @ A.T with A (n, k), C (n, n); of n >= FEW_ROWS rows only the row-major upper triangle is written."""
    cdef double one = 1.0, zero = 0.0
    if n < FEW_ROWS:
        matmul_nt(n, k, n, A, A, C)
    elif <double> n * n * k >= CUT:
        cut_gram(n, k, A, False, C)
    else:
        dsyrk(b"l", b"t", &n, &k, &one, <double*> A, &k, &zero, C, &n)


cdef inline void gram_columns(blas_int n, blas_int k, const double* A, double* C) noexcept nogil:
    """C = A.T @ A with A (n, k), C (k, k); of k >= FEW_ROWS columns only the row-major upper triangle is written."""
    cdef double one = 1.0, zero = 0.0
    if k < FEW_ROWS:
        matmul_tn(k, n, k, A, A, C)
    elif <double> k * k * n >= CUT:
        cut_gram(k, n, A, True, C)
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


cdef inline void symmetric_times(blas_int n, const double* A, const double* x, double* y) noexcept nogil:
    """y = A @ x with A (n, n) symmetric; of n >= FEW_ROWS rows only the row-major upper triangle is read."""
    cdef double one = 1.0, zero = 0.0
    cdef blas_int step = 1
    if n < FEW_ROWS:
        small_nn(1, n, n, x, A, y)
    else:
        dsymv(b"l", &n, &one, <double*> A, &n, <double*> x, &step, &zero, y, &step)


cdef inline void matvec_t(blas_int n, blas_int k, const double* A, const double* x, double* y) noexcept nogil:
    """y = A.T @ x with A (n, k)."""
    cdef double one = 1.0, zero = 0.0
    cdef blas_int step = 1
    if <double> n * k <= SMALL:
        small_nn(1, n, k, x, A, y)
        return
    if <double> n * k >= LONG_PASS:
        cut_matvec_t(n, k, A, x, y)
        return
    dgemv(b"n", &k, &n, &one, <double*> A, &k, <double*> x, &step, &zero, y, &step)


cdef inline void matvec(blas_int n, blas_int k, const double* A, const double* x, double* y) noexcept nogil:
    """y = A @ x with A (n, k)."""
    cdef double one = 1.0, zero = 0.0
    cdef blas_int step = 1
    dgemv(b"t", &k, &n, &one, <double*> A, &k, <double*> x, &step, &zero, y, &step)


cdef inline double dot(Py_ssize_t size, const double* x, const double* y) noexcept nogil:
    """x @ y, in pieces that a 32-bit BLAS length can hold; of a few numbers, without a call."""
    cdef double s = 0.0
    cdef blas_int one = 1, piece
    if size < FEW_ROWS:
        return short_dot(<int> size, x, y)
    while size > 0:
        piece = <blas_int> min(size, <Py_ssize_t> 1 << 30)
        s += ddot(&piece, <double*> x, &one, <double*> y, &one)
        x += piece
        y += piece
        size -= piece
    return s


cdef inline double norm(Py_ssize_t size, const double* x) noexcept nogil:
    """sqrt(x @ x): overflows and underflows with the square, which the loop reports."""
    return sqrt(dot(size, x, x))


cdef inline Py_ssize_t largest_at(blas_int size, const double* x) noexcept nogil:
    """abs(x).argmax()"""
    cdef blas_int one = 1
    return idamax(&size, <double*> x, &one) - 1
