"""The theorems against measurement: bounds as <=, equalities where they are tight, false claims flagged."""

import numpy as np
import pytest
from cases import NETWORKS, PROBLEMS
from hypothesis import given, settings
from hypothesis import strategies as st

from lplfast import Constant, MatrixFactorization, Network, Problem, SquaredLoss, local_constants, train
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.spectral.exact import Exact
from lplfast.steps import RULES, missing_for

U = 2.0**-53

shapes = st.tuples(st.integers(1, 8), st.integers(1, 24), st.integers(1, 8))

scales = st.floats(-8, 8).map(lambda power: 10.0**power)


@st.composite
def cases(draw):
    """Draw a problem and a network of the registries, both scaled."""
    n, h, m = draw(shapes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    data, layers = draw(scales), draw(scales)
    X, Y = rng.standard_normal((n + 2, n)) * data, rng.standard_normal((n + 2, m)) * draw(scales)
    network = NETWORKS[draw(st.sampled_from(sorted(NETWORKS)))](rng, n, h, m)
    return SquaredLoss(X, Y), Network(network.W1 * layers, network.W2 * layers)


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from(["local", "sharp"]), st.sampled_from(["certified", "exact"]))
def test_every_inequality_holds_at_every_step(case, rule, constants):
    problem, network = case
    run = train(problem, network, rule, max_iter=60, constants=constants)
    assert run.status in ("converged", "max_iter", "floor", "saddle", "stalled")
    assert run.violations == 0
    history = run.history
    assert np.isfinite(history["gap"]).all()
    # what rounding of the product may add to a gap: sqrt(2 gap floor) + floor / 2, twice
    floor = np.sqrt(2 * history["gap"] * history["floor"]) + history["floor"]
    assert (history["gap"] <= history["gap_bound"] * (1 + 1e-12) + 2 * floor + 100 * U * history["gap"][0]).all()
    steps = slice(0, -1)
    # both K_t round by some u
    assert (history["K_t_sharp"][steps] <= history["K_t"][steps] * (1 + 1e-12)).all()
    assert (history["rate_bound"][steps] >= 0).all()
    assert (history["rate_bound"][steps] <= 1).all()
    if len(history["gap"]) > 1:
        K = history["K_t" if rule == "local" else "K_t_sharp"][steps]
        assert (history["step_size"][steps] * K <= 1).all()


@settings(max_examples=100, deadline=None)
@given(cases(), st.sampled_from(["majorizer", "contraction", "exact", "armijo", "adgd", "polyak"]))
def test_what_a_step_certifies_is_kept(case, rule):
    problem, network = case
    run = train(problem, network, rule, max_iter=40)
    assert run.status not in ("guarantee_failed", "overflow")
    assert run.violations == 0
    if rule in ("majorizer", "contraction", "exact") and run.iterations:
        # never worse than the sharp step's own guarantee, from the same iterate; both round by some u
        sharp = train(problem, network, "sharp", max_iter=1)
        assert run.history["rate_bound"][0] <= sharp.history["rate_bound"][0] + 1e-12


@pytest.mark.parametrize("kind", PROBLEMS)
def test_what_a_step_shows_is_its_own_smoothness(kind):
    # L(t+1) = L(t) - eta a (1 - eta K_t_step / 2), a = ||grad L||^2, where it is below K_t_sharp: an equality up to
    # what the rounding of a step may be, of which the history has the sum; and never above
    rng = np.random.default_rng(sorted(PROBLEMS).index(kind))
    for rule in ("local", "armijo", "exact", "polyak", "adgd", "majorizer"):
        problem, _ = PROBLEMS[kind](rng, 5, 3)
        network = NETWORKS["gaussian"](rng, 5, 9, 3)
        if missing_for(RULES[rule](), problem, network):
            continue
        history = train(problem, network, rule, max_iter=25).history
        shown, sharp = history["K_t_step"][:-1], history["K_t_sharp"][:-1]
        assert (shown <= sharp).all()
        assert (shown < 0.99 * sharp).mean() > 0.9
        eta, a, gap = history["step_size"][:-1], history["grad_norm"][:-1] ** 2, history["gap"]
        rounding = 4 * np.diff(history["rounding"])
        bound = gap[:-1] - eta * a * (1 - eta * shown / 2)
        assert (gap[1:] <= bound + 1e-15 * gap[:-1]).all()
        assert (bound <= gap[1:] + rounding)[shown < sharp].all()


@pytest.mark.parametrize("kind", ["logistic", "softmax", "custom"])
def test_a_search_is_certified_at_every_step(kind):
    rng = np.random.default_rng(3)
    problem, _ = PROBLEMS[kind](rng, 6, 4)
    for rule in ("armijo", "exact", "majorizer"):
        run = train(problem, NETWORKS["gaussian"](rng, 6, 30, 4), rule, tol=1e-5)
        assert run.converged
        assert (run.history["rate_bound"][:-1] < 1).all()
        assert run.history["gap_bound"][-1] < 0.9 * run.history["gap"][0]
        assert run.violations == 0


@settings(max_examples=100, deadline=None)
@given(cases(), st.floats(0.01, 30.0))
def test_the_descent_lemma_holds_for_steps_of_any_length(case, factor):
    problem, network = case
    at = local_constants(problem, network)
    if at.sigma_max_sq == 0:
        return
    run = train(problem, network, factor / at.K_t_sharp(0.0), max_iter=5)
    assert run.status != "guarantee_failed"
    assert run.violations == 0


