"""Step sizes for any smooth function: they promise nothing here. docs/theory.md, section 4."""

from libc.math cimport INFINITY, sqrt

from ..validation import as_number
from .signature import signature
from ..linalg.blas cimport norm
from .formulas cimport sharp_step_at
from ..iterate cimport Iterate, excess
from ..losses.loss cimport Loss
from ..linalg.extremes cimport fmin
from ..linalg.passes cimport distance_sq
from .rule cimport Rule


cdef class Constant(Rule):
    """The same step size at every step.

    Parameters
    ----------
    eta : float
        The step size, positive.

    Examples
    --------
    >>> Constant(0.1)
    Constant(eta=0.1)
    """

    cdef readonly double eta

    __signature__ = signature('eta')

    def __init__(self, eta):
        self.eta = as_number("eta", eta, positive=True)

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"eta": self.eta}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        it.eta = self.eta


cdef class Polyak(Rule):
    """`eta = gap / ||grad L||^2`, the step to l* if the loss were linear (Polyak). No descent is promised.

    For a network narrower than min(n, m) on a squared loss, the gap less what no network of its width goes below: that
    is the minimum it can step to. Where this is not known, the steps are far too long in the end.

    Examples
    --------
    >>> Polyak()
    Polyak()
    """

    __signature__ = signature('')

    needs = ("minimum",)

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        it.eta = excess(it) / it.grad_sq


cdef class AdGD(Rule):
    """Adaptive gradient descent of Malitsky and Mishchenko (2020): the local curvature, from the last two gradients.

    `eta_t = min(sqrt(1 + theta) eta_{t-1}, ||x_t - x_{t-1}|| / (2 ||grad L_t - grad L_{t-1}||))` with
    `theta = eta_{t-1} / eta_{t-2}`, x both layers together; at t = 1 the second term alone. Where the gradient has not
    changed at all, the first term, with `theta = 1` at t = 1. No descent is promised.

    Parameters
    ----------
    initial : float
        The step at t = 0: short, to look around.

    Examples
    --------
    >>> AdGD()
    AdGD(initial=1e-10)
    """

    cdef readonly double initial

    __signature__ = signature('*, initial=1e-10')

    def __cinit__(self):
        self.needs_previous = True

    def __init__(self, *, initial=1e-10):
        self.initial = as_number("initial", initial, positive=True)

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"initial": self.initial}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef Py_ssize_t size = (<Py_ssize_t> it.n + it.m) * it.k
        cdef double* last = &it.memory.rule[0]      # eta_{t-1}, eta_{t-2}; 0 where there is none
        cdef double change, growth = INFINITY
        if last[0] == 0.0:
            it.eta = self.initial
        else:
            change = 2.0 * sqrt(distance_sq(size, it.g1, it.g_old))
            if last[1] > 0.0:
                growth = sqrt(1.0 + last[0] / last[1]) * last[0]
            elif change == 0.0:
                growth = sqrt(2.0) * last[0]
            # a step is eta grad L
            it.eta = fmin(growth, last[0] * norm(size, it.g_old) / change) if change > 0.0 else growth
        last[1], last[0] = last[0], it.eta


cdef class BarzilaiBorwein(Rule):
    """The longer step of Barzilai and Borwein (1988): the inverse of the curvature that the last step has met.

    `eta_t = <s, s> / <s, y>` with `s = x_t - x_{t-1}` and `y = grad L_t - grad L_{t-1}`, x both layers together. Where
    `<s, y>` is not positive the root of `eta K_t_sharp(eta) = 1`, which descends; of a loss without K, by its curvature
    where the step begins, which promises nothing. No descent is promised of the others.

    Parameters
    ----------
    initial : float, optional
        The step at t = 0; by default that root, too.

    Examples
    --------
    >>> BarzilaiBorwein(), BarzilaiBorwein(initial=0.1)
    (BarzilaiBorwein(), BarzilaiBorwein(initial=0.1))
    """

    cdef readonly object initial
    cdef double first           # 0: as if <s, y> were not positive

    __signature__ = signature('*, initial=None')

    def __cinit__(self):
        self.needs_previous = True

    def __init__(self, *, initial=None):
        self.initial = None if initial is None else as_number("initial", initial, positive=True)
        self.first = 0.0 if initial is None else self.initial

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"initial": self.initial}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef double* last = &it.memory.rule[0]      # eta_{t-1}; 0 where there is none
        cdef double square = 0.0, bent = 0.0
        cdef Py_ssize_t i
        it.eta = self.first if last[0] == 0.0 else 0.0
        if last[0] > 0.0:
            # a step is eta grad L; differences first, so that a short step loses no digits
            for i in range((<Py_ssize_t> it.n + it.m) * it.k):
                square += it.g_old[i] * it.g_old[i]
                bent += it.g_old[i] * (it.g_old[i] - it.g1[i])
            if bent > 0.0:
                it.eta = last[0] * square / bent
        if it.eta == 0.0:
            it.eta = sharp_step_at(it)
        last[0] = it.eta
