"""Step sizes found by looking along the ray `W(eta) = W - eta tau + eta^2 B` that the product moves on: (n, m)
matrices, whatever the width. What happens along it is asked of the loss: no rule here knows which one it is on."""

from libc.math cimport NAN, fabs, isfinite

from ..linalg.extremes cimport fmin
from ..validation import as_fraction, as_number
from .signature import signature
from ..iterate cimport BELOW_ROUNDING, NO_FAILURE, TOO_MANY_BACKTRACKS, Iterate
from .formulas cimport sharp_step_at
from .ray cimport begin
from ..losses.loss cimport Loss, Ray

cdef enum:
    DOUBLINGS = 60
    REFINEMENTS = 100
    BACKTRACKS = 100

# The slope at an exact minimizer, against that at 0; and how narrow its bracket may get before that is as good.
cdef double FLAT = 1e-10
cdef double NARROW = 1e-12


cdef inline void count(Iterate* it, const Ray* ray) noexcept nogil:
    """Count what was evaluated along the ray."""
    it.memory.evaluations += ray.evaluations
    it.memory.gradients += ray.gradients


cdef class Majorizer(Capped):
    """Most of the way to the first minimiser of a bound that the loss stays below along the whole step.

    `L(t+1) <= L - a eta + b eta^2 + c eta^3 + d eta^4` with `a = ||grad L||^2`, `b = <G, B> + K/2 ||tau||^2`,
    `c = -K <tau, B>`, `d = K/2 ||B||^2`, where the product moves by `-eta tau + eta^2 B` (docs/theory.md,
    section 8); for a quadratic loss with Hessian H, the equality with `<tau, H tau>` and so on; for softmax and
    logistic losses a lower bound yet, by the curvature of each row along the step (section 12), found nearly. No
    singular value enters the step. What the bound falls by is certified, and never less than at the sharp step: the
    better of the two is taken. It needs no l*.

    Parameters
    ----------
    relax : float
        The part of the first minimiser that is taken, in (0, 1]. All of it is, for a quadratic loss, exact line search,
        whose steps zigzag; 0.9 of it falls by some 99 % as much, and needs a half to a quarter of the iterations
        where the loss is ill conditioned.
    cap : float, optional
        No step is longer than this.

    Examples
    --------
    >>> Majorizer(cap=1.0)
    Majorizer(relax=0.9, cap=1.0)
    """

    __signature__ = signature('*, relax=0.9, cap=None')

    def __cinit__(self):
        self.needs_tau, self.needs_B, self.relax = True, True, 0.9

    def __init__(self, *, relax=0.9, cap=None):
        super().__init__(cap=cap)
        self.relax = as_number("relax", relax, positive=True)
        if self.relax > 1.0:
            raise ValueError(f"relax: expected a number above 0, up to 1, got {self.relax!r}")

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"relax": self.relax, "cap": self.cap}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef Ray ray
        cdef double eta, found
        begin(it, loss, scratch, &ray)
        eta = self.relax * loss.upper_minimiser(&ray, scratch)
        # nothing is promised of the sharp step where K holds near the iterate only
        it.eta = 0.0 if it.K_is_local else fmin(self.longest, sharp_step_at(it))
        if eta > 0.0:
            eta = fmin(self.longest, eta)
            found = loss.upper(&ray, eta, scratch)
            # `upper` is not below its tangent, which mostly settles it without a look at the sharp step
            if found <= it.eta * (it.eta * ray.gB - ray.a) or found <= loss.upper(&ray, it.eta, scratch):
                it.eta = eta
        count(it, &ray)


