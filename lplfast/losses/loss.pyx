"""Losses of an (n, m) matrix, as the compiled loop sees them."""

import hashlib
import math

import numpy as np

from libc.math cimport fabs, sqrt

from ..linalg.passes cimport fall, slope


cdef class Loss:
    """A K-smooth, mu-strongly convex loss l(W) of an (n, m) matrix; immutable, shared by threads.

    Subclass it in Cython and override `evaluate` and `options` (and `scratch`, if it needs working memory).

    Parameters
    ----------
    shape : (int, int)
        The shape (n, m) of W.
    mu, K : float
        Strong convexity and smoothness constants, `0 <= mu <= K`, `K > 0`. They are taken on trust here:
        a training run whose declared K is too small ends with the status `"guarantee_failed"`.
    minimum : float
        l* = min l(W), or NaN if it is unknown.
    """

    def __init__(self, shape, *, double mu, double K, double minimum=math.nan):
        n, m = shape
        if not (0 < n < 2**31 and 0 < m < 2**31):
            raise ValueError(f"shape: expected two positive 32-bit integers, got {shape!r}")
        if not 0.0 <= mu < math.inf:
            raise ValueError(f"mu: expected a finite number >= 0, got {mu!r}")
        if not 0.0 < K < math.inf:
            raise ValueError(f"K: expected a finite number > 0, got {K!r}")
        self.n, self.m, self.mu, self.K, self.minimum = n, m, mu, K, minimum

    @property
    def shape(self):
        """The shape (n, m) of W."""
        return self.n, self.m

    @property
    def options(self):
        """The arguments that make this loss again, by name: numbers, arrays, strings, functions or None.

        Every subclass says its own. Pickles, copies and `fingerprint` go by them.
        """
        raise NotImplementedError(f"options: expected {type(self).__name__} to define them, the arguments that make it "
                                  "again, by name")

    @property
    def fingerprint(self):
        """A digest of the class and its options: equal for equal losses alone, but for functions among the options."""
        return digest({"": type(self).__qualname__, **self.options})

    def __reduce__(self):
        return _make, (type(self), self.options)

    def __repr__(self):
        return (f"{type(self).__name__}(shape={self.shape}, mu={self.mu:.4g}, K={self.K:.4g}, "
                f"minimum={self.minimum:.4g})")

    cdef Py_ssize_t scratch(self) noexcept nogil:
        """How many doubles `evaluate` wants to work in."""
        return 0

    cdef void evaluate(self, const double* W, Value* value, double* G, double* scratch) noexcept nogil:
        """Fill `value`, and unless it is NULL G with the (n, m) gradient, at the row-major W.

        `value` arrives with NaN for `loss`, `gap` and both squares and all else 0: what a loss does not know it leaves.
        """
        pass

    cdef const double* curvature(self) noexcept nogil:
        """The Hessian of a loss that is quadratic row by row: the (n,) factors of the rows of W. NULL otherwise."""
        return NULL

    cdef bint target(self, Target* target) noexcept nogil:
        """Fill `target` and return True, for a squared loss without ridge."""
        return False

    cdef double decrease(self, const double* W_old, const double* W, double before, double after,
                         double* terms) noexcept nogil:
        """Return l(W_old) - l(W), given both values (or gaps). Override it to avoid the cancellation.

        `terms` receives the sum of the absolute values that were added up: rounding is relative to that.
        """
        terms[0] = fabs(before) + fabs(after)
        return before - after

    def take_error(self):
        """Return the exception that a Python part of the loss raised in this thread, once; else None."""
        return None

    def value_and_gradient(self, const double[:, ::1] W not None):
        """Return l(W), l(W) - l* and the gradient at the contiguous (n, m) array W."""
        cdef Value value
        if W.shape[0] != self.n or W.shape[1] != self.m:
            raise ValueError(f"W: expected shape {self.shape}, got {(W.shape[0], W.shape[1])}")
        gradient = np.empty(self.shape)
        cdef double[:, ::1] G = gradient
        cdef double[::1] scratch = np.empty(max(1, self.scratch()))
        with nogil:
            forget(&value)
            self.evaluate(&W[0, 0], &value, &G[0, 0], &scratch[0])
        error = self.take_error()
        if error is not None:
            raise error
        return value.loss, value.gap, gradient


