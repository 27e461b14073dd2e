"""Networks without imbalance."""

import numpy as np

from .linalg.factorization import factorize
from .losses.problems import Problem
from .network_bases import Padding
from .threads import single_threaded_blas
from .validation import as_count, as_matrix, as_number

__all__ = ["balanced", "spectral"]


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


def spectral(problem, h, scale):
    """Return n, the stack and the basis of `Network.spectral`."""
    if not isinstance(problem, Problem):
        raise TypeError(f"problem: expected a Problem such as SquaredLoss, got {type(problem).__name__}")
    h, scale = as_count("h", h), as_number("scale", scale, positive=True)
    G = problem.gradient(np.zeros(problem.shape))
    if not (np.isfinite(G).all() and G.any()):
        raise ValueError("problem: expected a gradient at W = 0 that is finite and not zero")
    # what leaves float64 is refused below
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        found = factorize(G)
        rank = min(h, found.rank)
        W = -(found.U[:, :rank] * (found.s[:rank] / found.s[0] * scale * scale)) @ found.V[:, :rank].T
    if not (np.isfinite(W).all() and W.any()):
        raise ValueError(f"scale: expected one whose square is a float64 number, got {scale!r}")
    return balanced(W, h)