@settings(max_examples=100, deadline=None)
@given(cases())
def test_constants_contain_the_truth(case):
    problem, network = case
    at = local_constants(problem, network)
    assert at.mu_t <= at.mu * at.brackets["sigma_min_sq"][1]
    nu_lo, nu_hi = at.kernel_extremes
    # mu s_min^2 <= nu_lo <= nu_hi <= K s_max^2, up to the allowances of the two eigenproblems: (k + 10 n + 8) u times
    # traces of up to n^(3/2) s_max^2, with k <= 16 and n <= 8
    size = 104 * 8**1.5 * U * problem.K * at.sigma_max_sq * 1.1
    assert at.mu_t <= nu_lo + size
    assert nu_lo <= nu_hi <= problem.K * at.sigma_max_sq + size
    # nu_lo is a local PL constant too
    assert nu_lo * at.gap <= at.grad_norm**2 / 2 * (1 + 1e-9) + size * at.gap
    for eta in (0.0, 0.1 / at.K_t_sharp(0.0), 1.0 / at.K_t_sharp(0.0)) if at.sigma_max_sq else ():
        assert at.K_t_sharp(eta) <= at.K_t(eta) * (1 + 1e-12)


def descend(loss, W1, W2, rule, steps):
    """Run the bare loop on a compiled loss, which may lie about its constants."""
    descent = Descent(loss, rule, Exact(), np.concatenate([np.atleast_2d(W1), np.atleast_2d(W2).T]))
    outcome = descent.advance(np.empty((steps, len(COLUMNS))), max_iter=steps, tol=0.0)
    return outcome, descent


def test_the_pl_inequality_is_an_equality_for_scalars():
    # n = m = h = 1, X = 1: ||grad L||^2 / 2 = (w1^2 + w2^2) gap
    run = train(MatrixFactorization([[2.0]]), Network([[0.3]], [[0.7]]), "local", max_iter=20, constants="exact")
    assert abs(run.history["slack_pl"]).max() < 1e-13      # some ten operations on either side
    assert run.checks["pl"]["violations"] == 0


def test_a_mu_that_is_too_large_by_a_millionth_is_flagged_at_every_step():
    loss = DiagonalQuadratic([1.0], [[2.0]], mu=1.0 + 1e-6, K=1.0 + 1e-6)
    _, descent = descend(loss, 0.3, 0.7, Constant(0.05), 20)
    assert descent.checks["pl"]["steps"] == 20
    assert descent.checks["pl"]["violations"] == 20


def test_steps_of_a_few_ulp_are_not_taken_for_a_broken_promise():
    # the rounding of the step is all there is to such a step; without its allowance the descent lemma seems to fail
    loss = DiagonalQuadratic([1.0], [[20.52783519699515]])
    outcome, descent = descend(loss, -0.5300094132181584, -0.23615462985294203, Constant(3.346864532580999e-17), 30)
    assert outcome != "guarantee_failed"
    assert descent.checks["descent"]["violations"] == 0


def test_a_K_that_is_ten_times_too_small_is_flagged():
    # a step of 1.5 / K_t of the true constants ascends; the false ones promise descent
    rng = np.random.default_rng(0)
    d, W1, W2 = np.ones(4), np.eye(4) * 2.0, np.eye(4) * 2.0
    target = W1 @ W2 + 1e-3 * rng.standard_normal((4, 4))
    true, false = DiagonalQuadratic(d, target), DiagonalQuadratic(d, target, mu=0.1, K=0.1)
    step = Constant(1.5 / 8)
    assert descend(true, W1, W2, step, 3)[1].checks["descent"]["violations"] == 0
    outcome, descent = descend(false, W1, W2, step, 3)
    assert outcome == "guarantee_failed"
    assert descent.checks["descent"]["violations"] == 1
    promised, measured = descent.failure
    assert measured < promised


def test_width_below_the_smaller_side_claims_no_rate():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 5, 4)
    run = train(problem, Network.gaussian(5, 3, 4, rng=1), max_iter=50)
    assert (run.history["mu_t"] == 0).all()
    assert (run.history["rate_bound"][:-1] == 1).all()
    assert run.violations == 0


def test_the_squares_of_the_tangent_kernel_contract_the_gap_at_any_step():
    """docs/theory.md, section 9; where second order counts, and with steps beyond 2 / K_t among them."""
    rng, closest = np.random.default_rng(11), -np.inf
    for _ in range(400):
        n, m, h = (int(size) for size in rng.integers(1, 6, 3))
        d = np.exp(rng.uniform(-2, 0, n))
        problem = Problem(DiagonalQuadratic(d, rng.standard_normal((n, m))))
        network = Network(*(10.0 ** rng.uniform(-1, 0.5) * rng.standard_normal(shape) for shape in ((n, h), (h, m))))
        at = local_constants(problem, network)
        low, high = at.kernel_extremes
        eta = 3 * rng.random() / at.K_t_sharp(0.0)
        bent = at.K_t_sharp(eta) - at.K * at.sigma_max_sq
        rate = max(1 - eta * nu * (2 - eta * (nu + bent)) for nu in (low, high))
        gap = train(problem, network, eta, max_iter=1, tol=0.0).history["gap"]
        assert gap[1] <= rate * gap[0] * (1 + 1e-12)
        closest = max(closest, gap[1] / (rate * gap[0]))
    assert closest > 0.9
