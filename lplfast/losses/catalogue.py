"""The losses that `lplfast` exports. A new one is entered here; docs/extending.md has the rest of the way."""

from .custom import CustomLoss
from .logistic import LogisticLoss
from .problems import Problem
from .robust import PseudoHuberLoss
from .softmax import SoftmaxLoss
from .squared import MatrixFactorization, SquaredLoss

__all__ = ["CustomLoss", "LogisticLoss", "MatrixFactorization", "Problem", "PseudoHuberLoss", "SoftmaxLoss",
           "SquaredLoss"]
