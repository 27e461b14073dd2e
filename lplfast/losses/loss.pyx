"""A loss of an (n, m) matrix, as the compiled loop sees it. Along a ray: docs/theory.md, section 8."""

import hashlib
import math

import numpy as np

from libc.math cimport INFINITY, NAN, fabs, isfinite

from ..validation import as_array, as_double, as_doubles, as_number, as_shape, shown
from ..linalg.blas cimport dot, largest_at
from ..linalg.passes cimport weighted_cross, weighted_square
from ..linalg.quartic cimport Quartic, fall, first_minimiser
from ..linalg.rounding cimport TINY, U


cdef bint quartic(Ray* ray, Py_ssize_t size, double scale, double tt, double tb, double bb,
                  Quartic* q) noexcept nogil:
    """The quartic along the ray with the curvatures `scale` times tt, tb, bb; False where tt or bb has underflowed."""
    if not tt > TINY or (not bb > TINY and ray.B[largest_at(<int> size, ray.B)] != 0.0):
        return False
    if ray.gB != ray.gB:
        ray.gB = dot(size, ray.G, ray.B)
    q.a = ray.a
    q.b0 = 0.5 * scale * tt
    q.b = 1.0 + ray.gB / q.b0
    q.c = -2.0 * tb / tt
    q.d = bb / tt
    return True


cdef bint equality(Ray* ray, Loss loss, Quartic* q) noexcept nogil:
    """The quartic that a quadratic loss is along the ray; False where squares have underflowed."""
    cdef const double* d = loss.curvature()
    if ray.ht != ray.ht:
        ray.ht = weighted_square(loss.n, loss.m, d, ray.tau)
        ray.hb = weighted_cross(loss.n, loss.m, d, ray.tau, ray.B)
        ray.hh = weighted_square(loss.n, loss.m, d, ray.B)
    return quartic(ray, <Py_ssize_t> loss.n * loss.m, 1.0, ray.ht, ray.hb, ray.hh, q)


cdef bint majorizer(Ray* ray, Loss loss, Quartic* q) noexcept nogil:
    """The quartic that a loss is, or that its K keeps it below, along the ray; False where squares have underflowed."""
    cdef Py_ssize_t size = <Py_ssize_t> loss.n * loss.m
    if loss.curvature() != NULL:
        return equality(ray, loss, q)
    if ray.tt != ray.tt:
        ray.tt, ray.tb, ray.bb = dot(size, ray.tau, ray.tau), dot(size, ray.tau, ray.B), dot(size, ray.B, ray.B)
    return quartic(ray, size, loss.K, ray.tt, ray.tb, ray.bb, q)


cdef void move(const Ray* ray, Py_ssize_t size, double eta, double* W) noexcept nogil:
    """W = W(eta)"""
    cdef Py_ssize_t i
    for i in range(size):
        W[i] = ray.W[i] - eta * (ray.tau[i] - eta * ray.B[i])


