"""The gap of a whole run from both sides, against runs in extended precision and in float64."""

import numpy as np
import pytest
from cases import EXPECTED, QUADRATIC

from lplfast import LogisticLoss, MatrixFactorization, Network, SquaredLoss, predicted_curve, train


def exact(problem, network, etas):
    """Return gaps, distances from the linearization and drifts of the Gram matrices, in extended precision.

    Of the loss and the layers as the loop is given them: what is left to compare has an error of some 1e-17. A run that
    leaves float64 ends there.
    """
    kernel, wide = problem.kernel, np.longdouble
    d, T = kernel.hessian.astype(wide)[:, None], kernel.minimizer.astype(wide)
    stack = problem.to_kernel(network.stack()).astype(wide)
    n, root = kernel.shape[0], np.sqrt(d)
    W1, W2 = stack[:n], stack[n:].T
    first, second = W1 @ W1.T, W2.T @ W2
    P = root * (W1 @ W2 - T)
    found = []
    for eta in [*etas.astype(wide), None]:
        Q = root * (W1 @ W2 - T)
        if not (Q * Q).sum() < 1e100:
            break
        drift = sum(np.linalg.norm((now - then).astype(float), 2)
                    for now, then in ((W1 @ W1.T, first), (W2.T @ W2, second)))
        found.append((float((Q * Q).sum() / 2), float(np.sqrt(((Q - P) ** 2).sum())), drift))
        if eta is not None:
            G = root * Q
            W1, W2 = W1 - eta * G @ W2.T, W2 - eta * W1.T @ G
            P = P - eta * (d * P @ second + root * (first @ (root * P)))
    return np.array(found).T


def assert_inside(problem, network, etas, order):
    """Assert that an exact run is inside the curve; return the curve's width."""
    curve = predicted_curve(problem, network, etas, len(etas), order=order)
    gap, distance, drift = exact(problem, network, np.asarray(etas))
    lower, upper, far, moved = (found[:gap.size] for found in (
        curve.gap_lower, curve.gap_upper, curve.distance, curve.gram_drift))
    # what extended precision loses in W1 W2, sums of errors of either sign, in units of sqrt(2 gap); float of it, once
    stack = network.stack()
    one, two = np.linalg.norm(stack[:network.n]), np.linalg.norm(stack[network.n:])
    off = float(np.finfo(np.longdouble).eps) * np.sqrt((stack.shape[1] + 20) * len(etas) * problem.K) * one * two
    root = np.sqrt(2 * gap)
    assert (np.sqrt(2 * lower) <= root * (1 + 1e-15) + off).all()
    assert (root <= np.sqrt(2 * upper) * (1 + 1e-15) + off).all()
    assert (distance <= far * (1 + 1e-15) + off).all()
    # the drift is a difference in float64 of Gram matrices: norms of these times some u
    assert (drift <= moved * (1 + 1e-12) + 1e-14).all()
    return curve.width


