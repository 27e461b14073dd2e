"""The recursion phase by phase: what it says holds at every iterate, and the kernel says what its twin says."""

import dataclasses
import pickle

import numpy as np
import pytest
from cases import NETWORKS, PROBLEMS

from lplfast import (
    Constant,
    Local,
    MatrixFactorization,
    Network,
    Run,
    Schedule,
    Sharp,
    SquaredLoss,
    guaranteed_rate,
    initial_bounds,
    reference,
    train,
)
from lplfast.guarantees.margins import Margins
from lplfast.guarantees.rates import Start
from lplfast.spectral.exact import Exact
from lplfast.spectral.spectral import ROUNDING

KINDS = ["squared", "ridge", "mean", "factorization", "logistic", "softmax"]


def random_start(rng):
    """Return a problem and a network of which something may be guaranteed: wide, or near the minimizer."""
    n, m, h = int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(10 ** rng.uniform(0.3, 2.5))
    problem, _ = PROBLEMS[str(rng.choice(KINDS))](rng, n, m)
    if rng.random() < 0.4:
        near = problem.minimizer + 10.0 ** rng.uniform(-6, 0) * rng.standard_normal((n, m))
        network = Network.balanced(near, max(h, min(n, m)))
        if rng.random() < 0.5:
            scale = np.exp(rng.uniform(-1, 1, network.width))
            network = Network(network.W1 * scale, network.W2 / scale[:, np.newaxis])
    elif rng.random() < 0.7:
        network = Network.gaussian(n, h, m, std=10.0 ** rng.uniform(-0.6, 0.6) * h**-0.25, rng=rng)
    else:
        network = NETWORKS[str(rng.choice(sorted(NETWORKS)))](rng, n, h, m)
    return problem, network


def random_steps(rng, bounds):
    """Return a schedule: short and long steps, growing, falling, or all of it."""
    longest = 2 / (bounds.K * bounds.beta + np.sqrt(2 * bounds.K * bounds.gap))
    within = bounds.alpha / max(2 * bounds.gap, 1e-300)
    size = min(longest, within) if rng.random() < 0.7 else longest
    steps = size * 10.0 ** rng.uniform(-2, 0.7) * np.ones(int(rng.integers(1, 25)))
    kind = rng.integers(3)
    if kind == 0:
        steps *= np.exp(rng.uniform(-1, 1, steps.size))
    elif kind == 1:
        steps *= rng.uniform(1, 1.5) ** np.arange(steps.size)
    return np.minimum(steps, 4 * longest)


def check(rng, problem, network, bounds, closest):
    """Run one random schedule beside its phases; return whether anything was guaranteed."""
    steps = random_steps(rng, bounds)
    promised = list(reference.phases(bounds, steps))
    # of the last phase nothing but gap and drift is needed to hold, if A has been lost there
    run = train(problem, network, Schedule(steps), max_iter=len(promised) - 1, tol=0.0, constants="exact")
    h = run.history
    for t in range(run.iterations + 1):
        at = promised[t]
        # what rounding has done to the layers so far, and what of a gap is rounding
        off = h["rounding"][t] + np.sqrt(2 * abs(h["gap"][t]) * h["floor"][t]) + h["floor"][t]
        assert h["gap"][t] <= at["gap"] * (1 + 1e-12) + off
        assert h["drift"][t] <= at["drift"] * (1 + 1e-9) + 1e-13 * bounds.beta
        if at["A"] > 0:
            # exact singular values are known to some u of the greatest
            assert h["sigma_min_sq"][t] >= at["A"] - 1e-12 * bounds.beta
            assert h["sigma_max_sq"][t] <= at["B"] * (1 + 1e-12)
            if t and h["gap"][t] > 1e3 * off:
                closest["gap"] = max(closest["gap"], h["gap"][t] / at["gap"])
                closest["drift"] = max(closest["drift"], h["drift"][t] / at["drift"])
                closest["s_min"] = max(closest["s_min"], at["A"] / h["sigma_min_sq"][t])
                closest["s_max"] = max(closest["s_max"], h["sigma_max_sq"][t] / at["B"])
    return len(promised) > 1


def run_many(count, seed):
    """Check so many schedules of which something is guaranteed; return the closest approach of each bound."""
    closest, done = dict.fromkeys(["gap", "drift", "s_min", "s_max"], 0.0), 0
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        problem, network = random_start(rng)
        bounds = initial_bounds(problem, network)
        if bounds.alpha > 0 and problem.mu > 0:
            # the problem takes longer than a schedule
            done += sum(check(rng, problem, network, bounds, closest) for _ in range(4))
        if done >= count:
            return closest
    raise AssertionError(f"{done} schedules of {count}")


