"""The step-size rules by name, and what they need of a problem."""

import difflib
import numbers

import numpy as np

from .bounds import initial_bounds
from .kernels.callable import CallableRule
from .kernels.certified import Contraction, Local, Sharp
from .kernels.classical import AdGD, Constant, Polyak
from .kernels.earlier import Arora2018, Du2018, Xu2023
from .kernels.loss import DiagonalQuadratic
from .kernels.options import as_number
from .kernels.rule import Capped, Rule, compiled_class
from .kernels.search import Armijo, ExactLineSearch, Majorizer
from .kernels.view import IterateView

__all__ = ["NEEDS", "RULES", "AdGD", "Armijo", "Arora2018", "CallableRule", "Constant", "Contraction", "Du2018",
           "ExactLineSearch", "IterateView", "Local", "Majorizer", "Polyak", "Rule", "Sharp", "Xu2023", "missing_for",
           "rule_again", "rule_from", "rule_parts"]

# name -> function that makes the rule with its default options
RULES = {
    "local": Local,
    "sharp": Sharp,
    "majorizer": Majorizer,
    "contraction": Contraction,
    "exact": ExactLineSearch,
    "xu-rho": lambda: Xu2023("rho"),
    "xu-rho-hat": lambda: Xu2023("rho-hat"),
    "xu-f": lambda: Xu2023("f"),
    "xu-f0": lambda: Xu2023("f0"),
    "arora": Arora2018,
    "du": Du2018,
    "polyak": Polyak,
    "armijo": Armijo,
    "adgd": AdGD,
}


def rule_from(step_size):
    """Return the rule that a `step_size` means: a rule, a name in `RULES`, a positive number, or a function.

    Raises
    ------
    TypeError, ValueError
        If it is none of these.

    Examples
    --------
    >>> rule_from("local"), rule_from(0.1)
    (Local(), Constant(eta=0.1))

    """
    if isinstance(step_size, Rule):
        if not hasattr(step_size, "choose") and compiled_class(type(step_size)) in (Rule, Capped):
            raise TypeError(f"step_size: expected a rule that chooses, got {step_size!r}: give its class a method "
                            "choose(self, iterate) that returns the step size")
        return step_size
    if isinstance(step_size, str):
        return _named(step_size)
    if isinstance(step_size, numbers.Real) and not isinstance(step_size, bool):
        return Constant(as_number("step_size", step_size, positive=True))
    if isinstance(step_size, type) and issubclass(step_size, Rule):
        raise TypeError(f"step_size: expected a rule, got its class; call it: {step_size.__name__}(...)")
    if callable(step_size):
        return CallableRule(step_size)
    raise TypeError(f"step_size: expected a positive number, a rule, the name of one or a function, got {step_size!r}")


def _named(name):
    if name in RULES:
        return RULES[name]()
    try:
        meant = f"the number, step_size={float(name):g}"
    except ValueError:
        close = difflib.get_close_matches(name.strip().lower().replace("_", "-"), RULES, 1)
        meant = f"step_size={close[0]!r}" if close else None
    raise ValueError(f"step_size: expected a positive number or one of {', '.join(map(repr, RULES))}, got {name!r}"
                     + (f"; did you mean {meant}?" if meant else ""))


def rule_parts(rule):
    """Return the name of a rule's class and its options, plain enough for JSON: what `rule_again` takes."""
    return {"class": type(rule).__name__, "options": rule.options}


def rule_again(parts):
    """Return the rule that `rule_parts` has taken apart; its class may be anybody's, but has to be imported.

    Raises
    ------
    ValueError
        If there is no such class.

    Examples
    --------
    >>> rule_again(rule_parts(Local(cap=0.5)))
    Local(cap=0.5)

    """
    name = parts["class"]
    if name == CallableRule.__name__:
        raise ValueError(f"step_size: the run was made with a function, {parts['options']['function']}; expected it "
                         "again, or another rule to go on with")
    # the last one of the name: in a notebook, a class is made again and again
    for rule in reversed([rule for rule in _subclasses(Rule) if rule.__name__ == name]):
        try:
            return rule(**parts["options"])
        except TypeError as error:
            raise ValueError(f"step_size: expected {name} to take what its `options` say, {parts['options']!r}, got "
                             f"{error}: say which rule to go on with") from error
    raise ValueError(f"step_size: expected the rule of the run that is continued, {name}, got nothing of that name: "
                     "import it, or say which rule to go on with")


def _subclasses(cls):
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def missing_for(rule, problem, network):
    """Return what the rule needs that the problem or the network does not have, in words; None if nothing."""
    unknown = [need for need in rule.needs if need not in NEEDS]
    if unknown:
        raise ValueError(f"needs: expected names among {', '.join(NEEDS)} in {rule!r}, got {unknown}")
    found = (NEEDS[need](problem, network) for need in rule.needs)
    return next((words for words in found if words), None)


def _minimum(problem, network):
    if np.isnan(problem.minimum):
        return f"the minimum of the loss, which this {type(problem).__name__} does not know"


def _bound(problem, network):
    if np.isnan(problem.lower_bound):
        return ("the minimum of the loss or a lower bound of it, expected one of `minimum`, `minimizer` and "
                "`lower_bound` in the problem, got none; or use 'sharp'")


def _quadratic(problem, network):
    if not isinstance(problem.kernel, DiagonalQuadratic):
        return f"a squared loss, which {type(problem).__name__} is not"


def _target(problem, network):
    aim = getattr(problem.kernel, "aim", None)
    if aim is None:
        return f"a squared loss without ridge, which {problem!r} is not"
    if aim[1] == 0:
        return "targets that are not all zero"


def _orthogonal(problem, network):
    # of orthonormal columns to rounding, by the singular values of X
    if abs(problem.mu - 1) > 1e-12 or abs(problem.K - 1) > 1e-12:
        return f"data with X.T X = I, so that mu = K = 1, got mu = {problem.mu:.4g} and K = {problem.K:.4g}"


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
    "quadratic": _quadratic,
    "target": _target,
    "orthogonal": _orthogonal,
    "alpha": _alpha,
    "margin": _margin,
}
