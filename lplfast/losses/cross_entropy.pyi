from ..annotations import ArrayLike
from .rowwise import Rowwise

class CrossEntropy(Rowwise):
    def __init__(self, X: ArrayLike, logits: ArrayLike, W_star: ArrayLike, *, mu: float, K: float, minimum: float,
                 weight: float = 1.0, l2: float, uncertainty: float = 0.0,
                 unseen: ArrayLike | None = None, lost: float = 0.0,
                 minimum_error: float | None = None, X_max: float | None = None) -> None: ...

class Softmax(CrossEntropy): ...
class Logistic(CrossEntropy): ...
