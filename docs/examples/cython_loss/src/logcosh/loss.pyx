"""Robust matrix factorization: l(W) = sum(log(cosh(W - Y))) + l2/2 ||W - Y||^2."""

import numpy as np

from libc.math cimport exp, expm1, fabs, log1p, sinh, tanh

from lplfast.losses.loss cimport Loss, Ray, Value


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

    # Optional, and what `"majorizer"` gains by: the curvature where a step begins, in the place of K. The third
    # derivative of log(cosh(e)) is at most twice the second in absolute value, so along a move u the curvature
    # changes by at most exp(2 |u|), and log(cosh) exceeds its tangent by at most
    # (1 - tanh(e)^2) (exp(2 |u|) - 1 - 2 |u|) / 4.

    cdef double upper(self, Ray* ray, double eta, double* scratch) noexcept nogil:
        cdef const double* Y = &self.Y[0, 0]
        cdef double by_K = Loss.upper(self, ray, eta, scratch), s = -eta * ray.a, u, t
        cdef Py_ssize_t i
        for i in range(<Py_ssize_t> self.n * self.m):
            u, t = eta * (eta * ray.B[i] - ray.tau[i]), tanh(ray.W[i] - Y[i])
            s += eta * eta * ray.G[i] * ray.B[i] + (1.0 - t * t) * growth(2.0 * fabs(u)) + self.mu / 2.0 * u * u
        return s if s < by_K else by_K

    cdef double upper_minimiser(self, Ray* ray, double* scratch) noexcept nogil:
        # from the step that K is good for, longer and longer, as long as the bound falls
        cdef double eta = Loss.upper_minimiser(self, ray, scratch)
        while eta > 0.0 and self.upper(ray, 1.25 * eta, scratch) < self.upper(ray, eta, scratch):
            eta *= 1.25
        return eta


cdef inline double growth(double t) noexcept nogil:
    """(exp(t) - 1 - t) / 4, without cancellation, rounded up."""
    return (t * t * (0.5 + t * (1.0 / 6 + t / 23)) if t < 0.05 else expm1(t) - t) / 4.0
