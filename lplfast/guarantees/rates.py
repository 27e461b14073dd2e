"""A guaranteed curve of the gap for a whole run, before its first step. docs/theory.md, section 11."""

import dataclasses
import math

import numpy as np

from ..annotations import Mode
from ..losses.problems import Problem
from ..network import Network
from ..parts_of_scipy import part_of_scipy
from ..rules.classical import Constant
from ..rules.guaranteed import Local, Sharp
from ..rules.recursion import Recursion
from ..rules.rule import Rule
from ..rules.schedule import Schedule
from ..spectral.modes import spectral_from
from ..spectral.spectral import ROUNDING, Spectral
from ..validation import as_fraction
from .bounds import initial_bounds
from .constants import check_pair
from .envelope import GuaranteedRate
from .margins import NOT_SMOOTH, NOT_UNIQUE

__all__ = ["Start", "guaranteed_rate", "guaranteed_rule", "kind_of", "nothing_guaranteed", "rate_of"]

# How many caps or steps the calculator looks at, from the shortest that could count to the longest.
GRID = 32

# How many steps a guaranteed schedule has at most, and how many phases of one step or cap are told apart.
LONGEST, PHASES = 20_000, 2048

# The part of the first gap up to which a given rule is followed phase by phase.
FOLLOWED = 1e-12

TINY = float(np.finfo(float).tiny)

# A first gap below this, where K and beta are 1, is taken for this: what is known of a gap holds of a smaller one, and
# none underflows while it is followed.
LEAST_GAP = TINY / FOLLOWED


