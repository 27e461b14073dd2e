"""What the initialization alone guarantees: bounds on the local constants, and a rate for the whole run.

docs/theory.md, sections 10 and 11.
"""

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
from ..validation import as_choice
from .constants import check_pair, evaluated

__all__ = ["GuaranteedRate", "InitialBounds", "guaranteed_rate", "initial_bounds"]

MARGINS = ("best", "xu2023")

# How many caps or steps the calculator looks at, from the shortest that could count to the longest.
GRID = 160

EPS, TINY = float(np.finfo(float).eps), float(np.finfo(float).tiny)


@dataclasses.dataclass(frozen=True)
class InitialBounds:
    """What `initial_bounds` returns.

    Attributes
    ----------
    alpha, beta : float
        `alpha <= s_min(T)^2 <= s_max(T)^2 <= beta` for every network with this imbalance whose gap is at most
        this one; in particular along gradient flow, and here.
    p1, p2 : float
        `p1 <= s_min(W)`, `s_max(W) <= p2` for every W whose gap is at most this one.
    mu_lower : float
        `mu alpha`, a lower bound on the local PL constant.
    gap : float
        The gap they hold for, an upper bound.
    """

    alpha: float
    beta: float
    p1: float
    p2: float
    mu_lower: float
    gap: float
    K: float
    imbalance: "Imbalance"

    def after(self, drift):
        """Return `alpha - drift` or better, and `beta + drift`: bounds once the imbalance has moved by at most `drift`.

        As long as the gap is at most this one. `drift` may be an array, such as a run's column of that name.
        """
        return np.maximum(self.alpha - drift, self.imbalance.alpha(self.p1, drift)), self.beta + drift

    def K_upper(self, eta):
        """Return an upper bound on K_t(eta): the formula of Xu et al. (2025) at beta, p2 and this gap."""
        return formulas.K_t(self.K, self.beta, self.p2, self.gap, eta)


@dataclasses.dataclass(frozen=True)
class Imbalance:
    """The eigenvalues of `D = W1.T W1 - W2 W2.T` that the bounds are made of, and the sides they belong to.

    Attributes
    ----------
    n, m : int
        Rows of W1 and columns of W2, as far as the loss can see them.
    top, bottom : float
        `max(lam_1(D), 0)` and `max(lam_1(-D), 0)`.
    nth, mth : float
        `max(lam_n(D), 0)` and `max(lam_m(-D), 0)`.
    """

    n: int
    m: int
    top: float
    bottom: float
    nth: float
    mth: float

    def alpha(self, p1, delta=0.0):
        """Return a lower bound on s_min(T)^2 after every eigenvalue has drifted by at most delta (Min et al. 2022).

        delta may be an array, and so is what is returned then.
        """
        return (_phi(self.bottom + delta, np.maximum(self.nth - delta, 0.0), p1 if self.n <= self.m else 0.0)
                + _phi(self.top + delta, np.maximum(self.mth - delta, 0.0), p1 if self.m <= self.n else 0.0))

    def beta(self, p2):
        """Return an upper bound on s_max(T)^2 (Min et al. 2022, Xu et al. 2023)."""
        return sum((top + math.hypot(top, 2 * p2)) / 2 for top in (self.top, self.bottom))


def _phi(a, b, p):
    """(-a + b + sqrt((a + b)^2 + 4 p^2)) / 2 without cancellation."""
    return b if p == 0 else b + 2 * p * (p / ((a + b) + np.hypot(a + b, 2 * p)))


def initial_bounds(problem, network, *, margins="best"):
    """Return bounds on the local constants from the imbalance of the layers and the gap at `network`.

    With `lam_i` the i-th largest eigenvalue, `D = W1.T W1 - W2 W2.T` and `x+ = max(x, 0)`:
    `s_n(W1)^2 >= phi(lam_1(-D)+, lam_n(D)+, p1)`, `s_m(W2)^2 >= phi(lam_1(D)+, lam_m(-D)+, p1)`, where p1 counts for
    the layer on the shorter side only, and `s_max(W1)^2 <= (lam_1(D)+ + hypot(lam_1(D)+, 2 p2)) / 2`, with -D for W2.
    The eigenvalues of D err to the safe side, with an allowance for rounding.

    Parameters
    ----------
    problem : Problem
        The loss of the product.
    network : Network
        The two layers, of any width.
    margins : {"best", "xu2023"}
        How p1 and p2 come from the gap: the better of what strong convexity and the data say, or the formulas
        printed in Xu et al. (2023), for a squared loss without ridge.

    Raises
    ------
    TypeError, ValueError
        If these are no problem and network of one shape, or the margins do not apply.
    OverflowError
        If the loss or its gradient at the network is not a float64 number.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network
    >>> found = initial_bounds(MatrixFactorization([[1.0]]), Network([[2.0]], [[0.5]]))
    >>> round(found.alpha, 12), round(found.beta, 12)   # W = W*: alpha is s_min(T)^2 = 2^2 + 0.5^2 itself
    (4.25, 5.0)
    """
    check_pair(problem, network)
    as_choice("margins", margins, MARGINS)
    at = evaluated(problem, problem.to_kernel(network.stack()))
    return bounds_at(problem, network, at["gap_above"], at["loss"], margins)


