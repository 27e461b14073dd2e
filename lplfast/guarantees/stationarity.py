"""How small a gradient a run of any width is guaranteed to see, before its first step. docs/theory.md, section 11."""

import dataclasses
import math

from ..annotations import Mode
from ..losses.low_rank import gap_at_rank
from ..losses.problems import Problem
from ..network import Network
from ..rules import formulas
from ..rules.guaranteed import Sharp
from ..rules.rule import Rule
from ..spectral.modes import spectral_from
from ..spectral.spectral import ROUNDING, Spectral
from ..validation import as_count, as_number
from .bounds import initial_bounds
from .constants import check_pair
from .margins import NOT_SMOOTH, NOT_UNIQUE
from .rates import kind_of

__all__ = ["GuaranteedStationarity", "guaranteed_stationarity"]

# What the bounds themselves are computed to.
SURE = 1 - 1e-12


@dataclasses.dataclass(frozen=True)
class GuaranteedStationarity:
    """What `guaranteed_stationarity` returns.

    Attributes
    ----------
    rule : Rule or None
        The step-size rule that this is guaranteed for.
    eta_min, eta_cap : float
        All its steps lie between these.
    B : float
        `s_max(T)^2 <= B` along the whole run.
    gap : float
        An upper bound on the first gap.
    unreached : float
        A lower bound on the gap that a network of this width keeps; 0 where it is not known.
    vacuous : bool
        Whether nothing is guaranteed.
    message : str
        What is guaranteed, or what is missing.
    """

    rule: Rule | None
    eta_min: float
    eta_cap: float
    B: float
    gap: float
    unreached: float
    vacuous: bool
    message: str

    def grad_norm_after(self, T: int) -> float:
        """Return what the least gradient norm of the first T iterates is guaranteed to be at most.

        Raises
        ------
        TypeError, ValueError
            If T is no positive integer.
        """
        T = as_count("T", T)
        if self.vacuous:
            return math.inf
        return math.sqrt(2 * max(self.gap - self.unreached, 0.0) / self.eta_min / T) / SURE

    def iterations_to(self, grad_norm: float) -> float:
        """Return the number of iterates of which one is guaranteed to have a gradient norm of at most this.

        Raises
        ------
        TypeError, ValueError
            If it is no positive number.

        Examples
        --------
        >>> GuaranteedStationarity(None, 0.5, 0.5, 1.0, 1.0, 0.0, False, "").iterations_to(0.1)    # 2 / (0.5 * 0.01)
        401
        """
        grad_norm = as_number("grad_norm", grad_norm, positive=True)
        if self.vacuous:
            return math.inf
        steps = 2 * max(self.gap - self.unreached, 0.0) / self.eta_min / grad_norm / grad_norm / SURE**3
        return math.floor(steps) + 1 if steps < math.inf else math.inf


def guaranteed_stationarity(problem: Problem, network: Network, *, rule: Rule | None = None,
                            constants: Mode | Spectral | None = None) -> GuaranteedStationarity:
    """Return how small a gradient a run is guaranteed to see, for a network of any width.

    No rate is claimed where the width is below min(n, m), but the descent lemma holds all the same: steps of at least
    eta_min = min(cap, 1/Kbar), of `Sharp` or `Local` with a cap, give
    `min over s < T of ||grad L_s||^2 <= 2 (gap[0] - unreached) / (eta_min T)`, where Kbar bounds the local smoothness
    constant as in `guaranteed_rate`, and no network of this width has a gap below `unreached` (that of
    `problem.minimum_at_rank`). docs/theory.md, section 11.

    Parameters
    ----------
    problem : Problem
        The loss of the product; its mu has to be positive.
    network : Network
        The initialization, of any width.
    rule : Rule, optional
        `Sharp` or `Local` with a cap; without one, `Sharp` with the cap of the longest eta_min.
    constants : {"certified", "exact", "power"} or Spectral, optional
        How the run will find its singular values; nothing is guaranteed with `"power"`.

    Raises
    ------
    TypeError, ValueError
        If these are no problem and network of one shape, or no theorem speaks of the rule.
    OverflowError
        If the loss or its gradient at the network is not a float64 number.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network
    >>> found = guaranteed_stationarity(MatrixFactorization([[1.0, 0.0], [0.0, 1.0]]), Network([[1], [0]], [[2, 0]]))
    >>> found.vacuous, found.unreached > 0.49, found.grad_norm_after(1000) < 0.2
    (False, True, True)
    """
    check_pair(problem, network)
    if rule is not None and (kind_of(rule) not in ("sharp", "local") or rule.cap is None):
        raise ValueError(f"rule: expected Sharp or Local with a cap, got {rule!r}, for which there is no theorem")
    spectral = spectral_from(constants)
    bounds = initial_bounds(problem, network)
    of_T, of_W = spectral.upper_widths
    missing = _missing(problem, bounds, of_T)
    if missing:
        return _nothing(missing, bounds.gap)
    if problem.kernel.quadratic and problem.kernel.minimizer is not None:
        unreached = gap_at_rank(problem.kernel, network.width, below=True)
    else:
        unreached = 0.0

    def Kbar(cap):
        B = bounds.beta + 2 * cap * bounds.gap
        # the rule sees upper ends of brackets; s_max(W) <= s_max(T)^2 / 2 is one, too
        seen = B * (1 + of_T)
        W = min(bounds.p2 * (1 + of_W) + ROUNDING * B, seen / 2)
        if kind_of(rule) == "local":
            return formulas.K_t(problem.K, seen, W, bounds.gap, cap)
        g = math.sqrt(2 * problem.K) * math.sqrt(bounds.gap)
        return formulas.K_t_sharp(problem.K, seen, W, g, g, cap)

    cap = _longest(Kbar) if rule is None else rule.cap
    eta_min = min(cap, 1 / Kbar(cap)) * SURE if cap > 0 else 0.0
    if not eta_min > 0:
        return _nothing("Vacuous: the gap and the constants of the loss are too far apart for float64.", bounds.gap)
    rule = Sharp(cap=cap) if rule is None else rule
    return GuaranteedStationarity(
        rule, eta_min, cap, bounds.beta + 2 * cap * bounds.gap, bounds.gap, unreached, False,
        "Of any T iterates one has a squared gradient norm of at most "
        f"{2 * (bounds.gap - unreached) / eta_min:.4g} / T "
        f"with {rule!r}, by the descent lemma and the drift of the imbalance.")


def _missing(problem, bounds, of_T):
    """Say what a guarantee lacks; an empty text if nothing."""
    if problem.mu_kind == "pl":
        return NOT_UNIQUE
    if math.isinf(problem.K):
        return NOT_SMOOTH
    if not problem.mu > 0:
        return "Vacuous: the loss is not strongly convex (mu = 0), so s_max(W) is not bounded; add a ridge (l2 > 0)."
    if not (bounds.gap < math.inf and bounds.p2 < math.inf):
        return "Vacuous: the minimum of the loss is not known, nor how far the product can move."
    if not of_T < math.inf:
        return "Vacuous: with constants='power' the steps are computed from estimates, and may be too long."
    return ""


def _nothing(message, gap):
    return GuaranteedStationarity(None, 0.0, 0.0, math.inf, gap, 0.0, True, message)


def _longest(Kbar):
    """Return the cap at which `cap Kbar(cap) = 1`, by bisection from below: Kbar grows with the cap."""
    high = 1 / Kbar(0.0) if Kbar(0.0) > 0 else math.inf
    if not 0.0 < high < math.inf:
        return 0.0
    low = 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * Kbar(middle) <= 1 else (low, middle)
    return low
