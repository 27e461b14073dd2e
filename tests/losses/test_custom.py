"""A loss of the user's own: what is known of its minimum, and errors inside it."""

import pickle
import threading
from fractions import Fraction

import numpy as np
import pytest

from lplfast import (
    CustomLoss,
    Interrupted,
    MatrixFactorization,
    Network,
    Run,
    check_loss,
    guaranteed_rate,
    guaranteed_stationarity,
    initial_bounds,
    local_constants,
    train,
)

Y = np.array([[1.0, -2.0, 0.5], [0.3, 0.7, -1.0]])

NETWORK = Network.gaussian(2, 12, 3, std=0.5, rng=0)


def quadratic(W):
    return float(((W - Y) ** 2).sum()) / 2 + 7.0, W - Y


def loss(function=quadratic, **options):
    return CustomLoss(function, shape=(2, 3), **{"mu": 1.0, "K": 1.0, **options})


def test_it_is_the_loss_that_it_calls():
    ours = train(loss(minimum=7.0, minimizer=Y), NETWORK, "sharp", max_iter=30, tol=0.0)
    theirs = train(MatrixFactorization(Y), NETWORK, "sharp", max_iter=30, tol=0.0)
    steps = min(ours.iterations, theirs.iterations, 10)
    assert np.allclose(ours.history["gap"][:steps], theirs.history["gap"][:steps], rtol=1e-6, atol=1e-13)
    assert ours.violations == 0


def test_a_minimizer_alone_gives_the_minimum():
    problem = loss(minimizer=Y)
    assert problem.minimum == 7.0
    assert problem.minimizer_error == 0.0
    near = loss(minimizer=Y + 1e-3)
    # ||gradient||^2 / (2 mu): for this loss all of it
    assert np.isclose(near.minimum - near.lower_bound, 6e-6 / 2)
    assert near.lower_bound <= 7.0 * (1 + 1e-15)
    run = train(near, NETWORK, tol=1e-12)
    assert run.status == "floor"
    assert "known to" in run.message
    assert train(near, NETWORK, tol=1e-3).converged


def test_the_minimum_at_a_minimizer_is_known_to_the_rounding_of_the_loss():
    for seed in range(20):
        x, c = np.random.default_rng(seed).standard_normal((2, 40, 1))
        X, C = (np.array([Fraction(entry) for entry in part.ravel().tolist()]) for part in (x, c))
        problem = CustomLoss(lambda W, x=x, c=c: (float(((x @ W - c) ** 2).sum()) / 2, x.T @ (x @ W - c)), shape=(1, 1),
                             mu=float(X @ X) * 0.999, K=float(X @ X) * 1.001, minimizer=[[float(X @ C / (X @ X))]])
        exact = (C @ C - (X @ C) ** 2 / (X @ X)) / 2
        assert abs(Fraction(problem.minimum) - exact) <= Fraction(problem.minimum_error)
        assert Fraction(problem.lower_bound) <= exact


def test_without_a_minimum():
    problem = loss()
    assert np.isnan(problem.minimum)
    for rule in ("local", "polyak"):
        with pytest.raises(ValueError, match="needs the minimum"):
            train(problem, NETWORK, rule)
    for rule in ("sharp", "majorizer", 0.05):
        run = train(problem, NETWORK, rule, max_iter=60)
        assert run.status in ("max_iter", "stalled")
        assert run.violations == 0
        assert run.history["loss"][-1] < 7.1
        assert np.isnan([run.history[name] for name in ("gap", "gap_bound", "K_t")]).all()
        # the rate holds for the gap that only the test knows
        true_gap = run.history["loss"] - 7.0
        rate = run.history["rate_bound"][:-1]
        assert (true_gap[1:] <= rate * true_gap[:-1] + 1e-12).all()
        assert rate.min() < 1
        assert np.isfinite(run.history["K_t_sharp"][:-1]).all()
        assert run.checks["descent"]["steps"] == run.iterations
        assert run.checks["rate"]["steps"] == 0
        run.plot()
    assert guaranteed_rate(problem, NETWORK).vacuous
    assert "not known" in guaranteed_rate(problem, NETWORK).message
    assert np.isnan(local_constants(problem, NETWORK).K_t(0.1))


