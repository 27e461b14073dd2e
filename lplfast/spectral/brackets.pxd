"""Brackets of extreme singular values: renewed by LAPACK, and widened by what the matrix has moved since.

Every allowance for rounding: docs/theory.md, section 6.1.
"""

from libc.math cimport sqrt

from ..iterate cimport Iterate, LayerExtremes, TrackedBound, TrackedExtreme
from ..linalg.rounding cimport U
from .eigenvalues cimport Matrix, matrix, positive_part, square


# Where the iterations for extreme eigenvectors start, inside `Iterate.directions`: for the layers the greatest one, and
# after it the least; for the tangent kernel the least one, and after it the greatest.
cdef struct Directions:
    double* one
    double* two
    double* W
    double* G
    double* tangent


cdef inline Directions directions_of(Iterate* it) noexcept nogil:
    cdef Directions at
    at.one = it.directions
    at.two = at.one + 2 * it.n
    at.W = at.two + 2 * it.m
    at.G = at.W + min(it.n, it.m)
    at.tangent = at.G + min(it.n, it.m)
    return at


cdef inline Matrix first_layer(Iterate* it) noexcept nogil:
    return matrix(it.n, it.k, it.W1, it.W1_norm)


cdef inline Matrix second_layer(Iterate* it) noexcept nogil:
    return matrix(it.m, it.k, it.W2t, it.W2_norm)


cdef inline Matrix product(Iterate* it) noexcept nogil:
    return matrix(it.n, it.m, it.W, it.W_norm)


cdef inline Matrix gradient(Iterate* it) noexcept nogil:
    return matrix(it.n, it.m, it.G, it.G_norm)


cdef inline void renew_end(TrackedBound* end, double bound) noexcept nogil:
    end.bound = bound
    end.gram_drift = end.matrix_path = 0.0


cdef inline void renew(TrackedExtreme* tracked, double lo, double hi) noexcept nogil:
    """The bracket has been computed: it is [lo, hi]."""
    renew_end(&tracked.lower, lo)
    renew_end(&tracked.upper, hi)
    tracked.now.lo, tracked.now.hi = lo, hi


cdef inline void drift_end(TrackedBound* end, double gram_step, double matrix_step) noexcept nogil:
    end.gram_drift = (end.gram_drift + gram_step) * (1.0 + 2.0 * U)
    end.matrix_path = (end.matrix_path + matrix_step) * (1.0 + 2.0 * U)


cdef inline void widen(TrackedExtreme* squared) noexcept nogil:
    """The bracket of a squared singular value of a layer now, from its ends and what has moved since: the Gram matrix,
    and the layer. Each end takes the better (theory.md, section 6.1)."""
    cdef TrackedBound* lower = &squared.lower
    cdef TrackedBound* upper = &squared.upper
    squared.now.lo = max(positive_part(lower.bound - lower.gram_drift) * (1.0 - U),
                         square(positive_part(sqrt(lower.bound) * (1.0 - U) - lower.matrix_path)) * (1.0 - 4.0 * U))
    squared.now.hi = min((upper.bound + upper.gram_drift) * (1.0 + 2.0 * U),
                         square(sqrt(upper.bound) + upper.matrix_path) * (1.0 + 6.0 * U))


cdef inline void widen_layers(Iterate* it) noexcept nogil:
    """The brackets of both layers now, likewise; with more rows than columns, a least value is 0 and stays so."""
    widen(&it.memory.layer1.max_sq)
    widen(&it.memory.layer2.max_sq)
    if it.k >= it.n:
        widen(&it.memory.layer1.min_sq)
    if it.k >= it.m:
        widen(&it.memory.layer2.min_sq)


cdef inline void largest_moved(TrackedExtreme* largest, double distance) noexcept nogil:
    """The bracket of a largest singular value after its matrix has moved by at most `distance`."""
    drift_end(&largest.lower, 0.0, distance)
    drift_end(&largest.upper, 0.0, distance)
    largest.now.lo = positive_part(largest.lower.bound - largest.lower.matrix_path) * (1.0 - U)
    largest.now.hi = (largest.upper.bound + largest.upper.matrix_path) * (1.0 + 2.0 * U)


cdef void unknown_layer(const Matrix* A, LayerExtremes* layer) noexcept nogil
cdef void unknown_largest(const Matrix* A, TrackedExtreme* largest) noexcept nogil
cdef void renew_layer(const Matrix* A, double wanted, LayerExtremes* layer, double* scratch) noexcept nogil
cdef void renew_largest(const Matrix* A, TrackedExtreme* largest, double* scratch) noexcept nogil
cdef double drift_layer(LayerExtremes* layer, Iterate* it, const Matrix* A, const Matrix* other, double other_max,
                        double g_norm, double* e) noexcept nogil
