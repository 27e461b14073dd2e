"""Robust matrix factorization: l(W) = sum(log(cosh(W - Y))) + l2/2 ||W - Y||^2."""

import numpy as np

from libc.math cimport exp, fabs, log1p, sinh, tanh

from lplfast.losses.loss cimport Loss, Value


cdef double LOG_2 = 0.6931471805599453


cdef class LogCosh(Loss):
    """Its second derivative is 1 - tanh^2 + l2, so mu = l2 and K = 1 + l2; l* = 0, at W = Y."""

    cdef double[:, ::1] Y

    def __init__(self, Y, *, l2):
        self.Y = np.array(Y, dtype=np.float64, order="C")
        super().__init__(np.shape(Y), mu=l2, K=1.0 + l2, minimum=0.0)

    @property
    def options(self):
        return {"Y": np.array(self.Y), "l2": self.mu}

    cdef void evaluate(self, const double* W, Value* value, double* G, double* scratch) noexcept nogil:
        cdef const double* Y = &self.Y[0, 0]
        cdef double e, s = 0.0
        cdef Py_ssize_t i
        for i in range(<Py_ssize_t> self.n * self.m):
            e = W[i] - Y[i]
            # log(cosh(e)): cosh overflows far from 0, and near it the logarithm would cancel
            s += fabs(e) + log1p(exp(-2.0 * fabs(e))) - LOG_2 if fabs(e) > 1.0 else log1p(2.0 * sinh(e / 2.0) ** 2)
            s += self.mu / 2.0 * e * e
            if G != NULL:
                G[i] = tanh(e) + self.mu * e
        # to a few u, as a sum of positive numbers: `rounding` and `gradient_error` may stay 0
        value.loss = value.gap = s