def drawn(rng):
    """Return a random problem, network and step sizes, short ones and too long ones."""
    n, m, h = rng.integers(1, 7), rng.integers(1, 7), int(10 ** rng.uniform(0, 4))
    X, _ = np.linalg.qr(rng.standard_normal((n, n)))
    X = X * np.linspace(1, rng.choice([1.0, 0.5, 0.1]), n)
    Y = X @ rng.standard_normal((n, m))
    problem = MatrixFactorization(Y) if rng.random() < 0.2 else SquaredLoss(X, Y, l2=rng.choice([0.0, 0.1]))
    network = Network.gaussian_implicit(n, h, m, std=h**-0.25 * 10 ** rng.uniform(-1, 0.5), rng=rng)
    s = np.linalg.norm(network.stack()[:n], 2) ** 2 + np.linalg.norm(network.stack()[n:], 2) ** 2
    etas = 10 ** rng.uniform(-2, 0.5) / (problem.K * s) * rng.uniform(0.5, 1, rng.integers(1, 40))
    return problem, network, etas


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("runs", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_random_runs_stay_inside(order, runs):
    rng = np.random.default_rng(order)
    widest = [assert_inside(*drawn(rng), order).max() for _ in range(runs)]
    # the band says something of many of them, and is not all rounding either
    assert np.mean(np.array(widest) < 0.99) > 0.1
    assert np.mean(np.array(widest) > 1e-6) > 0.1


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", sorted(QUADRATIC))
def test_the_gap_of_a_run_in_float64_is_inside(name, order):
    rng = np.random.default_rng(3)
    problem, _ = QUADRATIC[name](rng, 5, 4)
    network = Network.gaussian_implicit(5, 10**7, 4, std=10**-1.75, rng=rng)
    eta = 0.3 / (problem.K * np.linalg.norm(network.stack(), 2) ** 2)
    run = train(problem, network, eta, max_iter=30, tol=0.0)
    curve = predicted_curve(problem, network, eta, 30, order=order)
    # each step may have been off by the gap's rounding and its floor, in units of sqrt(2 gap)
    off = 30 * (np.sqrt(2 * run.history["floor"]) + 1e-14 * np.sqrt(2 * run.history["gap"]))
    root = np.sqrt(2 * run.history["gap"])
    assert (np.sqrt(2 * curve.gap_lower) <= root + off).all()
    assert (root <= np.sqrt(2 * curve.gap_upper) + off).all()
    assert curve.width[-1] < (0.1 if order == 0 else 1e-3)


@pytest.mark.parametrize("order", [0, 1])
def test_what_rounding_takes_is_allowed_for(order):
    rng = np.random.default_rng(0)
    # the product is within 1e-12 of the minimizer: W1 W2 - W* has few digits
    for _ in range(20):
        near = Network.gaussian(40, 60, 30, rng=rng)
        problem = MatrixFactorization(near.product + 1e-12 * rng.standard_normal((40, 30)))
        assert_inside(problem, near, [1e-5], order)
    # W* = 0, of which one step of 1/(||w1||^2 + ||w2||^2) leaves nothing: the rounding of the Gram matrices is left
    for _ in range(20):
        w1, w2 = rng.standard_normal(2)
        w1, w2 = np.array([w1, 0.0]), np.array([1e-9 * w2, w2])
        assert_inside(MatrixFactorization([[0.0]]), Network(w1[None], w2[:, None]), [1 / (w1 @ w1 + w2 @ w2)], order)


def test_one_step_of_scalars_is_an_equality_of_order_1():
    # the second-order term is in R: what is left of the band is rounding
    problem, network = MatrixFactorization([[1.0]]), Network([[1.5]], [[2.0]])
    curve = predicted_curve(problem, network, 0.1, 1)
    gap = ((1.5 - 0.1 * 2 * 2.0) * (2.0 - 0.1 * 2 * 1.5) - 1) ** 2 / 2
    assert curve.gap_lower[1] <= gap <= curve.gap_upper[1] <= curve.gap_lower[1] * (1 + 1e-11)
    # of order 0 the drift of the Gram matrices: 2 eta p G and the second-order term, both layers
    frozen = predicted_curve(problem, network, 0.1, 1, order=0)
    assert frozen.gram_drift[1] == pytest.approx(4 * 0.1 * 3 * 2 + 0.01 * 4 * (1.5**2 + 2**2), rel=1e-12)
    assert frozen.distance[1] == pytest.approx(0.01 * 2 * 2 * 3, rel=1e-11)
    assert frozen.linear_gap[1] == pytest.approx((2 - 0.1 * 6.25 * 2) ** 2 / 2, rel=1e-12)


def test_the_last_step_size_stays():
    problem, network = MatrixFactorization([[1.0]]), Network([[1.5]], [[2.0]])
    short = predicted_curve(problem, network, [0.2, 0.1], 4)
    whole = predicted_curve(problem, network, [0.2, 0.1, 0.1, 0.1, 9.0], 4)
    assert short.step_sizes.tolist() == [0.2, 0.1, 0.1, 0.1]
    np.testing.assert_array_equal(short.gap_upper, whole.gap_upper)


def test_a_step_that_leaves_float64_says_nothing():
    problem, network = MatrixFactorization([[1.0]]), Network([[1.5]], [[2.0]])
    for order in (0, 1):
        curve = predicted_curve(problem, network, 1e200, 5, order=order)
        assert curve.gap_upper[0] < np.inf
        assert (curve.gap_upper[2:] == np.inf).all()
        assert (curve.gap_lower[2:] == 0).all()
        assert (curve.width[2:] == 1).all()


def test_gram_matrices_in_float64_of_a_kernel_that_leaves_it():
    rng = np.random.default_rng(0)
    problem = SquaredLoss(1e60 * np.eye(4), rng.standard_normal((4, 3)))
    curve = predicted_curve(problem, Network.gaussian(4, 2, 3, rng=rng), 1.0, 5, order=1)
    assert curve.gap_upper[0] < np.inf
    assert (curve.gap_upper[2:] == np.inf).all()


@pytest.mark.parametrize("etas", ["local", [], [0.1, -1.0], [np.nan], 0.0, np.inf, [[0.1]], None, [1j], [[1, 2], [3]]])
def test_bad_step_sizes_are_refused(etas):
    with pytest.raises((TypeError, ValueError), match=f"step_sizes: {EXPECTED}"):
        predicted_curve(MatrixFactorization([[1.0]]), Network([[1.0]], [[2.0]]), etas, 3)


def test_other_losses_and_orders_are_refused():
    problem = LogisticLoss([[1.0], [2.0]], [0, 1], l2=1.0)
    with pytest.raises(ValueError, match="expected a squared loss"):
        predicted_curve(problem, Network([[1.0]], [[2.0]]), 0.1, 3)
    squared = MatrixFactorization([[1.0]])
    with pytest.raises(ValueError, match="order: expected 0 or 1"):
        predicted_curve(squared, Network([[1.0]], [[2.0]]), 0.1, 3, order=2)
    with pytest.raises(ValueError, match="iterations: expected"):
        predicted_curve(squared, Network([[1.0]], [[2.0]]), 0.1, 0)
    with pytest.raises(OverflowError, match="rescale"):
        predicted_curve(squared, Network([[1e100]], [[1e100]]), 0.1, 1)
