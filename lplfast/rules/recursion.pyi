from collections.abc import Sequence
from typing import Any

from ..annotations import Array, ArrayLike

NUMBERS: tuple[str, ...]
KINDS: dict[str, int]

class Recursion:
    def __init__(self, gap: float, drift: float = 0.0, known: tuple[Sequence[float], Sequence[float]] = ((), ()),
                 **numbers: float) -> None: ...
    def count(self, kind: str, eta: float, factor: float, longest: int, limit: float) -> float: ...
    def follow(self, kind: str, steps: ArrayLike, factor: float, longest: int) -> tuple[Any, ...] | None: ...
    def schedule(self, factor: float, longest: int) -> Array | None: ...
