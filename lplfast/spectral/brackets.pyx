"""Brackets of extreme singular values: renewed by LAPACK, and widened by what the matrix has moved since.

What is called once per bracket and step is inline, in `brackets.pxd`. docs/theory.md, section 6, derives every
allowance used here.
"""

from libc.math cimport INFINITY, sqrt

from ..linalg.extremes cimport fmax
from ..iterate cimport Bracket
from .eigenvalues cimport TINY, gram_extremes, svd_extremes, width


cdef void unknown_layer(const Matrix* A, LayerExtremes* layer) noexcept nogil:
    """What the Frobenius norm alone says of a layer."""
    cdef int n = A.rows, k = A.columns
    cdef double F_sq = square(A.norm), round = (<double> n * k + 8) * U
    renew(&layer.max_sq, F_sq / min(n, k) * (1.0 - round), F_sq * (1.0 + round))
    renew(&layer.min_sq, 0.0, F_sq / n * (1.0 + round) if k >= n else 0.0)


cdef void unknown_largest(const Matrix* A, TrackedExtreme* largest) noexcept nogil:
    """What the Frobenius norm, or an upper bound on it, says of the largest singular value."""
    renew(largest, 0.0, fmax(A.norm, sqrt(TINY)) * (1.0 + (<double> A.rows * A.columns + 8) * U))


cdef void renew_layer(const Matrix* A, double wanted, LayerExtremes* layer, double* scratch) noexcept nogil:
    """Compute both extremes of a layer anew.

    By its Gram matrix; and where the smallest value is then not known to the relative width `wanted`,
    by SVD, whose errors are relative to s_min s_max where those of the Gram matrix are to ||A||_F^2.
    """
    cdef Bracket least, greatest
    least.lo = greatest.lo = 0.0
    least.hi = greatest.hi = INFINITY
    cdef bint found = gram_extremes(A, &least, &greatest, scratch)
    if not found or (A.rows <= A.columns and width(&least) > wanted * least.lo):
        found = svd_extremes(A, &least, &greatest, scratch) or found
    if not found:
        unknown_layer(A, layer)
        return
    if A.columns < A.rows:
        least.lo = least.hi = 0.0       # n rows of length k < n: s_n(A) is exactly 0
    renew(&layer.min_sq, least.lo, least.hi)
    renew(&layer.max_sq, greatest.lo, greatest.hi)


cdef void renew_largest(const Matrix* A, TrackedExtreme* largest, double* scratch) noexcept nogil:
    """Compute the largest singular value of W or G anew."""
    cdef Bracket least, greatest
    if not gram_extremes(A, &least, &greatest, scratch):
        unknown_largest(A, largest)
        return
    renew(largest, sqrt(greatest.lo) * (1.0 - 2.0 * U), sqrt(greatest.hi) * (1.0 + 2.0 * U))


cdef double drift_layer(LayerExtremes* layer, Iterate* it, const Matrix* A, const Matrix* other, double other_max,
                        double g_norm, double* e) noexcept nogil:
    """Add what one step `A - eta g` adds to the drift of the Gram matrix of a layer A and to its path; return the
    former, and in `e` the latter, in the spectral norm. The gradient g is a product of G and the other layer, whose
    largest singular value is at most `other_max`."""
    cdef Py_ssize_t size = <Py_ssize_t> A.rows * A.columns
    cdef int m = other.rows     # the inner length of the product
    cdef double off = (m + 4) * U * it.G_norm * other.norm
    cdef double step = it.eta * min((1.0 + (size + 6) * U) * g_norm, (it.G_max.hi * other_max + off) * (1.0 + 4.0 * U))
    cdef double rounding = U * (1.0 + 8.0 * U) * (A.norm + 2.0 * it.eta * g_norm) * (1.0 + (size + 6) * U)
    cdef double s = sqrt(layer.max_sq.now.hi) * (1.0 + 2.0 * U), cross, moved
    e[0] = step + rounding
    # A_new A_new.T - A A.T = -eta (C + C.T) + eta^2 g g.T with C = A g.T = W @ G.T, for layer 2 W.T @ G
    cross = (it.sigma_max_W.hi * it.G_max.hi + A.norm * off) * (1.0 + 4.0 * U)
    moved = min(2.0 * s * e[0] + e[0] * e[0], 2.0 * it.eta * cross + step * step + 2.0 * rounding * (s + step)
                + rounding * rounding) * (1.0 + 8.0 * U)
    drift_end(&layer.min_sq.lower, moved, e[0])
    drift_end(&layer.min_sq.upper, moved, e[0])
    drift_end(&layer.max_sq.lower, moved, e[0])
    drift_end(&layer.max_sq.upper, moved, e[0])
    return moved
