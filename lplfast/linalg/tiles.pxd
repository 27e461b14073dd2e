"""Large products, cut into tiles of what they fill: the calling thread's team shares them (team.pxd).

How a product is cut follows from its shape, and each tile is one call of BLAS over the whole inner length. So the bits
are the same on any number of threads, one included, whatever BLAS does at the edge of a tile. What a cut costs on one
thread is that BLAS lays out one of the two factors once more for each tile: 4 in a hundred for two strips of rows, of
512 x 512 or 1024 x 1024, and 9 for four; for strips of columns twice as much.
"""

from .blas_int cimport blas_int

cdef extern from *:
    """
    #define LPL_CUT 1.6e7
    #define LPL_STRIP 256
    #define LPL_LONG_PASS 2e5
    """
    # from so many multiplications on a product is cut, at least in two, into strips of about so many rows
    const double CUT "LPL_CUT"
    const int STRIP "LPL_STRIP"
    # a product with a vector, of so many: that is twice what two threads need to find each other
    const double LONG_PASS "LPL_LONG_PASS"
    # and two that do not need each other are done side by side, each cut half as often. Below, 100 x 100 for one, a
    # second thread gains less than it costs where cores are busy

# A (n, k) and B (m, k); A (n, k) and B (k, m); A (k, n) and B (k, m)
cdef enum Kind:
    NT
    NN
    TN


cdef struct Product:
    Kind kind
    blas_int n
    blas_int k
    blas_int m
    const double* A
    const double* B
    double* C
    double beta         # C = A @ B + beta * C
    int strips


cdef inline Product product_of(Kind kind, blas_int n, blas_int k, blas_int m, const double* A, const double* B,
                               double beta, double* C) noexcept nogil:
    cdef Product made
    made.kind, made.n, made.k, made.m = kind, n, k, m
    made.A, made.B, made.C, made.beta, made.strips = A, B, C, beta, 1
    return made


# What a symmetric matrix of n rows is cut into: its triangle has tiles in `strips` rows and columns.
cdef struct Triangle:
    int strips
    blas_int n
    double* C           # of n rows, row by row; the upper triangle is written
    # of a Gram matrix, where row i of the (n, k) factor begins, A + i * step, and how Fortran sees the factor
    blas_int k
    const double* A
    blas_int step
    blas_int row


# y = A.T @ x with A (n, k)
cdef struct Pass:
    blas_int n
    blas_int k
    const double* A
    const double* x
    double* y
    int strips


cdef int most_threads(blas_int n, blas_int k, blas_int m) noexcept nogil
cdef blas_int edge(blas_int size, int strips, int i) noexcept nogil
cdef int tile_row(int strips, int tile, int* column) noexcept nogil
cdef void whole_product(Product product) noexcept nogil
cdef void cut_product(Product product) noexcept nogil
cdef void two_products(Product one, Product two) noexcept nogil
cdef void cut_gram(blas_int n, blas_int k, const double* A, bint columns, double* C) noexcept nogil
cdef void cut_matvec_t(blas_int n, blas_int k, const double* A, const double* x, double* y) noexcept nogil
