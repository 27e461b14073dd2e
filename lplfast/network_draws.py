"""Random layers: independent normal entries, at full width or as what compression would leave of them."""

import math
import os
import sys

import numpy as np

from .network_bases import draw_normal
from .validation import as_number

__all__ = ["normal_factor", "normal_layers"]


def normal_layers(n, h, m, std, rng):
    """Return a stack [W1; W2.T] of shape (n + m, h) with independent normal entries of these deviations.

    Raises
    ------
    TypeError, ValueError
        On bad deviations; if the numbers leave float64.
    MemoryError
        If layers so wide do not fit in memory.

    """
    std1, std2 = _deviations(std)
    size = 8 * (n + m) * h
    too_wide = (f"h: expected layers that fit in memory, got {size:.3g} bytes of them; "
                f"Network.gaussian_implicit({n}, {h}, {m}) draws a network of that width without its wide layers")
    if size > sys.maxsize or size > _memory():
        raise MemoryError(too_wide)
    try:
        wide = draw_normal(rng, (n + m, h))
    except MemoryError as error:
        raise MemoryError(too_wide) from error
    return _scaled(wide, n, std, std1, std2)


def normal_factor(n, h, m, std, rng):
    """Return the compressed stack of such layers of width h > n + m, and the seed of their basis.

    Bartlett's decomposition: the triangular factor of an (h, n+m) matrix of independent N(0, 1) entries has
    independent entries, N(0, 1) right of the diagonal and the root of a chi-squared variable of h - i + 1
    degrees of freedom on it, i = 1, 2, ...

    Raises
    ------
    TypeError, ValueError
        On bad deviations; if the numbers leave float64.

    """
    std1, std2 = _deviations(std)
    k = n + m
    R = np.triu(rng.standard_normal((k, k)), 1)
    R[np.diag_indices(k)] = np.sqrt(rng.chisquare(float(h) - np.arange(k)))
    small = _scaled(np.ascontiguousarray(R.T), n, std, std1, std2)
    return small, rng.integers(2**63, size=4)


def _scaled(stack, n, std, std1, std2):
    """Return a stack of entries of deviation 1 with those that were asked for."""
    with np.errstate(over="ignore"):
        stack[:n] *= std1
        stack[n:] *= std2
    if not np.isfinite(stack).all():
        raise ValueError(f"std: expected layers within float64, got {std!r}")
    return stack


def _deviations(std):
    """Return the standard deviations of both layers."""
    try:
        std1, std2 = (std, std) if np.ndim(std) == 0 else std
    except (TypeError, ValueError):
        raise ValueError(f"std: expected a finite number >= 0 or a pair of them, got {std!r}") from None
    return as_number("std", std1), as_number("std", std2)


def _memory():
    """Return how many bytes of memory this machine has; infinity if that cannot be told."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):   # not on this system
        return math.inf
