"""How small a gradient is guaranteed to be seen, against runs of any width."""

import math

import numpy as np
import pytest
from cases import EXPECTED, PROBLEMS
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases

from lplfast import (
    Constant,
    CustomLoss,
    Local,
    MatrixFactorization,
    Network,
    Sharp,
    guaranteed_stationarity,
    train,
)


class Tiny(Sharp):
    def choose(self, iterate):
        return 1e-9


@settings(max_examples=60, deadline=None)
@given(cases(), st.sampled_from(["best", "sharp", "local"]), st.sampled_from(["certified", "exact"]))
def test_a_run_sees_a_gradient_as_small_as_that(case, kind, constants):
    problem, network = case
    found = guaranteed_stationarity(problem, network, constants=constants)
    if kind != "best" and not found.vacuous:
        rule = {"sharp": Sharp, "local": Local}[kind](cap=3 * found.eta_cap)
        found = guaranteed_stationarity(problem, network, rule=rule, constants=constants)
    if found.vacuous:
        return
    run = train(problem, network, found.rule, max_iter=40, tol=0.0, constants=constants)
    history = run.history
    steps = history["step_size"][:-1]
    assert (steps >= found.eta_min).all()
    assert (steps <= found.eta_cap).all()
    # brackets may be as wide as the guarantee allows for
    assert (history["sigma_max_sq"] <= found.B * (1 + 0.03)).all()
    least = np.minimum.accumulate(history["grad_norm"])
    bound = np.array([found.grad_norm_after(T) for T in range(1, least.size + 1)])
    # at the end rounding is left of the gradient: that of W1 W2, which the floor knows
    assert (least <= bound + 1e-12 * least[0] + np.sqrt(2 * found.B * problem.K * history["floor"])).all()
    assert found.unreached <= history["gap"].min() + 4 * history["floor"].max() + 1e-12 * history["gap"][0]


@pytest.mark.parametrize("h", [1, 2])
def test_narrow_networks_too(h):
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 5, 4)
    network = Network.gaussian(5, h, 4, std=0.5, rng=0)
    found = guaranteed_stationarity(problem, network)
    assert found.unreached == pytest.approx(problem.minimum_at_rank(h) - problem.minimum, rel=1e-12)
    assert found.unreached > 0
    T = found.iterations_to(0.5)
    assert found.grad_norm_after(T) <= 0.5 < found.grad_norm_after(T - 1) * (1 + 1e-9)
    run = train(problem, network, found.rule, max_iter=T - 1, tol=0.0)
    assert run.history["grad_norm"].min() <= 0.5


def test_the_cap_is_where_it_meets_the_step():
    problem, network = MatrixFactorization([[1.0]]), Network([[3.0]], [[2.0]])
    found = guaranteed_stationarity(problem, network, constants="exact")
    # by hand: beta is from D = 5 and p2 = 1 + 5, g0 = 5, Kbar as in the theorem
    beta = (5 + math.hypot(5, 12)) / 2 + (0 + 12) / 2
    x = found.eta_cap
    B = beta + 2 * x * 12.5
    Kbar = B + 5 + B * 5 * x + 0.5 * 6 * 25 * x * x
    assert x * Kbar == pytest.approx(1, rel=1e-4)      # brackets, even exact ones, are granted some 1e-6
    assert found.eta_min == pytest.approx(x, rel=1e-10)
    assert found.grad_norm_after(8) == pytest.approx(math.sqrt(2 * 12.5 / found.eta_min / 8), rel=1e-10)
    for other in (0.5 * x, 2 * x):
        assert guaranteed_stationarity(problem, network, rule=Sharp(cap=other)).eta_min < found.eta_min


def test_what_it_needs_is_said():
    problem, network = MatrixFactorization([[1.0]]), Network([[3.0]], [[2.0]])
    assert "power" in guaranteed_stationarity(problem, network, constants="power").message
    flat = CustomLoss(lambda W: (0.0, 0.0 * W), shape=(1, 1), mu=0.0, K=1.0, minimum=0.0)
    vacuous = guaranteed_stationarity(flat, network)
    assert vacuous.vacuous
    assert "mu = 0" in vacuous.message
    assert vacuous.grad_norm_after(5) == vacuous.iterations_to(0.1) == math.inf
    for rule in (Constant(0.1), Sharp(), Local(cap=0.1, growth_from=4.0), Tiny(cap=0.1)):
        with pytest.raises(ValueError, match=f"rule: {EXPECTED} Sharp or Local with a cap"):
            guaranteed_stationarity(problem, network, rule=rule)
    with pytest.raises(ValueError, match=f"T: {EXPECTED}"):
        vacuous.grad_norm_after(0)
