"""Robust matrix factorization: l(W) = sum(log(cosh(W - Y))) + l2/2 ||W - Y||^2."""

import numpy as np

from libc.math cimport exp, fabs, log1p, tanh

from lplfast.kernels.loss cimport Loss, Value


cdef double LOG_2 = 0.6931471805599453


cdef class LogCosh(Loss):
    """Its second derivative is 1 - tanh^2 + l2, so mu = l2 and K = 1 + l2; l* = 0, at W = Y."""

    cdef double[:, ::1] Y
    cdef double l2

    def __init__(self, Y, *, l2):
        Y = np.array(Y, dtype=np.float64, order="C")
        super().__init__(Y.shape, mu=l2, K=1.0 + l2, minimum=0.0)
        self.Y, self.l2 = Y, l2

    cdef void evaluate(self, const double* W, Value* value, double* G, double* scratch) noexcept nogil:
        cdef const double* Y = &self.Y[0, 0]
        cdef double e, s = 0.0
        cdef Py_ssize_t i
        for i in range(<Py_ssize_t> self.n * self.m):
            e = W[i] - Y[i]
            # log(cosh(e)), which must not overflow; below 1e-4 it would cancel
            s += (fabs(e) + log1p(exp(-2.0 * fabs(e))) - LOG_2 if fabs(e) > 1e-4 else e * e / 2.0) + self.l2 / 2.0 * e * e
            if G != NULL:
                G[i] = tanh(e) + self.l2 * e
        value.loss = value.gap = s
        # the cancellation above 1e-4: some 1e-16 an entry
        value.rounding = 1e-15 * self.n * self.m if s > 1e-8 else 0.0