def test_with_a_lower_bound():
    problem = loss(lower_bound=0.0)
    run = train(problem, NETWORK, "local", max_iter=60)
    known = train(loss(minimum=7.0), NETWORK, "local", max_iter=60)
    assert run.status == "max_iter"
    assert np.isnan(run.history["gap"]).all()
    assert np.isnan(run.history["gap_bound"]).all()
    # the distance to the bound is above the gap, and so are the constants
    assert run.history["K_t"][0] > known.history["K_t"][0]
    assert run.violations == 0
    assert initial_bounds(problem, NETWORK).gap >= initial_bounds(loss(minimum=7.0), NETWORK).gap
    with pytest.raises(ValueError, match="needs the minimum"):
        train(problem, NETWORK, "polyak")


def test_margins_without_a_minimizer_hold():
    near = Network.balanced(Y + 1e-3, 10)
    known, unknown = (initial_bounds(loss(minimum=7.0, **options), near) for options in ({"minimizer": Y}, {}))
    s = np.linalg.svd(Y, compute_uv=False)
    for bounds in (known, unknown):
        assert 0 < bounds.p1 <= s[-1]
        assert bounds.p2 >= s[0]
    assert guaranteed_rate(loss(minimum=7.0), near).rate < 1
    # 0 and 2 have the same gap, and either is two radii from the other
    one = CustomLoss(lambda W: (0.5 * float(((W - 1) ** 2).sum()), W - 1.0), shape=(1, 1), mu=1.0, K=1.0, minimum=0.0)
    assert initial_bounds(one, Network([[2.0]], [[1.0]])).p1 == 0
    assert initial_bounds(one, Network([[0.0]], [[1.0]])).p2 >= 2


def test_without_strong_convexity_there_is_no_rate():
    run = train(loss(mu=0.0, minimum=7.0), NETWORK, "local")
    assert run.converged
    assert (run.history["mu_t"] == 0).all()
    assert (run.history["rate_bound"][:-1] == 1).all()
    assert "mu = 0" in guaranteed_rate(loss(mu=0.0, minimum=7.0), NETWORK).message


def failing(after, error=None):
    count, error = 0, error or ZeroDivisionError("the user's own")

    def function(W):
        nonlocal count
        count += 1
        if count > after:
            raise error
        return quadratic(W)

    return function


@pytest.mark.parametrize("constants", ["certified", "exact"])
@pytest.mark.parametrize("after", [0, 1, 2, 7])
def test_an_error_inside_reaches_the_caller_with_the_run_so_far(after, constants):
    with pytest.raises(ZeroDivisionError, match="the user's own") as caught:
        train(loss(failing(after), minimum=7.0), NETWORK, constants=constants, tol=0.0)
    assert "function" in [entry.name for entry in caught.traceback]
    run = caught.value.run
    whole = train(loss(minimum=7.0), NETWORK, constants=constants, tol=0.0, max_iter=run.iterations)
    assert run.iterations == max(0, after - 1)
    if after:
        assert np.array_equal(run.history["gap"], whole.history["gap"])
        assert np.array_equal(run.network.W1, whole.network.W1)


def test_an_error_at_a_network_and_at_the_minimizer():
    for call in (local_constants, initial_bounds):
        with pytest.raises(ZeroDivisionError):
            call(loss(failing(0), minimum=7.0), NETWORK)
    with pytest.raises(ZeroDivisionError):
        loss(failing(0), minimizer=Y)
    with pytest.raises(ZeroDivisionError):
        loss(failing(0)).value(Y)


def test_ctrl_c_inside_is_an_interrupt():
    with pytest.raises(Interrupted) as caught:
        train(loss(failing(4, KeyboardInterrupt()), minimum=7.0), NETWORK, tol=0.0)
    assert caught.value.run.iterations == 3


