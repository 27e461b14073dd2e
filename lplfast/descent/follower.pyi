from typing import final

from ..annotations import Array, ArrayLike
from .descent import Descent

@final
class Follower(Descent):
    def turn_by(self, basis: ArrayLike) -> None: ...
    def follow(self, W1: ArrayLike, W2: ArrayLike, step_size: float, unit: float, row: Array) -> bool | None: ...
