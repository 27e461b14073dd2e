"""The step-size rules, by name and as classes: what `train` takes as `step_size`."""

from .rules.classical import AdGD, Constant, Polyak
from .rules.function import CallableRule
from .rules.guaranteed import Contraction, Local, Sharp
from .rules.published import Arora2018, Du2018, Xu2023
from .rules.registry import RULES, rule_from
from .rules.rule import Rule
from .rules.search import Armijo, ExactLineSearch, Majorizer
from .rules.view import IterateView
from .run.requirements import NEEDS, missing_for

__all__ = ["NEEDS", "RULES", "AdGD", "Armijo", "Arora2018", "CallableRule", "Constant", "Contraction", "Du2018",
           "ExactLineSearch", "IterateView", "Local", "Majorizer", "Polyak", "Rule", "Sharp", "Xu2023", "missing_for",
           "rule_from"]
