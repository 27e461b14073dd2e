"""What a rule needs of a problem and a network, and what of that is missing, in words."""

import math

from ..guarantees.bounds import initial_bounds
from ..guarantees.constants import check_pair
from ..losses.problems import Problem
from ..network import Network
from ..rules.rule import Rule

__all__ = ["NEEDS", "missing_for"]


def missing_for(rule: Rule, problem: Problem, network: Network) -> str | None:
    """Return what the rule needs that the problem or the network does not have, in words; None if nothing.

    Raises
    ------
    TypeError, ValueError
        If these are no rule, problem and network of one shape; if the rule needs what has no name in `NEEDS`.

    """
    if not isinstance(rule, Rule):
        raise TypeError(f"rule: expected a rule, got {type(rule).__name__}")
    check_pair(problem, network)
    unknown = [need for need in rule.needs if need not in NEEDS]
    if unknown:
        raise ValueError(f"needs: expected names among {', '.join(NEEDS)} in {rule!r}, got {unknown}")
    found = (NEEDS[need](problem, network) for need in rule.needs)
    return next((words for words in found if words), None)


def _minimum(problem, network):
    if math.isnan(problem.minimum):
        return f"the minimum of the loss, which this {type(problem).__name__} does not know"


def _bound(problem, network):
    if math.isnan(problem.lower_bound):
        return ("the minimum of the loss or a lower bound of it, expected one of `minimum`, `minimizer` and "
                "`lower_bound` in the problem, got none; or use 'sharp'")


def _smooth(problem, network):
    if math.isinf(problem.K):
        return (f"a smoothness constant K, which this {type(problem).__name__} does not have; use 'majorizer', which "
                "goes by the curvature where it is, or a search such as 'armijo'")


def _unique(problem, network):
    if problem.mu_kind == "pl":
        return ("a loss with one minimizer, expected mu_kind='strong' in the problem, got mu_kind='pl'; or use "
                "'sharp', whose rate of each step holds all the same")


def _quadratic(problem, network):
    if not problem.kernel.quadratic:
        return f"a squared loss, which {type(problem).__name__} is not"


def _target(problem, network):
    target = problem.kernel.target_summary
    if target is None:
        return f"a squared loss without ridge, which {problem!r} is not"
    if target[1] == 0:
        return "targets that are not all zero"


def _orthogonal(problem, network):
    # of orthonormal columns to rounding: mu and K are on their safe sides by what proofs may lose at any size
    if abs(problem.mu - 1) > 1e-9 or abs(problem.K - 1) > 1e-9:
        return f"data with X.T X = I, so that mu = K = 1, got mu = {problem.mu:.12g} and K = {problem.K:.12g}"


BEYOND = "a loss and a gradient within float64 at the initialization, got one beyond: rescale the layers or the data"


def _at_the_start(problem, network):
    """Return the bounds of Xu et al. (2023), None if the loss or its gradient is beyond float64."""
    try:
        return initial_bounds(problem, network, margins="xu2023")
    except OverflowError:
        return None


def _alpha(problem, network):
    bounds = _at_the_start(problem, network)
    if bounds is None:
        return BEYOND
    if not bounds.alpha > 0:
        return ("alpha_0 > 0, got 0: at this initialization, by the formulas of Xu et al. (2023), the loss leaves no "
                "margin, and the imbalance W1.T W1 - W2 W2.T has too few eigenvalues of one sign. Start from a smaller "
                "loss or wider independent layers, or use step_size='local'")


def _margin(problem, network):
    bounds = _at_the_start(problem, network)
    if bounds is None:
        return BEYOND
    if not bounds.p1 > 0:
        return (f"a margin p1 = s_min(Y) - ||Y - X W||_F > 0 at t = 0, got {bounds.p1:.3g}: start from a smaller loss")


# what a rule may need -> function of (problem, network) that returns what is missing, or None
NEEDS = {
    "minimum": _minimum,
    "bound": _bound,
    "smooth": _smooth,
    "unique": _unique,
    "quadratic": _quadratic,
    "target": _target,
    "orthogonal": _orthogonal,
    "alpha": _alpha,
    "margin": _margin,
}
