"""The compiled loop against its plain NumPy twin, over the registries of problems, networks and rules."""

import numpy as np
import pytest
from cases import NETWORKS, PROBLEMS, QUADRATIC, RULES, SHAPES, with_rule

from lplfast import reference, train
from lplfast.steps import missing_for

STEPS = 12
# rules that amplify rounding, along any route: how many steps until that shows
AMPLIFY = {"polyak": 2, "adgd": 4, "armijo": 6, "bb": 4, "majorizer": 10}
ITERATE = ["loss", "gap", "grad_norm", "mu_t", "sigma_min_sq", "sigma_max_sq", "sigma_max_W", "nu_lo", "nu_hi",
           "sharpness_lo", "sharpness_hi",
           "slack_pl"]
STEP = ["step_size", "K_t", "K_t_sharp", "K_t_step", "rate_bound", "slack_descent", "slack_rate", "slack_drift"]

pytestmark = pytest.mark.usefixtures("one_blas_thread")


def cases():
    """Yield every problem with every network where that is quick, with one of them, in turn, at larger shapes."""
    for s, shape in enumerate(SHAPES):
        for p, kind in enumerate(PROBLEMS):
            if shape == max(SHAPES, key=np.prod):
                # there for one switch, by size alone: one problem for each compiled loss
                networks = ["gaussian"] * (kind in ("squared", "logistic", "softmax", "custom"))
            else:
                networks = NETWORKS if np.prod(shape) < 1000 else [list(NETWORKS)[(s + p) % len(NETWORKS)]]
            for network in networks:
                yield kind, network, shape


@pytest.mark.parametrize(("kind", "network", "shape"), list(cases()), ids=str)
def test_same_trajectory_and_constants(kind, network, shape):
    n, h, m = shape
    rng = np.random.default_rng([n, h, m, sorted(PROBLEMS).index(kind), sorted(NETWORKS).index(network)])
    problem, twin = PROBLEMS[kind](rng, n, m)
    network = NETWORKS[network](rng, n, h, m)
    assert np.allclose([problem.mu, problem.K], [twin.mu, twin.K], rtol=1e-12)
    # l* is a sum of squares of residuals: its error is relative to that of the targets
    assert np.isclose(problem.minimum, twin.minimum, rtol=1e-11, atol=1e-13 * twin.value(np.zeros((n, m))))
    rules = {name: make(problem, network) for name, make in RULES.items()}
    # the twin of "planned" takes seconds a plan: below, once
    applies = [name for name in RULES if missing_for(rules[name][0], problem, network) is None]
    name = str(rng.choice([name for name in applies if name != "planned"]))
    rule, choose = rules[name]
    run = train(problem, network, rule, max_iter=AMPLIFY.get(name, STEPS), tol=0.0, constants="exact")
    # the twin's gradient cancels near the minimizer of a loss that is not quadratic
    cut = 1e-8 if kind in QUADRATIC else 1e-5
    small = run.history["grad_norm"] < cut * run.history["grad_norm"][0]
    if small.any():     # from here on it is rounding that is compared, near a minimum or a saddle
        run = train(problem, network, rule, max_iter=int(small.argmax()), tol=0.0, constants="exact")
    assert run.iterations > 0
    W1, W2, history = reference.descend(twin, network.W1, network.W2, choose, run.iterations)

    # a step rounds by some u ||Z||, and 12 steps of a contracting iteration hardly amplify that
    size = sum(map(np.linalg.norm, (network.W1, network.W2, W1, W2)))
    # but for steps that depend on it more: roots of a quartic, which may be nearly double; a gap near the floor
    tolerance = 1e-10 if name in ("exact", "majorizer", "contraction", "xu-f") else 1e-12
    if name == "bb" and run.iterations > 1:
        # eta_t = eta_{t-1} ||g||^2 / <g, g - g+>: what rounding of both gradients does to the divisor, beside it
        eta, g = run.history["step_size"][:-1], run.history["grad_norm"][:-1]
        tolerance *= np.prod(np.maximum(eta[1:] / eta[:-1] * (1 + g[1:] / g[:-1]), 1.0))
    # K_t is an upper bound: 1e-13 of the value of a Python function is not trusted, and K_t has a root of that
    untrusted = 1e-5 if kind == "custom" else 0.0
    tolerance = max(tolerance, untrusted)
    assert abs(run.network.W1 - W1).max() <= tolerance * size
    assert abs(run.network.W2 - W2).max() <= tolerance * size

    scale = history[0]["gap"]
    gap = np.array([row["gap"] for row in history])
    # a rate is made of a decrease that is rounded down
    rate_error = np.append(2 * np.diff(run.history["rounding"]), np.nan) / gap
    for column in ITERATE + STEP:
        ours, theirs = run.history[column], np.array([row.get(column, np.nan) for row in history])
        relative = 1e-9
        if column.startswith("slack"):
            # quotients of decreases: where those are small beside the gap, no digits are left to compare
            seen = (gap > 1e-8 * scale) & (run.history["grad_norm"] > cut * run.history["grad_norm"][0])
            if column != "slack_pl":
                seen[:-1] &= gap[:-1] - gap[1:] > 1e-8 * scale
                seen[-1] = False
            absolute, relative = max(1e-6, untrusted), 1e-6
            if column == "slack_rate":
                absolute = (absolute + rate_error)[seen]
            ours, theirs = ours[seen], theirs[seen]
        elif column in ("loss", "gap"):
            absolute = max(tolerance, untrusted) * (scale + abs(twin.minimum))
        else:
            # within a run, exact means s_min^2 to a relative 1e-10; near 0 it is known to u s_max only
            absolute = max(1e-9, untrusted) * max(1.0, np.nanmax(theirs, initial=1.0))
            if column == "nu_lo":   # not chased below 1e-8 of the largest
                absolute += 1e-8 * np.nanmax(run.history["nu_hi"], initial=0.0)
            if column in STEP or (column == "nu_lo" and kind not in QUADRATIC):
                # what depends on the gap: the layers' tolerance, and the rounding floor, beside W - W*
                seen = np.maximum(gap, np.finfo(float).tiny)
                relative += tolerance * size**2 / np.sqrt(seen) + 10 * np.sqrt(run.history["floor"] / seen)
            if column == "K_t_step":
                absolute = absolute + _lost_to_rounding(run.history)
            if column == "rate_bound":
                absolute = absolute + rate_error
        assert np.all((abs(ours - theirs) <= absolute + relative * abs(theirs)) | np.isnan(theirs)), column
        assert np.array_equal(np.isnan(ours), np.isnan(theirs)), column


