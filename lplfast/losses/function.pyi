from collections.abc import Callable

from ..annotations import Array, ArrayLike
from .loss import Loss

class PythonLoss(Loss):
    def __init__(self, function: Callable[[Array], tuple[float, ArrayLike]], shape: tuple[int, int], *, mu: float,
                 K: float, minimum: float = ..., lower_bound: float = ..., uncertainty: float = 0.0,
                 hessian_form: Callable[[Array, Array], float] | None = None,
                 concordance: float | Callable[[Array], float] | None = None) -> None: ...
    @property
    def function(self) -> Callable[[Array], tuple[float, ArrayLike]]: ...
    @property
    def hessian_form(self) -> Callable[[Array, Array], float] | None: ...
    @property
    def concordance(self) -> float | Callable[[Array], float] | None: ...
    @property
    def lower_bound(self) -> float: ...
    @property
    def uncertainty(self) -> float: ...