cdef class Loss:
    """A K-smooth, mu-strongly convex loss l(W) of an (n, m) matrix; immutable, shared by threads.

    Subclass it in Cython. `evaluate` and the property `options` are required; `scratch`, `curvature`, `target`,
    `decrease`, what is kept of an iterate, what rules ask along a ray, from `ray_size` to `minimiser`, have defaults.
    loss.pxd says what each must do, and what it must guarantee about rounding: `evaluate` may err by a few u of the
    value and of each entry of the gradient, and has to bound what it errs by beyond that in `Value.rounding` and
    `Value.gradient_error`.

    Parameters
    ----------
    shape : (int, int)
        The shape (n, m) of W.
    mu, K : float
        Strong convexity and smoothness constants, `0 <= mu <= K`, `K > 0`. They are taken on trust here:
        a training run whose declared K is too small ends with the status `"guarantee_failed"`. An infinite K says that
        there is none: such a loss has its own `upper` and `upper_minimiser`, and tells `Value.K` in `evaluate_here`.
    minimum : float
        l* = min l(W), or NaN if it is unknown.

    Attributes
    ----------
    quadratic : bool
        Whether the Hessian is the same at every W, and diagonal row by row: the only sense in which a loss is called
        quadratic here. It is what `curvature` says.
    hessian : (n,) array or None
        Of a quadratic loss, the factors of the rows of W, as a new array.
    minimizer : (n, m) array or None
        Where the loss takes its minimum, as a new array, if it knows.
    target_summary : (float, float, float) or None
        Least singular value, Frobenius norm and rank of Y, for a loss that is `||X W - Y||_F^2 / 2`.
    """

    minimizer = None

    def __init__(self, shape, *, mu, K, minimum=math.nan):
        if self.n:
            # descents that are under way point into its arrays
            raise TypeError(f"{type(self).__name__}: expected a loss to be left as it is, got a second call of its "
                            "__init__; make another one")
        if not (isinstance(K, float) and K == math.inf):
            K = as_number("K", K, positive=True)
        mu, minimum = as_number("mu", mu), as_double("minimum", minimum)
        self.n, self.m = as_shape(shape)
        self.mu, self.K, self.minimum = mu, K, minimum

    cdef bint complete(self) noexcept:
        """Whether `__init__` has been run to its end."""
        return self.n > 0

    cdef int check(self) except -1:
        """Raise if it has not."""
        if not self.complete():
            raise TypeError(f"{type(self).__name__}: expected a loss that its __init__ has made, got one that has not "
                            "been through it; call the class")
        if self.K == INFINITY and not self.kept_size():
            raise TypeError(f"{type(self).__name__}: expected a finite K, or a class that tells `Value.K` in "
                            "`evaluate_here` and has its own `upper`, got an infinite K")
        return 0

    @property
    def shape(self):
        """The shape (n, m) of W."""
        return self.n, self.m

    @property
    def quadratic(self):
        """Whether the Hessian is the same at every W, and diagonal row by row."""
        self.check()
        return self.curvature() != NULL

    @property
    def hessian(self):
        """The diagonal of the Hessian of a quadratic loss, one number a row of W, as a new array; None of others."""
        self.check()
        cdef const double* d = self.curvature()
        return None if d == NULL else np.array(<const double[:self.n]> d)

    @property
    def target_summary(self):
        """Least singular value, Frobenius norm and rank of Y, if the loss is `||X W - Y||_F^2 / 2`; None of others."""
        cdef TargetSummary found
        self.check()
        return (found.least, found.norm, found.rank) if self.target(&found) else None

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
        self.check()
        return _make, (type(self), self.options)

    def __repr__(self):
        return (f"{type(self).__name__}(shape={self.shape}, mu={self.mu:.4g}, K={self.K:.4g}, "
                f"minimum={self.minimum:.4g})")

    cdef Py_ssize_t scratch(self) noexcept nogil:
        """How many doubles `evaluate` wants to work in."""
        return 0

    cdef int most_threads(self) noexcept nogil:
        """How many threads `evaluate` can use."""
        return 1

    cdef void evaluate(self, const double* W, Value* value, double* G, double* scratch) noexcept nogil:
        """Fill `value`, and unless it is NULL G; what a loss does not know it leaves."""
        pass

    cdef const double* curvature(self) noexcept nogil:
        """The (n,) factors of the rows of W that are the Hessian of a quadratic loss; NULL of others."""
        return NULL

    cdef bint target(self, TargetSummary* target) noexcept nogil:
        """Fill `target` and return True, for a squared loss without ridge."""
        return False

    cdef double decrease(self, const double* W_old, const double* W, double before, double after,
                         double* terms) noexcept nogil:
        """Return l(W_old) - l(W), and in `terms` what its rounding is relative to."""
        terms[0] = fabs(before) + fabs(after)
        return before - after

    cdef Py_ssize_t ray_size(self) noexcept nogil:
        """How many doubles of its own the loss wants for a ray."""
        return 2 * <Py_ssize_t> self.n * self.m

    cdef Py_ssize_t kept_size(self) noexcept nogil:
        """How many doubles the loss keeps of an iterate."""
        return 0

    cdef Py_ssize_t carried_size(self) noexcept nogil:
        """How many of them go from iterate to iterate."""
        return 0

    cdef void evaluate_here(self, const double* W, Value* value, double* G, double* here, bint carried,
                            double* scratch) noexcept nogil:
        """Fill `value`, G and `here`."""
        self.evaluate(W, value, G, scratch)

    cdef bint carry(self, const double* own, double eta, double slack, const double* before,
                    double* here) noexcept nogil:
        """Fill what is carried along a step, or return False."""
        return False

    cdef void prepare(self, Ray* ray, double* scratch) noexcept nogil:
        """Begin a ray."""
        ray.gB = ray.tt = ray.tb = ray.bb = ray.ht = ray.hb = ray.hh = NAN
        ray.evaluations = ray.gradients = 0.0

    cdef double change(self, Ray* ray, double eta, double* rounding, double* scratch) noexcept nogil:
        """Return l(W(eta)) - l(W), and in `rounding` what it may be off by."""
        cdef bint known = ray.gap == ray.gap
        cdef double terms, fallen
        cdef Value value
        move(ray, <Py_ssize_t> self.n * self.m, eta, ray.own)
        forget(&value)
        self.evaluate(ray.own, &value, NULL, scratch)
        ray.evaluations += 1
        fallen = self.decrease(ray.W, ray.own, ray.gap if known else ray.loss, value.gap if known else value.loss,
                               &terms)
        rounding[0] = 2.0 * U * terms + value.rounding if isfinite(terms) else NAN
        return -fallen

    cdef double slope(self, Ray* ray, double eta, double* scratch) noexcept nogil:
        """Return the derivative of l(W(eta)): <grad l(W(eta)), 2 eta B - tau>."""
        cdef Py_ssize_t size = <Py_ssize_t> self.n * self.m
        cdef double* G = ray.own + size
        cdef Value value
        move(ray, size, eta, ray.own)
        forget(&value)
        self.evaluate(ray.own, &value, G, scratch)
        ray.evaluations += 1
        ray.gradients += 1
        return 2.0 * eta * dot(size, G, ray.B) - dot(size, G, ray.tau)

    cdef double upper(self, Ray* ray, double eta, double* scratch) noexcept nogil:
        """Return a number that l(W(eta)) - l(W) is not above."""
        cdef Quartic q
        return -fall(&q, eta) if majorizer(ray, self, &q) else INFINITY

    cdef double upper_minimiser(self, Ray* ray, double* scratch) noexcept nogil:
        """Return the first positive minimiser of `upper`, or 0."""
        cdef Quartic q
        return first_minimiser(&q) if majorizer(ray, self, &q) else 0.0

    cdef bint minimiser(self, Ray* ray, double* eta, double* scratch) noexcept nogil:
        """Where there is a formula, set `eta` to the first positive minimiser of l along the ray, or 0."""
        cdef Quartic q
        if self.curvature() == NULL:
            return False
        eta[0] = first_minimiser(&q) if equality(ray, self, &q) else 0.0
        return True

    def take_error(self):
        """Return the exception that a Python part of the loss raised in this thread, once; else None."""
        return None

    def value_and_gradient(self, W):
        """Return l(W), l(W) - l* and the gradient at the (n, m) array W."""
        cdef Value value
        self.check()
        given = as_doubles("W", W, 2)
        if given.shape != self.shape:
            raise ValueError(f"W: expected shape {self.shape}, got {given.shape}")
        gradient = np.full(self.shape, NAN)
        cdef const double[:, ::1] at = given
        cdef double[:, ::1] G = gradient
        cdef double[::1] scratch = np.empty(max(1, self.scratch()))
        with nogil:
            forget(&value)
            self.evaluate(&at[0, 0], &value, &G[0, 0], &scratch[0])
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
        array = as_array(name, value)
        if array.dtype.kind not in "buif":
            raise TypeError(f"{name}: expected numbers, a string, a function or None, got {shown(value)}")
        found.update(repr((name, array.shape)).encode())
        with np.errstate(over="ignore"):
            found.update(array.astype(np.float64, order="C").data)
    return found.hexdigest()
