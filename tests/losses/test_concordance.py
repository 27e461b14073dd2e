"""Losses without a global K: bounded by the curvature where a step begins, and by how fast it may change."""

import re

import numpy as np
import pytest
from cases import EXPECTED
from hypothesis import given, settings
from hypothesis import strategies as st

from lplfast import (
    CustomLoss,
    Interrupted,
    Network,
    check_loss,
    guaranteed_rate,
    guaranteed_stationarity,
    initial_bounds,
    local_constants,
    train,
)

X = np.random.default_rng(0).standard_normal((40, 4))


def poisson(*, scale=1.0, l2=0.01, m=3, form=1.0, concordance=None, **options):
    """Return sum(exp(z) - y z) / N and a ridge; `form` multiplies what is declared."""
    rng = np.random.default_rng(1)
    data = scale * X
    Y = rng.poisson(np.exp(X @ (0.3 * rng.standard_normal((4, m))))).astype(float)

    # far out it overflows, as the user's may
    @np.errstate(over="ignore", invalid="ignore")
    def value_and_gradient(W):
        Z = data @ W
        E = np.exp(Z)
        return float((E - Y * Z).mean(axis=0).sum() + l2 / 2 * (W**2).sum()), data.T @ (E - Y) / len(X) + l2 * W

    @np.errstate(over="ignore", invalid="ignore")
    def hessian_form(W, M):
        return form * float((np.exp(data @ W) * (data @ M) ** 2).mean(axis=0).sum() + l2 * (M**2).sum())

    return CustomLoss(value_and_gradient, shape=(4, m), mu=l2, hessian_form=hessian_form,
                      concordance=concordance or (lambda U: float(abs(data @ U).max())), **options)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-6, 1), st.floats(-1, 1))
def test_no_step_exceeds_what_was_promised_of_it(probe, seed, eta, size):
    rng = np.random.default_rng(seed)
    W, tau, B = 10.0**size * rng.standard_normal((3, 4, 3))
    kernel = poisson().kernel
    value, _, gradient = kernel.value_and_gradient(W)
    said = probe.along(kernel, W, tau, B, 10.0**eta)
    assert not said["change"] > said["upper"] + 1e-12 * abs(value)
    # the minimiser is one: lower than beside it
    if np.vdot(gradient, tau) > 0:
        best = said["upper_minimiser"]
        at, before, behind = (probe.along(kernel, W, tau, B, x * best)["upper"] for x in (1.0, 0.99, 1.01))
        assert at <= before + 1e-9 * abs(at)
        assert at <= behind + 1e-9 * abs(at)


def test_of_a_square_it_is_the_square(probe):
    # no change of curvature, and no second-order motion
    kernel = CustomLoss(lambda W: (float((W**2).sum()), 2 * W), shape=(4, 3), mu=2.0,
                        hessian_form=lambda W, M: float(2 * (M**2).sum()), concordance=0.0).kernel
    W, tau = np.random.default_rng(3).standard_normal((2, 4, 3))
    for eta in (0.1, 0.5, 2.0):
        said = probe.along(kernel, W, tau, np.zeros((4, 3)), eta)
        assert said["upper"] == pytest.approx(said["change"], rel=1e-12)


@pytest.mark.parametrize("scale", [0.3, 3.0])
@pytest.mark.parametrize("rule", ["majorizer", "armijo", "exact", "adgd", "bb", 1e-4])
def test_training_is_certified(rule, scale):
    problem = poisson(scale=scale)
    run = train(problem, Network.gaussian(4, 30, 3, std=0.3, rng=0), rule, max_iter=300, tol=0.0, grad_tol=1e-3)
    assert run.violations == 0
    assert run.converged or rule == 1e-4
    # near the minimum the 1e-13 that a function is trusted to hides what a step promises
    assert run.checks["descent"]["steps"] >= 2 * run.checks["descent"]["uninformative"]
    history = {name: values[:-1] for name, values in run.history.items()}
    assert np.isinf(history["K_t"]).all()
    assert np.isfinite(history["K_t_step"]).all()
    if rule == "majorizer":
        assert (np.diff(run.history["loss"]) < 0).all()
        # which a rate of 1 - 1e-17 is not told from
        assert (history["rate_bound"] <= 1).all()


def test_what_is_understated_is_found_out():
    network = Network.gaussian(4, 30, 3, std=0.3, rng=0)
    run = train(poisson(form=0.2), network, "majorizer", tol=0.0)
    assert run.status == "guarantee_failed"
    assert "hessian_form and concordance" in run.message
    # curvature that grows by e^3 along a step, declared not to change
    run = train(poisson(scale=3.0, concordance=1e-9), network, 0.05, tol=0.0, max_iter=30)
    assert run.status == "guarantee_failed"


