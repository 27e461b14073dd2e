"""The step size of a command: a number, or a rule by name with its options."""

import inspect
import json

from ..steps import RULES, rule_from
from ..validation import shown
from .parser import meant

__all__ = ["add_rule_options", "rule_of"]


def add_rule_options(group):
    """Declare the options that choose a rule."""
    group.add_argument("--step-size", metavar="RULE",
                       help=f"a positive number or one of {', '.join(RULES)} (default local)")
    group.add_argument("--rule-option", action="append", default=[], metavar="NAME=VALUE",
                       help="an option of the rule, such as c=0.3 with armijo; may be repeated")


def rule_of(arguments):
    """Return the rule that the options say, or None if they say nothing.

    Raises
    ------
    ValueError, TypeError
        If there is no such rule, or it has no such option.

    """
    name = arguments.step_size
    given = dict(map(_parted, arguments.rule_option))
    if not given:
        return None if name is None else rule_from(_number(name))
    default = rule_from("local" if name is None else _number(name))
    if name is not None and name not in RULES:
        raise ValueError(f"--rule-option: expected the name of a rule as --step-size, got the number {name}")
    rule = type(default)
    known = list(inspect.signature(rule).parameters)
    for option in given:
        if option not in known:
            raise ValueError(f"--rule-option: expected {' or '.join(known) or 'none'} for {name or 'local'}, "
                             f"got {shown(option)}{meant(option, known)}")
    return rule(**{**{option: value for option, value in default.options.items() if option in known}, **given})


def _number(text):
    """Return the number that a text is, or the text."""
    try:
        return float(text)
    except ValueError:
        return text


def _parted(text):
    """Return the name and the value of NAME=VALUE; what is no JSON is a word."""
    name, sign, value = text.partition("=")
    if not (sign and name and value):
        raise ValueError(f"--rule-option: expected NAME=VALUE, got {shown(text)}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
