"""Step-size rules: small immutable objects that look at an iterate and set its `eta`."""

from libc.math cimport INFINITY, NAN

from .iterate cimport Iterate
from .loss cimport Loss
from .options import as_number, signature


cdef class Rule:
    """A step-size rule. Subclass it in Cython and override `choose`, which sets `it.eta`.

    A rule has no state: what it wants to remember from step to step goes into `it.memory.rule`, doubles that are 0
    before its first step.

    Attributes
    ----------
    options : dict
        The arguments that make this rule again, by name.
    needs : tuple of str
        What must be known or hold for this rule to apply: names in `lplfast.steps.NEEDS`.
    needs_tau, needs_B : bool
        Whether it looks at `tau` and `B`, of the ray `W - eta tau + eta^2 B` that the product moves on.
    needs_previous : bool
        Whether it looks at the gradients of one step ago.
    """

    needs = ()

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {}

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil:
        """How many doubles `choose` wants to work in."""
        return 0

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        """Set `it.eta`, a step size, from everything that `it` knows."""
        it.eta = NAN

    def take_error(self):
        """Return the exception that `choose` has met in this thread, once; None if there is none."""
        return None

    def __reduce__(self):
        return _make, (type(self), self.options)

    def __eq__(self, other):
        return type(self) is type(other) and self.options == other.options

    def __hash__(self):
        return hash((type(self), tuple(self.options.items())))

    def __repr__(self):
        said = ", ".join(f"{name}={value!r}" for name, value in self.options.items() if value is not None)
        return f"{type(self).__name__}({said})"


def _make(rule, options):
    return rule(**options)


cdef class Capped(Rule):
    """A rule whose steps can be capped: `self.longest` is the cap, or infinity."""

    __signature__ = signature('*, cap=None')

    def __init__(self, *, cap=None):
        self.cap = None if cap is None else as_number("cap", cap, positive=True)
        self.longest = INFINITY if cap is None else self.cap

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"cap": self.cap}