def test_the_curvature_nearby_is_above_that_of_the_loss():
    problem = poisson()
    network = Network.gaussian(4, 30, 3, rng=0)
    for steps in (0, 1, 5, 16, 17):
        run = train(problem, network, "majorizer", max_iter=steps, tol=0.0) if steps else None
        at = run.network if run else network
        W = at.product
        H = [[(problem.kernel.hessian_form(W, A + B) - problem.kernel.hessian_form(W, A - B)) / 4
              for A in np.eye(12).reshape(12, 4, 3)] for B in np.eye(12).reshape(12, 4, 3)]
        top = np.linalg.eigvalsh(H)[-1]
        # the floor of the history is K eps_W^2 or what rounding of the loss makes of it
        constants = local_constants(problem, at)
        assert np.isinf(constants.K_t(0.1))
        assert np.isinf(constants.K_t_sharp(0.1))
        if run:
            state = run.continuation.state
            layers = run.continuation.layers(7)
            curvature, reference = np.split(state[state.size - layers.size - 13:state.size - layers.size], [1])
            far = problem.kernel.concordance(W - reference.reshape(4, 3))
            assert top <= 2 * curvature[0] * np.exp(far)
            assert np.exp(far) <= 4.1


@pytest.mark.parametrize("rule", ["majorizer", "armijo", 1e-3])
def test_it_goes_with_the_run_to_the_bit(rule, tmp_path):
    problem, network = poisson(), Network.gaussian(4, 30, 3, std=0.3, rng=0)
    whole = train(problem, network, rule, max_iter=24, tol=0.0)
    for first in (1, 15, 16, 17):
        part = train(problem, network, rule, max_iter=first, tol=0.0)
        part.save(tmp_path / "run.npz")
        rest = train(problem, type(part).load(tmp_path / "run.npz"), max_iter=24)
        # but for the seconds that it took, the second number
        assert np.array_equal(np.delete(rest.continuation.state, 1), np.delete(whole.continuation.state, 1),
                              equal_nan=True)


def test_what_needs_a_K_says_so():
    problem, network = poisson(minimum=-100.0), Network.gaussian(4, 30, 3, rng=0)
    for rule in ("local", "sharp", "planned"):
        with pytest.raises(ValueError, match=r"smoothness constant K.*'majorizer'"):
            train(problem, network, rule)
    for guaranteed in (guaranteed_rate, guaranteed_stationarity):
        assert "no smoothness constant K" in guaranteed(problem, network).message
    assert np.isinf(initial_bounds(problem, network).K_upper(0.1))
    run = train(problem, network, "majorizer", max_iter=5)
    assert re.search(r"at its present pace tol=1e-10 is \S+ iterations away: raise max_iter\.$", run.message)
    assert "use step_size='majorizer'" in train(problem, network, 1e3).message
    assert "hessian_form: check that" in train(poisson(form=np.nan, minimum=-100.0), network, "majorizer").message
    run = train(problem, network, "polyak", max_iter=5, tol=0.0)
    assert run.guarantee.rate is None
    assert run.violations == 0


@pytest.mark.parametrize(("form", "error"), [
    (lambda W, M: -1.0, "hessian_form.*number >= 0"), (lambda W, M: "x", "hessian_form"), (lambda W, M: 1 / 0, "zero"),
    (lambda W, M: None, "hessian_form")])
def test_what_python_raises_comes_out_with_the_run(form, error):
    good = poisson()
    calls = []

    def sometimes(W, M):
        calls.append(1)
        return good.kernel.hessian_form(W, M) if len(calls) < 60 else form(W, M)

    problem = CustomLoss(good.kernel.function, shape=(4, 3), mu=0.01, hessian_form=sometimes,
                         concordance=good.kernel.concordance)
    with pytest.raises((TypeError, ValueError, ZeroDivisionError), match=error) as raised:
        train(problem, Network.gaussian(4, 30, 3, rng=0), "majorizer", tol=0.0)
    assert not isinstance(raised.value, Interrupted)
    assert 0 < raised.value.run.iterations < 100


def test_arguments_are_checked():
    def f(W):
        return float((W**2).sum()), 2 * W

    def form(W, M):
        return 2.0

    for options in ({"hessian_form": form}, {"concordance": 1.0, "K": 2.0}, {"hessian_form": 1.0, "concordance": 1.0},
                    {"hessian_form": form, "concordance": -1.0}, {"hessian_form": form, "concordance": "1"}, {}):
        with pytest.raises((TypeError, ValueError), match=EXPECTED):
            CustomLoss(f, shape=(2, 2), mu=1.0, **options)


def test_a_minimizer_is_welcome():
    problem = CustomLoss(lambda W: (float((np.exp(W) - W).sum()), np.exp(W) - 1), shape=(2, 2), mu=0.0, minimum=4.0,
                         minimizer=np.zeros((2, 2)), hessian_form=lambda W, M: float((np.exp(W) * M**2).sum()),
                         concordance=1.0)
    run = train(problem, Network.gaussian(2, 9, 2, rng=0), "majorizer", tol=1e-8)
    assert run.converged
    assert run.violations == 0


def test_check_loss_tests_what_is_declared():
    assert check_loss(poisson()).passed
    assert any("hessian_form" in said for said in check_loss(poisson(form=0.9)).problems)
    assert any("hessian_form" in said for said in check_loss(poisson(form=1.1)).problems)
    report = check_loss(poisson(concordance=0.1))
    assert any("concordance" in said for said in report.problems)
    # a loss with a K may declare them as well
    with_K = CustomLoss(lambda W: (float((W**2).sum()), 2 * W), shape=(2, 2), mu=2.0, K=2.0, minimum=0.0,
                        hessian_form=lambda W, M: float((M**2).sum()), concordance=0.0)
    assert [said[:12] for said in check_loss(with_K).problems] == ["hessian_form"]
