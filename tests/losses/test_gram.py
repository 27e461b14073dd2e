"""What X.T X proves of X: never more than is true, and of ordinary data all that a loss of rows wants to know."""

import tracemalloc

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from precise import exactly

from lplfast import LogisticLoss, SoftmaxLoss
from lplfast.linalg.factorization import factorize
from lplfast.losses.gram import Gram


def of_condition(rng, N, n, condition):
    """Return an (N, n) matrix with singular values from 1 down to 1 / condition, in no particular frame."""
    left, right = (np.linalg.qr(rng.standard_normal((size, n)))[0] for size in (N, n))
    return left * np.geomspace(1, 1 / condition, n) @ right.T


@pytest.mark.parametrize("scale", [1.0, 1e-140, 1e140])
@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (5, 5)])
def test_the_largest_curvature_is_bounded_closely(shape, scale):
    X = scale * np.random.default_rng(0).standard_normal(shape)
    with mpmath.workdps(40):
        true = mpmath.mpf(max(mpmath.eigsy(exactly(X).T * exactly(X), eigvals_only=True)))
        # the allowances are some 100 u of the trace, and 1e-12 for what is done with them
        assert true <= mpmath.mpf(Gram(X).largest) <= true * (1 + mpmath.mpf(10) ** -11)


def test_it_is_exact_where_the_data_are_orthogonal_and_whole():
    X = np.array([[3.0, 0.0], [0.0, 2.0], [4.0, 0.0]])
    assert Gram(X).largest == 25.0
    assert Gram(1e-3 * X).largest >= 25e-6
    assert Gram(np.zeros((3, 2))).largest == 0.0


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), log_condition=st.floats(0, 17), units=st.floats(0, 60),
       rows=st.floats(0, 12), N=st.integers(4, 40))
def test_a_rank_that_it_proves_is_that_of_the_decomposition(seed, log_condition, units, rows, N):
    rng = np.random.default_rng(seed)
    X = of_condition(rng, N, 4, 10.0**log_condition) * 10.0 ** rng.uniform(-units, units, 4)
    X[: N // 2] *= 10.0**rows
    if Gram(X).proves_full_rank():
        assert factorize(X).rank == 4


@pytest.mark.parametrize("units", [0, 100])
def test_it_proves_what_is_far_from_rounding_and_no_more(units):
    rng = np.random.default_rng(0)
    columns = 10.0 ** rng.uniform(-units, units, 6)
    # of 300 rows rounding may hide squares below some 1e-13
    assert Gram(of_condition(rng, 300, 6, 1e5) * columns).proves_full_rank()
    assert not Gram(of_condition(rng, 300, 6, 1e9) * columns).proves_full_rank()
    assert not Gram(of_condition(rng, 300, 6, 1.0) * 10.0 ** np.linspace(0, -200, 6)).proves_full_rank()
    dependent = rng.standard_normal((300, 3))
    assert not Gram(np.c_[dependent, dependent @ rng.standard_normal((3, 1))]).proves_full_rank()
    assert not Gram(rng.standard_normal((3, 4))).proves_full_rank()


def test_a_few_large_rows_are_left_to_the_decomposition():
    # a column that is 0 but for one row: at its own size that of X, once the large row is brought down nearly none
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 3))
    X[0] *= 1e6
    assert not Gram(X).proves_full_rank()
    X[0] /= 1e6
    assert Gram(X).proves_full_rank()


@pytest.mark.parametrize("condition", [10.0, 1e3, 1e6])
def test_singular_values_have_their_digits_whichever_way_they_are_found(condition):
    X = of_condition(np.random.default_rng(0), 60, 5, condition)
    found = Gram(X).singular_values()
    true = factorize(X).s
    assert (found is None) == (condition > 100)
    if found is not None:
        assert np.allclose(found, true, rtol=1e-9, atol=0)     # FINE allows for half of that
    loss = LogisticLoss(X, np.arange(60) % 2, l2=1.0)
    assert np.allclose(loss.singular_values, true, rtol=1e-9, atol=0)
    assert np.isclose(loss.condition_number, condition, rtol=1e-9, atol=0)


def test_the_data_are_kept_once():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20000, 40)), rng.integers(0, 2, 20000)
    assert LogisticLoss(X[:50], y[:50], l2=1.0).kernel.minimum > 0      # modules that are loaded at the first use
    tracemalloc.start()
    try:
        loss = LogisticLoss(X, y, l2=1.0)
        assert loss.kernel.minimum > 0
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # and columns of labels, logits and probabilities
    assert kept < 1.5 * X.nbytes
    assert peak < 2.5 * X.nbytes


def test_neither_the_users_data_nor_a_users_kernel_share_memory_that_can_be_written_to():
    X, y = np.random.default_rng(0).standard_normal((12, 2)), np.arange(12) % 3
    loss = SoftmaxLoss(X, y, l2=1.0)
    options = loss.kernel.options
    kernel = type(loss.kernel)(**{**options, "X": X})
    before = loss.value(np.ones((2, 3))), kernel.value_and_gradient(np.ones((2, 3)))[0]
    X[:] = 7.0
    options["X"][:] = 7.0
    assert (loss.value(np.ones((2, 3))), kernel.value_and_gradient(np.ones((2, 3)))[0]) == before
    assert before[0] == before[1]
