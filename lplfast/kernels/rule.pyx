"""Step-size rules: small immutable objects that look at an iterate and set its `eta`."""

from libc.math cimport INFINITY, NAN, exp, log1p

from .local cimport local_step, sharp_step
from .options import as_number


cdef class Rule:
    """A step-size rule. Subclass it in Cython and override `choose`, which sets `it.eta`.

    A rule has no state: what it wants to remember from step to step goes into `it.memory.rule`.

    Attributes
    ----------
    options : dict
        The arguments that make this rule again, by name.
    needs_minimum : bool
        Whether the rule needs l*.
    """

    needs_minimum = False

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        """Set `it.eta`, a step size, from everything that `it` knows."""
        it.eta = NAN

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

    def __init__(self, eta):
        self.eta = as_number("eta", eta, positive=True)

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"eta": self.eta}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        it.eta = self.eta


cdef class Local(Rule):
    """The root of `eta K_t(eta) = 1`: the step size of Xu, Min, Tarmoun, Mallada, Vidal (2025).

    `K_t(eta) = K s^2 + g + 3 K s^2 g eta + 6 K^2 s_max(W) gap eta^2` with `g = sqrt(2 K gap)` and
    `s^2 = s_max(W1)^2 + s_max(W2)^2`. It errs low: K_t is an upper bound, the root is rounded down.

    Parameters
    ----------
    cap : float, optional
        No step is longer than this.
    growth_from : float, optional
        eta_init: step t is no longer than `eta_init * (1 + eta_init**2)**(t/2)`.

    Examples
    --------
    >>> Local(cap=0.5)
    Local(cap=0.5)
    """

    needs_minimum = True

    def __init__(self, *, cap=None, growth_from=None):
        self.cap = None if cap is None else as_number("cap", cap, positive=True)
        self.growth_from = None if growth_from is None else as_number("growth_from", growth_from, positive=True)
        self.longest = INFINITY if cap is None else self.cap
        self.first = INFINITY if growth_from is None else self.growth_from

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"cap": self.cap, "growth_from": self.growth_from}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        it.eta = min(self.longest, local_step(it.K, it.sigma_max_sq.hi, it.sigma_max_W.hi,
                                              it.gap + it.gap_error))
        if self.first < INFINITY:
            it.eta = min(it.eta, self.first * exp(0.5 * it.memory.t * log1p(self.first * self.first)))


cdef class Sharp(Rule):
    """The root of `eta K_t_sharp(eta) = 1`: longer than the local step, and it needs no l*.

    `K_t_sharp(eta) = K s^2 + ||G||_2 + K s^2 ||G||_2 eta + K s_max(W) ||G||_2 ||G||_F eta^2 / 2`, with
    `G` the gradient of l at W; never above K_t (docs/theory.md). It errs low, as `Local` does.

    Parameters
    ----------
    cap : float, optional
        No step is longer than this.

    Examples
    --------
    >>> Sharp()
    Sharp()
    """

    def __init__(self, *, cap=None):
        self.cap = None if cap is None else as_number("cap", cap, positive=True)
        self.longest = INFINITY if cap is None else self.cap

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"cap": self.cap}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        it.eta = min(self.longest, sharp_step(it.K, it.sigma_max_sq.hi, it.sigma_max_W.hi,
                                              it.G_max.hi, it.G_norm))
