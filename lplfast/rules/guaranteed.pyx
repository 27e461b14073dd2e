"""Step sizes that come with a guarantee, made of the local constants alone."""

from libc.math cimport INFINITY, exp, log1p, sqrt

from ..linalg.extremes cimport fmin
from ..validation import as_number
from .signature import signature
from ..iterate cimport Iterate
from .formulas cimport local_step_at, normal_contraction, normal_step, sharp_smoothness_at, sharp_step_at
from ..losses.loss cimport Loss
from ..spectral.tangent cimport second_order

# The part of nu_hi below which nu_lo may be rounding.
cdef double NOISE = 1e-12


cdef class Local(Capped):
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

    __signature__ = signature('*, cap=None, growth_from=None')

    needs = ("bound", "smooth")

    def __cinit__(self):
        self.first = INFINITY

    def __init__(self, *, cap=None, growth_from=None):
        super().__init__(cap=cap)
        self.growth_from = None if growth_from is None else as_number("growth_from", growth_from, positive=True)
        self.first = INFINITY if growth_from is None else self.growth_from

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"cap": self.cap, "growth_from": self.growth_from}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        it.eta = fmin(self.longest, local_step_at(it))
        if self.first < INFINITY:
            it.eta = fmin(it.eta, self.first * exp(0.5 * it.memory.t * log1p(self.first * self.first)))


cdef class Sharp(Capped):
    """The root of `eta K_t_sharp(eta) = 1`: longer than the local step, and it needs no l*.

    `K_t_sharp(eta) = K s^2 + ||G||_2 + K s^2 ||G||_2 eta + K s_max(W) ||G||_2 ||G||_F eta^2 / 2`, with
    `G` the gradient of l at W; never above K_t (docs/theory.md, section 3). It errs low, as `Local` does.

    Parameters
    ----------
    cap : float, optional
        No step is longer than this.

    Examples
    --------
    >>> Sharp()
    Sharp()
    """

    needs = ("smooth",)

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        it.eta = fmin(self.longest, sharp_step_at(it))


cdef class Contraction(Capped):
    """For a quadratic loss, the step with the best contraction of the gap; some half of `Local`'s iterations.

    `gap(t+1) <= c(eta)^2 gap(t)` with `c(eta) = max(1 - eta nu_lo, eta nu_hi - 1) + q eta^2`,
    `q = ||H^(1/2) B||_F / ||H^(1/2) (W - W*)||_F`, nu_lo and nu_hi the extreme eigenvalues of the tangent kernel and
    B the second-order motion of the product (docs/theory.md, section 9). It is least at
    `min(2 / (nu_lo + nu_hi), nu_lo / (2 q))`. Its squares give another contraction, `min eta nu (2 - eta (nu + Gamma))`
    over nu in (nu_lo, nu_hi) with `Gamma = K_t_sharp - K s^2`, greatest at about
    `min(1 / (nu_lo + Gamma), 2 / (nu_lo + nu_hi + Gamma))`. Of these two and the sharp step the rule takes the one
    with the best guarantee.
    Bounds on nu_lo, nu_hi err to the safe side.

    Parameters
    ----------
    cap : float, optional
        No step is longer than this.

    Examples
    --------
    >>> Contraction()
    Contraction()
    """

    needs = ("quadratic",)

    def __cinit__(self):
        self.needs_B = True

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef double sharp = fmin(self.longest, sharp_step_at(it)), q, eta, short, best, normal, gain
        it.eta = sharp
        if it.hessian == NULL:
            return      # a subclass may have dropped what this rule needs
        q = second_order(it) / sqrt(2.0 * it.gap)
        eta = fmin(2.0 / (it.nu.lo + it.nu.hi), self.longest)
        best = it.nu.lo * sharp * (2.0 - sharp * sharp_smoothness_at(it, sharp))
        if 2.0 * q * eta > it.nu.lo:
            eta = 0.5 * it.nu.lo / q
        # 1 - c^2 = (1 - c) (1 + c), against nu_lo eta (2 - eta K_t)
        short = fmin(eta * it.nu.lo, 2.0 - eta * it.nu.hi) - q * eta * eta
        gain = short * (2.0 - short)
        if gain > best:
            it.eta, best = eta, gain
        normal = fmin(normal_step(it), self.longest)
        # a least eigenvalue that is rounding would let rounding choose
        if it.nu.lo > NOISE * it.nu.hi and normal_contraction(it, normal) > best:
            it.eta = normal
