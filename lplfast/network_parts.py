"""What a network is made of as a dict of arrays, and back: nothing in it is trusted."""

from collections.abc import Mapping

import numpy as np

from .network_bases import Absent, Haar, Padding, Rows
from .validation import as_array, as_count, as_matrix, as_shaped

__all__ = ["put_together", "taken_apart"]


def taken_apart(n, width, stack, basis, *, self_contained):
    """Return the arrays of a network with this stack: a small one if there is a basis that widens it."""
    arrays = {"n": np.array(n), "width": np.array(width), "wide" if basis is None else "small": stack}
    return arrays if basis is None else {**arrays, **basis.to_arrays(self_contained=self_contained)}


def put_together(arrays, basis_of=None):
    """Return n, the stack, wide or small, and the basis that `taken_apart` has made arrays of.

    Of arrays that are not self-contained, `basis_of` returns the basis of this origin; it is absent without.

    Raises
    ------
    TypeError, ValueError
        If these are no arrays of a network.

    """
    if not isinstance(arrays, Mapping):
        raise TypeError(f"arrays: expected a dict of arrays, got {type(arrays).__name__}")
    name = "wide" if "wide" in arrays else "small"
    missing = {"n", name, *(() if name == "wide" else ("width",))} - arrays.keys()
    if missing:
        raise ValueError("arrays: expected what Network.to_arrays returns, got none called "
                         f"{', '.join(sorted(missing))}")
    stack, n = as_matrix(name, arrays[name]), as_count("n", _item(arrays["n"]))
    if n >= len(stack):
        raise ValueError(f"{name}: expected more than n = {n} rows, got {len(stack)}")
    return {"n": n, name: stack, "basis": None if name == "wide" else _basis(arrays, stack.shape[1], basis_of)}


def _basis(arrays, k, basis_of):
    """Return the basis that widens a stack of k columns."""
    width = as_count("width", _item(arrays["width"]), least=k)
    if "basis" in arrays:
        return Rows(as_shaped("basis", arrays["basis"], (k, width)))
    if "origin" in arrays:
        origin = _integers("origin", arrays["origin"])
        return Absent(width, origin) if basis_of is None else basis_of(origin)
    if "seed" not in arrays:
        return Padding(width)
    seed = _integers("seed", arrays["seed"])
    if (seed < 0).any():
        raise TypeError("seed: expected a vector of integers >= 0, got a negative one")
    return Haar(width, seed)


def _integers(name, value):
    array = as_array(name, value)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise TypeError(f"{name}: expected a vector of integers, got dtype {array.dtype} and shape {array.shape}")
    return array


def _item(value):
    """Return the number in an array of no dimension; anything else as it is."""
    return value.item() if isinstance(value, np.ndarray) and value.shape == () else value
