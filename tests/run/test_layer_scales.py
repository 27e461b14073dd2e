"""Steps of another size for each layer: gradient descent on layers in other units."""

import numpy as np
import pytest
from cases import EXPECTED, PROBLEMS
from runs import same

from lplfast import (
    CustomLoss,
    MatrixFactorization,
    Network,
    PseudoHuberLoss,
    Run,
    SquaredLoss,
    plan,
    reference,
    train,
    train_many,
)
from lplfast.losses.problems import Problem
from lplfast.run.execution import carry_out

SCALES = [(2.0, 0.5), (0.3, 1.7), (1.0, 4.0), (16.0, 16.0)]
NETWORK = Network.gaussian(5, 12, 4, std=0.4, rng=0)


def descended(twin, W1, W2, etas, a, b):
    """Return the layers after steps of a^2 and b^2 times these sizes."""
    for eta in etas:
        G = twin.gradient(W1 @ W2)
        W1, W2 = W1 - a * a * eta * G @ W2.T, W2 - b * b * eta * W1.T @ G
    return W1, W2


@pytest.mark.parametrize("scales", SCALES, ids=str)
@pytest.mark.parametrize("name", PROBLEMS)
def test_steps_are_those_of_a_loop_with_two_step_sizes(name, scales):
    problem, twin = PROBLEMS[name](np.random.default_rng(3), 5, 4)
    a, b = scales
    run = train(problem, NETWORK, "sharp", max_iter=25, tol=0.0, layer_scales=scales)
    assert run.violations == 0
    W1, W2 = descended(twin, NETWORK.W1, NETWORK.W2, run.history["step_size"][:-1], a, b)
    # rounding of 25 steps that descend
    np.testing.assert_allclose(run.network.W1, W1, rtol=0, atol=1e-11 * np.linalg.norm(W1))
    np.testing.assert_allclose(run.network.W2, W2, rtol=0, atol=1e-11 * np.linalg.norm(W2))
    # columns are those of W1/a, W2/b and l(ab M)
    at = reference.constants.local_constants(twin, W1, W2)
    assert run.history["loss"][-1] == pytest.approx(at["loss"], rel=1e-9)
    assert run.history["grad_norm"][-1] == pytest.approx(np.hypot(
        a * np.linalg.norm(twin.gradient(W1 @ W2) @ W2.T), b * np.linalg.norm(W1.T @ twin.gradient(W1 @ W2))), rel=1e-6)


@pytest.mark.parametrize("scales", SCALES, ids=str)
def test_columns_are_those_of_the_scaled_problem(scales):
    rng = np.random.default_rng(1)
    X, Y, frozen = rng.standard_normal((9, 5)), rng.standard_normal((9, 4)), rng.standard_normal((5, 4))
    a, b = scales
    run = train(SquaredLoss(X, Y, l2=0.3, offset=frozen), NETWORK, "local", max_iter=30, layer_scales=scales)
    by_hand = train(SquaredLoss(a * b * X, Y, l2=0.3 * (a * b) ** 2, offset=frozen / (a * b)),
                    Network(NETWORK.W1 / a, NETWORK.W2 / b), "local", max_iter=30)
    for name in ("loss", "gap", "grad_norm", "step_size", "K_t", "K_t_sharp", "drift", "sigma_max_sq", "nu_hi"):
        # brackets may be computed anew at other iterates
        np.testing.assert_allclose(run.history[name], by_hand.history[name], rtol=1e-2 if "_" in name else 1e-8,
                                   equal_nan=True, err_msg=name)
    assert run.guarantee.bounds.beta == pytest.approx(by_hand.guarantee.bounds.beta, rel=1e-9)
    np.testing.assert_allclose(run.network.W1, a * by_hand.network.W1, rtol=1e-6, atol=1e-8)


def test_a_constant_step_and_one_layer_that_hardly_moves():
    problem = MatrixFactorization(np.eye(5, 4))
    run = train(problem, NETWORK, 0.01, max_iter=10, layer_scales=(1e-6, 1.0))
    assert (run.history["step_size"][:-1] == 0.01).all()
    assert abs(run.network.W1 - NETWORK.W1).max() < 1e-12
    assert abs(run.network.W2 - NETWORK.W2).max() > 1e-3


@pytest.mark.parametrize("name", ["squared", "null-space", "softmax-offset", "custom", "pseudo-huber"])
def test_a_run_goes_on_to_the_bit_from_a_file_too(name, tmp_path):
    problem, _ = PROBLEMS[name](np.random.default_rng(3), 5, 4)
    whole = train(problem, NETWORK, "sharp", max_iter=20, tol=0.0, layer_scales=(0.3, 1.7))
    train(problem, NETWORK, "sharp", max_iter=7, tol=0.0, layer_scales=(0.3, 1.7)).save(tmp_path / "run.npz")
    part = Run.load(tmp_path / "run.npz")
    assert same(train(problem, part, max_iter=20), whole)
    assert same(train(problem, part, max_iter=20, layer_scales=(0.3, 1.7)), whole)
    assert same(train_many(problem, [NETWORK, part], ["sharp", None], max_iter=20, tol=0.0, layer_scales=(0.3, 1.7),
                           n_threads=2)[1], whole)
    assert same(carry_out(plan(problem, NETWORK, "sharp", max_iter=20, tol=0.0, layer_scales=[0.3, 1.7])), whole)
    for other in ((1.0, 1.0), (0.3, 1.6)):
        with pytest.raises(ValueError, match=f"layer_scales: {EXPECTED} that of the run"):
            train(problem, part, max_iter=20, layer_scales=other)


