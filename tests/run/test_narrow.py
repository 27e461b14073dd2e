"""Networks narrower than min(n, m): columns against l*, statuses against what their width can reach."""

import numpy as np
import pytest
from cases import QUADRATIC

from lplfast import LogisticLoss, MatrixFactorization, Network, Run, SquaredLoss, train

TARGET = np.diag([3.0, 2.0, 1.0])
PROBLEM = SquaredLoss(TARGET, TARGET, l2=0.5)
NETWORK = Network.gaussian(3, 1, 3, rng=0)
LEAST = PROBLEM.minimum_at_rank(1) - PROBLEM.minimum


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-10])
def test_it_converges_to_what_its_width_can_reach(tol):
    run = train(PROBLEM, NETWORK, "sharp", max_iter=10**5, tol=tol)
    assert run.status == "converged"
    above = run.history["gap"] - LEAST
    reached = above <= tol * above[0]
    # what rounding leaves of the gap, 1e-13 of it, is on the safe side
    assert reached[-1]
    assert not (above[:-1] <= (tol - 1e-13 * LEAST / above[0]) * above[0]).any()
    # the columns are against l*
    assert run.history["gap"][-1] == pytest.approx(run.history["loss"][-1] - PROBLEM.minimum, rel=1e-12)
    assert run.history["gap"].min() > LEAST * (1 - 1e-12)
    assert f"no network of width 1, which is below min(n, m) = 3, has one below {LEAST:.3g}" in run.message
    assert "Widen it" in run.message
    assert run.violations == 0


@pytest.mark.parametrize("name", QUADRATIC)
@pytest.mark.parametrize("h", [1, 2, 3])
def test_every_squared_loss_comes_to_its_floor_or_converges(name, h):
    problem, _ = QUADRATIC[name](np.random.default_rng(1), 5, 4)
    run = train(problem, Network.gaussian(5, h, 4, std=0.3, rng=0), "majorizer", max_iter=20000)
    # data of rank 2 ask for no more
    least = problem.minimum_at_rank(h) - problem.minimum
    assert run.facts.unreached == pytest.approx(least, rel=1e-9, abs=1e-12)
    assert run.status == "converged"
    assert run.violations == 0


def test_without_a_tolerance_it_stops_at_the_rounding_floor():
    run = train(PROBLEM, NETWORK, tol=0.0, max_iter=10**5)
    assert run.status == "floor"
    assert "raise tol" in run.message
    assert "Widen it" in run.message
    assert abs(run.history["gap"][-1] / LEAST - 1) < 1e-12
    few = train(PROBLEM, NETWORK, max_iter=30)
    assert few.status == "max_iter"
    assert "iterations away: raise max_iter" in few.message
    # the forecast is of the right size: it goes on for about as long
    said = float(few.message.split(" iterations away")[0].split()[-1])
    taken = train(PROBLEM, NETWORK, max_iter=10**5).iterations - 30
    assert taken / 3 < said < 3 * taken


def test_polyak_steps_to_what_can_be_reached():
    run = train(PROBLEM, NETWORK, "polyak", max_iter=10**4)
    h = run.history
    assert run.status == "converged"
    np.testing.assert_allclose(h["step_size"][:-1], (h["gap"] - run.facts.unreached)[:-1] / h["grad_norm"][:-1] ** 2,
                               rtol=1e-12)


def test_a_rule_of_ones_own_sees_it():
    seen = []

    def choose(iterate):
        seen.append(iterate.unreached)
        return 0.01

    train(PROBLEM, NETWORK, choose, max_iter=1)
    train(PROBLEM, Network.gaussian(3, 3, 3, rng=0), choose, max_iter=1)
    assert seen == [pytest.approx(LEAST, rel=1e-12), 0.0]


def test_a_saddle_is_no_minimum_of_that_width_and_the_best_product_is():
    problem = MatrixFactorization(TARGET)
    pair = [Network(np.eye(3)[:, [i]] * TARGET[i, i], np.eye(3)[[i]]) for i in range(3)]
    assert [train(problem, at).status for at in pair] == ["floor", "saddle", "saddle"]
    # a target of that rank leaves nothing
    exact = train(MatrixFactorization(np.outer([1.0, 2.0], [3.0, 1.0])), Network.gaussian(2, 1, 2, rng=0))
    assert exact.converged
    assert exact.facts.unreached == 0.0
    assert "width" not in exact.message


def test_what_is_known_of_other_widths_and_losses():
    assert train(PROBLEM, Network.gaussian(3, 3, 3, rng=0)).facts.unreached == 0.0
    loss = LogisticLoss(np.eye(3), np.eye(3), l2=1.0)
    assert np.isnan(train(loss, NETWORK, max_iter=3).facts.unreached)
    assert train(loss, Network.gaussian(3, 3, 3, rng=0), max_iter=3).facts.unreached == 0.0


def test_it_is_drawn_and_saved(tmp_path):
    run = train(PROBLEM, NETWORK, max_iter=200)
    run.save(tmp_path / "run.npz")
    loaded = Run.load(tmp_path / "run.npz")
    assert loaded.facts == run.facts
    for shown in (run, loaded):
        lines = {line.get_label(): line.get_ydata() for line in shown.plot().axes[0].get_lines()}
        assert lines["least at width 1"][0] == run.facts.unreached
    assert not any("least" in line.get_label() for line in
                   train(PROBLEM, Network.gaussian(3, 3, 3, rng=0)).plot().axes[0].get_lines())
    whole, part = train(PROBLEM, NETWORK, max_iter=10**5), train(PROBLEM, loaded, max_iter=10**5)
    assert (part.iterations, part.status) == (whole.iterations, whole.status)
