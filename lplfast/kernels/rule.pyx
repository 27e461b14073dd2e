"""Step-size rules: small immutable objects that look at an iterate and set its `eta`."""

from libc.math cimport INFINITY, NAN, exp, log1p

from .blas cimport dot
from .iterate cimport gap_above
from .local cimport local_step, sharp_step
from .options import as_number
from .quartic cimport Quartic, fall, first_minimiser
from .rounding cimport U


cdef class Rule:
    """A step-size rule. Subclass it in Cython and override `choose`, which sets `it.eta`.

    A rule has no state: what it wants to remember from step to step goes into `it.memory.rule`.

    Attributes
    ----------
    options : dict
        The arguments that make this rule again, by name.
    needs_minimum : bool
        Whether the rule needs l*.
    needs_bound : bool
        Whether the rule needs l* or a lower bound of it.
    needs_quadratic : bool
        Whether the rule is for quadratic losses.
    needs_ray : bool
        Whether the rule looks along the ray that the product moves on: three more products a step.
    """

    needs_minimum = False
    needs_bound = False
    needs_quadratic = False

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

    needs_bound = True

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
                                              gap_above(it)))
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


cdef inline double cross(Iterate* it, const double* x, const double* y) noexcept nogil:
    """<x, y> of two (n, m) matrices."""
    return dot(<Py_ssize_t> it.n * it.m, x, y)


cdef class Majorizer(Rule):
    """The first minimiser of a quartic that the loss stays below along the whole step, whatever the loss.

    `L(t+1) <= L - a eta + b eta^2 + c eta^3 + d eta^4` with `a = ||grad L||^2`, `b = <G, B> + K/2 ||tau||^2`,
    `c = -K <tau, B>`, `d = K/2 ||B||^2`, where the product moves by `-eta tau + eta^2 B` (docs/theory.md). No
    singular value enters the step. What the quartic falls by is certified, and never less than at the sharp step: the
    better of the two is taken. It needs no l*.

    Parameters
    ----------
    cap : float, optional
        No step is longer than this.

    Examples
    --------
    >>> Majorizer(cap=1.0)
    Majorizer(cap=1.0)
    """

    def __init__(self, *, cap=None):
        self.cap = None if cap is None else as_number("cap", cap, positive=True)
        self.longest = INFINITY if cap is None else self.cap
        self.needs_ray = True

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"cap": self.cap}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef Quartic q
        cdef double sharp = min(self.longest, sharp_step(it.K, it.sigma_max_sq.hi, it.sigma_max_W.hi, it.G_max.hi,
                                                         it.G_norm))
        q.a = it.grad_sq
        q.b0 = 0.5 * it.K * cross(it, it.tau, it.tau)
        q.b = cross(it, it.G, it.B) + q.b0
        q.c = -it.K * cross(it, it.tau, it.B)
        q.d = 0.5 * it.K * cross(it, it.B, it.B)
        it.eta = min(self.longest, first_minimiser(&q))
        if not fall(&q, it.eta) >= fall(&q, sharp):
            it.eta = sharp
        # the fall rounds by some u a eta
        it.certified = fall(&q, it.eta) - 16.0 * U * q.a * it.eta


cdef class ExactLineSearch(Rule):
    """The first minimiser of the loss along the step, for a quadratic loss: a quartic in eta.

    `L(t+1) = L - a eta + b eta^2 + c eta^3 + d eta^4` with `a = ||grad L||^2`, `b = <G, B> + <tau, H tau>/2`,
    `c = -<tau, H B>`, `d = <B, H B>/2`, H the Hessian, where the product moves by `-eta tau + eta^2 B`. Classical.

    Examples
    --------
    >>> ExactLineSearch()
    ExactLineSearch()
    """

    needs_quadratic = True

    def __init__(self):
        self.needs_ray = True

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef Quartic q
        cdef double UU, UV, VV
        loss.hessian_forms(it.tau, it.B, &UU, &UV, &VV)
        q.a = it.grad_sq
        q.b0 = 0.5 * UU
        q.b = cross(it, it.G, it.B) + q.b0
        q.c = -UV
        q.d = 0.5 * VV
        it.eta = first_minimiser(&q)
        it.certified = fall(&q, it.eta) - 16.0 * U * q.a * it.eta


cdef class Polyak(Rule):
    """`eta = gap / ||grad L||^2`, the step to l* if the loss were linear (Polyak). No descent is promised.

    Examples
    --------
    >>> Polyak()
    Polyak()
    """

    needs_minimum = True

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        it.eta = it.gap / it.grad_sq
