"""The greater and the lesser of two doubles (extremes.pxd) against NumPy's."""

import itertools

import numpy as np


def test_extremes_pass_over_nan(probe):
    for a, b in itertools.product([np.nan, -np.inf, -1.0, 0.0, 5e-324, 1.0, np.inf], repeat=2):
        assert np.array_equal(probe.fmax(a, b), np.fmax(a, b), equal_nan=True), (a, b)
        assert np.array_equal(probe.fmin(a, b), np.fmin(a, b), equal_nan=True), (a, b)
