from collections.abc import Callable

from .rule import Rule
from .view import IterateView

class CallableRule(Rule):
    def __init__(self, function: Callable[[IterateView], float]) -> None: ...
    @property
    def function(self) -> Callable[[IterateView], float]: ...