def _make(loss, options):
    return loss(**options)


def digest(values):
    """Return a digest of numbers, arrays of numbers, strings and None, by name.

    Functions are left out: one cannot be told from another.
    """
    found = hashlib.sha256()
    for name, value in values.items():
        if callable(value):
            continue
        if value is None or isinstance(value, str):
            found.update(repr((name, value)).encode())
            continue
        array = np.asarray(value)
        if array.dtype.kind not in "buif":
            raise TypeError(f"{name}: expected numbers, a string, a function or None, got {value!r:.200}")
        found.update(repr((name, array.shape)).encode())
        found.update(array.astype(np.float64, order="C").data)
    return found.hexdigest()


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
    aim : (float, float, int), optional
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

    def __init__(self, d, W_star, *, double minimum=0.0, mu=None, K=None, aim=None, double frame=0.0,
                 double uncertainty=0.0):
        d = np.array(d, dtype=np.float64, ndmin=1)
        W_star = np.array(W_star, dtype=np.float64, ndmin=2, order="C")
        if d.ndim != 1 or W_star.ndim != 2 or W_star.shape[0] != d.size:
            raise ValueError(f"expected d of shape (n,) and W_star of shape (n, m), "
                             f"got {d.shape} and {W_star.shape}")
        if not (d.size and W_star.size):
            raise ValueError("expected at least one row and one column, got an empty array")
        if not (np.all(np.isfinite(d)) and np.all(d > 0)):
            raise ValueError("d: expected finite positive numbers, got others among them")
        if not np.all(np.isfinite(W_star)):
            raise ValueError("W_star: expected finite numbers, got NaN or inf")
        super().__init__(W_star.shape, mu=d.min() if mu is None else mu, K=d.max() if K is None else K,
                         minimum=minimum)
        for name, value in (("frame", frame), ("uncertainty", uncertainty)):
            if not value >= 0.0:
                raise ValueError(f"{name}: expected a number >= 0, got {value!r}")
        self.d, self.W_star, self.aim, self.frame, self.uncertainty = d, W_star, aim, frame, uncertainty
        self.root_K, self.stretch = math.sqrt(self.K), math.sqrt(1.0 + frame)
        self.weights = np.repeat(d[:, np.newaxis], W_star.shape[1], axis=1)
        if aim is not None:
            self.least, self.norm, self.rank = aim

    @property
    def hessian(self):
        """The diagonal d of the Hessian, one number a row of W, as a new array."""
        return np.array(self.d)

    @property
    def minimizer(self):
        """The (n, m) matrix W_star, as a new array."""
        return np.array(self.W_star)

    @property
    def options(self):
        """The arguments that make this loss again, by name."""
        return {"d": self.hessian, "W_star": self.minimizer, "minimum": self.minimum, "mu": self.mu, "K": self.K,
                "aim": self.aim, "frame": self.frame, "uncertainty": self.uncertainty}

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

    cdef bint target(self, Target* target) noexcept nogil:
        if self.aim is None:
            return False
        target.least, target.norm, target.rank = self.least, self.norm, self.rank
        return True

    cdef double decrease(self, const double* W_old, const double* W, double before, double after,
                         double* terms) noexcept nogil:
        # ((W_old - W) * ((W_old - W_star) + (W - W_star)) * d[:, None]).sum() / 2
        cdef Py_ssize_t size = <Py_ssize_t> self.n * self.m
        cdef double fallen = fall(size, &self.weights[0, 0], W_old, W, &self.W_star[0, 0], terms)
        terms[0] *= 0.5
        return 0.5 * fallen
