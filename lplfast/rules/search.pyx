"""Step sizes found by looking along the ray `W(eta) = W - eta tau + eta^2 B` that the product moves on: (n, m)
matrices, whatever the width."""

from libc.math cimport NAN, fabs, fmin, isfinite

from ..validation import as_number
from .signature import signature
from ..linalg.blas cimport dot, largest_at
from ..spectral.eigenvalues cimport TINY
from ..iterate cimport BELOW_ROUNDING, TOO_MANY_BACKTRACKS, Iterate
from .formulas cimport sharp_step
from ..losses.loss cimport Loss, Value, forget
from ..linalg.quartic cimport Quartic, fall, first_minimiser
from ..linalg.rounding cimport U
from ..linalg.passes cimport weighted_cross, weighted_square

cdef enum:
    DOUBLINGS = 60
    REFINEMENTS = 100
    BACKTRACKS = 100

# The slope at an exact minimizer, against that at 0; and how narrow its bracket may get before that is as good.
cdef double FLAT = 1e-10
cdef double NARROW = 1e-12


cdef inline double cross(Iterate* it, const double* x, const double* y) noexcept nogil:
    """<x, y> of two (n, m) matrices."""
    return dot(<Py_ssize_t> it.n * it.m, x, y)


cdef inline double sharp(Iterate* it) noexcept nogil:
    return sharp_step(it.K, it.sigma_max_sq.hi, it.sigma_max_W.hi, it.G_max.hi, it.G_norm)


cdef bint quartic(Iterate* it, double scale, const double* hessian, Quartic* q) noexcept nogil:
    """The quartic along the ray whose curvature is that of the Hessian, or of `scale I` if it is NULL; False where a
    square of tau or B has underflowed."""
    cdef Py_ssize_t size = <Py_ssize_t> it.n * it.m
    cdef double tt, tb, bb
    if hessian != NULL:
        tt = weighted_square(it.n, it.m, hessian, it.tau)
        tb = weighted_cross(it.n, it.m, hessian, it.tau, it.B)
        bb = weighted_square(it.n, it.m, hessian, it.B)
    else:
        tt, tb, bb = dot(size, it.tau, it.tau), dot(size, it.tau, it.B), dot(size, it.B, it.B)
    if not tt > TINY or (not bb > TINY and it.B[largest_at(it.n * it.m, it.B)] != 0.0):
        return False
    q.a = it.grad_sq
    q.b0 = 0.5 * scale * tt
    q.b = 1.0 + dot(size, it.G, it.B) / q.b0
    q.c = -2.0 * tb / tt
    q.d = bb / tt
    return True


cdef void move(Iterate* it, double eta, double* W) noexcept nogil:
    """W = W(eta)"""
    cdef Py_ssize_t i
    for i in range(<Py_ssize_t> it.n * it.m):
        W[i] = it.W[i] - eta * (it.tau[i] - eta * it.B[i])


cdef double slope(Iterate* it, Loss loss, double eta, double* W, double* G, double* scratch) noexcept nogil:
    """The derivative of l(W(eta)): <grad l(W(eta)), 2 eta B - tau>. W and G (n, m) are overwritten."""
    cdef Value value
    move(it, eta, W)
    forget(&value)
    loss.evaluate(W, &value, G, scratch)
    it.memory.evaluations += 1
    it.memory.gradients += 1
    return 2.0 * eta * cross(it, G, it.B) - cross(it, G, it.tau)


cdef class Majorizer(Capped):
    """The first minimiser of a quartic that the loss stays below along the whole step, whatever the loss.

    `L(t+1) <= L - a eta + b eta^2 + c eta^3 + d eta^4` with `a = ||grad L||^2`, `b = <G, B> + K/2 ||tau||^2`,
    `c = -K <tau, B>`, `d = K/2 ||B||^2`, where the product moves by `-eta tau + eta^2 B` (docs/theory.md,
    section 8). No singular value enters the step. What the quartic falls by is certified, and never less
    than at the sharp step: the better of the two is taken. It needs no l*.

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
        super().__init__(cap=cap)
        self.needs_tau = self.needs_B = True

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef Quartic q
        cdef double other = fmin(self.longest, sharp(it))
        it.eta = other
        if quartic(it, it.K, NULL, &q):
            it.eta = fmin(self.longest, first_minimiser(&q))
            if not fall(&q, it.eta) >= fall(&q, other):
                it.eta = other


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

    def __init__(self):
        self.needs_tau = self.needs_B = True

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil:
        return 2 * <Py_ssize_t> n * m

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef Quartic q
        if it.hessian == NULL:
            self._search(it, loss, scratch)
        else:
            it.eta = first_minimiser(&q) if quartic(it, 1.0, it.hessian, &q) else sharp(it)

    cdef void _search(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef double* W = scratch
        cdef double* G = W + <Py_ssize_t> it.n * it.m
        cdef double* rest = G + <Py_ssize_t> it.n * it.m
        cdef Quartic q
        cdef double high = first_minimiser(&q) if quartic(it, it.K, NULL, &q) else sharp(it)
        cdef double low = 0.0, at_low = -it.grad_sq, at_high, middle, at_middle
        cdef int _i, side = 0       # which end moved last: -1 the left one, 1 the right one
        it.eta = high
        at_high = slope(it, loss, high, W, G, rest)
        for _i in range(DOUBLINGS):
            if not at_high < 0.0:
                break
            low, at_low, it.eta = high, at_high, high
            high *= 2.0
            at_high = slope(it, loss, high, W, G, rest)
        if not at_high > 0.0:
            return      # a minimizer, or beyond float64: the last step that was good
        for _i in range(REFINEMENTS):
            middle = low - at_low * ((high - low) / (at_high - at_low))
            if not low < middle < high:
                middle = 0.5 * (low + high)
            at_middle = slope(it, loss, middle, W, G, rest)
            it.eta = middle
            if fabs(at_middle) <= FLAT * it.grad_sq or high - low <= NARROW * high or not isfinite(at_middle):
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

    def __init__(self, *, c=0.5, shrink=0.5):
        self.c = as_number("c", c, positive=True)
        self.shrink = as_number("shrink", shrink, positive=True)
        for name, value in self.options.items():
            if not value < 1.0:
                raise ValueError(f"{name}: expected a number between 0 and 1, got {value!r}")
        self.needs_tau = self.needs_B = True

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"c": self.c, "shrink": self.shrink}

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil:
        return <Py_ssize_t> n * m

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef double* W = scratch
        cdef double* rest = W + <Py_ssize_t> it.n * it.m
        cdef double eta = 2.0 * it.memory.eta, before, after, terms, decrease
        cdef bint known = it.gap == it.gap
        cdef Value value
        cdef int _i
        if eta == 0.0:
            eta = 1.0 / (it.K * it.sigma_max_sq.hi)
        before = it.gap if known else it.loss
        it.eta = NAN
        for _i in range(BACKTRACKS):
            move(it, eta, W)
            forget(&value)
            loss.evaluate(W, &value, NULL, rest)
            it.memory.evaluations += 1
            after = value.gap if known else value.loss
            decrease = loss.decrease(it.W, W, before, after, &terms)
            if decrease >= self.c * eta * it.grad_sq:
                it.eta = eta
                return
            if isfinite(terms) and self.c * eta * it.grad_sq <= 2.0 * U * terms + value.rounding:
                # what is asked for is less than a unit in the last place of what it is measured with
                it.failure = BELOW_ROUNDING
                return
            it.memory.backtracks += 1
            eta *= self.shrink
        it.failure = TOO_MANY_BACKTRACKS
