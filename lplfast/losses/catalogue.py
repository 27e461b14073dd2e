"""The losses that `lplfast` exports. A new one is entered here; docs/extending.md has the rest of the way."""

from .classification import LogisticLoss, SoftmaxLoss
from .custom import CustomLoss
from .problems import MatrixFactorization, Problem, SquaredLoss
from .robust import PseudoHuberLoss

__all__ = ["CustomLoss", "LogisticLoss", "MatrixFactorization", "Problem", "PseudoHuberLoss", "SoftmaxLoss",
           "SquaredLoss"]
