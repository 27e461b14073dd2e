"""Whether to go on: a run that grows and comes back, one that never will, and tolerances of the gradient."""

import numpy as np
import pytest

from lplfast import CustomLoss, MatrixFactorization, Network, local_constants, train

IDENTITY = MatrixFactorization(np.eye(3))

NETWORK = Network.gaussian(3, 8, 3, rng=0)


def _zeros(n, h, m):
    return Network(np.zeros((n, h)), np.zeros((h, m)))


def _scalar(a, b):
    return Network([[a]], [[b]])


def test_a_catapult_comes_back():
    # the gap grows by 3e9 in between; plain NumPy is at 5e-17 by t = 80
    problem, network = MatrixFactorization([[0.0]]), Network([[2.0, 0.0]], [[1e-5], [0.0]])
    run = train(problem, network, 0.75, max_iter=200)
    assert run.status == "converged"
    assert run.history["gap"].max() > 1e9 * run.history["gap"][0]
    assert run.history["gap"][-1] < 5e-17
    assert run.violations == 0
    assert train(problem, network, 0.75, max_iter=200, max_growth=1e8).status == "diverged"


@pytest.mark.parametrize("width", [10**9, 10**12])
def test_a_catapult_grows_with_the_width(width):
    problem, network = MatrixFactorization(np.diag([3.0, 2.0, 1.0])), Network.gaussian_implicit(3, width, 3, rng=1)
    run = train(problem, network, 3.0 / local_constants(problem, network).sigma_max_sq, max_iter=500)
    assert run.converged
    assert run.history["gap"].max() > 0.01 * width * run.history["gap"][0]


@pytest.mark.parametrize("eta", [2.0, 3.0, 10.0, 1e3])
def test_a_hopeless_run_ends_soon(eta):
    run = train(MatrixFactorization([[1.0]]), _scalar(1.0, 1.2), eta, max_iter=10**6)
    assert run.status == "overflow"
    assert run.iterations <= 10
    assert run.message.startswith("Diverged after")
    assert "use step_size='local'" in run.message
    # the logarithm of the gap triples with each step, in the end
    growth = np.diff(np.log(run.history["gap"]))
    assert growth[-1] / growth[-2] > 2.5


def test_a_gradient_tolerance_needs_no_minimum():
    def function(W):
        return float(((W - 1) ** 2).sum() / 2), W - 1

    problem, network = CustomLoss(function, shape=(2, 2), mu=1.0, K=1.0), Network.gaussian(2, 4, 2, rng=0)
    run = train(problem, network, "sharp")
    assert run.status == "stalled"
    assert "grad_tol" in run.message
    run = train(problem, network, "sharp", grad_tol=1e-6)
    assert run.status == "converged"
    assert "grad_tol=1e-06" in run.message
    norms = run.history["grad_norm"] / run.history["grad_norm"][0]
    assert norms[-1] <= 1e-6 < norms[-2]
    # nor does a known one stand in its way
    known = train(IDENTITY, NETWORK, tol=0.0, grad_tol=1e-3)
    assert known.status == "converged"
    assert "as grad_tol=1e-03 asks" in known.message
    # which criterion: here it is the gap
    assert "grad_tol" not in train(IDENTITY, NETWORK, grad_tol=1e-12).message
    # a continued run keeps it, and what it is relative to
    part = train(problem, train(problem, network, "sharp", grad_tol=1e-6, max_iter=20), max_iter=1000)
    assert part.iterations == run.iterations
    # a saddle is no convergence
    assert train(IDENTITY, _zeros(3, 4, 3), grad_tol=0.5).status == "saddle"
