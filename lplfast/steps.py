"""The step-size rules by name."""

import numbers

from .kernels.options import as_number
from .kernels.rule import Constant, ExactLineSearch, Local, Majorizer, Polyak, Rule, Sharp

__all__ = ["RULES", "Constant", "ExactLineSearch", "Local", "Majorizer", "Polyak", "Rule", "Sharp", "rule_from"]

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