def test_every_phase_holds():
    closest = run_many(120, 1)
    assert max(closest.values()) <= 1 + 1e-12


@pytest.mark.slow
def test_every_phase_holds_for_ten_thousand_schedules(capsys):
    closest = run_many(10_000, 0)
    with capsys.disabled():
        print("closest approach, measured over bound:", {name: round(part, 4) for name, part in closest.items()})
    assert 0.9 < max(closest.values()) <= 1 + 1e-12


@pytest.mark.parametrize("kind", ["steps", "sharp", "local"])
def test_the_kernel_says_what_its_twin_says(kind):
    compared = 0
    for seed in range(60):
        rng = np.random.default_rng([seed, 7])
        problem, network = random_start(rng)
        bounds = initial_bounds(problem, network)
        if not (bounds.alpha > 0 and problem.mu > 0):
            continue
        steps = random_steps(rng, bounds) if kind == "steps" else random_steps(rng, bounds)[:1].repeat(30)
        rule = {"steps": Schedule(steps), "sharp": Sharp(cap=steps[0]), "local": Local(cap=steps[0])}[kind]
        found = guaranteed_rate(problem, network, rule=rule, constants="exact")
        twin = list(reference.phases(bounds, steps, kind, (*Exact.upper_widths, ROUNDING)))
        if found.vacuous:
            continue
        for name, ours in (("gap", found.gaps), ("drift", found.drifts)):
            both = np.array([(row[name], value) for row, value in zip(twin, ours, strict=False)])
            # some u each of up to 30 steps; the kernel's to the safe side, though the twin, too, rounds a little
            assert np.allclose(both[:, 0], both[:, 1], rtol=1e-11, atol=1e-15 * both[0, 0])
            assert (both[:, 1] >= both[:, 0] * (1 - 1e-14)).all()
        compared += len(both) > 1
    assert compared > 10


def test_a_schedule_is_promised_far_less_iterations_than_a_constant_step_at_a_small_width():
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.standard_normal((20, 20)))[0] for _ in range(2))
    X = U * np.linspace(3**-0.5, 1, 20) @ V.T
    problem = SquaredLoss(X, X @ rng.standard_normal((20, 20)) / 20**0.5)
    network = Network.gaussian(20, 100, 20, std=100**-0.25, rng=rng)
    found = guaranteed_rate(problem, network)
    constant = guaranteed_rate(problem, network, rule=Constant(found.eta_min))
    assert isinstance(found.rule, Schedule)
    # some 280 of 10 seeds, against 1300 of the best rate that is the same at every step
    assert found.iterations_to(1e-6) < 350 < constant.iterations_to(1e-6)
    run = train(problem, network, found.rule, max_iter=found.iterations_to(1e-6), tol=0.0)
    audit = run.audit()
    assert audit.passed
    assert {claim.name for claim in audit.claims} >= {"initial", "initial_rate"}
    assert run.history["gap"][-1] <= 1e-6 * run.history["gap"][0]
    assert (run.history["gap"] <= found.gap_at(np.arange(run.iterations + 1))).all()
    assert np.array_equal(found.gap_at(run.history["iteration"]), found.gap_at(np.arange(run.iterations + 1)))
    for t in (0.5, [1.0, np.nan], np.inf, "1"):
        with pytest.raises(TypeError, match="t: expected integers >= 0, got"):
            found.gap_at(t)
    assert (run.history["drift"] <= found.drift_at(np.arange(run.iterations + 1))).all()
    # both forms of the promise, at every t and beyond the last phase
    t = np.arange(3 * len(found.gaps))
    assert (found.gap_at(t) <= found.rate**t * found.gaps[0] * (1 + 1e-12)).all()
    assert found.gap_at(found.iterations_to(1e-9)) <= 1e-9 * found.gaps[0] < found.gap_at(found.iterations_to(1e-9) - 1)


def test_the_curve_of_a_run_comes_back_from_its_file(tmp_path):
    problem, network = MatrixFactorization([[1.0]]), Network([[3.0]], [[0.3]])
    rule = guaranteed_rate(problem, network).rule
    run = train(problem, network, rule, max_iter=5, tol=0.0)
    run.save(tmp_path / "run.npz")
    again = Run.load(tmp_path / "run.npz")
    assert again.guarantee.rate == run.guarantee.rate
    assert again.guarantee.rate.gaps == guaranteed_rate(problem, network, rule=rule).gaps
    # with another rule the bounds are still good, the curve is not
    other = train(problem, again, "sharp", max_iter=9, tol=0.0)
    assert other.guarantee.rate is None
    assert other.guarantee.bounds == run.guarantee.bounds
    assert other.audit().passed


