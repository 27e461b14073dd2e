"""Units of the two layers, in which both have steps of one size. docs/theory.md, section 5."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..annotations import Array
from ..validation import as_number, shown

__all__ = ["LayerScales"]

# With scales beyond these, layers in the user's units might leave float64 while those that are trained do not.
LEAST, GREATEST = 1e-100, 1e100

# What products of scales, and `scaled`, may lose: some u.
ROUNDING = 16 * float(np.finfo(float).eps)


class LayerScales(NamedTuple):
    """a and b: what is trained is W1/a and W2/b."""

    W1: float = 1.0
    W2: float = 1.0

    @classmethod
    def of(cls, value):
        """Return the scales that a user means, or those that a run has saved.

        Raises
        ------
        TypeError, ValueError
            If it is no pair of positive numbers.
        """
        try:
            a, b = (value["W1"], value["W2"]) if isinstance(value, Mapping) else value
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"layer_scales: expected a pair of positive numbers, got {shown(value)}") from None
        scales = cls(as_number("layer_scales", a, positive=True), as_number("layer_scales", b, positive=True))
        if not all(LEAST <= scale <= GREATEST for scale in scales):
            raise ValueError(f"layer_scales: expected numbers from {LEAST:.0e} to {GREATEST:.0e}, got {shown(value)}")
        return scales

    @property
    def plain(self) -> bool:
        """Whether both layers stay as they are."""
        return self == (1.0, 1.0)

    @property
    def product(self) -> float:
        """The c of the loss l(c M) that is trained."""
        return self.W1 * self.W2

    def least_constant(self, mu: float) -> float:
        """Return the mu of that loss, of one with this mu: at most, rounding included."""
        return mu if self.plain else mu * self.product**2 * (1 - ROUNDING)

    def divide(self, stack: Array, rows: int) -> Array:
        """Return the stack `[W1; W2.T]`, of so many rows of W1, in these units."""
        return stack if self.plain else self._by(stack, rows, 1 / self.W1, 1 / self.W2)

    def multiply(self, stack: Array, rows: int) -> Array:
        """Return a stack in these units in the user's."""
        return stack if self.plain else self._by(stack, rows, self.W1, self.W2)

    def _by(self, stack, rows, a, b):
        found = stack.copy()
        with np.errstate(over="ignore"):
            found[:rows] *= a
            found[rows:] *= b
        return found