def guaranteed_rate(problem: Problem, network: Network, *, rule: Rule | None = None, factor: float = 1e-6,
                    constants: Mode | Spectral | None = None) -> GuaranteedRate:
    """Return the best curve of the gap that is guaranteed for a whole run, before its first step.

    Step by step, the gap and the drift of the imbalance so far bound the singular values of the layers, these the
    contraction of the next step, and this the next gap and drift (docs/theory.md, section 11). A cap for `Sharp` and a
    schedule of steps are looked for by the descent lemma, a constant step and a schedule for a squared loss by the
    contraction of its tangent kernel too; of these the one with fewest iterations to `factor` is returned, with its
    rule.

    Parameters
    ----------
    problem : Problem
        The loss of the product.
    network : Network
        The initialization, of any width.
    rule : Rule, optional
        The curve of this rule instead: `Schedule`, `Constant`, `Sharp`, or `Local` without `growth_from`.
    factor : float
        The part of the first gap that is to be reached; with a given rule it plays no part.
    constants : {"certified", "exact", "power"} or Spectral, optional
        How the run will find its singular values, as in `train`: steps computed from brackets are shorter, by what
        `Spectral.upper_widths` says. With `"power"`, estimates, only steps that are fixed beforehand are guaranteed
        anything.

    Raises
    ------
    TypeError, ValueError
        If these are no problem and network of one shape, no theorem speaks of the rule, or the factor is not between
        0 and 1.
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
    factor = as_fraction("factor", factor)
    if rule is not None and kind_of(rule) is None:
        raise ValueError("rule: expected Schedule, Constant, Sharp, or Local without growth_from, got "
                         f"{rule!r}, for which there is no theorem")
    spectral = spectral_from(constants)
    bounds = initial_bounds(problem, network)
    if math.isnan(problem.minimum):
        return nothing_guaranteed("Vacuous: the minimum of the loss is not known, so no rate towards it is claimed.")
    if problem.mu_kind == "pl":
        return nothing_guaranteed(NOT_UNIQUE)
    if not (bounds.alpha > 0 and bounds.margins.mu > 0):
        return nothing_guaranteed(_missing(problem, network, bounds))
    if math.isinf(problem.K):
        return nothing_guaranteed(NOT_SMOOTH)
    start = Start.of(bounds, spectral)
    if start is None:
        return nothing_guaranteed("Vacuous: the gap, the layers and the constants of the loss are too far apart for "
                                  "float64. Rescale the data.")
    if rule is not None:
        return start.rate(rule) or nothing_guaranteed(
            f"Vacuous for {rule!r}: its steps are computed from estimates with constants='power', and may be too long."
            if spectral.mode == "power" and kind_of(rule) != "steps" else
            f"Vacuous for {rule!r}: its steps are too long for the drift of the imbalance to be bounded. Shorten them: "
            "guaranteed_rate without a rule finds the best.")
    return start.best(bounds, factor) or nothing_guaranteed(
        "Vacuous: the guaranteed contraction of a step is too small for float64.")


def nothing_guaranteed(message):
    """Return the GuaranteedRate that says nothing, and why."""
    return GuaranteedRate(1.0, 0.0, None, 0.0, 0.0, 0.0, math.inf, True, message)


# What a theorem speaks of, and how the recursion calls their steps; a subclass may choose others.
KINDS = {Constant: "steps", Schedule: "steps", Sharp: "sharp", Local: "local"}


def kind_of(rule):
    """Return how the recursion calls the steps of a rule; None if no theorem speaks of them."""
    return None if type(rule) is Local and rule.growth_from is not None else KINDS.get(type(rule))


def guaranteed_rule(parts):
    """Return the rule that its saved parts make again, None if no theorem speaks of it."""
    # a user's class may have such a name, too, but not without the mark of `rule_parts`
    kinds = {kind.__name__: kind for kind in KINDS}
    try:
        return kinds[parts["class"]](**parts["options"]) if parts["class"] in kinds else None
    except (TypeError, ValueError, OverflowError):
        return None     # options that it does not take: somebody has changed the file


@dataclasses.dataclass(frozen=True)
class Start:
    """A start in units in which K = 1 and beta = 1, so that no product leaves float64 before the result does.

    A step of eta is `eta * unit` there, a rate is the same, a gap is `gap / unit / beta`.
    """

    unit: float
    beta: float
    gap: float
    recursion: Recursion
    estimated: bool

    @classmethod
    def of(cls, bounds, spectral, gap=None, drift=0.0):
        """Return the start of a run from its InitialBounds, or from where gap and drift are at most these.

        None if even these units leave float64.
        """
        K, beta, gap = bounds.K, bounds.beta, bounds.gap if gap is None else gap
        unit = K * beta
        if not (TINY < unit < math.inf and bounds.margins is not None):
            return None
        scaled = max(_scaled(gap, K, beta), LEAST_GAP)
        if not scaled < math.inf:
            return None
        D, margins = bounds.imbalance, bounds.margins
        of_T, of_W = spectral.upper_widths
        data = (margins.data_least, margins.data_greatest)
        known, constants = margins.pl_constants()
        recursion = Recursion(
            scaled, drift / beta, ([_scaled(value, K, beta) for value in known], [mu / K for mu in constants]),
            quadratic=margins.quadratic, mu=margins.mu / K, least=margins.least / beta,
            greatest=margins.greatest / beta, error=margins.error / beta, slack=margins.slack,
            data_least=-1.0 if data[0] is None else data[0] / math.sqrt(K) / beta,
            data_greatest=-1.0 if data[1] is None else data[1] / math.sqrt(K) / beta,
            top=D.top / beta, bottom=D.bottom / beta, nth=D.nth / beta, mth=D.mth / beta,
            p1_for_W1=D.n <= D.m, p1_for_W2=D.m <= D.n, of_T=of_T, of_W=of_W, of_all=ROUNDING)
        return cls(unit, beta, gap, recursion, spectral.mode == "power")

    def rate(self, rule):
        """Return the GuaranteedRate of a rule in the user's units, or None if nothing is guaranteed for it."""
        kind = kind_of(rule)
        if kind is None or (kind != "steps" and self.estimated):
            return None
        etas = _steps(rule)
        with np.errstate(over="ignore"):
            found = self.recursion.follow(kind, etas * self.unit, FOLLOWED, PHASES)
        if found is None:
            return None
        gaps, drifts, tail, limit, A, B, least, most = found
        tail *= 1 - 1e-12     # the bounds themselves are computed to some u
        contraction = min(_least_contraction(gaps), tail)
        if not contraction > 0:
            return None
        said = "the contraction of each step and the drift of the imbalance"
        return GuaranteedRate(
            1 - contraction, contraction, rule, min(least / self.unit, float(etas.min())),
            min(most / self.unit * (1 + 1e-15), float(etas.max())), A * self.beta,
            B * self.beta, False, f"gap[t] <= (1 - {contraction:.4g})^t gap[0] with {rule!r}, by {said}.",
            gaps=tuple((gaps / gaps[0] * self.gap).tolist()), drifts=tuple((drifts * self.beta * (1 + 1e-15)).tolist()),
            tail_contraction=tail, drift_limit=limit * self.beta * (1 + 1e-15))

    def best(self, bounds, factor):
        """Return the GuaranteedRate with fewest iterations to `factor`, or None; of several the simplest rule."""
        found = [rate for rate in map(self.rate, _candidates(self, bounds, factor)) if rate]
        return min(found, key=lambda rate: rate.iterations_to(factor), default=None)


def _scaled(gap, K, beta):
    """Return gap / (K beta^2): by its root, so that nothing underflows before the result does."""
    root = math.sqrt(gap) / math.sqrt(K) / beta
    return root * root