cdef class ExactLineSearch(Rule):
    """The first minimiser of the loss along the step. Classical.

    For a quadratic loss with Hessian H, `L(t+1) = L - a eta + b eta^2 + c eta^3 + d eta^4` with `a = ||grad L||^2`,
    `b = <G, B> + <tau, H tau>/2`, `c = -<tau, H B>`, `d = <B, H B>/2`, where the product moves by `-eta tau + eta^2 B`.
    For other losses a search for the first zero of the slope: doubling from the majorizer's step, up to which the loss
    falls below it, then regula falsi, until the slope is 1e-10 of that at 0. It looks at (n, m) matrices only.

    Examples
    --------
    >>> ExactLineSearch()
    ExactLineSearch()
    """

    __signature__ = signature('')

    def __cinit__(self):
        self.needs_tau = self.needs_B = True

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef Ray ray
        begin(it, loss, scratch, &ray)
        if not loss.minimiser(&ray, &it.eta, scratch):
            self._search(it, loss, &ray, scratch)
        elif it.eta == 0.0:
            it.eta = sharp_step_at(it)
        count(it, &ray)

    cdef void _search(self, Iterate* it, Loss loss, Ray* ray, double* scratch) noexcept nogil:
        cdef double low = 0.0, at_low = -ray.a, high = loss.upper_minimiser(ray, scratch), at_high, middle, at_middle
        cdef int _i, side = 0       # which end moved last: -1 the left one, 1 the right one
        if high == 0.0:
            high = sharp_step_at(it)
        it.eta = high
        at_high = loss.slope(ray, high, scratch)
        for _i in range(DOUBLINGS):
            if not at_high < 0.0:
                break
            low, at_low, it.eta = high, at_high, high
            high *= 2.0
            at_high = loss.slope(ray, high, scratch)
        if not at_high > 0.0:
            return      # a minimizer, or beyond float64: the last step that was good
        for _i in range(REFINEMENTS):
            middle = low - at_low * ((high - low) / (at_high - at_low))
            if not low < middle < high:
                middle = 0.5 * (low + high)
            at_middle = loss.slope(ray, middle, scratch)
            it.eta = middle
            if fabs(at_middle) <= FLAT * ray.a or high - low <= NARROW * high or not isfinite(at_middle):
                break
            # the Illinois method: the slope at an end that stays twice counts half
            if at_middle < 0.0:
                low, at_low = middle, at_middle
                if side == -1:
                    at_high *= 0.5
                side = -1
            else:
                high, at_high = middle, at_middle
                if side == 1:
                    at_low *= 0.5
                side = 1


cdef class Armijo(Rule):
    """Backtracking until the loss falls enough: `L(t+1) <= L - c eta ||grad L||^2`. Classical (Armijo).

    The first trial is twice the last step, at t = 0 `1 / (K s_max(T)^2)`; each further one is `shrink` times the
    last. Trials look at (n, m) matrices only. Where no step is found the run stops as `"stalled"` and says why.

    Parameters
    ----------
    c : float
        The part of the first-order decrease that is asked for, below 1.
    shrink : float
        What a step that was turned down is multiplied by, below 1.

    Examples
    --------
    >>> Armijo()
    Armijo(c=0.5, shrink=0.5)
    """

    __signature__ = signature('*, c=0.5, shrink=0.5')

    def __cinit__(self):
        self.needs_tau = self.needs_B = True

    def __init__(self, *, c=0.5, shrink=0.5):
        self.c, self.shrink = as_fraction("c", c), as_fraction("shrink", shrink)

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"c": self.c, "shrink": self.shrink}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef Ray ray
        cdef double eta = 2.0 * it.memory.eta, asked, rounding
        cdef int _i
        begin(it, loss, scratch, &ray)
        if eta == 0.0:
            eta = 1.0 / (it.K * it.sigma_max_sq.hi)
        it.eta, it.failure = NAN, TOO_MANY_BACKTRACKS
        for _i in range(BACKTRACKS):
            asked = self.c * eta * ray.a
            if loss.change(&ray, eta, &rounding, scratch) <= -asked:
                it.eta, it.failure = eta, NO_FAILURE
                break
            if asked <= rounding:
                # less than a unit in the last place of what it is measured with
                it.failure = BELOW_ROUNDING
                break
            it.memory.backtracks += 1
            eta *= self.shrink
        count(it, &ray)
