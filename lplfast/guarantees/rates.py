"""A linear rate for a whole run, before its first step. docs/theory.md, section 11."""

import dataclasses
import math

import numpy as np
import scipy

from ..rules import formulas
from ..rules.classical import Constant
from ..rules.guaranteed import Local, Sharp
from ..rules.rule import Rule
from ..spectral.modes import spectral_from
from ..spectral.spectral import ROUNDING, Spectral
from ..validation import as_fraction
from .bounds import InitialBounds, initial_bounds
from .constants import check_pair

__all__ = ["GuaranteedRate", "guaranteed_rate", "rate_of"]

# How many caps or steps the calculator looks at, from the shortest that could count to the longest.
GRID = 160

TINY = float(np.finfo(float).tiny)


@dataclasses.dataclass(frozen=True)
class GuaranteedRate:
    """What `guaranteed_rate` returns.

    Attributes
    ----------
    rate : float
        `gap[t] <= rate**t * gap[0]` when trained with `rule`; 1 if vacuous.
    contraction : float
        `1 - rate`, to full precision.
    rule : Rule or None
        The step-size rule that this is guaranteed for.
    eta_min, eta_cap : float
        All its steps lie between these.
    A, B : float
        `A <= s_min(T)^2 <= s_max(T)^2 <= B` along the whole run. Other rules whose steps lie between eta_min and
        eta_cap and pass the drift condition (history `slack_drift`) contract by `1 - mu A eta_min`.
    vacuous : bool
        Whether nothing is guaranteed.
    message : str
        What is guaranteed and by which theorem; or what is missing, by how much, and what would help.
    """

    rate: float
    contraction: float
    rule: Rule | None
    eta_min: float
    eta_cap: float
    A: float
    B: float
    vacuous: bool
    message: str

    def iterations_to(self, factor):
        """Return after how many iterations the gap is guaranteed to be at most `factor` times the first.

        Examples
        --------
        >>> GuaranteedRate(0.1, 0.9, None, 0, 0, 0, 0, False, "").iterations_to(1e-6)
        6
        """
        factor = as_fraction("factor", factor)
        if self.vacuous:
            return math.inf
        if self.contraction >= 1.0:
            return 1
        # a power that is met exactly must not be rounded past
        steps = math.log(factor) / math.log1p(-self.contraction) * (1 - 1e-12)
        return math.ceil(steps) if steps < math.inf else math.inf


def guaranteed_rate(problem, network, *, rule=None, constants=None):
    """Return the best linear rate that is guaranteed for a whole run, before its first step.

    Two theorems (docs/theory.md, section 11). For any loss, `Sharp(cap=eta_cap)`: the imbalance drifts by at most
    `delta = 2 eta_cap gap[0]` over the run, so that `A = alpha - delta` and `B = beta + delta` bound the singular
    values throughout, and each step contracts by `1 - mu A eta_min (2 - Kbar eta_min)`. For a squared loss, a
    constant step: each step contracts by `max(1 - eta mu A, eta K B - 1) + eta^2 K^(3/2) p2 sqrt(2 gap[0])`, squared.
    The cap or step with the least rate is searched for; the better theorem is returned, with its rule.

    Parameters
    ----------
    problem : Problem
        The loss of the product.
    network : Network
        The initialization, of any width.
    rule : Rule, optional
        The rate of this rule instead: `Sharp` or `Local` with a cap, or `Constant` for a squared loss.
    constants : {"certified", "exact", "power"} or Spectral, optional
        How the run will find its singular values, as in `train`: steps computed from brackets are shorter, by what
        `Spectral.upper_widths` says. With `"power"`, estimates, only a constant step is guaranteed anything.

    Raises
    ------
    TypeError, ValueError
        If these are no problem and network of one shape, or no theorem speaks of the rule.
    OverflowError
        If the loss or its gradient at the network is not a float64 number.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network
    >>> found = guaranteed_rate(MatrixFactorization([[1.0]]), Network([[3.0]], [[0.3]]))
    >>> found.vacuous, found.rate < 0.2
    (False, True)
    """
    check_pair(problem, network)
    if rule is not None and _theorem_for(rule, problem) is None:
        raise ValueError("rule: expected Sharp or Local with a cap, or Constant for a squared loss, got "
                         f"{rule!r}, for which there is no theorem")
    spectral = spectral_from(constants)
    bounds = initial_bounds(problem, network)
    if math.isnan(problem.minimum):
        return _nothing("Vacuous: the minimum of the loss is not known, so no rate towards it is claimed.")
    if not (bounds.alpha > 0 and problem.mu > 0):
        return _nothing(_missing(problem, network, bounds))
    start = _Start.of(problem, bounds, spectral)
    if start is None:
        return _nothing("Vacuous: the gap, the layers and the constants of the loss are too far apart for float64. "
                        "Rescale the data.")
    if rule is not None:
        return _theorem_for(rule, problem)(start) or _nothing(
            f"Vacuous for {rule!r}: its steps are computed from estimates with constants='power', and may be too long."
            if spectral.mode == "power" else
            f"Vacuous for {rule!r}: its steps are too long for the drift of the imbalance to be bounded. Shorten them: "
            "guaranteed_rate without a rule finds the best.")
    # below these lengths drift and curvature are small against alpha, and contraction is proportional to the step
    at, gap = start.bounds, max(start.bounds.gap, TINY)
    short = max(1e-3 * min(at.alpha / (2 * gap), start.mu * at.alpha / max(at.p2 * math.sqrt(2 * gap), TINY)), TINY)
    found = []
    if spectral.mode != "power":
        found.append(_best(lambda x: _descent_theorem(start, Sharp(cap=x / start.unit)), short, _longest_cap(start)))
    if problem.kernel.quadratic:
        found.append(_best(lambda x: _contraction_theorem(start, Constant(x / start.unit)), short, 2.0))
    return max((rate for rate in found if rate is not None), key=lambda rate: rate.contraction, default=_nothing(
        "Vacuous: with constants='power' the steps are computed from estimates, and may be too long."
        if spectral.mode == "power" else
        "Vacuous: the guaranteed contraction of a step is too small for float64."))


