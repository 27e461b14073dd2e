"""The data's own constants against 120 digits: on data as people have them, and on worse."""

import fractions
import warnings

import mpmath
import numpy as np
import pytest
from precise import DIGITS, bounds_the_spectrum, exactly, hessian, minimizer, norm

from lplfast import LogisticLoss, MatrixFactorization, Network, SoftmaxLoss, SquaredLoss, train

U = 2.0**-53


def _scaled_columns(rng, N, n):
    X = rng.standard_normal((N, n))
    X[:, 0] *= 1e18
    return X


def _graded_columns(rng, N, n):
    return rng.standard_normal((N, n)) * 10.0 ** np.linspace(-18, 18, n)


def _huge_row(rng, N, n):
    X = rng.standard_normal((N, n))
    X[N // 2] *= 1e18
    return X


def _time_stamps(rng, N, n):
    X = rng.standard_normal((N, n))
    X[:, 0] = 1.7e9 + 1e5 * np.arange(N)
    X[:, -1] = 1.0
    return X


# well conditioned once its columns have length 1: everything is known to 1e-9
GOOD = {"plain": lambda rng, N, n: rng.standard_normal((N, n)), "column-1e18": _scaled_columns,
        "graded-columns": _graded_columns, "time-stamps": _time_stamps}


def check(X, l2, *, rows=1, offset=None, within):
    """Compare everything that a SquaredLoss says with the truth."""
    rng = np.random.default_rng(1)
    Y = rng.standard_normal((X.shape[0], 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = SquaredLoss(X, Y, l2=l2, reduction="sum" if rows == 1 else "mean", offset=offset)
    with mpmath.workdps(DIGITS):
        W, minimum = minimizer(X, Y, l2, rows)
        if offset is not None:
            W -= exactly(offset)
        off = exactly(problem.minimizer) - W
        for j in range(W.rows):
            assert norm(off[j, :]) <= 1e-9 * norm(W[j, :]), j
        assert norm(off) <= problem.minimizer_error
        assert mpmath.sqrt(norm(exactly(X) * off) ** 2 / rows + l2 * norm(off) ** 2) <= problem.kernel.uncertainty
        found = mpmath.mpf(problem.minimum)
        assert abs(found - minimum) <= mpmath.mpf(problem.minimum_error) + mpmath.mpf(10) ** -90
        assert abs(found - minimum) <= 1e-9 * minimum + mpmath.mpf(10) ** -90
        assert problem.lower_bound <= minimum + mpmath.mpf(10) ** -90
        H = hessian(X, l2, rows) if l2 > 0 or X.shape[0] >= X.shape[1] else hessian(X.T, 0.0, rows)
        assert bounds_the_spectrum(H, problem.mu, problem.K, within=within)
    assert problem.kernel.mu == problem.mu <= problem.kernel.hessian.min()
    assert problem.kernel.K == problem.K >= problem.kernel.hessian.max()
    return problem


@pytest.mark.parametrize("l2", [0.0, 1.0])
@pytest.mark.parametrize("shape", [(6, 6), (12, 9), (3, 7), (1, 4), (27, 26)], ids=str)
@pytest.mark.parametrize("name", GOOD)
def test_constants_minimum_and_minimizer(name, shape, l2):
    rng = np.random.default_rng(0)
    N, n = shape
    X = GOOD[name](rng, N, n)
    # what is proved grows with the condition number of the scaled columns, which is up to some 1e6 for time stamps
    check(X, l2, within=1 + (1e-6 if name == "time-stamps" else 1e-9))


@pytest.mark.parametrize("name", GOOD)
def test_offset_and_mean(name):
    rng = np.random.default_rng(0)
    X, offset = GOOD[name](rng, 15, 8), rng.standard_normal((8, 2))
    check(X, 0.3, rows=15, offset=offset, within=1 + 1e-6)


@pytest.mark.parametrize("l2", [0.0, 1.0])
@pytest.mark.parametrize("shape", [(6, 6), (12, 9), (3, 7)], ids=str)
def test_what_is_said_of_good_data_is_close(shape, l2):
    """Bounds on errors are no use if they are large: here the scaled columns have condition numbers below 100."""
    rng = np.random.default_rng(0)
    (N, n), X = shape, rng.standard_normal(shape)
    Y, offset = rng.standard_normal((N, 2)), rng.standard_normal((n, 2))
    problem = SquaredLoss(X, Y, l2=l2, offset=offset)
    kernel, size = problem.kernel, np.linalg.norm(X @ offset) + np.linalg.norm(Y)
    # some n^2 u times that condition number
    assert problem.frame_error <= 1e-12
    assert kernel.uncertainty <= 1e-12 * size
    assert problem.minimum_error <= 1e-12 * size**2
    assert problem.minimizer_error <= 1e-12 * np.linalg.norm(problem.minimizer)
    basis = np.eye(n) if problem.basis is None else problem.basis
    assert np.allclose(basis @ kernel.minimizer, problem.minimizer, rtol=0, atol=20 * U * abs(problem.minimizer).max())


@pytest.mark.parametrize("l2", [0.0, 1.0])
@pytest.mark.parametrize("shape", [(6, 6), (15, 6), (26, 26), (35, 26)], ids=str)
def test_one_huge_row(shape, l2):
    X = _huge_row(np.random.default_rng(0), *shape)
    problem = check(X, l2, within=2.0)
    assert problem.rank == shape[1]
    # the minimizer is right, but a rounded basis cannot carry the gap: this is said
    assert problem.frame_error > 1
    assert "rows are far larger" in problem.conditioning


def test_huge_row_and_column():
    X = np.random.default_rng(0).standard_normal((14, 8))
    X[3] *= 1e12
    X[:, 2] *= 1e10
    check(X, 0.0, within=2.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", GOOD)
def test_eighty_columns(name):
    check(GOOD[name](np.random.default_rng(0), 83, 80), 1.0, within=1 + 1e-9)


@pytest.mark.parametrize("l2", [0.0, 1.0])
@pytest.mark.parametrize("scale", [1.0, 1e10])
@pytest.mark.parametrize("N", [6, 20])
def test_duplicated_and_zero_columns(N, scale, l2):
    rng = np.random.default_rng(0)
    part = rng.standard_normal((N, 4))
    part[:, 0] *= scale
    part[:, 3] /= scale
    X = np.column_stack([part, np.zeros(N), part[:, 0], -2 * part[:, 0]])
    Y = rng.standard_normal((N, 2))
    problem = SquaredLoss(X, Y, l2=l2)
    assert problem.rank == 4
    # in the space of what the columns have in common: x_0 (1, 1, -2) / sqrt(6) sqrt(6)
    joined = np.column_stack([part[:, 0], part[:, 1:]])
    with mpmath.workdps(DIGITS):
        H = hessian(joined)
        for i in range(4):
            H[0, i] *= mpmath.sqrt(6)
            H[i, 0] *= mpmath.sqrt(6)
        H += l2 * mpmath.eye(4)
        assert bounds_the_spectrum(H, 0 if l2 else problem.mu, problem.K, within=None)
        right = exactly(joined).T * exactly(Y)
        right[0, :] *= mpmath.sqrt(6)
        W = mpmath.lu_solve(H, right[:, 0])
        expected = [W[0] / mpmath.sqrt(6), W[1], W[2], W[3], 0, W[0] / mpmath.sqrt(6), -2 * W[0] / mpmath.sqrt(6)]
        for j, value in enumerate(expected):
            assert abs(mpmath.mpf(problem.minimizer[j, 0]) - value) <= 1e-9 * abs(value), j
    if l2:
        assert problem.mu == l2


def test_a_regression_on_the_small_column():
    X = np.c_[1e15 * (1 + np.arange(8) * 1e-5), np.cos(np.arange(8))]
    problem = SquaredLoss(X, X[:, 1])
    assert problem.rank == 2
    assert np.allclose(problem.minimizer[:, 0], [0.0, 1.0], rtol=0, atol=1e-10)
    assert problem.minimum < 1e-20


# National Institute of Standards and Technology, Statistical Reference Datasets: Longley (1967)
LONGLEY = np.array([
    [60323, 83.0, 234289, 2356, 1590, 107608, 1947], [61122, 88.5, 259426, 2325, 1456, 108632, 1948],
    [60171, 88.2, 258054, 3682, 1616, 109773, 1949], [61187, 89.5, 284599, 3351, 1650, 110929, 1950],
    [63221, 96.2, 328975, 2099, 3099, 112075, 1951], [63639, 98.1, 346999, 1932, 3594, 113270, 1952],
    [64989, 99.0, 365385, 1870, 3547, 115094, 1953], [63761, 100.0, 363112, 3578, 3350, 116219, 1954],
    [66019, 101.2, 397469, 2904, 3048, 117388, 1955], [67857, 104.6, 419180, 2822, 2857, 118734, 1956],
    [68169, 108.4, 442769, 2936, 2798, 120445, 1957], [66513, 110.8, 444546, 4681, 2637, 121950, 1958],
    [68655, 112.6, 482704, 3813, 2552, 123366, 1959], [69564, 114.2, 502601, 3931, 2514, 125368, 1960],
    [69331, 115.7, 518173, 4806, 2572, 127852, 1961], [70551, 116.9, 554894, 4007, 2827, 130081, 1962]])


def test_longley():
    X = np.column_stack([np.ones(16), LONGLEY[:, 1:]])
    problem = SquaredLoss(X, LONGLEY[:, 0])
    # certified coefficients and residual sum of squares, 15 digits
    expected = [-3482258.63459582, 15.0618722713733, -0.0358191792925910, -2.02022980381683, -1.03322686717359,
                -0.0511041056535807, 1829.15146461355]
    # n u times the condition number of the scaled columns, 4.3e4, leaves 1e-10 or so
    assert np.allclose(problem.minimizer[:, 0], expected, rtol=1e-9, atol=0)
    assert np.isclose(2 * problem.minimum, 836424.055505915, rtol=1e-9)
    with mpmath.workdps(DIGITS):
        assert bounds_the_spectrum(hessian(X), problem.mu, problem.K, within=1 + 1e-6)


def test_exact_data_have_exact_constants():
    problem = SquaredLoss([[2.0, 0.0], [0.0, 1.0]], [[2.0], [3.0]])
    assert (problem.mu, problem.K, problem.minimum, problem.minimum_error) == (1.0, 4.0, 0.0, 0.0)
    problem = SquaredLoss([[1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [1.0, -1.0]], np.ones(4), reduction="mean", l2=0.25)
    assert (problem.mu, problem.K) == (1.25, 1.25)
    problem = SquaredLoss(np.eye(3) * 0.1, np.ones(3), reduction="mean")
    third = fractions.Fraction(0.1) ** 2 / 3
    assert problem.mu <= third <= problem.K <= problem.mu * (1 + 1e-11)
    # where nothing rounds but the division, mu and K are next to each other
    problem = SquaredLoss(np.eye(3), np.ones(3), reduction="mean")
    assert problem.mu < fractions.Fraction(1, 3) < problem.K == np.nextafter(problem.mu, 1)
    assert SoftmaxLoss([[1.0], [-1.0]], [0, 1], l2=1.0).K <= 2.0 * (1 + 8 * U)
    assert LogisticLoss([[2.0], [2.0]], [1, -1], l2=1.0).K <= 3.0 * (1 + 8 * U)


def test_mu_is_proved_where_little_is_left_of_it():
    """With a condition number of 1e12 mu is known to some n u 1e12; the computed inverse is off by nearly as much."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        (U_, _), (V, _) = (np.linalg.qr(rng.standard_normal(shape)) for shape in ((7, 5), (5, 5)))
        X = (U_ * np.geomspace(1, 1e-12, 5)) @ V.T
        problem = SquaredLoss(X, rng.standard_normal(7))
        with mpmath.workdps(DIGITS):
            assert bounds_the_spectrum(hessian(X), problem.mu, problem.K, within=1.01)


def test_where_nothing_of_mu_can_be_proved_no_rate_is_claimed():
    # the condition number of the scaled columns is near 1 / u
    X = 1.0 / (np.arange(12)[:, np.newaxis] + np.arange(12) + 1)
    problem = SquaredLoss(X, np.ones(12))
    assert 0 <= problem.mu <= problem.kernel.hessian.min()
    assert "In the frame of the data" in problem.conditioning
    run = train(problem, Network.gaussian(12, 30, 1, std=0.3, rng=0), max_iter=5)
    assert run.violations == 0


@pytest.mark.parametrize(("size", "l2"), [(1e60, 1.0), (1e140, 1e-300), (1.0, 1e-300)])
def test_a_ridge_below_what_rounding_leaves(size, l2):
    """Along the difference of equal columns the curvature is l2; X times a rounded direction is far above that."""
    rng = np.random.default_rng(0)
    part = size * rng.standard_normal((8, 3))
    X = np.column_stack([part, 0.1 * part[:, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = SquaredLoss(X, rng.standard_normal(8), l2=l2)
        run = train(problem, Network.gaussian(4, 6, 1, std=0.3, rng=0), max_iter=20)
    assert problem.mu == l2
    assert np.isfinite(problem.frame_error)
    assert np.isfinite(problem.minimum_error)
    assert run.violations == 0


def test_data_at_the_ends_of_float64():
    rng = np.random.default_rng(0)
    tiny = rng.standard_normal((6, 5))
    tiny[:, 1] = tiny[:, 0] + 1e-12 * tiny[:, 1]
    tiny *= 10.0 ** rng.uniform(-8, 8, 5) * 10.0 ** rng.uniform(-148, -132, (6, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = SquaredLoss(1e100 * rng.standard_normal((3, 2)), np.ones(3), offset=np.full((2, 1), 1e140))
        assert np.isfinite(problem.minimum)
        problem = SquaredLoss(tiny, np.ones(6), l2=1e-300)
        assert problem.mu >= 1e-300
        problem = SquaredLoss(np.diag([1e140, 1e-200]), np.ones(2), l2=1.0)
        assert (problem.condition_number, problem.mu) == (np.inf, 1.0)
        assert fractions.Fraction(1e140) ** 2 + 1 < fractions.Fraction(problem.K) < 1e280 * (1 + 1e-11)
        assert MatrixFactorization([[1e60], [5e-261], [2e-243]]).kernel.target_summary[2] == 1


def test_mu_is_below_the_ridge_and_the_data_together():
    """Their sum rounds, too."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((6, 5))
        X[1] *= 1e11
        problem = SquaredLoss(X, np.ones(6), l2=1e12)
        with mpmath.workdps(DIGITS):
            assert bounds_the_spectrum(hessian(X, 1e12), problem.mu, problem.K)


def test_the_minimum_is_between_0_and_the_loss_where_nothing_is_proved():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((5, 1)) + 1e-14 * rng.standard_normal((5, 5))
    problem = SquaredLoss(X, rng.standard_normal(5))
    assert problem.mu == 0
    assert 0 <= problem.minimum + problem.minimum_error < np.inf
