"""A plan that is made again as the run goes on keeps what it promised first, and needs fewer steps than that."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases

from lplfast import CustomLoss, Network, Planned, SquaredLoss, guaranteed_rate, initial_bounds, train


@settings(max_examples=60, deadline=None)
@given(cases(), st.sampled_from(["exact", "certified"]))
def test_the_first_promise_is_kept(case, constants):
    problem, network = case
    # what the rule is told: of a loss that is not squared mu, K and l*, not where the minimizer is
    known = problem if problem.kernel.quadratic else CustomLoss(
        lambda W: (problem.value(W), problem.gradient(W)), shape=problem.shape, mu=problem.mu, K=problem.K,
        minimum=problem.minimum)
    found = guaranteed_rate(known, network)
    # of a gap that rounding may be all of there is nothing to be seen at 1e-6 of it
    if found.vacuous or initial_bounds(problem, network).gap < 1e-12:
        return
    promised = found.iterations_to(1e-6)
    if promised > 2000:
        return
    run = train(problem, network, Planned(), max_iter=promised + 1, tol=1e-6, constants=constants)
    assert run.violations == 0
    # its own search, in other units, may find a plan of one step more
    assert run.status in ("converged", "floor")


@pytest.mark.parametrize("condition", [1, 3, 10])
def test_it_takes_fewer_iterations_than_local_at_a_small_width(condition):
    rng = np.random.default_rng(condition)
    U, V = (np.linalg.qr(rng.standard_normal((20, 20)))[0] for _ in range(2))
    X = U * np.linspace(condition**-0.5, 1, 20) @ V.T
    problem = SquaredLoss(X, X @ rng.standard_normal((20, 20)) / 20**0.5)
    network = Network.gaussian(20, 100, 20, std=100**-0.25, rng=rng)
    planned, local = (train(problem, network, rule, tol=1e-6) for rule in (Planned(), "local"))
    assert planned.violations == 0
    assert planned.iterations <= local.iterations < guaranteed_rate(problem, network).iterations_to(1e-6)


# of 24 seeds, those at which it would at some time go over to a plan that ends later
@pytest.mark.parametrize("seed", [16, 18, 20])
def test_a_plan_is_left_only_for_one_that_ends_sooner(seed, probe):
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(2))
    X = U * np.linspace(3**-0.5, 1, 4) @ V.T
    problem = SquaredLoss(X, X @ rng.standard_normal((4, 3)))
    network = Network.gaussian(4, 100, 3, std=100**-0.25, rng=rng)
    ends = []

    def look(run):
        _next, left, target, unit, beta, *_ = probe.rule_memory(run.continuation.state)
        ends.append((target * unit * beta, run.iterations + left))

    train(problem, network, Planned(), max_iter=300, tol=0.0, callback=look)
    # on the way to one and the same gap, which its units round a little
    pairs = [(end, after) for (gap, end), (same, after) in itertools.pairwise(ends) if abs(gap - same) <= 1e-9 * gap]
    assert all(after <= end for end, after in pairs)
    assert sum(after < end for end, after in pairs) > 3


def test_it_plans_for_the_next_part_of_the_gap_when_it_has_arrived():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((12, 4))
    problem = SquaredLoss(X, X @ rng.standard_normal((4, 3)), l2=0.1)
    network = Network.gaussian(4, 500, 3, std=0.3, rng=2)
    run = train(problem, network, Planned(), max_iter=2000, tol=1e-20)
    assert run.status in ("converged", "floor")
    assert run.violations == 0


def test_where_nothing_is_guaranteed_it_takes_the_sharp_steps():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((12, 4))
    problem, network = SquaredLoss(X, X @ rng.standard_normal((4, 3))), Network.gaussian(4, 2, 3, std=0.5, rng=2)
    runs = [train(problem, network, rule, max_iter=30, tol=0.0) for rule in (Planned(), "sharp")]
    assert runs[0].history["step_size"].tobytes() == runs[1].history["step_size"].tobytes()
    # uncompressed wide layers have too large an imbalance for that
    wide = Network.gaussian(2, 100, 2, std=0.3, rng=2)
    square = SquaredLoss(X[:, :2], X[:, 2:])
    runs = [train(square, wide, rule, max_iter=9, tol=0.0, compress=False) for rule in (Planned(), "sharp")]
    assert runs[0].history["step_size"].tobytes() == runs[1].history["step_size"].tobytes()
