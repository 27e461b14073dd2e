"""The guaranteed rate: kept by runs, what is printed, and a sentence where there is none."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases

from lplfast import (
    Constant,
    CustomLoss,
    Local,
    Majorizer,
    MatrixFactorization,
    Network,
    Polyak,
    Problem,
    Schedule,
    Sharp,
    SquaredLoss,
    guaranteed_rate,
    initial_bounds,
    train,
)
from lplfast.guarantees.envelope import GuaranteedRate
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.spectral.certified import Certified
from lplfast.spectral.exact import Exact
from lplfast.spectral.modes import spectral_from
from lplfast.spectral.spectral import ROUNDING


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from(["exact", "certified"]))
def test_the_guaranteed_rate_is_kept(case, constants):
    problem, network = case
    found = guaranteed_rate(problem, network, constants=constants)
    if found.vacuous:
        assert found.message.startswith("Vacuous: ")
        assert found.iterations_to(0.5) == np.inf
        return
    assert 0 <= found.rate <= 1
    assert found.contraction > 0
    steps = min(60, found.iterations_to(1e-8))
    run = train(problem, network, found.rule, max_iter=steps, tol=0.0, constants=constants)
    history = run.history
    t = np.arange(run.iterations + 1)
    bound = history["gap"][0] * np.exp(t * np.log1p(-found.contraction)) if found.contraction < 1 else 0.0
    # the gap itself is known to sqrt(2 gap floor) + floor
    rounding = np.sqrt(2 * abs(history["gap"]) * history["floor"]) + history["floor"]
    assert (history["gap"] <= bound * (1 + 1e-9) + rounding).all()
    # the safe ends of brackets: an exact one is no wider than rounding, a certified one as wide as it says; a least
    # value that is not worth a renewal is bounded by 0, and nothing is known of its other end
    width = 1e-9 if constants == "exact" else history["bracket_width"]
    with np.errstate(invalid="ignore"):
        least = np.where(history["sigma_min_sq"] > 0, history["sigma_min_sq"] * (1 + width), np.inf)
    assert (least >= found.A * (1 - 1e-9)).all()
    width = np.minimum(width, 1.0)
    assert (history["sigma_max_sq"] * (1 - width) <= found.B * (1 + 1e-9)).all()
    eta = history["step_size"][:-1]
    assert (eta >= found.eta_min).all()
    assert (eta <= found.eta_cap).all()


def test_the_rate_tends_to_that_of_the_problem_without_overparametrization():
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((8, 8)) / np.sqrt(8)
    rates = []
    for h in (10**2, 10**3, 10**4, 10**5):
        found = guaranteed_rate(MatrixFactorization(Y), Network.gaussian(8, h, 8, std=h**-0.25, rng=1))
        rates.append(found.rate)
    # 1 - mu/K = 0 for the factorization of a matrix
    assert (np.diff(rates) < 0).all()
    assert rates[-1] < 0.15


def test_the_rule_with_fewest_iterations_is_returned():
    rng = np.random.default_rng(0)
    X = np.diag(np.sqrt(np.linspace(1, 1 / 3, 8)))
    problem = SquaredLoss(X, X @ rng.standard_normal((8, 8)) / np.sqrt(8))
    kinds = set()
    for h in (60, 10**3, 10**5, 10**7):
        network = Network.gaussian_implicit(8, h, 8, std=h**-0.25, rng=1)
        found = guaranteed_rate(problem, network)
        kinds.add(type(found.rule))
        for other in (Sharp(cap=found.eta_cap), Constant(found.eta_min), Constant(found.eta_cap)):
            assert guaranteed_rate(problem, network, rule=other).iterations_to(1e-6) >= found.iterations_to(1e-6)
        assert guaranteed_rate(problem, network, rule=found.rule).gaps == found.gaps
    # where all steps are the same, the simpler rule
    assert kinds == {Schedule, Constant}


def test_what_is_missing_is_said():
    rng = np.random.default_rng(0)
    problem = MatrixFactorization(rng.standard_normal((3, 4)))
    said = guaranteed_rate(problem, Network.balanced(5 * rng.standard_normal((3, 4)), 50)).message
    assert "Margin" in said
    assert "Imbalance" in said
    assert "Widen" in guaranteed_rate(problem, Network.gaussian(3, 2, 4, rng=0)).message


@settings(max_examples=100, deadline=None)
@given(cases(), st.sampled_from([Sharp, Local, Constant, Schedule]), st.floats(0.05, 1.0))
def test_the_rate_of_a_given_rule_is_kept(case, kind, share):
    problem, network = case
    best = guaranteed_rate(problem, network)
    if best.vacuous:
        return
    eta = share * best.eta_cap
    fixed = {Constant: Constant(eta), Schedule: Schedule([0.1 * eta, 0.5 * eta, eta])}
    rule = fixed[kind] if kind in fixed else kind(cap=eta)
    found = guaranteed_rate(problem, network, rule=rule)
    if found.vacuous:
        assert "too long" in found.message
        return
    assert found.rule == rule
    run = train(problem, network, rule, max_iter=40, tol=0.0)
    audit = run.audit()
    assert audit.passed
    assert {claim.name for claim in audit.claims} >= ({"initial", "initial_rate"} if run.iterations else set())


def test_a_rule_without_a_theorem_is_refused():
    problem, network = MatrixFactorization([[1.0]]), Network([[3.0]], [[0.3]])
    for rule in (Polyak(), Local(cap=0.1, growth_from=0.1), Majorizer(cap=0.1)):
        with pytest.raises(ValueError, match="for which there is no theorem"):
            guaranteed_rate(problem, network, rule=rule)
    assert guaranteed_rate(problem, network, rule=Constant(10.0)).vacuous


def test_the_rate_does_not_depend_on_units():
    rng = np.random.default_rng(0)
    X, W1, W2 = rng.standard_normal((100, 3)), rng.standard_normal((3, 50)), rng.standard_normal((50, 2))
    rates = [guaranteed_rate(SquaredLoss(scale * X, scale * X @ (W1 @ W2 + 0.1)), Network(W1, W2)).contraction
             for scale in (1e-6, 1.0, 1e6)]
    # the grid of the search is the same in other units, but for rounding
    assert np.allclose(rates, rates[0], rtol=1e-6)
    assert guaranteed_rate(MatrixFactorization([[1.0]]), Network([[3.0]], [[0.3]]), rule=Constant(1e160)).vacuous


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from([Sharp, Local]), st.floats(0.05, 3.0), st.floats(1e-4, 0.999),
       st.sampled_from(["certified", "exact"]))
def test_no_step_is_shorter_than_promised_whatever_the_tolerance(case, kind, share, tolerance, mode):
    problem, network = case
    spectral = spectral_from(mode, tolerance=tolerance)
    best = guaranteed_rate(problem, network, constants=spectral)
    if best.vacuous:
        return
    rule = kind(cap=share * best.eta_cap)
    found = guaranteed_rate(problem, network, rule=rule, constants=spectral)
    run = train(problem, network, rule, max_iter=40, tol=0.0, constants=spectral)
    assert run.violations == 0
    if not found.vacuous:
        assert (run.history["step_size"][:-1] >= found.eta_min).all()
        assert run.guarantee.contraction == pytest.approx(found.contraction, rel=1e-9)    # of the run's own gap


@pytest.mark.parametrize("tolerance", [0.01, 0.2, 0.999])
def test_brackets_as_wide_as_they_may_be_are_allowed_for(tolerance):
    # the layers move away from what their brackets were computed for, and within them
    W, spectral = np.diag([1.0, 0.9]), Certified(tolerance=tolerance)
    problem, network, rule = MatrixFactorization(1.0001 * W @ W), Network(W, W), Sharp(cap=0.6)
    found = guaranteed_rate(problem, network, rule=rule, constants=spectral)
    run = train(problem, network, rule, max_iter=60, tol=0.0, constants=spectral)
    assert run.violations == 0
    assert (run.history["step_size"][:-1] >= found.eta_min).all()
    assert found.contraction == run.guarantee.contraction


@pytest.mark.parametrize("spectral", [Certified(), Certified(tolerance=0.3), Exact()], ids=str)
def test_the_first_step_of_a_cap_is_what_is_printed(spectral):
    problem, network = MatrixFactorization([[1.0]]), Network([[3.0]], [[0.3]])
    bounds, eta = initial_bounds(problem, network), Fraction(0.02)
    found = guaranteed_rate(problem, network, rule=Sharp(cap=float(eta)), constants=spectral)
    gap, A, B, p2 = map(Fraction, (bounds.gap, bounds.alpha, bounds.beta, bounds.p2))
    of_T, of_W = map(Fraction, spectral.upper_widths)
    seen = B * (1 + of_T)
    g0 = Fraction(float(2 * gap) ** 0.5) + Fraction(ROUNDING) * B
    Kbar = seen + g0 + seen * g0 * eta + min(p2 * (1 + of_W) + Fraction(ROUNDING) * B, seen / 2) * g0**2 * eta**2 / 2
    eta_min = min(eta, 1 / Kbar)
    exact = A * eta_min * (2 - Kbar * eta_min)
    # rounded to the safe side, by some 100 u of the contraction
    assert 0 <= found.gaps[1] / found.gaps[0] - float(1 - exact) < 1e-14


def test_a_power_that_is_met_exactly_is_not_rounded_past():
    for rate, power in ((0.1, 6), (0.5, 20), (0.01, 3), (0.25, 9)):
        found = GuaranteedRate(rate, 1 - rate, None, 0, 0, 0, 0, False, "", (1.0,), (0.0,), 1 - rate)
        # rounding of the power itself, and of two logarithms, is some u
        assert found.iterations_to(rate**power) == power
        assert found.iterations_to(rate**power * (1 - 1e-9)) == power + 1
        gaps = tuple(rate**t for t in range(power + 1))
        assert GuaranteedRate(rate, 1 - rate, None, 0, 0, 0, 0, False, "", gaps).iterations_to(rate**power) == power
    assert GuaranteedRate(1.0, 1e-320, None, 0, 0, 0, 0, False, "", (1.0,), (0.0,), 1e-320).iterations_to(0.5) == np.inf


def test_what_is_printed_says_it_and_leaves_out_the_curve():
    W = np.diag([2.0, 1.0])
    found = guaranteed_rate(MatrixFactorization(W), Network.balanced(W + 0.1, 6))
    assert len(found.gaps) > 10
    assert found.message in repr(found)
    assert len(repr(found)) < 1000


def test_estimates_promise_nothing_but_steps_that_are_fixed_beforehand():
    problem, network = MatrixFactorization([[1.0]]), Network([[3.0]], [[0.3]])
    found = guaranteed_rate(problem, network, constants="power")
    assert isinstance(found.rule, Constant | Schedule)
    said = guaranteed_rate(problem, network, rule=Sharp(cap=0.01), constants="power")
    assert said.vacuous
    assert "estimates" in said.message
    twin = CustomLoss(lambda W: (0.5 * float(((W - 1) ** 2).sum()), W - 1.0), shape=(1, 1), mu=1.0, K=1.0, minimum=0.0,
                      minimizer=[[1.0]])
    assert isinstance(guaranteed_rate(twin, network, constants="power").rule, Constant | Schedule)
    for rule, contraction in ((found.rule, found.contraction), (Sharp(cap=0.01), None)):
        run = train(problem, network, rule, max_iter=5, constants="power")
        assert run.guarantee.contraction == contraction
    with pytest.raises(ValueError, match=r"^constants: expected one of"):
        guaranteed_rate(problem, network, constants="certain")


def scaled_start(K, layers, gap):
    """A quadratic loss, layers with an imbalance, and a distance from the minimizer, all in units of their own."""
    network = Network(layers * np.array([[3.0, 0.0], [0.0, 2.0]]), layers * np.array([[0.3, 0.0], [0.0, 0.2]]))
    return Problem(DiagonalQuadratic([K, 0.5 * K], network.product * (1 + gap))), network


@pytest.mark.parametrize("gap", [0.0, 1e-150, 1e-8, 0.1, 1e8])
@pytest.mark.parametrize("layers", [1e-60, 1.0, 1e60])
@pytest.mark.parametrize("K", [1e-200, 1e-120, 1.0, 1e120, 1e200])
def test_any_scale_is_a_rate_or_a_sentence(K, layers, gap):
    problem, network = scaled_start(K, layers, gap)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            bounds = initial_bounds(problem, network)
        except OverflowError:
            return      # as documented: the loss or its gradient is no float64 number
        assert 0 <= bounds.alpha <= bounds.beta
        found = [guaranteed_rate(problem, network)]
        if not found[0].vacuous:
            found += [guaranteed_rate(problem, network, rule=rule) for rule in (
                Sharp(cap=found[0].eta_cap), Local(cap=1e-300), Sharp(cap=1e300), Constant(found[0].eta_cap))]
        run = train(problem, network, Sharp(cap=found[0].eta_cap) if found[0].rule else "sharp", max_iter=20)
    for rate in found:
        assert rate.vacuous or 0 <= rate.rate <= 1
    # in units of the problem it is one start, if neither rounding nor underflow is to be seen in its gap: the norm of
    # the gradient, K layers^2 gap, is the root of a sum of squares
    if gap in (1e-8, 0.1) and K * layers**4 > 1e-280 and K * layers**2 * gap > 1e-140:
        same = guaranteed_rate(*scaled_start(1.0, 1.0, gap))
        assert found[0].contraction == pytest.approx(same.contraction, rel=1e-6)
    assert run.violations == 0


@pytest.mark.parametrize(("problem", "scale"), [
    (MatrixFactorization([[100.0, 200.0]]), 1e78), (MatrixFactorization([[100.0, 200.0]]), 1e120),
    (SquaredLoss([[1.0]], [[1.0, 2.0, 3.0]], l2=1e10), 1e75)])
def test_layers_far_apart_have_the_curve_of_their_gap(problem, scale):
    # gap / (K beta^2) is 1e-308 or less
    W2 = np.array([[0.7, -0.1, 0.2], [0.3, -0.5, 0.1], [0.1, 0.9, 0.4]])[:, :problem.shape[1]]
    network = Network(np.array([[1.0, -0.3, 0.2]]) * scale, W2 / scale)
    found = guaranteed_rate(problem, network)
    gap = train(problem, network, found.rule, max_iter=2, tol=0.0).history["gap"]
    assert not found.vacuous
    assert (gap <= np.multiply(found.gap_at(np.arange(gap.size)), 1 + 1e-12)).all()
    assert found.iterations_to(1e-6) >= 1
