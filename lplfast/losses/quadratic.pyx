"""The squared loss in the frame of its data: a quadratic whose Hessian is diagonal, row by row."""

import math

import numpy as np

from libc.math cimport sqrt

from ..validation import as_double, as_doubles, shown
from .loss cimport Loss, TargetSummary, Value
from ..linalg.passes cimport fall, slope


cdef class DiagonalQuadratic(Loss):
    """l(W) = minimum + sum(d[:, None] * (W - W_star)**2) / 2: every squared loss, in the frame of its data.

    With `X = U S V.T`, the squared loss of `W` is this function of `V.T W` with `d = S**2 + l2`: no product
    with the data is left, the cost does not depend on the number of rows, and the gap has no cancellation.

    Parameters
    ----------
    d : (n,) array
        The Hessian, positive.
    W_star : (n, m) array
        The minimizer.
    minimum : float
        l*.
    mu, K : float, optional
        Default to the true constants, `min(d)` and `max(d)`.
    frame, uncertainty : float
        How far this is from the loss that is meant, if d, W_star and the frame were themselves computed: its gap,
        measured from W_star, is within the part `frame` of this one, and `sqrt(2 gap)` at W_star is at most
        `uncertainty`.
    target_summary : (float, float, int), optional
        Least singular value, Frobenius norm and rank of Y, for a loss that is `||X W - Y||_F^2 / 2`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = DiagonalQuadratic([1.0, 4.0], [[1.0], [1.0]])
    >>> loss.mu, loss.K
    (1.0, 4.0)
    >>> value, gap, G = loss.value_and_gradient(np.array([[2.0], [3.0]]))
    >>> value, G.ravel().tolist()
    (8.5, [1.0, 8.0])
    """

    def __init__(self, d, W_star, *, minimum=0.0, mu=None, K=None, target_summary=None, frame=0.0, uncertainty=0.0):
        # copies: the caller's arrays may change
        d, W_star = as_doubles("d", d, 1).copy(), as_doubles("W_star", W_star, 2).copy()
        if W_star.shape[0] != d.size:
            raise ValueError(f"expected d of shape (n,) and W_star of shape (n, m), "
                             f"got {d.shape} and {W_star.shape}")
        if not (d.size and W_star.size):
            raise ValueError("expected at least one row and one column, got an empty array")
        if not (np.all(np.isfinite(d)) and np.all(d > 0)):
            raise ValueError("d: expected finite positive numbers, got others among them")
        if not np.all(np.isfinite(W_star)):
            raise ValueError("W_star: expected finite numbers, got NaN or inf")
        frame, uncertainty = as_double("frame", frame), as_double("uncertainty", uncertainty)
        for name, value in (("frame", frame), ("uncertainty", uncertainty)):
            if not value >= 0.0:
                raise ValueError(f"{name}: expected a number >= 0, got {value!r}")
        summary = None if target_summary is None else _three_numbers(target_summary)
        super().__init__(W_star.shape, mu=d.min() if mu is None else mu, K=d.max() if K is None else K,
                         minimum=minimum)
        self.d, self.W_star, self.frame, self.uncertainty = d, W_star, frame, uncertainty
        self.root_K, self.stretch = math.sqrt(self.K), math.sqrt(1.0 + frame)
        self.weights = np.repeat(d[:, np.newaxis], W_star.shape[1], axis=1)
        self.targeted = summary is not None
        if self.targeted:
            self.summary.least, self.summary.norm, self.summary.rank = summary
        self.made = True

    cdef bint complete(self) noexcept:
        return self.made

    @property
    def minimizer(self):
        """The (n, m) matrix W_star, as a new array."""
        self.check()
        return np.array(self.W_star)

    @property
    def options(self):
        """The arguments that make this loss again, by name."""
        return {"d": self.hessian, "W_star": self.minimizer, "minimum": self.minimum, "mu": self.mu, "K": self.K,
                "target_summary": self.target_summary, "frame": self.frame, "uncertainty": self.uncertainty}

    cdef void evaluate(self, const double* W, Value* value, double* G, double* scratch) noexcept nogil:
        cdef Py_ssize_t size = <Py_ssize_t> self.n * self.m
        cdef double absolute, slope_norm
        # E = W - W_star; G = d[:, None] * E; gap = (d[:, None] * E**2).sum() / 2
        if G == NULL:
            value.gap = 0.5 * fall(size, &self.weights[0, 0], W, &self.W_star[0, 0], &self.W_star[0, 0], &absolute)
        else:
            value.gap = 0.5 * slope(size, &self.weights[0, 0], W, &self.W_star[0, 0], G, &value.W_sq, &value.G_sq)
        value.loss = self.minimum + value.gap
        if self.frame > 0.0 or self.uncertainty > 0.0:
            # the loss that is meant: D^(1/2) (1 + F) D^(1/2) in place of D, and a gradient at W_star
            slope_norm = sqrt(2.0 * value.gap)
            value.rounding = self.frame * value.gap
            value.gap_error = self.uncertainty * (slope_norm * self.stretch + 0.5 * self.uncertainty)
            value.gradient_error = self.root_K * (self.frame * slope_norm + self.uncertainty)

    cdef const double* curvature(self) noexcept nogil:
        return &self.d[0]

    cdef bint target(self, TargetSummary* target) noexcept nogil:
        target[0] = self.summary
        return self.targeted

    cdef double decrease(self, const double* W_old, const double* W, double before, double after,
                         double* terms) noexcept nogil:
        # ((W_old - W) * ((W_old - W_star) + (W - W_star)) * d[:, None]).sum() / 2
        cdef Py_ssize_t size = <Py_ssize_t> self.n * self.m
        cdef double fallen = fall(size, &self.weights[0, 0], W_old, W, &self.W_star[0, 0], terms)
        terms[0] *= 0.5
        return 0.5 * fallen


def _three_numbers(summary):
    """Return a target summary as three floats, or raise."""
    try:
        least, norm, rank = summary
    except (TypeError, ValueError):
        raise TypeError(f"target_summary: expected three numbers, got {shown(summary)}") from None
    return tuple(as_double("target_summary", value) for value in (least, norm, rank))
