"""Losses of labels: their constants against their Hessian, their minimum, and what is trained with them."""

import threading

import mpmath
import numpy as np
import pytest
from cases import CONVEX, labels
from precise import DIGITS, bounds_the_spectrum, hessian
from scipy.sparse.linalg import LinearOperator, eigsh

from lplfast import LogisticLoss, Network, Run, SoftmaxLoss, initial_bounds, train


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_the_hessian_stays_between_mu_and_K(kind, reduction):
    rng = np.random.default_rng(0)
    n, m, N = 6, 4, 50
    X, l2 = rng.standard_normal((N, n)), 1e-3
    problem = kind(X, labels(rng, kind, N, m), l2=l2, reduction=reduction)
    top = np.linalg.svd(X)[2][0]
    tie = np.outer(top, [1, 1, -1, -1]) * 1e3       # two outputs tie far from the others
    found = []
    for W in (np.zeros((n, m)), rng.standard_normal((n, m)), 1e4 * rng.standard_normal((n, m)), tie,
              np.array(problem.minimizer)):
        def product(v, W=W, h=1e-4):
            V = v.reshape(n, m)
            V = V / np.linalg.norm(V)
            return (problem.gradient(W + h * V) - problem.gradient(W - h * V)).ravel() / (2 * h) * np.linalg.norm(v)

        operator = LinearOperator((n * m, n * m), matvec=product, dtype=float)
        for which in ("SA", "LA"):
            _, V = eigsh(operator, k=1, which=which, v0=rng.standard_normal(n * m), tol=1e-9, ncv=24)
            found.append(V[:, 0] @ product(V[:, 0]))
    # gradients of size l2 |W| are known to u, and divided by h
    assert min(found) >= problem.mu - 1e-7
    assert max(found) <= problem.K * (1 + 1e-9)
    assert min(found) <= problem.mu * 1.001 + 1e-7
    # the logistic K is attained at W = 0; the softmax one only if all rows tie in two classes
    assert max(found) >= (0.999 if kind is LogisticLoss else 0.3) * problem.K


def test_the_K_of_a_softmax_is_attained_by_two_classes():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4))
    problem = SoftmaxLoss(X, labels(rng, SoftmaxLoss, 30, 2), l2=0.1)
    top = np.outer(np.linalg.svd(X)[2][0], [1, -1]) / np.sqrt(2)
    h = 1e-5
    curvature = np.vdot(top, problem.gradient(h * top) - problem.gradient(-h * top)) / (2 * h)
    assert np.isclose(curvature, problem.K, rtol=1e-8)


@pytest.mark.parametrize("name", CONVEX)
def test_the_bracket_of_the_minimum_is_true(name):
    problem, twin = CONVEX[name](np.random.default_rng(4), 6, 3)
    # the twin's own error is of the size of rounding in its gradient
    assert np.linalg.norm(problem.minimizer - twin.minimizer) <= problem.minimizer_error + 1e-12
    assert problem.lower_bound <= twin.minimum * (1 + 1e-13)
    assert problem.minimum >= twin.minimum * (1 - 1e-13)
    first = problem.gap(np.zeros(problem.shape))
    # of the gradient, and of the value: some u for each of 33 terms at most
    assert problem.minimum - problem.lower_bound <= 1e-14 * first + 1e-13 * problem.minimum


def test_what_is_less_than_the_uncertainty_is_not_called_converged():
    # X so large beside l2 that the gradient at the minimizer, and so l*, is known to few digits
    rng = np.random.default_rng(0)
    X = 1e4 * rng.standard_normal((40, 2)) @ np.diag([1, 1e-4])
    problem = LogisticLoss(X, labels(rng, LogisticLoss, 40, 1), l2=1e-4)
    # nearer than what the gradient there could tell, though far from the rounding floor
    near = problem.minimizer + np.array([[0.0], [problem.kernel.uncertainty / 100]])
    run = train(problem, Network.balanced(near, 5), tol=1e-3)
    assert 0 < run.history["gap"][0] <= run.history["floor"][0]
    assert run.status == "floor"
    assert not run.converged
    assert "known to" in run.message
    assert "raise tol" in run.message


def test_solving_is_lazy_and_done_once_by_however_many_threads():
    rng = np.random.default_rng(0)
    problem = SoftmaxLoss(rng.standard_normal((60, 8)), labels(rng, SoftmaxLoss, 60, 5), l2=0.1)
    repr(problem)
    assert problem._kernel is None
    found = []
    threads = [threading.Thread(target=lambda: found.append(problem.kernel)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(kernel) for kernel in found}) == 1


def test_an_adapter_trains_what_a_frozen_matrix_leaves():
    rng = np.random.default_rng(0)
    X, frozen = rng.standard_normal((80, 6)), rng.standard_normal((6, 3))
    problem = SoftmaxLoss(X, labels(rng, SoftmaxLoss, 80, 3), l2=1.0, reduction="mean", offset=frozen)
    plain = SoftmaxLoss(X, problem._targets, l2=1.0, reduction="mean")
    assert np.allclose(problem.minimizer + frozen, plain.minimizer, atol=1e-12)
    run = train(problem, Network.gaussian(6, 2, 3, std=0.3, rng=1), "majorizer", max_iter=300)      # rank 2 of 3
    assert run.violations == 0
    assert run.history["loss"][-1] < run.history["loss"][0]
    assert (run.history["mu_t"] == 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (40, 7), (7, 40)], ids=str)
def test_the_greatest_curvature_of_a_classification_is_an_upper_bound(shape):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape) * 10.0 ** np.linspace(-5, 5, shape[1])
    Y = np.arange(shape[0]) % 2 if shape[0] > 1 else [[0, 1]]
    problem = LogisticLoss(X, Y, l2=1.0)
    with mpmath.workdps(DIGITS):
        H = hessian(X if shape[0] >= shape[1] else X.T)
        assert bounds_the_spectrum(H, 0, 4 * (mpmath.mpf(problem.K) - 1), within=None)
        assert not bounds_the_spectrum(H, 0, 4 * (mpmath.mpf(problem.K) / (1 + 1e-11) - 1), within=None)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
@pytest.mark.parametrize("X", [[[0.0], [0.0]], [[1e-170], [2e-170]]], ids=["zeros", "underflow"])
def test_data_without_curvature_leave_the_ridge(kind, X, tmp_path):
    problem = kind(X, [0, 1], l2=1.0)
    network = Network.gaussian(1, 5, problem.shape[1], rng=0)
    assert problem.curvature_at_minimizer == 0
    assert initial_bounds(problem, network).mu_lower == initial_bounds(problem, network).alpha > 0
    run = train(problem, network, "sharp", checkpoint=tmp_path / "run.npz")
    assert run.converged
    assert run.violations == 0
    assert Run.load(tmp_path / "run.npz", network=network).guarantee.bounds == run.guarantee.bounds
    # a steep change of curvature may not be lost where its square is
    assert problem._steepness == pytest.approx(kind.per_row * X[1][0], rel=1e-12)
