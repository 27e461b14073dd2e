"""A loss that is a Python function: called with the GIL, from inside the loop.

What its rounding is trusted for: docs/theory.md, section 12.
"""

import math
import threading

import numpy as np

from libc.math cimport INFINITY, NAN, fabs, sqrt
from libc.string cimport memcpy

from ..validation import as_callable, as_double, shown
from .loss cimport Loss, Value
from ..linalg.rounding cimport U

# A function is trusted to so many u of its value, and to as many of the gradient that goes with such a value. Nobody
# can know how somebody else's sums round; 1e-13 is what NumPy's keep to on ten thousand rows.
cdef double TRUSTED = 1000.0


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
    """

    def __cinit__(self):
        self.errors = {}

    def __init__(self, function, shape, *, mu, K, minimum=math.nan, lower_bound=math.nan, uncertainty=0.0):
        function, lower_bound = as_callable("function", function), as_double("lower_bound", lower_bound)
        uncertainty = as_double("uncertainty", uncertainty)
        super().__init__(shape, mu=mu, K=K, minimum=minimum)
        self.function, self.lower_bound, self.uncertainty = function, lower_bound, uncertainty

    cdef bint complete(self) noexcept:
        return self.function is not None

    @property
    def options(self):
        """The arguments that make this loss again, by name."""
        self.check()
        return {"function": self.function, "shape": self.shape, "mu": self.mu, "K": self.K, "minimum": self.minimum,
                "lower_bound": self.lower_bound, "uncertainty": self.uncertainty}

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
        value.gap = value.loss - self.minimum
        value.gap_error = self.uncertainty
        if value.gap != value.gap and value.loss > self.lower_bound:
            value.gap_error = value.loss - self.lower_bound
        value.rounding = TRUSTED * U * (fabs(value.loss) + (0.0 if value.gap != value.gap else fabs(self.minimum)))
        value.gradient_error = TRUSTED * U * sqrt(2.0 * self.K * fabs(value.loss))

    cdef int call(self, const double* W, double* loss, double* G) except -1:
        cdef Py_ssize_t size = <Py_ssize_t> self.n * self.m
        cdef double[:, ::1] copied
        cdef const double[:, ::1] found
        array = np.empty((self.n, self.m))
        copied = array
        memcpy(&copied[0, 0], W, size * sizeof(double))
        given = self.function(array)
        try:
            value, gradient = given
            if np.ma.is_masked(value) or np.iscomplexobj(value):
                raise TypeError("a value that is masked or complex")
            try:
                loss[0] = value
            except OverflowError:       # an integer beyond float64
                loss[0] = INFINITY
            gradient = np.asarray(gradient)
            if gradient.dtype.kind not in "buif":
                raise TypeError(f"a gradient of dtype {gradient.dtype}")
            if gradient.dtype.itemsize > sizeof(double):
                with np.errstate(over="ignore"):
                    gradient = gradient.astype(np.float64)
            gradient = np.ascontiguousarray(gradient, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError("value_and_gradient: expected a pair, a number and an array, got "
                            f"{shown(given)}") from error
        if gradient.shape != self.shape:
            raise ValueError(f"value_and_gradient: expected a gradient of shape {self.shape}, got {gradient.shape}")
        if G != NULL:
            found = gradient
            memcpy(G, &found[0, 0], size * sizeof(double))
        return 0
