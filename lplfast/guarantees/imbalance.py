"""What the imbalance of the layers says of their singular values. docs/theory.md, section 10."""

import dataclasses
import math
from typing import Any

import numpy as np

from ..annotations import Array

__all__ = ["Imbalance"]


@dataclasses.dataclass(frozen=True)
class Imbalance:
    """The eigenvalues of `D = W1.T W1 - W2 W2.T` that the bounds are made of, and the sides they belong to.

    Attributes
    ----------
    n, m : int
        Rows of W1 and columns of W2, as far as the loss can see them.
    top, bottom : float
        `max(lam_1(D), 0)` and `max(lam_1(-D), 0)`.
    nth, mth : float
        `max(lam_n(D), 0)` and `max(lam_m(-D), 0)`.
    """

    n: int
    m: int
    top: float
    bottom: float
    nth: float
    mth: float

    def alpha(self, p1: float, delta: float | Array = 0.0) -> Any:
        """Return a lower bound on s_min(T)^2 after every eigenvalue has drifted by at most delta (Min et al. 2022).

        delta may be an array, and so is what is returned then.
        """
        return (_phi(self.bottom + delta, np.maximum(self.nth - delta, 0.0), p1 if self.n <= self.m else 0.0)
                + _phi(self.top + delta, np.maximum(self.mth - delta, 0.0), p1 if self.m <= self.n else 0.0))

    def beta(self, p2: float) -> float:
        """Return an upper bound on s_max(T)^2 (Min et al. 2022, Xu et al. 2023)."""
        return sum((top + math.hypot(top, 2 * p2)) / 2 for top in (self.top, self.bottom))


def _phi(a, b, p):
    """(-a + b + sqrt((a + b)^2 + 4 p^2)) / 2 without cancellation."""
    return b if p == 0 else b + 2 * p * (p / ((a + b) + np.hypot(a + b, 2 * p)))
