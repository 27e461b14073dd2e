"""Large products, cut into tiles of what they fill."""

from scipy.linalg.cython_blas cimport dgemm, dgemv, dsyrk

from .team cimport share

# Where a strip begins: at whole blocks of BLAS's kernels.
cdef int EDGE = 16


cdef blas_int edge(blas_int size, int strips, int i) noexcept nogil:
    """Where strip i of so many begins; the last one ends at `size`."""
    return size if i == strips else <blas_int> (<Py_ssize_t> size * i // strips // EDGE * EDGE)


cdef int most_threads(blas_int n, blas_int k, blas_int m) noexcept nogil:
    """How many threads a step with layers (n, k) and (k, m) can use."""
    cdef double work = <double> n * k * m
    return 1 if work < CUT else max(2, <int> max(n, m) // STRIP)


cdef void fill(const Product* product, blas_int first, blas_int last, blas_int left, blas_int right) noexcept nogil:
    """C[first:last, left:right] of a product."""
    cdef blas_int n = product.n, k = product.k, m = product.m, rows = last - first, columns = right - left
    cdef blas_int A_row = n if product.kind == TN else k, B_row = k if product.kind == NT else m
    cdef char* A_turned = b"t" if product.kind == TN else b"n"
    cdef char* B_turned = b"t" if product.kind == NT else b"n"
    cdef const double* A = product.A + (<Py_ssize_t> first if product.kind == TN else <Py_ssize_t> first * k)
    cdef const double* B = product.B + (<Py_ssize_t> left * k if product.kind == NT else <Py_ssize_t> left)
    cdef double one = 1.0
    dgemm(B_turned, A_turned, &columns, &rows, &k, &one, <double*> B, &B_row, <double*> A, &A_row,
          <double*> &product.beta, product.C + <Py_ssize_t> first * m + left, &m)


cdef void whole_product(Product product) noexcept nogil:
    """C = A @ B + beta * C by one call of BLAS."""
    fill(&product, 0, product.n, 0, product.m)


cdef void fill_strip(const Product* product, int i) noexcept nogil:
    """A strip of rows, which costs BLAS half of what one of columns does (tiles.pxd); of columns where rows are few."""
    if 2 * product.n >= product.m:
        fill(product, edge(product.n, product.strips, i), edge(product.n, product.strips, i + 1), 0, product.m)
    else:
        fill(product, 0, product.n, edge(product.m, product.strips, i), edge(product.m, product.strips, i + 1))


cdef void strip_of_one(void* job, int tile) noexcept nogil:
    fill_strip(<const Product*> job, tile)


cdef void strip_of_two(void* job, int tile) noexcept nogil:
    cdef const Product* products = <const Product*> job
    if tile < products[0].strips:
        fill_strip(&products[0], tile)
    else:
        fill_strip(&products[1], tile - products[0].strips)


cdef void cut_product(Product product) noexcept nogil:
    """C = A @ B + beta * C"""
    product.strips = max(2, <int> max(product.n, product.m) // STRIP)
    share(product.strips, strip_of_one, &product)


cdef void two_products(Product one, Product two) noexcept nogil:
    """The same of both gradients: neither reads what the other one fills, and their rows are those of the layers."""
    cdef Product[2] products
    # together as many tiles as `most_threads`, or one more
    one.strips = two.strips = max(1, (<int> max(one.n, two.n) // STRIP + 1) // 2)
    products[0], products[1] = one, two
    share(one.strips + two.strips, strip_of_two, products)


cdef int tile_row(int strips, int tile, int* column) noexcept nogil:
    """The row, and the greater column, of a tile of a triangle: first those off the diagonal, which take twice as long,
    row by row, then those on it."""
    cdef int row = 0, off = strips * (strips - 1) // 2
    if tile >= off:
        column[0] = tile - off
        return tile - off
    while tile >= strips - 1 - row:
        tile -= strips - 1 - row
        row += 1
    column[0] = row + 1 + tile
    return row


cdef void tile_of_gram(void* job, int tile) noexcept nogil:
    cdef const Triangle* triangle = <const Triangle*> job
    cdef int column, row = tile_row(triangle.strips, tile, &column)
    cdef blas_int n = triangle.n, k = triangle.k, A_row = triangle.row
    cdef blas_int top = edge(n, triangle.strips, row), rows = edge(n, triangle.strips, row + 1) - top
    cdef blas_int left = edge(n, triangle.strips, column), columns = edge(n, triangle.strips, column + 1) - left
    cdef const double* A = triangle.A + <Py_ssize_t> top * triangle.step
    cdef const double* B = triangle.A + <Py_ssize_t> left * triangle.step
    cdef double* C = triangle.C + <Py_ssize_t> top * n + left
    cdef char* turned = b"n" if triangle.step == 1 else b"t"
    cdef char* other = b"t" if triangle.step == 1 else b"n"
    cdef double one = 1.0, zero = 0.0
    if row == column:
        dsyrk(b"l", turned, &rows, &k, &one, <double*> A, &A_row, &zero, C, &n)
    else:
        dgemm(turned, other, &columns, &rows, &k, &one, <double*> B, &A_row, <double*> A, &A_row, &zero, C, &n)


cdef void cut_gram(blas_int n, blas_int k, const double* A, bint columns, double* C) noexcept nogil:
    """C = A @ A.T with A (n, k), or C = A.T @ A with A (k, n): the row-major upper triangle."""
    cdef Triangle triangle
    triangle.strips = max(2, <int> n // (2 * STRIP))
    triangle.n, triangle.k, triangle.A, triangle.C = n, k, A, C
    triangle.step, triangle.row = 1 if columns else k, n if columns else k
    share(triangle.strips * (triangle.strips + 1) // 2, tile_of_gram, &triangle)


cdef void strip_of_pass(void* job, int tile) noexcept nogil:
    cdef const Pass* p = <const Pass*> job
    cdef blas_int n = p.n, k = p.k, step = 1, left = edge(k, p.strips, tile)
    cdef blas_int columns = edge(k, p.strips, tile + 1) - left
    cdef double one = 1.0, zero = 0.0
    dgemv(b"n", &columns, &n, &one, <double*> p.A + left, &k, <double*> p.x, &step, &zero, p.y + left, &step)


cdef void cut_matvec_t(blas_int n, blas_int k, const double* A, const double* x, double* y) noexcept nogil:
    """y = A.T @ x with A (n, k)."""
    cdef Pass p
    p.n, p.k, p.A, p.x, p.y = n, k, A, x, y
    p.strips = max(2, <int> k // STRIP)
    share(p.strips, strip_of_pass, &p)
