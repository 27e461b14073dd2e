"""Networks of independent normal entries: their wide layers, or what of them training depends on."""

import math
import os
import sys

import numpy as np

from .network_bases import Haar, draw_normal
from .validation import as_count, as_generator, as_number, shown

__all__ = ["drawn", "drawn_implicitly"]


def drawn(n, h, m, std, rng):
    """Return n and the wide stack of `Network.gaussian`."""
    n, h, m = as_count("n", n), as_count("h", h), as_count("m", m)
    std1, std2 = _deviations(std)
    rng = as_generator(rng)
    size = 8 * (n + m) * h
    too_wide = (f"h: expected layers that fit in memory, got {size:.3g} bytes of them; "
                f"Network.gaussian_implicit({n}, {h}, {m}) draws a network of that width without its wide layers")
    if size > sys.maxsize or size > _memory():
        raise MemoryError(too_wide)
    try:
        wide = draw_normal(rng, (n + m, h))
    except MemoryError as error:
        raise MemoryError(too_wide) from error
    with np.errstate(over="ignore"):
        wide[:n] *= std1
        wide[n:] *= std2
    if not np.isfinite(wide).all():
        raise ValueError(f"std: expected layers within float64, got {shown(std)}")
    return {"n": n, "wide": wide}


def drawn_implicitly(n, h, m, std, rng):
    """Return n, the small stack and the basis of `Network.gaussian_implicit`; a wide stack where that is no larger."""
    n, h, m = as_count("n", n), as_count("h", h), as_count("m", m)
    if h <= n + m:
        return drawn(n, h, m, std, rng)
    std1, std2 = _deviations(std)
    rng = as_generator(rng)
    k = n + m
    if 8 * k * k > min(_memory(), sys.maxsize):
        raise MemoryError(f"n, m: expected {k} rows and columns that fit in memory, got {8 * k * k:.3g} bytes of them")
    R = np.triu(rng.standard_normal((k, k)), 1)
    R[np.diag_indices(k)] = np.sqrt(rng.chisquare(float(h) - np.arange(k)))
    small = np.ascontiguousarray(R.T)
    with np.errstate(over="ignore"):
        small[:n] *= std1
        small[n:] *= std2
    if not np.isfinite(small).all():
        raise ValueError(f"std: expected layers within float64, got {shown(std)}")
    return {"n": n, "small": small, "basis": Haar(h, rng.integers(2**63, size=4))}


def _deviations(std):
    """Return the standard deviations of both layers."""
    try:
        std1, std2 = (std, std) if np.ndim(std) == 0 else std
    except (TypeError, ValueError):
        raise ValueError(f"std: expected a finite number >= 0 or a pair of them, got {shown(std)}") from None
    return as_number("std", std1), as_number("std", std2)


def _memory():
    """Return how many bytes of memory this machine has; infinity if that cannot be told."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):   # not on this system
        return math.inf
