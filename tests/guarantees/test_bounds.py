"""Bounds from the initialization, against what is measured."""

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import cases

from lplfast import CustomLoss, MatrixFactorization, Network, SquaredLoss, initial_bounds, local_constants, train


@settings(max_examples=200, deadline=None)
@given(cases())
def test_bounds_hold_at_the_network_itself(case):
    problem, network = case
    at = local_constants(problem, network)
    for margins in ["best", *(["xu2023"] if problem.kernel.target_summary is not None else [])]:
        bounds = initial_bounds(problem, network, margins=margins)
        # eigenvalues of D are known to some u ||Z||^2, what is made of them likewise; sqrt of that at a margin
        size = 1e-12 * (1 + bounds.beta)
        assert bounds.alpha <= at.brackets["sigma_min_sq"][1] + size
        assert bounds.beta >= at.brackets["sigma_max_sq"][0] - size
        s = np.linalg.svd(problem.to_kernel(network.product), compute_uv=False)
        assert bounds.p1 <= s[-1] + size
        assert bounds.p2 >= s[0] - size
        # of a loss of labels more than mu may be known
        assert bounds.mu_lower >= problem.mu * bounds.alpha
        if not hasattr(problem, "classes"):
            assert bounds.mu_lower == problem.mu * bounds.alpha
        assert bounds.K_upper(0.1) >= at.K_t(0.1) * (1 - 1e-9)


def test_alpha_is_positive_exactly_where_the_theory_says():
    rng = np.random.default_rng(0)
    problem = MatrixFactorization(rng.standard_normal((3, 4)))
    # wide Gaussian layers: D has 3 positive and 4 negative eigenvalues
    assert initial_bounds(problem, Network.gaussian(3, 50, 4, rng=1)).alpha > 0
    # n + m = 7 > 6 = h: some of them are missing, but not both kinds
    few = initial_bounds(problem, Network.gaussian(3, 6, 4, rng=1))
    assert (few.imbalance.nth > 0) or (few.imbalance.mth > 0)
    # D = 0 and no margin: vacuous; D = 0 and W near W*: the margin saves it
    assert initial_bounds(problem, Network.balanced(5 * rng.standard_normal((3, 4)), 50)).alpha == 0
    assert initial_bounds(problem, Network.balanced(problem.minimizer * 1.01, 50)).alpha > 0


def test_xu2023_prints_what_the_paper_prints():
    # the formulas of the paper, on the data themselves, wide
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((9, 4)), rng.standard_normal((9, 4))
    X, Y = X, X @ rng.standard_normal((4, 4)) + 1e-3 * Y
    network = Network.balanced(np.linalg.lstsq(X, Y)[0] + 1e-3, 30)
    found = initial_bounds(SquaredLoss(X, Y), network, margins="xu2023")
    E, s = Y - X @ network.product, np.linalg.svd(X, compute_uv=False)
    p1 = (np.linalg.svd(Y, compute_uv=False)[-1] - np.linalg.norm(E)) / s[0]
    p2 = (np.linalg.norm(Y) + np.linalg.norm(E)) / s[-1]
    assert p1 > 0
    assert np.allclose([found.p1, found.p2], [p1, p2], rtol=1e-12)
    # D = 0: alpha = 2 p1, beta = 2 p2
    assert np.allclose([found.alpha, found.beta], [2 * p1, 2 * p2], rtol=1e-9)
    with pytest.raises(ValueError, match="expected a squared loss without ridge"):
        initial_bounds(SquaredLoss(X, Y, l2=0.1), network, margins="xu2023")


def test_bounds_from_the_start_are_not_claimed_of_a_larger_loss():
    problem = CustomLoss(lambda W: (0.5 * float(((W - 100) ** 2).sum()), W - 100.0), shape=(1, 1), mu=1.0, K=1.0,
                         lower_bound=0.0)
    run = train(problem, Network([[101**0.5]], [[101**0.5]]), 0.02, max_iter=6)
    assert run.history["loss"][-1] > run.history["loss"][0]
    assert run.violations == 0