def bounds_at(problem, network, gap, loss=None, margins="best"):
    """Return the InitialBounds at a network whose gap, an upper bound, is known; the loss is for "xu2023" alone."""
    n, m = problem.kernel.shape
    W1, W2t = np.split(problem.to_kernel(network.stack()), [n])
    W2 = W2t.T
    gap += n * m * TINY     # squares that have underflowed
    p1, p2 = _margins(problem, W1 @ W2, gap, loss, margins)
    values = scipy.linalg.eigvalsh(W1.T @ W1 - W2 @ W2.T)
    # forming D and LAPACK's eigenvalues: each side gives way by what they may be off, so that 0 stays 0
    off = (max(n, m) + 2 + 10 * values.size) * EPS * float(np.vdot(W1, W1) + np.vdot(W2, W2))
    imbalance = Imbalance(n, m, top=_largest(values, 1) + off, bottom=_largest(-values, 1) + off,
                          nth=max(_largest(values, n) - off, 0.0), mth=max(_largest(-values, m) - off, 0.0))
    alpha = float(imbalance.alpha(p1))
    return InitialBounds(alpha=alpha, beta=imbalance.beta(p2), p1=p1, p2=p2, mu_lower=problem.mu * alpha, gap=gap,
                         K=problem.K, imbalance=imbalance)


def _largest(values, i):
    """Return the positive part of the i-th largest of `values`, however many zeros are among them."""
    positive = np.sort(values[values > 0])[::-1]
    return float(positive[i - 1]) if i <= positive.size else 0.0


def _margins(problem, W, gap, loss, margins):
    """Return p1 <= s_min(W) and p2 >= s_max(W) for every W of at most this gap."""
    kernel = problem.kernel
    if margins == "xu2023":
        if kernel.target_summary is None:
            raise ValueError(f"margins: expected a squared loss without ridge for 'xu2023', got {problem!r}")
        least, frobenius, _ = kernel.target_summary
        error = math.sqrt(2 * max(loss, 0.0))
        return max(least - error, 0.0) / math.sqrt(kernel.K), (frobenius + error) / math.sqrt(kernel.mu)
    if not (kernel.mu > 0 and gap < math.inf):
        return 0.0, math.inf
    # what rounding may take of a difference, added to a sum
    off = 10 * max(kernel.shape) * EPS
    r = math.sqrt(2) * math.sqrt(gap) / math.sqrt(kernel.mu)
    if problem.minimizer is None:
        # W, too, is within r of the minimizer
        center, r = W, 2 * r
    else:
        center, r = problem.to_kernel(problem.minimizer), r + problem.minimizer_error
    s = np.linalg.svd(center, compute_uv=False)
    p1, p2 = max(s[-1] - r - off * (s[0] + r), 0.0), (s[0] + r) * (1 + off)
    if kernel.quadratic and kernel.minimizer is not None:
        # a squared loss is ||H^(1/2) (W - W*)||^2 / 2: the same in the data's units
        s = np.linalg.svd(np.sqrt(kernel.hessian)[:, np.newaxis] * kernel.minimizer, compute_uv=False)
        error = math.sqrt(2) * math.sqrt(gap)
        p1 = max(p1, max(s[-1] - error - off * (s[0] + error), 0.0) / math.sqrt(kernel.K) * (1 - off))
        p2 = min(p2, (s[0] + error) / math.sqrt(kernel.mu) * (1 + off))
    return float(p1), float(p2)


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
        if not 0.0 < factor < 1.0:
            raise ValueError(f"factor: expected a number between 0 and 1, got {factor!r}")
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
