from ..annotations import ArrayLike
from .rowwise import Rowwise

class PseudoHuber(Rowwise):
    def __init__(self, X: ArrayLike, residuals: ArrayLike, W_star: ArrayLike, *, delta: float, mu: float, K: float,
                 minimum: float, weight: float = 1.0, l2: float, uncertainty: float = 0.0,
                 blur: float = 0.0, X_max: float | None = None) -> None: ...
    @property
    def delta(self) -> float: ...
