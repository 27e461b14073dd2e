"""Networks without imbalance."""

import numpy as np

from .linalg.factorization import factorize
from .network_bases import Padding
from .threads import single_threaded_blas
from .validation import as_count, as_matrix

__all__ = ["balanced"]


def balanced(W, h):
    """Return n, the stack and the basis of `Network.balanced`."""
    W = as_matrix("W", W)
    h = as_count("h", h)
    # by a power of 4, whose root is exact: no singular value overflows
    power = int(np.frexp(abs(W).max())[1]) // 2
    with single_threaded_blas():
        found = factorize(np.ldexp(W, -2 * power))
        U, V = found.U, found.V
    if h < found.rank:
        raise ValueError(f"h: expected at least the rank of W, {found.rank}, got {h}")
    root = np.ldexp(np.sqrt(found.s), power)
    small = np.zeros((sum(W.shape), min(h, sum(W.shape))))
    small[: W.shape[0], :found.rank] = U * root
    small[W.shape[0]:, :found.rank] = V * root
    return {"n": W.shape[0], "small": small, "basis": Padding(h) if h > small.shape[1] else None}