def test_a_schedule_counts_from_its_own_first_step(tmp_path):
    problem, network = MatrixFactorization([[1.0]]), Network([[3.0]], [[0.3]])
    steps = [0.01, 0.02, 0.04]
    run = train(problem, train(problem, network, 0.03, max_iter=2, tol=0.0), Schedule(steps), max_iter=7, tol=0.0)
    assert run.history["step_size"][:-1].tolist() == [0.03, 0.03, 0.01, 0.02, 0.04, 0.04, 0.04]
    half = train(problem, network, Schedule(steps), max_iter=1, tol=0.0)
    half.save(tmp_path / "run.npz")
    went_on = train(problem, Run.load(tmp_path / "run.npz"), max_iter=5, tol=0.0)
    whole = train(problem, network, Schedule(steps), max_iter=5, tol=0.0)
    assert went_on.network.stack().tobytes() == whole.network.stack().tobytes()
    assert all(went_on.history[name].tobytes() == whole.history[name].tobytes() for name in whole.history
               if name != "time")


@pytest.mark.parametrize("steps", [[], [0.1, -1.0], [0.1, np.nan], [np.inf], np.ones(10**6 + 1), [[0.1]]])
def test_what_is_no_schedule_is_refused(steps):
    with pytest.raises(ValueError, match=r"^steps: expected"):
        Schedule(steps)


def test_a_schedule_is_a_value():
    rule = Schedule(np.linspace(0.1, 0.2, 100))
    assert rule == Schedule(rule.steps) == pickle.loads(pickle.dumps(rule))
    assert hash(rule) == hash(Schedule(rule.steps)) != hash(Schedule(rule.steps[:-1]))
    assert repr(rule) == "Schedule(steps=[0.1, ... 100 in all ..., 0.2])"
    with pytest.raises(TypeError, match=r"^steps: expected"):
        Schedule("0.1")


def test_a_pl_constant_that_depends_on_the_gap_is_taken_where_it_holds():
    class Better(Margins):
        def pl_constants(self):
            return (0.5 * first, first), (3 * self.mu, 2 * self.mu)

    rng = np.random.default_rng(0)
    problem, _ = PROBLEMS["logistic"](rng, 3, 1)
    network = Network.gaussian(3, 1000, 1, std=1000**-0.25, rng=1)
    bounds = initial_bounds(problem, network)
    first = bounds.gap
    gains = []
    for known in (bounds.margins, Better(**vars(bounds.margins))):
        start = Start.of(dataclasses.replace(bounds, margins=known), Exact())
        # so short a step that the gap stays above half of the first
        gaps = start.rate(Constant(1e-3 / start.unit)).gaps
        gains.append(1 - gaps[1] / gaps[0])
    assert gains[1] == pytest.approx(2 * gains[0], rel=1e-9)


@pytest.mark.parametrize("taken", [1, 2, 5])     # after the first step there is what later drift stays below
def test_what_is_closed_after_some_steps_holds_for_ever(taken):
    problem, network = MatrixFactorization([[1.0]]), Network([[3.0]], [[0.3]])
    start = Start.of(initial_bounds(problem, network), Exact())
    run = train(problem, network, 0.05, max_iter=200, tol=0.0, constants="exact")
    gaps, drifts, gain, limit, A, B, *_ = start.recursion.follow("steps", [0.05 * start.unit] * taken, 1e-12, 0)
    assert gaps.size == drifts.size == taken
    # the drift of the run is nearly all of its first steps'
    assert run.history["drift"][-1] <= limit * start.beta * (1 + 1e-12)
    assert (run.history["sigma_min_sq"] >= A * start.beta * (1 - 1e-12)).all()
    assert (run.history["sigma_max_sq"] <= B * start.beta * (1 + 1e-9)).all()
    later = gaps[-1] * (1 - gain) ** np.arange(1, run.iterations + 2 - taken)
    promised = np.append(gaps, later) * start.unit * start.beta
    assert promised[0] == pytest.approx(run.history["gap"][0], rel=1e-12)
    # the numbers of a run round by some u, and what is near a minimum by what its history says
    off = run.history["rounding"] + run.history["floor"]
    assert (run.history["gap"] <= promised * (1 + 1e-12) + off).all()