def _nothing(message):
    return GuaranteedRate(1.0, 0.0, None, 0.0, 0.0, 0.0, math.inf, True, message)


@dataclasses.dataclass(frozen=True)
class _Start:
    """A start in units in which K = 1 and beta = 1, so that no product leaves float64 before the result does.

    A step of eta is `x = eta * unit` here, a rate is the same. `bounds` are in these units.
    """

    mu: float
    unit: float
    beta: float
    bounds: InitialBounds
    spectral: Spectral

    @classmethod
    def of(cls, problem, bounds, spectral):
        """Return the start of a run from its InitialBounds; None if even these units leave float64."""
        K, beta = problem.K, bounds.beta
        unit, gap = K * beta, bounds.gap / K / beta / beta
        if not (TINY < unit < math.inf and gap < math.inf):
            return None
        D = bounds.imbalance
        scaled = dataclasses.replace(
            bounds, alpha=bounds.alpha / beta, beta=1.0, p1=bounds.p1 / beta, p2=bounds.p2 / beta, K=1.0, gap=gap,
            imbalance=dataclasses.replace(D, top=D.top / beta, bottom=D.bottom / beta, nth=D.nth / beta,
                                          mth=D.mth / beta))
        return cls(problem.mu / K, unit, beta, scaled, spectral)

    def rate(self, contraction, rule, eta_min, eta_cap, A, B, theorem):
        """Return the GuaranteedRate in the user's units."""
        contraction = contraction * (1 - 1e-12)     # the bounds themselves are computed to some u
        return GuaranteedRate(1 - contraction, contraction, rule, eta_min, eta_cap, A * self.beta, B * self.beta, False,
                              f"gap[t] <= (1 - {contraction:.4g})^t gap[0] with {rule!r}, by {theorem}.")


