"""Rules that look along the ray: what they find, what they try first, and what they say where they fail."""

import numpy as np
import pytest
from cases import PROBLEMS

from lplfast import Armijo, CustomLoss, Majorizer, MatrixFactorization, Network, SquaredLoss, reference, train


@pytest.mark.parametrize("relax", [1.0, 0.9, 0.5])
def test_the_majorizer_takes_the_lower_of_its_two_bounds(relax):
    longer = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        W1, W2, Y = rng.standard_normal((3, 5)), rng.standard_normal((5, 2)), rng.standard_normal((3, 2))
        problem, network = MatrixFactorization(Y), Network(W1, W2)
        eta, sharp = (train(problem, network, rule, max_iter=1, constants="exact").history["step_size"][0]
                      for rule in (Majorizer(relax=relax), "sharp"))
        G = W1 @ W2 - Y
        g1, g2 = G @ W2.T, W1.T @ G
        tau, B = g1 @ W2 + W1 @ g2, g1 @ g2
        # L - a eta + b eta^2 + c eta^3 + d eta^4, of which every eta is a bound
        quartic = np.array([0.5 * (B**2).sum(), -(tau * B).sum(), (G * B).sum() + 0.5 * (tau**2).sum(),
                            -(g1**2).sum() - (g2**2).sum(), 0.0])
        derivative = np.polyder(quartic)
        longer += np.polyval(quartic, eta) < np.polyval(quartic, sharp)
        if eta == sharp:
            continue
        eta /= relax
        assert (np.polyval(derivative, np.linspace(0, 0.999 * eta, 500)) < 0).all()
        # a is the slope at 0; the coefficients are sums of ten products
        assert abs(np.polyval(derivative, eta)) <= 1e-12 * abs(derivative[-1])
    # half the way is less than the sharp step, at times
    assert longer == 10 or (relax == 0.5 and longer > 0)


def test_of_a_quadratic_loss_the_whole_minimizer_is_exact_line_search_and_most_of_it_is_better():
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.standard_normal((20, 20)))[0] for _ in range(2))
    X = (U * np.linspace(0.1, 1, 20)) @ V.T
    problem = SquaredLoss(X, X @ rng.standard_normal((20, 20)) / np.sqrt(20))
    network = Network.gaussian(20, 1000, 20, std=1000**-0.25, rng=rng)
    exact, whole, most = (train(problem, network, rule, max_iter=1000, tol=1e-6)
                          for rule in ("exact", Majorizer(relax=1.0), "majorizer"))
    assert whole.history["step_size"].tobytes() == exact.history["step_size"].tobytes()
    # an ill-conditioned loss, on which exact line search zigzags: 214 iterations against 56
    assert most.converged
    assert most.iterations < exact.iterations / 3
    assert most.violations == 0


def test_a_majorizer_says_what_it_relaxes():
    assert Majorizer() == Majorizer(relax=0.9)
    assert Majorizer(relax=1).options == {"relax": 1.0, "cap": None}
    for wrong in (0.0, -0.5, 1.1, np.nan):
        with pytest.raises(ValueError, match=r"^relax: expected"):
            Majorizer(relax=wrong)
    with pytest.raises(TypeError, match=r"^relax: expected"):
        Majorizer(relax="0.9")


def test_armijo_tries_twice_the_last_step_first():
    problem, network = MatrixFactorization(np.eye(2)), Network.gaussian(2, 6, 2, std=0.3, rng=0)
    steps = train(problem, network, Armijo(shrink=0.7), max_iter=30, tol=0.0).history["step_size"][:-1]
    backtracks = np.log(steps[1:] / steps[:-1] / 2) / np.log(0.7)
    assert np.allclose(backtracks, np.round(backtracks), atol=1e-9)
    assert backtracks.min() < 1.5


def test_exact_and_armijo_on_losses_that_are_not_quadratic():
    rng = np.random.default_rng(0)
    for name in ("logistic", "softmax", "custom"):
        problem, twin = PROBLEMS[name](rng, 6, 4)
        network = Network.gaussian(6, 30, 4, std=0.4, rng=1)
        run = train(problem, network, "exact", max_iter=3, tol=0.0, constants="exact")
        before = reference.local_constants(twin, network.W1, network.W2)
        eta = run.history["step_size"][0]

        def loss_after(eta, at=before, twin=twin):
            return twin.value(at["W"] - eta * at["tau"] + eta**2 * at["B"])

        # a minimum: higher on both sides
        assert loss_after(eta) < min(loss_after(0.99 * eta), loss_after(1.01 * eta))
        # and the first: the loss falls all the way
        assert (np.diff([loss_after(share * eta) for share in np.linspace(0, 1, 50)]) < 0).all()
        assert run.counters["loss_evaluations"] > run.iterations + 1
        run = train(problem, network, Armijo(c=0.3), max_iter=20, tol=0.0)
        h = run.history
        enough = h["loss"][:-1] - h["loss"][1:] >= 0.3 * h["step_size"][:-1] * h["grad_norm"][:-1] ** 2
        assert (enough | (h["gap"][:-1] < 1e-9 * h["gap"][0])).all()
        assert run.violations == 0


def test_a_search_that_fails_says_why():
    # the function's value is trusted to 1e-13: no step can show more
    flat = CustomLoss(lambda W: (1e6 + 0.5 * (W**2).sum(), W), shape=(2, 2), mu=1.0, K=1.0, minimum=1e6)
    run = train(flat, Network.gaussian(2, 9, 2, std=1e-4, rng=0), "armijo", tol=0.0)
    assert run.status in ("stalled", "floor")
    assert "below the rounding of the loss" in run.message or "are known to" in run.message

    def wrong(W):   # points uphill
        return 0.5 * (W**2).sum(), -W

    lying = CustomLoss(wrong, shape=(2, 2), mu=1.0, K=1.0, minimum=0.0)
    run = train(lying, Network.gaussian(2, 9, 2, rng=0), "armijo")
    assert run.status == "stalled"
    assert "Armijo's condition" in run.message
