"""Largest absolute values, without a matrix of absolute values."""

import numpy as np

__all__ = ["peaks"]


def peaks(A, axis=None):
    """Return the largest absolute value of an array of real numbers, or those along an axis."""
    return np.maximum(A.max(axis=axis), -A.min(axis=axis))