def _steps(rule):
    """Return the steps of a rule, or its cap, as an array."""
    if isinstance(rule, Schedule):
        return np.array(rule.steps)
    cap = rule.eta if isinstance(rule, Constant) else rule.cap
    return np.array([math.inf if cap is None else cap])


def _least_contraction(gaps):
    """Return the least `1 - (gaps[t] / gaps[0])^(1/t)` over t > 0, rounded down; 1 if there are none."""
    if gaps.size == 1:
        return 1.0
    with np.errstate(divide="ignore"):
        logs = np.log(gaps[1:] / gaps[0]) + 1e-15
    return float((-np.expm1(logs / np.arange(1, gaps.size))).min()) * (1 - 1e-12)


def _candidates(start, bounds, factor):
    """Return the rules to choose from: the simpler ones first."""
    found = []
    schedule = start.recursion.schedule(factor, LONGEST)
    limit = math.inf if schedule is None else schedule.size
    short, longest = _range_of_steps(bounds)
    constant = _fewest(lambda x: start.recursion.count("steps", x, factor, PHASES, limit), short, longest)
    if constant is not None:
        found.append(Constant(constant / start.unit))
    if not start.estimated:
        cap = _fewest(lambda x: start.recursion.count("sharp", x, factor, PHASES, limit), short, longest)
        if cap is not None:
            found.append(Sharp(cap=cap / start.unit))
    if schedule is not None:
        found.append(Schedule(schedule / start.unit))
    return found


def _range_of_steps(bounds):
    """Return the shortest and the longest step, in units of 1/(K beta), that may be the best constant one or cap."""
    K, beta = bounds.K, bounds.beta
    alpha, p2, gap = bounds.alpha / beta, bounds.p2 / beta, max(bounds.gap / K / beta / beta, TINY)
    # below these lengths drift and curvature are small against alpha, and contraction is proportional to the step
    short = 1e-3 * min(alpha / (2 * gap), bounds.mu_lower / K / beta / max(p2 * math.sqrt(2 * gap), TINY), 1.0)
    return max(short, TINY), 2.0


def _fewest(count, shortest, longest):
    """Return the step between these with the lowest count; None if all are infinite."""
    grid = np.geomspace(shortest, longest, GRID)
    counts = [count(x) for x in grid]
    best = int(np.argmin(counts))
    if not counts[best] < math.inf:
        return None
    low, high = np.log(grid[max(best - 1, 0)]), np.log(grid[min(best + 1, GRID - 1)])
    near = part_of_scipy("optimize").minimize_scalar(
        lambda power: min(count(math.exp(power)), 1e300), bounds=(low, high), method="bounded",
        options={"xatol": 1e-4, "maxiter": 24})
    return math.exp(near.x) if near.fun < counts[best] else grid[best]


def rate_of(rule, bounds, spectral):
    """Return the GuaranteedRate of one rule from its InitialBounds, or None if nothing is guaranteed for it."""
    if kind_of(rule) is None or bounds.margins is None or not (bounds.alpha > 0 and bounds.margins.mu > 0):
        return None
    start = Start.of(bounds, spectral)
    return start.rate(rule) if start else None


def _missing(problem, network, bounds):
    """Say why nothing is guaranteed, by how much, and what would help."""
    if not bounds.margins.mu > 0:
        return ("Vacuous: the loss is not strongly convex (mu = 0); add a ridge (l2 > 0), or for a softmax loss "
                "without one leave out what it does not see: problem.project(network).")
    n, m = problem.kernel.shape
    if network.width < min(n, m):
        return (f"Vacuous: the width {network.width} is below min(n, m) = {min(n, m)}, so the network cannot reach "
                "every W. Widen it.")
    if problem.minimizer is None:
        return ("Vacuous: the imbalance is not large enough, and the minimizer is not known, so there is no margin. "
                "Give the problem its minimizer, or use layers of width at least n + m, or scale one layer up.")
    least = float(np.linalg.svd(problem.to_kernel(problem.minimizer), compute_uv=False)[-1])
    r = math.sqrt(2) * math.sqrt(bounds.gap) / math.sqrt(bounds.margins.mu)
    return (f"Vacuous: neither margin nor imbalance is large enough. Margin: the distance to the minimizer may be "
            f"{r:.3g}, and would have to be below its least singular value, {least:.3g}: start from a smaller loss. "
            f"Imbalance: D = W1.T W1 - W2 W2.T would have to have {n} positive or {m} negative eigenvalues, which "
            f"independent layers of width at least {n + m} have: this width is {network.width}; or scale one layer up.")
