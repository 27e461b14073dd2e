"""The pseudo-Huber loss of the residuals X @ W - Y, measured from its minimizer: docs/theory.md, section 12."""

import numpy as np

from libc.math cimport copysign, fabs, sqrt

from ..validation import as_number
from ..linalg.blas cimport dot
from ..linalg.rounding cimport U
from .rows cimport TILE
from .rowwise cimport Rowwise

# So many divergences are worked out side by side before they are added up.
cdef enum:
    PART = 64


cdef inline double either(double sign, double first, double second) noexcept nogil:
    """`first` where the sign is +, else `second`; NaN if either is infinite. A comparison would keep a loop scalar."""
    cdef double share = 0.5 + copysign(0.5, sign)
    return share * first + (1.0 - share) * second


cdef inline double diverge(Py_ssize_t size, double delta, const double* residuals, const double* cosines,
                           double* D) noexcept nogil:
    """D = the change of the slopes r / sqrt(1 + (r / delta)^2) where residuals grow by D; return the divergence.

    In units of delta, with x, y the residual before and after and p, q = sqrt(1 + x^2), sqrt(1 + y^2), it is
    (y - x)^2 / (p (1 + pq + xy)) and the change of the slope (y - x) (1 + pq - xy) / (pq (p + q)). One of pq + xy and
    pq - xy cancels: it is (1 + x^2 + y^2) / (pq + |xy|). All is divided by p, so that no square overflows. Where
    y does, the divergence is NaN. At most PART of them.
    """
    cdef double[PART] parts
    cdef double e, y, top, q, cy, far, near, t, s = 0.0
    cdef Py_ssize_t i
    # no sum in this loop and no branch: it is compiled into vectors
    for i in range(size):
        e = D[i] / delta
        y = residuals[i] + e
        top = either(fabs(y) - 1.0, fabs(y), 1.0)
        q = either(fabs(y) - 1.0, 1.0, fabs(y)) / top
        q = top * sqrt(1.0 + q * q)
        cy = cosines[i] * y
        far = q + fabs(residuals[i] * cy)
        near = 1.0 / far + cy * (cy / far)
        t = cosines[i] * e
        parts[i] = t * (t / (cosines[i] + either(residuals[i] * cy, far, near)))
        D[i] = delta * (t / q * ((cosines[i] + either(residuals[i] * cy, near, far)) / (1.0 + q * cosines[i])))
    for i in range(size):
        s += parts[i]
    return s


cdef class PseudoHuber(Rowwise):
    """The sum over the entries r of X @ W - Y of `delta^2 (sqrt(1 + (r / delta)^2) - 1)`, and a ridge.

    Parameters
    ----------
    X, W_star, mu, K, minimum, weight, l2, uncertainty, blur, X_max
        As of `Rowwise`.
    residuals : (N, m) array
        X @ W_star - Y, a frozen matrix included, divided by delta.
    delta : float
        Where the loss turns from a square into an absolute value.
    """

    cdef double[::1] residuals          # in tiles
    cdef double[::1] cosines            # 1 / sqrt(1 + residual^2)
    cdef readonly double delta

    def __init__(self, X, residuals, W_star, *, delta, mu, K, minimum, weight=1.0, l2, uncertainty=0.0, blur=0.0,
                 X_max=None):
        delta = as_number("delta", delta, positive=True)
        # the second derivative is (1 + (r / delta)^2)^(-3/2)
        super().__init__(X, W_star, mu=mu, K=K, minimum=minimum, weight=weight, l2=l2, uncertainty=uncertainty,
                         blur=blur, X_max=X_max, steepest=1.0)
        residuals = self._outputs("residuals", residuals)
        self.residuals, self.delta = self._tiles(residuals), delta
        self.cosines = 1.0 / np.hypot(1.0, self.residuals)
        self.made = True

    def made_of(self):
        """The residuals, delta and `blur`, by name."""
        self.check()
        return {"residuals": self._rows(self.residuals), "delta": self.delta, "blur": self.blur}

    cdef double tilt_rows(self, Py_ssize_t first, Py_ssize_t tiles, double* D, double* R_sq, double* off, double* spare,
                          double* kept) noexcept nogil:
        cdef Py_ssize_t i, start, at = first * self.m, size = tiles * TILE * self.m
        cdef double s = 0.0
        for i in range((size + PART - 1) // PART):
            start = i * PART
            s += diverge(min(<Py_ssize_t> PART, size - start), self.delta, &self.residuals[at + start],
                         &self.cosines[at + start], D + start)
        s *= self.delta * self.delta
        R_sq[0] += dot(size, D, D)
        # `evaluate` allows for sums over rows, not for one over m columns as well
        off[0] += size / PART * U * s
        return s
