"""What losses of rows carry from iterate to iterate: X (W - W*), by sums, and how far off it is."""

import numpy as np
import pytest
from cases import PROBLEMS

from lplfast import LogisticLoss, Network, SoftmaxLoss, train
from lplfast.losses.cross_entropy import Logistic

U = 2.0**-53
# of what is carried: numbers before the rows
HERE = 2
TILE = 8


def _rows(tiles, shape):
    """Return the matrix that is stored eight rows at a time, column by column, filled up with 0."""
    whole = tiles.reshape(-1, shape[1], TILE).swapaxes(1, 2).reshape(-1, shape[1])
    assert not whole[shape[0]:].any()
    return whole[:shape[0]]


def _exact(X, E):
    """Return X @ E in extended precision: right to 2^-11 of u."""
    return np.asarray(X, dtype=np.longdouble) @ np.asarray(E, dtype=np.longdouble)


@pytest.mark.parametrize("kind", ["logistic", "softmax", "pseudo-huber"])
def test_along_rays_it_is_as_good_as_it_says(kind, probe):
    rng = np.random.default_rng(4)
    for steps in (1, 3, 15):
        problem, _ = PROBLEMS[kind](rng, 5, 3)
        kernel = problem.kernel
        W, tau, B = rng.standard_normal((3, 5, 3))
        carried, told = probe.carried(kernel, W, tau, B, 0.1, steps)
        at = np.asarray(W, dtype=np.longdouble)
        for _ in range(steps):
            at = at - np.longdouble(0.1) * tau + np.longdouble(0.1)**2 * B
        exact = _exact(kernel.options["X"], at - kernel.minimizer)
        off = np.linalg.norm((_rows(carried[HERE:], exact.shape) - exact).astype(float))
        assert off <= carried[0]
        assert carried[0] <= 1e-13 * np.linalg.norm(exact.astype(float)) * (1 + steps)
        _, gap, G = kernel.value_and_gradient(at.astype(float))
        # the loss is that of the logits, and says how far off they are
        assert abs(told["gap"] - gap) <= 2 * told["rounding"] <= 1e-11 * gap
        assert np.linalg.norm(told["G"] - G) <= 2 * told["gradient_error"] <= 1e-11 * np.linalg.norm(G)


def test_roundings_of_one_sign_add_up(probe):
    # 15 moves by 0.4 units in the last place of 1, each of which a sum rounds away
    kernel = Logistic(np.ones((1, 1)), [[0.0]], [[0.0]], mu=0.1, K=0.35, minimum=0.0, l2=0.1)
    tau = np.full((1, 1), -0.8 * U)
    carried, _ = probe.carried(kernel, np.ones((1, 1)), tau, np.zeros((1, 1)), 1.0, 15)
    assert carried[HERE] == 1.0
    assert 11.9 * U <= 15 * 0.8 * U <= carried[0] <= 15 * 6 * U


def test_along_a_run_it_is_as_good_as_it_says():
    # layers that are huge beside their product, whose rounding therefore counts; compression would take that away
    rng = np.random.default_rng(2)
    X, labels = rng.standard_normal((40, 4)), rng.integers(0, 3, 40)
    problem = SoftmaxLoss(X, labels, l2=0.5)
    A, B = 300 * rng.standard_normal((2, 4, 4))
    network = Network(np.hstack([A, A + 1e-3]), np.vstack([B[:, :3], -B[:, :3]]))
    run = train(problem, network, "majorizer", max_iter=15, tol=0.0, compress=False)
    assert run.violations == 0
    state, layers = run.continuation.state, run.continuation.layers(7)
    carried = _rows(state[state.size - layers.size - 120:state.size - layers.size], (40, 3))
    error, _ = state[state.size - layers.size - 122:state.size - layers.size - 120]
    product = _exact(layers[:4], layers[4:].T)
    exact = _exact(problem.kernel.options["X"], product - problem.kernel.minimizer)
    off = np.linalg.norm((carried - exact).astype(float))
    by_product = 30 * U * np.linalg.norm(X) * np.linalg.norm(product.astype(float) - problem.kernel.minimizer)
    assert by_product < off <= error <= 1e4 * off


@pytest.mark.parametrize("rule", ["majorizer", "exact", "armijo"])
def test_it_goes_with_the_run_to_the_bit(rule, tmp_path):
    rng = np.random.default_rng(6)
    problem = LogisticLoss(rng.standard_normal((30, 4)), rng.integers(0, 2, 30), l2=0.1)
    network = Network.gaussian(4, 9, 1, rng=0)
    whole = train(problem, network, rule, max_iter=40, tol=0.0)
    for first in (1, 15, 16, 17, 31):
        part = train(problem, network, rule, max_iter=first, tol=0.0)
        part.save(tmp_path / "run.npz")
        rest = train(problem, type(part).load(tmp_path / "run.npz"), max_iter=40)
        # but for the seconds that it took, the second number
        assert np.array_equal(np.delete(rest.continuation.state, 1), np.delete(whole.continuation.state, 1))
        assert np.array_equal(rest.history["gap"], whole.history["gap"])


def test_another_rule_goes_on_from_the_layers():
    rng = np.random.default_rng(6)
    problem = LogisticLoss(rng.standard_normal((30, 4)), rng.integers(0, 2, 30), l2=0.1)
    for first, second in (("majorizer", "local"), ("local", "majorizer"), ("majorizer", "armijo")):
        run = train(problem, Network.gaussian(4, 9, 1, rng=0), first, max_iter=5)
        run = train(problem, run, second, max_iter=40, tol=0.0)
        assert run.iterations == 40
        assert run.violations == 0