def _best(theorem, shortest, longest):
    """Return what a theorem gives at the step length between these where it contracts most; None if nowhere."""
    grid = np.geomspace(min(shortest, 1e-3 * longest), longest, GRID)
    found = [theorem(x) for x in grid]
    contractions = [rate.contraction if rate else 0.0 for rate in found]
    best = int(np.argmax(contractions))
    if not contractions[best] > 0:
        return None
    low, high = np.log(grid[max(best - 1, 0)]), np.log(grid[min(best + 1, GRID - 1)])
    near = scipy.optimize.minimize_scalar(
        lambda power: -(rate.contraction if (rate := theorem(math.exp(power))) else 0.0),
        bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    candidates = [found[best], theorem(math.exp(near.x))]
    return max((rate for rate in candidates if rate), key=lambda rate: rate.contraction)


def _theorem_for(rule, problem):
    """Return the function of a start that gives the rate of a rule; None if no theorem speaks of it."""
    if isinstance(rule, Sharp | Local) and rule.cap is not None and not rule.options.get("growth_from"):
        return lambda start: _descent_theorem(start, rule)
    if isinstance(rule, Constant) and problem.kernel.quadratic:
        return lambda start: _contraction_theorem(start, rule)
    return None


def rate_of(rule, problem, bounds, spectral):
    """Return the GuaranteedRate of one rule from its InitialBounds, or None if nothing is guaranteed for it."""
    theorem = _theorem_for(rule, problem)
    if theorem is None or math.isnan(problem.minimum) or not (bounds.alpha > 0 and problem.mu > 0):
        return None
    start = _Start.of(problem, bounds, spectral)
    return theorem(start) if start else None


# the rule -> its local smoothness constant at (B, p2, gap_0, step), K = 1
SMOOTHNESS = {
    Sharp: lambda B, p2, gap, x: formulas.K_t_sharp(1.0, B, p2, math.sqrt(2 * gap), math.sqrt(2 * gap), x),
    Local: lambda B, p2, gap, x: formulas.K_t(1.0, B, p2, gap, x),
}


def _descent_theorem(start, rule):
    """What the drift lemma and the descent lemma give for a rule with a cap; None if nothing."""
    at, x = start.bounds, rule.cap * start.unit
    A, B = map(float, at.after(2 * x * at.gap))
    # the rule sees upper ends of brackets: its steps may be that much shorter. s_max(W) <= s_max(T)^2 / 2 is one, too
    of_T, of_W = start.spectral.upper_widths
    if not (A > 0 and of_T < math.inf):
        return None
    seen = B * (1 + of_T)
    Kbar = SMOOTHNESS[type(rule)](seen, min(at.p2 * (1 + of_W) + ROUNDING * B, seen / 2), at.gap, x)
    x_min = min(x, 1 / Kbar)
    contraction = start.mu * A * x_min * (2 - Kbar * x_min)
    if not contraction > 0:
        return None     # a cap so long that Kbar is beyond float64, or so short that nothing is left of it
    return start.rate(contraction, rule, min(rule.cap, x_min / start.unit), rule.cap, A, B,
                      "the descent lemma and the drift of the imbalance")


def _longest_cap(start):
    """Return the root of `x Kbar(x) = 1`, above which caps never help."""
    at = start.bounds
    first = 1 / (1 + math.sqrt(2 * at.gap))
    # in units of the first guess: the solver's tolerance is an absolute one
    return first * scipy.optimize.brentq(
        lambda x: x * first * SMOOTHNESS[Sharp](1 + 2 * x * first * at.gap, at.p2, at.gap, x * first) - 1, 0.0, 2.0)


def _contraction_theorem(start, rule):
    """What the contraction of a squared loss gives for a constant step; None if this step is not covered."""
    at, mu, x = start.bounds, start.mu, rule.eta * start.unit
    # products, not powers: a step that is far too long may overflow to infinity
    curve = x * x * at.p2 * math.sqrt(2 * at.gap)
    delta = 0.0
    for _ in range(200):
        A, B = map(float, at.after(delta))
        # 1 - c, which keeps its digits where c is near 1
        short = min(x * mu * A, 2 - x * B) - curve
        if not (A > 0 and short > 0):
            return None
        contraction = short * (2 - short)
        drifted = 2 * B * x * x * at.gap / contraction
        if drifted <= delta:
            return start.rate(contraction, rule, rule.eta, rule.eta, A, B,
                              "the contraction of a squared loss, constant step")
        # a little further than the iteration asks for: it approaches its fixed point from below
        delta = drifted * (1 + 1e-9)
    return None


def _missing(problem, network, bounds):
    """Say why nothing is guaranteed, by how much, and what would help."""
    if not problem.mu > 0:
        return "Vacuous: the loss is not strongly convex (mu = 0); add a ridge (l2 > 0)."
    n, m = problem.kernel.shape
    if network.width < min(n, m):
        return (f"Vacuous: the width {network.width} is below min(n, m) = {min(n, m)}, so the network cannot reach "
                "every W. Widen it.")
    if problem.minimizer is None:
        return ("Vacuous: the imbalance is not large enough, and the minimizer is not known, so there is no margin. "
                "Give the problem its minimizer, or use layers of width at least n + m, or scale one layer up.")
    least = float(np.linalg.svd(problem.to_kernel(problem.minimizer), compute_uv=False)[-1])
    r = math.sqrt(2) * math.sqrt(bounds.gap) / math.sqrt(problem.mu)
    return (f"Vacuous: neither margin nor imbalance is large enough. Margin: the distance to the minimizer may be "
            f"{r:.3g}, and would have to be below its least singular value, {least:.3g}: start from a smaller loss. "
            f"Imbalance: D = W1.T W1 - W2 W2.T would have to have {n} positive or {m} negative eigenvalues, which "
            f"independent layers of width at least {n + m} have: this width is {network.width}; or scale one layer up.")
