from ..annotations import ArrayLike
from .rule import Rule

LONGEST: int
SHOWN: int

class Schedule(Rule):
    def __init__(self, steps: ArrayLike) -> None: ...
    @property
    def steps(self) -> list[float]: ...
