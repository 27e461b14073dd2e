"""A loss that is a Python function: called with the GIL, from inside the loop.

What its rounding is trusted for, and what follows from `hessian_form` and `concordance`: docs/theory.md, section 12.
"""

import math
import threading

import numpy as np

from libc.math cimport INFINITY, NAN, exp, fabs, isfinite, sqrt
from libc.string cimport memcpy, memset

from ..validation import as_callable, as_double, as_doubles, as_number, shown
from ..linalg.blas cimport dot
from ..linalg.elementary cimport excess
from .loss cimport Loss, Ray, Value
from ..linalg.extremes cimport fmax
from ..linalg.rounding cimport LEAST, U

# A function is trusted to so many u of its value, and to as many of the gradient that goes with such a value. Nobody
# can know how somebody else's sums round; 1e-13 is what NumPy's keep to on ten thousand rows.
cdef double TRUSTED = 1000.0


# Without a global K: how much the curvature may have changed on the way before it is asked for again, and what it is
# multiplied by for where rounding may have put W.
cdef double AWAY = 4.0
cdef double NEARBY = 2.0

# To find a minimiser of a bound, of which nearly all is as good: 2^-20 of it.
cdef enum:
    DOUBLINGS = 200
    HALVINGS = 20


cdef inline double psi(double t) noexcept nogil:
    """(exp(t) - 1 - t) / t^2, rounded up for small t >= 0."""
    return 0.5 * (1.0 + t) if t < 1e-8 else excess(t) / (t * t)


cdef inline double psi_slope(double t) noexcept nogil:
    """The derivative of psi, ((t - 2) exp(t) + t + 2) / t^3, to some digits."""
    return 1.0 / 6 + t * (1.0 / 12 + t / 40) if t < 0.01 else ((t - 2.0) * exp(t) + t + 2.0) / (t * t * t)


cdef inline double slope_along(const double* own, double a, double gB, double eta) noexcept nogil:
    """The derivative of -a eta + gB eta^2 + root^2 psi(t), with what is known of a ray."""
    cdef double root = eta * (own[TAU_FORM] + eta * own[B_FORM])
    cdef double t = eta * (own[TAU_CHANGE] + eta * own[B_CHANGE])
    return (2.0 * eta * gB - a + 2.0 * root * (own[TAU_FORM] + 2.0 * eta * own[B_FORM]) * psi(t)
            + root * root * psi_slope(t) * (own[TAU_CHANGE] + 2.0 * eta * own[B_CHANGE]))


