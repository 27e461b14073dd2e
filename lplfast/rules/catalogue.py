"""Every rule: its class, which `lplfast` and `lplfast.steps` export, and the names that it goes by.

A new rule is entered here. docs/extending.md has the rest of the way.
"""

from collections.abc import Callable

from .classical import AdGD, BarzilaiBorwein, Constant, Polyak
from .guaranteed import Contraction, Local, Sharp
from .planned import Planned
from .published import Arora2018, Du2018, Xu2023
from .rule import Rule
from .schedule import Schedule
from .search import Armijo, ExactLineSearch, Majorizer

__all__ = ["AdGD", "Armijo", "Arora2018", "BarzilaiBorwein", "Constant", "Contraction", "Du2018", "ExactLineSearch",
           "Local", "Majorizer", "Planned", "Polyak", "Schedule", "Sharp", "Xu2023"]

# name -> function that makes the rule with its default options
RULES: dict[str, Callable[[], Rule]] = {
    "local": Local,
    "sharp": Sharp,
    "majorizer": Majorizer,
    "contraction": Contraction,
    "planned": Planned,
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
    "bb": BarzilaiBorwein,
}
