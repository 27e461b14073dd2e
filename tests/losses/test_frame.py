"""What a rounded frame loses of a squared loss is said, and goes into the checks of a run."""

import warnings

import mpmath
import numpy as np
import pytest
from precise import DIGITS, exactly, minimizer, norm

from lplfast import Network, SquaredLoss, train

U = 2.0**-53


def test_the_frame_goes_into_the_checks():
    """A gap in a rounded frame is not the gap on the data: they differ by no more than is said."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((12, 5)), rng.standard_normal((12, 2))
    X[:, 1] = X[:, 0] + 1e-6 * X[:, 1]
    problem = SquaredLoss(X, Y)
    assert 1e-16 < problem.frame_error < 1e-6
    for size in (1.0, 1e-3, 1e-6):
        W = problem.minimizer + size * rng.standard_normal((5, 2))
        with mpmath.workdps(DIGITS):
            W_star, _ = minimizer(X, Y)
            gap = norm(exactly(X) * (exactly(W) - W_star)) ** 2 / 2
            found = mpmath.mpf(problem.gap(W))
            error = problem.frame_error * found + problem.kernel.uncertainty * mpmath.sqrt(2 * found) * 1.01 + (
                problem.kernel.uncertainty**2 / 2)
            # V.T W rounds as well
            error += 20 * U * problem.K * norm(exactly(W)) * norm(exactly(W) - W_star)
            assert abs(gap - found) <= error


def test_a_run_says_what_its_frame_loses():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((12, 5)), rng.standard_normal((12, 2))
    network = Network.gaussian(5, 20, 2, std=0.3, rng=0)
    assert "In the frame" not in train(SquaredLoss(X, Y), network, max_iter=5).message
    X[:, 1] = X[:, 0] + 1e-9 * X[:, 1]
    problem = SquaredLoss(X, Y)
    run = train(problem, network, max_iter=5)
    assert 1e-6 < problem.frame_error < 1
    assert f"known to the part {problem.frame_error:.1e} of itself" in run.message
    assert run.violations == 0
    # and where nothing is left of it, the run does not pretend that there is
    X[3] *= 1e18
    assert train(SquaredLoss(X, Y), network, max_iter=5).status == "floor"


@pytest.mark.parametrize("size", [1e-60, 1e-140])
def test_a_rate_beyond_float64_is_no_violation(size):
    rng = np.random.default_rng(0)
    problem = SquaredLoss(size * rng.standard_normal((6, 4)), np.ones(6), l2=size**2)
    for width in (1, 3):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run = train(problem, Network.gaussian(4, width, 1, std=1.0, rng=0), 0.1 / problem.K, max_iter=20)
            audit = run.audit()
        assert run.violations == 0
        assert audit.passed