cdef class PythonLoss(Loss):
    """l(W) and its gradient by a Python function of an (n, m) array.

    An exception in it ends the run; it is kept for the thread that runs the loop, until `take_error` is called there.

    Parameters
    ----------
    function : callable
        Returns l(W) and the (n, m) gradient.
    shape, mu, K, minimum
        As for `Loss`.
    lower_bound : float
        A number that l* is not below; NaN if none is known.
    uncertainty : float
        What `minimum` may exceed l* by.
    hessian_form, concordance : callable, float or callable, optional
        `<M, H M>` with the Hessian at W, a function of (W, M); and a seminorm of U, a function or its multiple of the
        Frobenius norm, with `|D^3 l[U, V, V]| <= seminorm(U) <V, H V>`. With both K may be infinite.
    """

    def __cinit__(self):
        self.errors = {}

    def __init__(self, function, shape, *, mu, K, minimum=math.nan, lower_bound=math.nan, uncertainty=0.0,
                 hessian_form=None, concordance=None):
        function, lower_bound = as_callable("function", function), as_double("lower_bound", lower_bound)
        uncertainty = as_double("uncertainty", uncertainty)
        if (hessian_form is None) != (concordance is None):
            raise ValueError("hessian_form, concordance: expected both or neither, got one")
        if hessian_form is not None:
            as_callable("hessian_form", hessian_form)
            concordance = concordance if callable(concordance) else as_number("concordance", concordance)
        super().__init__(shape, mu=mu, K=K, minimum=minimum)
        if hessian_form is None and self.K == INFINITY:
            raise ValueError("K: expected a finite number, or hessian_form and concordance in its place, got none")
        self.hessian_form, self.concordance = hessian_form, concordance
        self.function, self.lower_bound, self.uncertainty = function, lower_bound, uncertainty

    cdef bint complete(self) noexcept:
        return self.function is not None

    @property
    def options(self):
        """The arguments that make this loss again, by name."""
        self.check()
        return {"function": self.function, "shape": self.shape, "mu": self.mu, "K": self.K, "minimum": self.minimum,
                "lower_bound": self.lower_bound, "uncertainty": self.uncertainty, "hessian_form": self.hessian_form,
                "concordance": self.concordance}

    def take_error(self):
        """Return the exception that the function raised in this thread, once; else None."""
        return self.errors.pop(threading.get_ident(), None)

    cdef void evaluate(self, const double* W, Value* value, double* G, double* scratch) noexcept nogil:
        with gil:
            try:
                self.call(W, &value.loss, G)
            except BaseException as error:
                # not finite: the loop stops here, and Python asks why
                self.errors[threading.get_ident()] = error
                value.loss = NAN
                return
        self._tell(value, self.K)

    cdef void _tell(self, Value* value, double K) noexcept nogil:
        """Fill in what follows from the loss, with K for the curvature here."""
        value.gap = value.loss - self.minimum
        value.gap_error = self.uncertainty
        if value.gap != value.gap and value.loss > self.lower_bound:
            value.gap_error = value.loss - self.lower_bound
        value.rounding = TRUSTED * U * (fabs(value.loss) + (0.0 if value.gap != value.gap else fabs(self.minimum)))
        value.gradient_error = TRUSTED * U * sqrt(2.0 * K * fabs(value.loss))

    # Where there is no global K: a bound on the curvature near an iterate, the sum of its diagonal once in a while, and
    # from there what the way may have made of it.

    cdef Py_ssize_t kept_size(self) noexcept nogil:
        return self.carried_size()

    cdef Py_ssize_t carried_size(self) noexcept nogil:
        return REFERENCE + <Py_ssize_t> self.n * self.m if self.K == INFINITY else 0

    cdef Py_ssize_t scratch(self) noexcept nogil:
        return <Py_ssize_t> self.n * self.m

    cdef void evaluate_here(self, const double* W, Value* value, double* G, double* here, bint carried,
                            double* scratch) noexcept nogil:
        cdef Py_ssize_t i, size = <Py_ssize_t> self.n * self.m
        cdef double grown = INFINITY
        self.evaluate(W, value, G, scratch)
        if not isfinite(value.loss):
            return      # the run ends here
        if carried:
            for i in range(size):
                scratch[i] = W[i] - here[REFERENCE + i]
            grown = exp(self.change_along(scratch))
        if not grown <= AWAY:
            here[CURVATURE] = self.curvature_sum(W, scratch)
            memcpy(here + REFERENCE, W, size * sizeof(double))
            grown = 1.0
        # NEARBY for where W may be by its rounding
        value.K = here[CURVATURE] * grown * NEARBY
        self._tell(value, value.K)

    cdef bint carry(self, const double* own, double eta, double slack, const double* before,
                    double* here) noexcept nogil:
        memcpy(here, before, self.carried_size() * sizeof(double))
        return True

    cdef double curvature_sum(self, const double* W, double* M) noexcept nogil:
        """The sum of the diagonal of the Hessian at W, which no curvature of a convex loss exceeds."""
        cdef double s = 0.0
        cdef Py_ssize_t i, size = <Py_ssize_t> self.n * self.m
        memset(M, 0, size * sizeof(double))
        for i in range(size):
            M[i] = 1.0
            s += self.form(W, M)
            M[i] = 0.0
            if s != s:
                return NAN      # Python has raised: it is not asked again
        return s * (1.0 + TRUSTED * U)

    # Along a ray: docs/theory.md, section 12.

    cdef Py_ssize_t ray_size(self) noexcept nogil:
        return Loss.ray_size(self) + RAY_NUMBERS

    cdef void prepare(self, Ray* ray, double* scratch) noexcept nogil:
        Loss.prepare(self, ray, scratch)
        ray.own[Loss.ray_size(self) + TAU_FORM] = NAN

    cdef double* _numbers(self, Ray* ray) noexcept nogil:
        """What is known of the ray; NULL if that is no more than K."""
        cdef double* own = ray.own + Loss.ray_size(self)
        if self.hessian_form is None:
            return NULL
        if own[TAU_FORM] != own[TAU_FORM]:
            ray.gB = dot(<Py_ssize_t> self.n * self.m, ray.G, ray.B)
            own[B_FORM] = sqrt(self.form(ray.W, ray.B))
            own[TAU_CHANGE], own[B_CHANGE] = self.change_along(ray.tau), self.change_along(ray.B)
            own[TAU_FORM] = sqrt(self.form(ray.W, ray.tau))
        return own

    cdef double upper(self, Ray* ray, double eta, double* scratch) noexcept nogil:
        """By K, or by the form of W(eta) - W and what is left of it along the way: the lower of the two."""
        cdef double by_K = Loss.upper(self, ray, eta, scratch) if self.K < INFINITY else INFINITY, q, root, t
        cdef double* own = self._numbers(ray)
        if own == NULL:
            return by_K
        root = eta * (own[TAU_FORM] + eta * own[B_FORM])
        t = eta * (own[TAU_CHANGE] + eta * own[B_CHANGE])
        q = root * root * psi(t) * (1.0 + 2.0 * TRUSTED * U)
        q += eta * (eta * ray.gB - ray.a)
        return q if not q > by_K else by_K

    cdef double upper_minimiser(self, Ray* ray, double* scratch) noexcept nogil:
        """The only zero of the slope of a convex function, or, where that is lower, the quartic's of K."""
        cdef double low = 0.0, high, middle, slope, by_K
        cdef double* own = self._numbers(ray)
        cdef int _i
        if own == NULL:
            return Loss.upper_minimiser(self, ray, scratch)
        high = ray.a / fmax(own[TAU_FORM] * own[TAU_FORM] + 2.0 * fabs(ray.gB), LEAST)
        for _i in range(DOUBLINGS):
            slope = slope_along(own, ray.a, ray.gB, high)
            if not slope < 0.0:
                break
            low, high = high, 2.0 * high
        if not slope >= 0.0:
            return 0.0
        for _i in range(HALVINGS):
            middle = 0.5 * (low + high)
            if slope_along(own, ray.a, ray.gB, middle) < 0.0:
                low = middle
            else:
                high = middle
        if self.K < INFINITY:
            by_K = Loss.upper_minimiser(self, ray, scratch)
            if by_K > 0.0 and self.upper(ray, by_K, scratch) < self.upper(ray, low, scratch):
                return by_K
        return low

    cdef object _copied(self, const double* A):
        """The (n, m) matrix at A, as a new array."""
        cdef double[:, ::1] to
        array = np.empty((self.n, self.m))
        to = array
        memcpy(&to[0, 0], A, <Py_ssize_t> self.n * self.m * sizeof(double))
        return array

    cdef double form(self, const double* W, const double* M) noexcept nogil:
        """<M, H M> at W, by Python; infinite beyond float64, NaN where Python raises."""
        with gil:
            try:
                return _size("hessian_form(W, M)", self.hessian_form(self._copied(W), self._copied(M)))
            except BaseException as error:
                self.errors[threading.get_ident()] = error
                return NAN

    cdef double change_along(self, const double* M) noexcept nogil:
        """The seminorm of M, by Python if it is a function."""
        cdef Py_ssize_t size = <Py_ssize_t> self.n * self.m
        cdef double found
        with gil:
            try:
                if not callable(self.concordance):
                    found = self.concordance
                    return found * sqrt(dot(size, M, M)) * (1.0 + (size + 8) * U)
                return _size("concordance(M)", self.concordance(self._copied(M))) * (1.0 + TRUSTED * U)
            except BaseException as error:
                self.errors[threading.get_ident()] = error
                return NAN

    cdef int call(self, const double* W, double* loss, double* G) except -1:
        cdef const double[:, ::1] found
        given = self.function(self._copied(W))
        try:
            value, gradient = given
            if np.ma.is_masked(value) or np.iscomplexobj(value):
                raise TypeError("a value that is masked or complex")
            try:
                loss[0] = value
            except OverflowError:       # an integer beyond float64
                loss[0] = INFINITY
            if type(gradient) is not np.ndarray or gradient.dtype != np.float64 or not gradient.flags.c_contiguous:
                gradient = as_doubles("gradient", gradient)
        except (TypeError, ValueError) as error:
            raise TypeError("value_and_gradient: expected a pair, a number and an array, got "
                            f"{shown(given)}") from error
        if gradient.shape != self.shape:
            raise ValueError(f"value_and_gradient: expected a gradient of shape {self.shape}, got {gradient.shape}")
        if G != NULL:
            found = gradient
            memcpy(G, &found[0, 0], <Py_ssize_t> self.n * self.m * sizeof(double))
        return 0


cdef double _size(name, value) except? -1:
    """What Python has said of a number >= 0: infinite where it is beyond float64, also as a NaN."""
    cdef double found = as_double(name, value)
    if found < 0.0:
        raise ValueError(f"{name}: expected a number >= 0, got {shown(value)}")
    return found if isfinite(found) else INFINITY
