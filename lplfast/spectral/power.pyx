"""Estimates by power and inverse iteration, which certify nothing."""

import math

cimport cython

from libc.math cimport INFINITY, sqrt

from ..iterate cimport Iterate, LayerExtremes, TrackedExtreme
from ..linalg.passes cimport Motion
from .brackets cimport Directions, directions_of, first_layer, gradient, product, second_layer
from .budget cimport PROOF_WIDTH
from .eigenvalues cimport Gram, Matrix, smaller_gram
from .iterations cimport inverse_iterate, power_iterate
from .spectral cimport Spectral, publish_brackets, renew_all


cdef void estimate_layer(const Matrix* A, double tolerance, LayerExtremes* layer, double* directions,
                         double* scratch) noexcept nogil:
    """Estimate both extremes of a layer by power and inverse iteration: no certificate. The greatest is approached from
    below, the least from above; it is called 0 where its Cholesky factorization breaks down."""
    cdef Gram gram = smaller_gram(A, scratch)
    cdef int n = A.rows
    cdef double* work = scratch + <Py_ssize_t> gram.rows * gram.rows
    cdef double least = 0.0, room = PROOF_WIDTH * tolerance
    if n <= A.columns:
        least = inverse_iterate(n, scratch, directions + n, work, work + n, room)
        if not least < INFINITY:
            least = 0.0
    layer.max_sq.now.lo = layer.max_sq.now.hi = power_iterate(gram.rows, scratch, directions, work, room)
    layer.min_sq.now.lo = layer.min_sq.now.hi = least


cdef void estimate_largest(const Matrix* A, double tolerance, TrackedExtreme* largest, double* direction,
                           double* scratch) noexcept nogil:
    """Estimate the largest singular value of W or G by power iteration, from below: no certificate."""
    cdef Gram gram = smaller_gram(A, scratch)
    largest.now.lo = largest.now.hi = sqrt(power_iterate(gram.rows, scratch, direction,
                                                         scratch + <Py_ssize_t> gram.rows * gram.rows,
                                                         PROOF_WIDTH * tolerance))


@cython.final
cdef class Power(Spectral):
    """By power and inverse iteration from the last vectors, at every step: an estimate, whose K_t errs low and mu_t
    high. For comparison, and for sizes at which LAPACK is dear.

    Parameters
    ----------
    tolerance : float
        The iteration stops once a step of it changes the estimate by less than an eightieth of this.

    Examples
    --------
    >>> Power().upper_widths        # nothing is guaranteed
    (inf, inf)
    """

    mode = "power"
    upper_widths = (math.inf, math.inf)

    cdef void start(self, Iterate* it, double wanted, double* scratch) noexcept nogil:
        """By LAPACK, but for the tangent kernel, which is not estimated."""
        renew_all(it, wanted, scratch)
        self.publish(it)
        self._count(it)

    cdef void measure(self, Iterate* it, const Motion* motion, double* scratch) noexcept nogil:
        cdef Matrix W1 = first_layer(it), W2t = second_layer(it), W = product(it), G = gradient(it)
        cdef Directions at = directions_of(it)
        estimate_layer(&W1, self.tolerance, &it.memory.layer1, at.one, scratch)
        estimate_layer(&W2t, self.tolerance, &it.memory.layer2, at.two, scratch)
        estimate_largest(&W, self.tolerance, &it.memory.W_max, at.W, scratch)
        estimate_largest(&G, self.tolerance, &it.memory.G_max, at.G, scratch)
        self.publish(it)

    cdef void publish(self, Iterate* it) noexcept nogil:
        publish_brackets(it, False)