def test_scales_of_one_are_none():
    problem = MatrixFactorization(np.eye(5, 4))
    assert same(train(problem, NETWORK, layer_scales=(1, 1)), train(problem, NETWORK))


def test_what_the_data_do_not_see_stays():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((3, 5))
    run = train(SquaredLoss(X, rng.standard_normal((3, 4))), NETWORK, layer_scales=(0.3, 5.0))
    assert run.converged
    blind = np.linalg.svd(X)[2][3:]
    assert abs(blind @ (run.network.W1 - NETWORK.W1)).max() < 1e-13


def test_what_it_is_guaranteed_holds():
    problem = MatrixFactorization(np.eye(5, 4))
    wide = Network.gaussian_implicit(5, 10**6, 4, std=10**-1.5, rng=0)
    run = train(problem, wide, layer_scales=(2.0, 0.4), max_iter=200)
    assert run.converged
    assert run.audit().passed
    assert run.guarantee.bounds is not None
    assert not run.guarantee_from(-1).vacuous


def test_a_narrow_network_and_every_kind_of_start(tmp_path):
    problem = MatrixFactorization(np.diag([3.0, 2.0, 1.0]))
    run = train(problem, Network.spectral(problem, 1, scale=0.1), "sharp", max_iter=3000, layer_scales=(1.0, 4.0))
    assert run.converged
    assert run.facts.unreached == pytest.approx(2.5, rel=1e-12)
    assert run.violations == 0
    observed = train(problem, Network.gaussian(3, 50, 3, rng=0), compress=False, layer_scales=(1.0, 4.0))
    assert observed.converged


def square(W):
    return float((W * W).sum()) / 2, W


def test_functions_are_scaled_with_what_is_known_of_them():
    problem = CustomLoss(square, shape=(5, 4), mu=1.0, minimum=0.0, hessian_form=lambda W, M: float((M * M).sum()),
                         concordance=lambda U: 0.0)
    run = train(problem, NETWORK, "majorizer", layer_scales=(0.3, 1.7))
    assert run.converged
    assert run.violations == 0
    known = PseudoHuberLoss(np.eye(5), np.ones((5, 4)), delta=1.0, l2=0.1)
    made = plan(known, NETWORK, layer_scales=(2.0, 3.0)).trained
    assert abs(made.minimum / known.minimum - 1) < 1e-12
    np.testing.assert_allclose(made.minimizer, known.minimizer / 6, rtol=1e-9, atol=1e-12)
    assert abs(made.mu / known.mu - 36) < 1e-10
    assert abs(made.K / known.K - 36) < 1e-10


@pytest.mark.parametrize("bad", [1.0, (1.0,), (1.0, 2.0, 3.0), (0.0, 1.0), (-1.0, 1.0), (np.nan, 1.0), (np.inf, 1.0),
                                 "ab", ("a", 1.0), (None, 1.0), (True, 1.0), (1e-200, 1.0), (1e100, 1e100), {"W1": 1.0},
                                 np.ones((2, 2)), (10**400, 1.0), (1j, 1.0)], ids=repr)
def test_what_is_no_pair_of_scales(bad):
    problem = MatrixFactorization(np.eye(5, 4))
    for function in (train, plan, train_many):
        with pytest.raises((TypeError, ValueError), match=f"layer_scales: {EXPECTED}"):
            function(problem, NETWORK, layer_scales=bad)


def test_layers_that_leave_float64_in_their_units_are_refused():
    wide = Network(np.full((5, 2), 1e250), np.full((2, 4), 1e-250))
    with pytest.raises(ValueError, match=f"layer_scales: {EXPECTED} scales that leave W1/a"):
        train(MatrixFactorization(np.eye(5, 4)), wide, layer_scales=(1e-100, 1.0))


def test_a_minimizer_whose_norm_is_beyond_float64_is_as_far_off_as_that():
    # warnings are errors
    for scales in ((3.0, 1.0), (4.0, 1.0)):
        run = train(SquaredLoss([[1e-40]], [[1e120]]), Network([[1.0]], [[1.0]]), layer_scales=scales)
        assert run.status == "overflow"


def test_a_loss_of_somebody_elses_is_refused():
    from lplfast.losses.quadratic import DiagonalQuadratic

    class Own(DiagonalQuadratic):
        pass

    with pytest.raises(ValueError, match=f"layer_scales: {EXPECTED} a loss of lplfast's"):
        train(Problem(Own(np.ones(5), np.zeros((5, 4)))), NETWORK, layer_scales=(2.0, 1.0))
