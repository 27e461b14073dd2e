"""Step-size rules: small immutable objects that look at an iterate and set its `eta`."""

import numbers
import threading

from libc.math cimport INFINITY, NAN

from ..validation import as_double, as_number
from .signature import signature
from ..iterate cimport NOT_A_STEP, Iterate
from ..losses.loss cimport Loss
from .view cimport IterateView


cdef class Rule:
    """A step-size rule: subclass it, and say how to choose a step.

    In Python, define `choose(self, iterate)`, which is given an `IterateView` and returns the step size; what it raises
    reaches the caller of `train`, with the run so far. In Cython, override `choose`, which sets `it.eta`. A rule has no
    state, as runs on several threads may share it: what it wants to remember from step to step goes into
    `iterate.memory` (`it.memory.rule`), doubles that are 0 before its first step.

    Attributes
    ----------
    options : dict
        The arguments that make this rule again, by name. Of a subclass in Python: its attributes but those that begin
        with an underscore, so that arguments should be kept under their own names. Equality, `repr` and saved runs go
        by them.
    needs : tuple of str
        What must be known or hold for this rule to apply: names in `lplfast.steps.NEEDS`.
    needs_tau, needs_B : bool
        Whether it looks at `tau` and `B`, of the ray `W - eta tau + eta^2 B` that the product moves on.
    needs_previous : bool
        Whether it looks at the gradients of one step ago.

    Examples
    --------
    >>> class Damped(Rule):
    ...     def __init__(self, factor=0.5):
    ...         self.factor = factor
    ...     def choose(self, iterate):
    ...         return self.factor / iterate.K_t_sharp(0.0)
    >>> from lplfast import MatrixFactorization, Network, train
    >>> run = train(MatrixFactorization([[2.0]]), Network([[1.0]], [[1.0]]), Damped(0.8))
    >>> run.status, run.facts.rule
    ('converged', 'Damped(factor=0.8)')
    """

    needs = ()

    def __cinit__(self):
        self.asks = self.needs_previous = callable(getattr(type(self), "choose", None))
        self.errors = {}

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {name: value for name, value in getattr(self, "__dict__", {}).items() if not name.startswith("_")}

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil:
        """How many doubles `choose` wants to work in."""
        return 0

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        """Set `it.eta`, a step size, from everything that `it` knows."""
        it.eta = NAN

    cdef void ask(self, Iterate* it) noexcept with gil:
        """Set `it.eta` by what Python says."""
        cdef IterateView view
        cdef double step
        it.eta = NAN
        try:
            view = IterateView()
            view.it = it
            try:
                eta = self._asked(view)
            finally:
                # the view may have been kept: it is dead before anything else of Python runs
                view.it = NULL
            if isinstance(eta, bool) or not isinstance(eta, numbers.Real):
                raise TypeError(f"step_size: expected a number from {self!r}, got {eta!r}")
            view._write_back(&it.memory.rule[0])
            step = as_double("step_size", eta)
            it.eta = step
            if not 0.0 < step < INFINITY:
                it.failure = NOT_A_STEP
        except BaseException as error:
            self.errors[threading.get_ident()] = error

    cdef object _asked(self, IterateView view):
        return (<object> self).choose(view)

    def take_error(self):
        """Return the exception that Python has raised in this thread when it was asked, once; None if there is none."""
        return self.errors.pop(threading.get_ident(), None)

    def __reduce__(self):
        if compiled_class(type(self)) is Rule:
            # no C attributes to be set: nothing has to be guessed of the arguments
            return _bare, (type(self),), getattr(self, "__dict__", None)
        return _make, (type(self), self.options)

    def __eq__(self, other):
        return type(self) is type(other) and self.options == other.options

    def __hash__(self):
        # options may be lists, as JSON has them
        return hash((type(self), tuple((name, tuple(value) if isinstance(value, list) else value)
                                       for name, value in self.options.items())))

    def __repr__(self):
        said = ", ".join(f"{name}={value!r}" for name, value in self.options.items() if value is not None)
        return f"{type(self).__name__}({said})"


def compiled_class(cls):
    """Return the compiled class that a rule's class is, or is made of."""
    return next(base for base in cls.__mro__ if "__pyx_vtable__" in vars(base))


def _make(rule, options):
    return rule(**options)


def _bare(rule):
    return rule.__new__(rule)


cdef class Capped(Rule):
    """A rule whose steps can be capped: `self.longest` is the cap, or infinity."""

    __signature__ = signature('*, cap=None')

    def __cinit__(self):
        self.longest = INFINITY

    def __init__(self, *, cap=None):
        self.cap = None if cap is None else as_number("cap", cap, positive=True)
        self.longest = INFINITY if cap is None else self.cap

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"cap": self.cap}
