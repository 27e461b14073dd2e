"""The step-size rules by name."""

import numbers

from .kernels.options import as_number
from .kernels.rule import Constant, ExactLineSearch, Local, Majorizer, Polyak, Rule, Sharp

__all__ = ["RULES", "Constant", "ExactLineSearch", "Local", "Majorizer", "Polyak", "Rule", "Sharp", "rule_again",
           "rule_from", "rule_parts"]

RULES = {
    "local": Local,
    "sharp": Sharp,
    "majorizer": Majorizer,
    "exact": ExactLineSearch,
    "polyak": Polyak,
}


def rule_from(step_size):
    """Return the rule that a `step_size` means: a rule itself, a name in `RULES`, or a positive number.

    Raises
    ------
    TypeError, ValueError
        If it is none of these.

    Examples
    --------
    >>> rule_from("local"), rule_from(0.1)
    (Local(), Constant(eta=0.1))

    """
    if type(step_size) is Rule:
        raise TypeError("step_size: expected a rule that chooses, got the abstract Rule")
    if isinstance(step_size, Rule):
        return step_size
    if isinstance(step_size, str):
        if step_size not in RULES:
            raise ValueError(f"step_size: expected a positive number or one of {', '.join(map(repr, RULES))}, "
                             f"got {step_size!r}")
        return RULES[step_size]()
    if isinstance(step_size, numbers.Real) and not isinstance(step_size, bool):
        return Constant(as_number("step_size", step_size, positive=True))
    raise TypeError(f"step_size: expected a positive number, a rule or the name of one, got {step_size!r}")


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
    for rule in _subclasses(Rule):
        if rule.__name__ == name:
            return rule(**parts["options"])
    raise ValueError(f"step_size: expected the rule of the run that is continued, {name}, got nothing of that name: "
                     "import it, or say which rule to go on with")


def _subclasses(cls):
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
