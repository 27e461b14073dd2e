"""Standardized columns against exact rational arithmetic, the way back to raw units, and indicators of labels."""

import dataclasses
import math
import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from lplfast import SquaredLoss
from lplfast.data import Standardized, one_hot, standardized, with_intercept

RNG = np.random.default_rng(0)
NORMAL = RNG.standard_normal(40)
COLUMNS = {
    "normal": NORMAL, "1e300": 1e300 * NORMAL, "1e308": np.sign(NORMAL) * 1.7e308, "1e-300": 1e-300 * NORMAL,
    "subnormal": 5e-324 * np.arange(40.0), "time stamps": 1.7e9 + NORMAL, "nanoseconds": 1.7e18 + 256 * np.arange(40.0),
    "last digits": 1e16 + 2 * np.round(NORMAL), "one ulp": np.where(np.arange(40) == 7, np.nextafter(0.1, 1), 0.1),
    "outlier first": np.append(1e16, NORMAL[1:]), "graded": 10.0 ** np.linspace(-300, 300, 40),
    "flags": np.arange(40.0) % 2, "ends of float64": np.finfo(float).max * (-1.0) ** np.arange(40),
}


def exact(column):
    """Return the standardized column, its mean and its deviation, from exact sums."""
    entries = [Fraction(float(x)) for x in column]
    mean = sum(entries) / len(entries)
    variance = sum((x - mean) ** 2 for x in entries) / len(entries)
    # 2^200 of it and more, so that its integer root has 100 bits
    shift = 200 + max(0, variance.denominator.bit_length() - variance.numerator.bit_length()) // 2 * 2
    root = Fraction(math.isqrt((variance.numerator << shift) // variance.denominator), 2 ** (shift // 2))
    return np.array([float((x - mean) / root) for x in entries]), float(mean), float(root)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_any_size_is_standardized_to_rounding(name):
    # beside columns of all other sizes
    X = np.column_stack([COLUMNS[name], *COLUMNS.values()])
    scaled = standardized(X)
    column, mean, scale = exact(COLUMNS[name])
    # as documented, log2(40) < 6
    assert (abs(scaled.X[:, 0] - column) <= 6 * 2**-53 * (2 + abs(column))).all()
    assert abs(scaled.mean[0] - mean) <= 4 * 2**-53 * abs(COLUMNS[name]).max() + 5e-324
    assert np.isclose(scaled.scale[0], scale, rtol=1e-14, atol=5e-324)
    assert not scaled.constant.any()


def test_an_ordinary_column_beside_a_large_one():
    X = standardized([[1e16, 1.0], [2e16, 2.0], [3e16, 4.0]]).X
    assert np.allclose(X[:, 1], np.array([-4, -1, 5]) / np.sqrt(14), rtol=1e-15, atol=0)


@pytest.mark.parametrize("value", [0.1, 0.0, -1.7e308, 5e-324, 1e16 + 2])
def test_a_column_of_equal_entries_is_constant_however_long(value):
    for N in (1, 2, 3, 10**6):
        scaled = standardized(np.full((N, 1), value))
        assert scaled.constant.tolist() == [True]
        assert not scaled.X.any()
        assert (scaled.mean[0], scaled.scale[0]) == (value, 1.0)


def test_one_entry_that_differs_makes_a_column_vary():
    X = np.full((10**5, 1), 0.1)
    X[-1] = np.nextafter(0.1, 1)
    scaled = standardized(X)
    assert not scaled.constant.any()
    # one in N: (N - 1)/sqrt(N - 1)
    assert np.isclose(scaled.X[-1, 0], np.sqrt(10**5 - 1), rtol=1e-12)


def test_restored_coefficients_say_the_same_of_raw_data():
    rng = np.random.default_rng(0)
    raw = rng.standard_normal((50, 4)) * [1e-5, 1.0, 1e6, 0.0] + [1.0, -3.0, 1e7, 2.5]
    scaled, W = standardized(raw), rng.standard_normal((4, 3))
    W_raw, intercept = scaled.restore(W)
    assert W_raw.shape == (4, 3)
    assert intercept.shape == (3,)
    assert not W_raw[3].any()       # of the constant column
    # the terms on the left are up to 1e5 times what is left of them
    assert np.allclose(raw @ W_raw + intercept, scaled.X @ W, rtol=0, atol=1e-9)
    for j in range(3):
        vector, number = scaled.restore(W[:, j])
        assert np.array_equal(vector, W_raw[:, j])
        assert isinstance(number, float)
        assert np.isclose(number, intercept[j], rtol=1e-14)


@pytest.mark.parametrize(("X", "W", "said"), [
    ([[1.0], [2.0]], [[1.0], [2.0]], "W: expected 1 rows, one for each column of X, got 2"),
    ([[1.0], [2.0]], [[np.nan]], "W: expected finite numbers"),
    ([[1e-300], [2e-300]], [[1e200]], "W: expected coefficients that are float64 numbers in the units of X"),
    ([[0.0], [5e-324]], [[0.0]], "W: expected coefficients that are float64 numbers in the units of X"),
])
def test_what_cannot_be_restored(X, W, said):
    with pytest.raises(ValueError, match=said):
        standardized(X).restore(W)


def test_standardized_data_are_data():
    frame = pd.DataFrame({"a": [1, 2, 4], "b": pd.array([3, 3, 3], dtype="Int64")})
    scaled = standardized(frame)
    assert repr(scaled) == "Standardized(3 x 2, 1 constant column)"
    assert np.asarray(scaled) is scaled.X
    assert np.asarray(scaled, dtype=np.float32).dtype == np.float32
    again = pickle.loads(pickle.dumps(scaled))
    assert isinstance(again, Standardized)
    for field in dataclasses.fields(Standardized):
        assert np.array_equal(getattr(again, field.name), getattr(scaled, field.name))
    with pytest.raises(dataclasses.FrozenInstanceError):
        scaled.X = None
    with pytest.raises(ValueError, match="read-only"):
        scaled.X[0] = 1.0
    assert SquaredLoss(scaled, [1, 2, 3]).minimum == SquaredLoss(scaled.X, [1, 2, 3]).minimum
    with pytest.raises(ValueError, match="X: expected finite"):
        standardized([[np.nan]])


def test_an_intercept_comes_last_and_goes_back_to_raw_units():
    rng = np.random.default_rng(0)
    raw = rng.standard_normal((30, 3)) * [1.0, 1e3, 1e-3] + [5.0, -7.0, 1.0]
    scaled = standardized(raw)
    X = with_intercept(scaled)
    assert np.array_equal(X, np.column_stack([scaled.X, np.ones(30)]))
    W = rng.standard_normal((4, 2))
    W_raw, shift = scaled.restore(W[:-1])
    # terms up to 1e3 times what is left of them
    assert np.allclose(raw @ W_raw + shift + W[-1], X @ W, rtol=0, atol=1e-11)
    assert with_intercept(pd.DataFrame({"a": [1, 2]})).tolist() == [[1, 1], [2, 1]]
    for bad in ([1.0, 2.0], [["a"]], [[np.nan]], None, []):
        with pytest.raises((TypeError, ValueError), match="X: expected"):
            with_intercept(bad)


@pytest.mark.parametrize(("given", "codes"), [
    ([0, 1, 2, 1], [0, 1, 2, 1]), ([2000, 1990, 2010, 1990], [1, 0, 2, 0]), (["b", "a", "c", "a"], [1, 0, 2, 0]),
    (pd.Categorical(["b", "a", "c", "a"]), [1, 0, 2, 0]), (pd.Series([3, -1, 5, -1], dtype="Int64"), [1, 0, 2, 0]),
], ids=str)
def test_labels_as_indicators(given, codes):
    assert np.array_equal(one_hot(given), np.eye(3)[codes])


def test_numbers_are_no_labels():
    for given in ([1.0, 2.0], [[1, 2], [3, 4]]):
        assert np.array_equal(one_hot(given), given)
    # which NumPy has as objects: of frames always, of columns with older pandas
    fractions = pd.DataFrame(NORMAL.reshape(20, 2)).astype("Float64")
    for given in (fractions, fractions[0], fractions[0].array):
        assert one_hot(given).dtype == np.float64
        assert np.array_equal(one_hot(given), np.asarray(given, dtype=float))
    assert np.array_equal(one_hot(pd.Series([3, 1, 3], dtype="Int64")), [[0, 1], [1, 0], [0, 1]])
    with pytest.raises(ValueError, match="look like quantities"):
        one_hot(np.arange(100))