def test_errors_belong_to_the_thread_they_happened_in():
    def function(W):
        if threading.current_thread().name == "bad":
            raise ZeroDivisionError
        return quadratic(W)

    problem, outcomes = loss(function, minimum=7.0), {}

    def work():
        name = threading.current_thread().name
        try:
            outcomes[name] = train(problem, NETWORK, tol=0.0, max_iter=20).iterations
        except ZeroDivisionError:
            outcomes[name] = "error"

    threads = [threading.Thread(target=work, name=name) for name in ("good", "bad", "better")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes["bad"] == "error"
    assert outcomes["good"] == outcomes["better"] > 0


@pytest.mark.parametrize(("function", "error", "match"), [
    (lambda W: 1.0, TypeError, "expected a pair"),
    (lambda W: (1.0, W, W), TypeError, "expected a pair"),
    (lambda W: (1.0, W.T), ValueError, "expected a gradient of shape"),
    (lambda W: ("x", W), TypeError, "expected a pair"),
    (lambda W: (1.0, "x"), TypeError, "expected a pair"),
], ids=["number", "three", "shape", "value", "gradient"])
def test_what_the_function_must_return(function, error, match):
    with pytest.raises(error, match=match):
        train(loss(function, minimum=0.0), NETWORK)


def test_a_function_may_do_with_its_array_what_it_likes():
    def meddling(W):
        value, gradient = quadratic(W)
        W.fill(np.nan)
        return value, gradient

    plain, other = (train(loss(f, minimum=7.0), NETWORK, max_iter=10) for f in (quadratic, meddling))
    assert np.array_equal(plain.history["gap"], other.history["gap"])


def test_values_that_are_no_numbers_are_an_overflow():
    assert train(loss(lambda W: (np.nan, W), minimum=0.0), NETWORK).status == "overflow"


def test_it_pickles_if_its_function_does():
    problem = pickle.loads(pickle.dumps(loss(minimum=7.0, minimizer=Y)))
    assert problem.gap(Y + 1) == 3.0


@pytest.mark.parametrize(("options", "match"), [
    ({"mu": 2.0}, "mu <= K"), ({"K": 0.0}, "K: expected"), ({"mu": -1.0}, "mu: expected"),
    ({"shape": 3}, "shape: expected"), ({"shape": (2, 0)}, r"shape\[1\]: expected"),
    ({"shape": (2, 3.0)}, r"shape\[1\]: expected"), ({"minimum": np.nan}, "minimum: expected"),
    ({"minimum": "x"}, "minimum: expected"), ({"minimizer": [[1.0]]}, "minimizer: expected shape"),
    ({"lower_bound": np.inf}, "lower_bound: expected"), ({"minimum": 0.0, "lower_bound": 1.0}, "lower_bound: expected"),
    ({"value_and_gradient": 3}, "callable"),
], ids=str)
def test_bad_arguments(options, match):
    options = {"value_and_gradient": quadratic, "shape": (2, 3), "mu": 1.0, "K": 1.0, **options}
    with pytest.raises((TypeError, ValueError), match=match):
        CustomLoss(options.pop("value_and_gradient"), **options)


def test_a_run_outlives_its_function(tmp_path):
    calls = []

    def dies(W):
        calls.append(1)
        if len(calls) > 30:
            raise RuntimeError("lost")
        return float((W**2).sum()), 2 * W

    network = Network.gaussian(4, 20, 4, std=0.3, rng=0)
    with pytest.raises(RuntimeError, match="lost") as caught:
        train(CustomLoss(dies, shape=(4, 4), mu=2.0, K=2.0, minimum=0.0), network, 0.01,
              checkpoint=tmp_path / "run.npz")
    run = caught.value.run
    assert run.audit().passed
    assert Run.load(tmp_path / "run.npz").iterations == run.iterations > 20


def test_gradients_of_any_real_kind_and_no_other():
    def read_only(W):
        G = np.broadcast_to(2 * W, W.shape)
        return float((W**2).sum()), G

    network = Network.gaussian(4, 20, 4, std=0.3, rng=0)
    assert train(CustomLoss(read_only, shape=(4, 4), mu=2.0, K=2.0, minimum=0.0), network).converged
    with pytest.raises(TypeError, match="expected a pair, a number and an array"):
        train(CustomLoss(lambda W: (1.0, 2j * W), shape=(4, 4), mu=2.0, K=2.0, minimum=0.0), network)


def valley(W):
    """Half the square of one sum: minimizers are a plane, and the PL constant along the sum is that of smoothness."""
    off = W.sum() - 1.0
    return 0.5 * float(off * off), np.full(W.shape, off)


def wavy(W):
    """x^2 + 3 sin(x)^2 by entries: not convex, one minimizer, PL with 1/32, K = 8 (Karimi, Nutini, Schmidt 2016)."""
    return float((W**2 + 3 * np.sin(W) ** 2).sum()), 2 * W + 3 * np.sin(2 * W)


PL = {"valley": (valley, {"mu": 6.0, "K": 6.0}), "wavy": (wavy, {"mu": 1 / 32, "K": 8.0})}


@pytest.mark.parametrize("name", PL)
@pytest.mark.parametrize("rule", ["local", "sharp", "majorizer"])
def test_the_rates_of_steps_hold_for_a_pl_loss(name, rule):
    function, constants = PL[name]
    problem = CustomLoss(function, shape=(2, 3), minimum=0.0, mu_kind="pl", **constants)
    assert problem.mu_kind == "pl"
    run = train(problem, Network.gaussian(2, 30, 3, std=0.5, rng=0), rule, max_iter=300, tol=1e-8)
    history = run.history
    assert run.violations == 0
    assert run.converged
    assert (history["mu_t"] > 0).all()
    assert (history["gap"] <= history["gap_bound"] * (1 + 1e-12)).all()
    assert history["gap_bound"][-1] < history["gap"][0]


@pytest.mark.parametrize("name", PL)
def test_what_needs_a_unique_minimizer_is_refused_in_a_sentence(name):
    function, constants = PL[name]
    minimizer = np.full((2, 3), 1 / 6 if name == "valley" else 0.0)
    problem = CustomLoss(function, shape=(2, 3), minimum=0.0, minimizer=minimizer, mu_kind="pl", **constants)
    network = Network.gaussian(2, 30, 3, std=0.5, rng=0)
    for found in (guaranteed_rate(problem, network), guaranteed_stationarity(problem, network)):
        assert found.vacuous
        assert "many minimizers" in found.message
    bounds = initial_bounds(problem, network)
    assert (bounds.p1, bounds.p2) == (0.0, np.inf)
    with pytest.raises(ValueError, match=r"needs a loss with one minimizer, .*'sharp'"):
        train(problem, network, "planned")
    run = train(problem, network, "sharp", max_iter=5)
    assert run.guarantee.contraction is None
    assert run.audit().passed


@pytest.mark.parametrize("name", PL)
def test_check_loss_tests_what_was_declared(name):
    function, constants = PL[name]
    shape = {"shape": (2, 3), "minimum": 0.0, "K": constants["K"]}
    # where the second of them bends down
    points = [np.full((2, 3), 1.5)]
    assert check_loss(CustomLoss(function, mu=constants["mu"], mu_kind="pl", **shape), points=points).passed
    # neither is strongly convex
    assert not check_loss(CustomLoss(function, mu=constants["mu"], **shape), points=points).passed
    # and a PL constant that is too large is found out
    shape["K"] = 16.0
    assert not check_loss(CustomLoss(function, mu=9.0, mu_kind="pl", **shape), points=points).passed


def test_mu_kind_is_one_of_two():
    with pytest.raises(ValueError, match="mu_kind: expected one of 'strong', 'pl', got 'PL'"):
        CustomLoss(valley, shape=(2, 3), mu=6.0, K=6.0, mu_kind="PL")
