"""The step-size rules, by name and as classes: what `train` takes as `step_size`."""

from .rules import catalogue
from .rules.catalogue import *  # noqa: F403
from .rules.catalogue import RULES
from .rules.function import CallableRule
from .rules.registry import rule_from
from .rules.rule import Rule
from .rules.view import IterateView
from .run.requirements import NEEDS, missing_for

__all__ = ["NEEDS", "RULES", "CallableRule", "IterateView", "Rule", "missing_for", "rule_from"]
__all__ += catalogue.__all__
