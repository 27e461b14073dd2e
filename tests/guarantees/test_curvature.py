"""Bounds and rates before the first step from the curvature of a softmax or logistic loss at its minimizer."""

import numpy as np
import pytest
from cases import labels

from lplfast import LogisticLoss, Network, Sharp, SoftmaxLoss, guaranteed_rate, initial_bounds, train

KINDS = [LogisticLoss, SoftmaxLoss]


def made(kind, rng, *, N=120, n=4, m=3, h=400, l2, rank=None):
    X = rng.standard_normal((N, n))
    if rank:
        X = rng.standard_normal((N, rank)) @ rng.standard_normal((rank, n))
    problem = kind(X, rng.integers(0, 2, (N, m)) if kind is LogisticLoss else labels(rng, kind, N, m), l2=l2)
    return problem, problem.project(Network.gaussian(n, h, m, std=0.3 * h**-0.25, rng=rng))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", [None, 2])
def test_the_constant_holds_wherever_the_gap_is_at_most_that(kind, rank):
    rng = np.random.default_rng(0)
    for l2 in (0.0, 1e-4, 1.0):
        problem, network = made(kind, rng, l2=l2, rank=rank)
        for size in (1e-3, 0.1, 1.0, 5.0):
            direction = problem._seen(rng.standard_normal(problem.shape))
            W = problem.minimizer + size * direction
            gap = problem.gap(W)
            mu = problem.constant_below(gap * (1 + 1e-9), network.stack())
            assert mu > l2
            # the PL inequality at that gap and below, and quadratic growth
            for part in (1.0, 0.3, 1e-2):
                D = part * size * direction
                below = problem.gap(problem.minimizer + D)
                assert np.sum(problem.gradient(problem.minimizer + D) ** 2) >= 2 * mu * below
                assert below >= mu / 2 * np.sum(D**2)


@pytest.mark.parametrize("kind", KINDS)
def test_near_the_minimizer_it_is_the_curvature_there(kind):
    problem, network = made(kind, np.random.default_rng(1), l2=0.01)
    found = problem.constant_below(1e-20, network.stack())
    assert found == pytest.approx(problem.curvature_at_minimizer + 0.01, rel=1e-6)
    far = problem.constant_below(1e6, network.stack())
    assert 0.01 <= far < found


def test_of_a_network_with_what_the_data_do_not_see_it_is_mu():
    rng = np.random.default_rng(2)
    network = Network.gaussian(4, 400, 3, std=0.07, rng=0)
    for l2 in (0.0, 0.01):
        problem, projected = made(SoftmaxLoss, rng, l2=l2)
        assert problem.constant_below(1.0, network.stack()) == l2
        assert problem.constant_below(1.0, projected.stack()) > l2
    problem, _ = made(SoftmaxLoss, rng, l2=0.0)
    found = guaranteed_rate(problem, network)
    assert found.vacuous
    assert "problem.project" in found.message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("l2", [0.0, 1e-6])
def test_a_run_keeps_the_rate_that_it_was_guaranteed(kind, l2):
    rng = np.random.default_rng(3)
    problem, network = made(kind, rng, l2=l2, h=4000)
    bounds = initial_bounds(problem, network)
    assert bounds.mu_lower > 100 * l2 * bounds.alpha
    found = guaranteed_rate(problem, network)
    assert not found.vacuous
    assert found.iterations_to(1e-6) < 10**5
    run = train(problem, network, found.rule, max_iter=300, tol=1e-8)
    assert run.violations == 0
    claims = {claim.name: claim for claim in run.audit().claims}
    assert claims["initial_rate"].violations == claims["initial"].violations == 0
    assert claims["initial_rate"].steps > 10
    t, gap = run.history["iteration"], run.history["gap"]
    assert (gap <= [found.gap_at(int(i)) for i in t]).all()


def test_margins_hold_at_networks_of_no_larger_gap():
    rng = np.random.default_rng(4)
    problem, network = made(LogisticLoss, rng, l2=0.0)
    bounds = initial_bounds(problem, network)
    assert np.isfinite(bounds.p2)
    run = train(problem, network, Sharp(), max_iter=200)
    for W in (network.product, run.network.product):
        s = np.linalg.svd(W, compute_uv=False)
        assert bounds.p1 <= s[-1]
        assert s[0] <= bounds.p2
