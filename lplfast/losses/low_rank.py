"""What a network that is narrower than the loss can reach. docs/theory.md, section 5."""

import numpy as np
import scipy.linalg

from ..threads import single_threaded_blas
from ..validation import as_count
from .loss import Loss

__all__ = ["ByRank", "gap_at_rank", "gaps_at_rank"]

EPS = float(np.finfo(float).eps)


class ByRank:
    """The part of a `Problem` that knows matrices of low rank."""

    kernel: Loss
    minimum: float

    def minimum_at_rank(self, h: int) -> float:
        """Return the least value of a squared loss over all products of width h.

        It is `l* + sum of s_i^2 / 2 over i > h`, s_i the singular values of `H^(1/2) W*`, H the Hessian: the best
        approximation in the metric of the data (Eckart and Young), ridge, offset and data of low rank included. From
        h = min(n, m) on it is `minimum`. As computed: right to rounding relative to the loss at W = 0, in the frame of
        the data.

        Parameters
        ----------
        h : int
            The width.

        Raises
        ------
        TypeError, ValueError
            If h is no width, or the loss is not squared.
        """
        return self.minimum + gap_at_rank(self.kernel, as_count("h", h))


def gap_at_rank(kernel, h, *, below=False):
    """Return how far above l* the least value over products of width h is; with `below`, a lower bound on it.

    Raises
    ------
    ValueError
        If the loss is not squared.
    """
    if not kernel.quadratic or kernel.minimizer is None:
        raise ValueError(f"problem: expected a squared loss, of which the minimum at a rank is known, got {kernel!r}")
    return gaps_at_rank(kernel, h)[1 if below else 0]


def gaps_at_rank(kernel, h):
    """Return that and the lower bound on it, of a squared loss."""
    if h >= min(kernel.shape):
        return 0.0, 0.0
    weighted = np.sqrt(kernel.hessian)[:, np.newaxis] * kernel.minimizer
    with single_threaded_blas():    # the same bits however many cores there are
        s = scipy.linalg.svd(weighted, compute_uv=False, lapack_driver="gesvd")
    # a singular value is off by some u of the largest: what is no more than that is no tail
    rounding = max(weighted.shape) * EPS * s[0]
    left = s[h:][s[h:] > rounding]
    with np.errstate(over="ignore"):
        return (float((left**2).sum() / 2),
                float((np.maximum(left - 10 * rounding, 0.0)**2).sum() / 2) * (1 - 1e-14))