def _lost_to_rounding(history):
    """Return how much above its value K_t_step may be: the decrease that it is made of is rounded down by a step's
    share of `rounding`, and by as much again where the first-order decrease is beyond the gap."""
    eta, a = history["step_size"][:-1], history["grad_norm"][:-1] ** 2
    return np.append(4 * np.diff(history["rounding"]) / (eta**2 * a), np.nan)


@pytest.mark.parametrize("shape", [(70, 150, 70), (3, 4000, 5)], ids=str)
def test_matrices_that_are_summed_in_several_blocks(shape):
    n, h, m = shape
    rng = np.random.default_rng(5)
    problem, twin = PROBLEMS["squared"](rng, n, m)
    network = NETWORKS["gaussian"](rng, n, h, m)
    run = train(problem, network, max_iter=5, tol=0.0, constants="exact", compress=False)
    W1, W2, history = reference.descend(twin, network.W1, network.W2, reference.RULES["local"](), 5)
    for ours, theirs in ((run.network.W1, W1), (run.network.W2, W2)):
        assert abs(ours - theirs).max() <= 1e-12 * np.linalg.norm(theirs)
    for column in ITERATE + STEP:
        theirs = np.array([row.get(column, np.nan) for row in history])
        # slacks are differences of numbers of order 1; s_min^2 is exact to 1e-10 within a run
        rounding = _lost_to_rounding(run.history) if column == "K_t_step" else 0.0
        off = abs(run.history[column] - theirs)
        assert ((off <= 1e-9 * (1 + abs(theirs)) + rounding) | np.isnan(theirs)).all(), column


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_on_a_longer_run(rule):
    rng = np.random.default_rng(7)
    steps = 2 * AMPLIFY.get(rule, 30)
    problem, twin, network, rule, choose = with_rule(rule, rng, 6, 50, 4)
    run = train(problem, network, rule, max_iter=steps, tol=0.0, constants="exact")
    W1, W2, history = reference.descend(twin, network.W1, network.W2, choose, run.iterations)
    assert np.allclose(run.history["step_size"][:-1], [row["step_size"] for row in history[:-1]], rtol=1e-11)
    assert abs(run.network.W1 - W1).max() <= 1e-12 * np.linalg.norm(network.W1)
    assert abs(run.network.W2 - W2).max() <= 1e-12 * np.linalg.norm(network.W2)


@pytest.mark.parametrize("rule", ["local", "sharp"])
@pytest.mark.parametrize("shape", [(5, 100, 5), (20, 1000, 20), (8, 9, 3)], ids=str)
def test_compression_is_exact(shape, rule):
    n, h, m = shape
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), n, m)
    network = NETWORKS["gaussian"](np.random.default_rng(1), n, h, m)
    small = train(problem, network, rule, max_iter=300)
    wide = train(problem, network, rule, max_iter=300, compress=False)
    assert small.iterations == wide.iterations
    # over whole runs about 1e-12 ||Z(0)|| for these rules
    size = np.linalg.norm(network.W1) + np.linalg.norm(network.W2)
    assert abs(small.network.W1 - wide.network.W1).max() <= 1e-12 * size
    assert abs(small.network.W2 - wide.network.W2).max() <= 1e-12 * size


def test_what_the_data_cannot_see_never_moves():
    rng = np.random.default_rng(3)
    X, Y = rng.standard_normal((4, 9)), rng.standard_normal((4, 2))
    from lplfast import Network, SquaredLoss

    problem, network = SquaredLoss(X, Y), Network.gaussian(9, 30, 2, rng=rng)
    run = train(problem, network)
    assert run.converged
    blind = np.linalg.svd(X)[2][4:]
    # the compression and the change of basis round once each
    assert abs(blind @ (run.network.W1 - network.W1)).max() < 1e-13 * np.linalg.norm(network.W1)
