"""What a user may mean by a step size, and what a saved run means by one."""

import difflib
import hashlib
import numbers
from collections.abc import Callable

import numpy as np

from ..validation import as_number, shown
from . import catalogue
from .catalogue import RULES
from .classical import Constant
from .function import CallableRule
from .rule import Capped, Rule, compiled_class
from .view import IterateView

__all__ = ["StepSize", "rule_again", "rule_from", "rule_parts"]

# The name of a rule, a number, a rule, or a function of the iterate.
StepSize = str | float | Rule | Callable[[IterateView], float]

# The library's own rules by the names of their classes, which a user's class may have, too: that has a mark in front.
OWN = {"CallableRule": CallableRule, **{name: getattr(catalogue, name) for name in catalogue.__all__}}
THEIRS = "*."

# In options of a user's rule, an object with one of these members stands for what JSON does not have.
TUPLE, LOST = "tuple", "not kept"

# How deep such options may be nested: a tuple takes two of the levels that a file has.
LEVELS = 8


def rule_from(step_size: StepSize) -> Rule:
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
    raise TypeError(f"step_size: expected a positive number, a rule, the name of one or a function, "
                    f"got {shown(step_size)}")


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
    name, options = _name_of(type(rule)), rule.options
    if name.startswith(THEIRS):
        options = {option: _plain(value) for option, value in options.items()}
    return {"class": name, "options": options}


def rule_again(parts):
    """Return the rule that `rule_parts` has taken apart; its class may be anybody's, but has to be imported.

    No other code of the class than its constructor is run, and only classes that are rules and imported already count.

    Raises
    ------
    ValueError
        If there is no such class, it does not take the options, or one of them could not be kept.

    Examples
    --------
    >>> rule_again(rule_parts(Constant(0.5)))
    Constant(eta=0.5)

    """
    name = parts["class"].removeprefix(THEIRS)
    if parts["class"] == _name_of(CallableRule):
        raise ValueError(f"step_size: the run was made with a function, {parts['options'].get('function')!s:.200}; "
                         "expected it again, or another rule to go on with")
    # the last one of the name: in a notebook, a class is made again and again
    for rule in reversed([rule for rule in _subclasses(Rule) if _name_of(rule) == parts["class"]]):
        try:
            return rule_from(rule(**{option: _again(option, value) for option, value in parts["options"].items()}))
        except (TypeError, OverflowError) as error:     # OverflowError: an integer for which C has no room
            raise ValueError(f"step_size: expected {name} to take what its `options` say, {parts['options']!r:.200}, "
                             f"got {error}: say which rule to go on with") from error
    raise ValueError(f"step_size: expected the rule of the run that is continued, {name}, got nothing of that name: "
                     "import it, or say which rule to go on with")


def _plain(value, levels=LEVELS):
    """Return an option as JSON can hold it, and `_again` makes it again: the same, or a NumPy scalar's plain number."""
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if levels and type(value) in (list, tuple):
        parts = [_plain(part, levels - 1) for part in value]
        return parts if type(value) is list else {TUPLE: parts}
    if levels and type(value) is dict and all(type(key) is str for key in value) and not {TUPLE, LOST} & set(value):
        return {key: _plain(part, levels - 1) for key, part in value.items()}
    # by this two of them are told apart: NumPy's own text leaves out the middle of a large array
    if isinstance(value, np.ndarray):
        return {LOST: f"{shown(value)}, of digest {hashlib.sha256(value.tobytes()).hexdigest()[:16]}"}
    return {LOST: repr(value)}


def _again(option, value):
    if isinstance(value, list):
        return [_again(option, part) for part in value]
    if not isinstance(value, dict):
        return value
    if LOST in value:
        raise ValueError(f"step_size: expected the rule of the run again, whose option {option} could not be kept, "
                         f"{value[LOST]!s:.200}, or another rule to go on with, got none")
    if TUPLE in value:
        return tuple(_again(option, value[TUPLE]))
    return {key: _again(option, part) for key, part in value.items()}


def _name_of(cls):
    """Return what a saved run calls the class of a rule."""
    name = cls.__name__
    return name if OWN.get(name) is cls else THEIRS + name


def _subclasses(cls):
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
