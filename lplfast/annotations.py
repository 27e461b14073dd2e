"""The types of what users hand over and get back."""

import os
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "ArrayLike", "Deviation", "FilePath", "Mode", "Reduction", "Rng"]

# What is returned: always float64.
Array = npt.NDArray[np.float64]

# What is taken: lists, tables, tensors, whatever NumPy makes an array of.
ArrayLike = npt.ArrayLike

FilePath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Rng = np.random.Generator | int | None

# A standard deviation of both layers, or of each.
Deviation = float | Sequence[float]

Mode = Literal["certified", "exact", "power"]
Reduction = Literal["sum", "mean"]
