"""Whatever is public pickles; and use changes neither a pickle nor the digests that caches make of one."""

import contextlib
import copy
import hashlib
import pickle

import joblib
import numpy as np
import pytest
from cases import PROBLEMS

import lplfast
from lplfast import (
    Interrupted,
    MatrixFactorization,
    Network,
    check_loss,
    guaranteed_rate,
    initial_bounds,
    local_constants,
    train,
)
from lplfast.data import standardized
from lplfast.spectral.modes import MODES
from lplfast.steps import RULES, rule_from

RNG = np.random.default_rng(0)
TARGET = MatrixFactorization([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def networks():
    return {
        "wide": Network.gaussian(3, 50, 2, rng=1), "narrow": Network.gaussian(3, 4, 2, rng=1),
        "implicit": Network.gaussian_implicit(3, 500, 2, rng=0), "padded": Network.balanced(np.ones((3, 2)), 70),
        "balanced": Network.balanced(np.ones((3, 2)), 2), "huge": Network(1e150 * np.ones((3, 9)), np.ones((9, 2))),
        "trained": train(TARGET, Network.gaussian(3, 50, 2, rng=1), max_iter=3).network,
    }


def digests(value):
    """What joblib, and dask with a pickle of the highest protocol, know a value by."""
    return joblib.hash(value), hashlib.sha256(pickle.dumps(value, protocol=5)).hexdigest()


@pytest.mark.parametrize("name", networks())
def test_a_network_is_the_same_after_use(name):
    network = networks()[name]
    before = digests(network)
    network.stack()
    assert digests(network) == before
    assert network.W1.shape == (3, network.width)
    train(TARGET, network, max_iter=2)
    network.to_arrays(self_contained=False)
    assert digests(network) == before
    for again in (pickle.loads(pickle.dumps(network)), copy.copy(network), copy.deepcopy(network)):
        assert joblib.hash(again) == before[0]
        assert np.array_equal(again.stack(), network.stack())
        assert np.array_equal(again.W1, network.W1)


# a function that is made on the way does not pickle
@pytest.mark.parametrize("name", [name for name in PROBLEMS if name != "custom"])
def test_a_problem_is_the_same_after_use(name):
    problem, _ = PROBLEMS[name](np.random.default_rng(0), 4, 3)
    before = digests(problem)
    W = np.random.default_rng(1).standard_normal(problem.shape)
    assert np.isfinite(problem.value(W))
    assert problem.fingerprint
    assert np.isfinite(problem.mu)
    train(problem, Network.gaussian(4, 30, 3, rng=0), "sharp", max_iter=2)
    assert digests(problem) == before
    again = pickle.loads(pickle.dumps(problem))
    assert joblib.hash(again) == before[0]
    assert again.fingerprint == problem.fingerprint
    other, _ = PROBLEMS[name](np.random.default_rng(5), 4, 3)
    assert joblib.hash(other) != before[0]


def test_a_problem_pickles_as_what_has_been_solved():
    # or each process that is sent one would solve again
    problem, _ = PROBLEMS["softmax"](np.random.default_rng(0), 4, 3)
    assert "_kernel" in vars(pickle.loads(pickle.dumps(problem)))


@pytest.mark.parametrize("name", [*RULES])
def test_a_rule_is_the_same_after_use(name):
    rule = rule_from(name)
    before = digests(rule)
    with contextlib.suppress(ValueError):       # some need another problem
        train(TARGET, Network.gaussian(3, 50, 2, rng=0), rule, max_iter=3)
    assert digests(rule) == before == digests(pickle.loads(pickle.dumps(rule)))


def everything():
    """Return an object of every public class that is made, and of what they return."""
    network = networks()["wide"]
    run = train(TARGET, network, max_iter=5)
    problems = {type(problem).__name__: problem for problem in
                (make(np.random.default_rng(0), 4, 3)[0] for make in PROBLEMS.values())}
    rules = {type(rule).__name__: rule for rule in map(rule_from, RULES)}
    return {
        **problems, **rules, "Constant": rule_from(0.1),
        "Schedule": lplfast.Schedule([0.1, 0.2]), "Problem": lplfast.Problem(TARGET.kernel), "Network": network,
        "CustomLoss": lplfast.CustomLoss(square, shape=(3, 2), mu=2.0, K=2.0, minimum=0.0),
        "LocalConstants": local_constants(TARGET, network), "InitialBounds": initial_bounds(TARGET, network),
        "GuaranteedRate": guaranteed_rate(TARGET, network),
        "GuaranteedStationarity": lplfast.guaranteed_stationarity(TARGET, network),
        "LossReport": check_loss(TARGET), "Run": run, "Observer": observed(network),
        "PredictedCurve": lplfast.predicted_curve(TARGET, network, 0.01, 3),
        "Interrupted": Interrupted(run, None), "audit": run.audit(), "facts": run.facts, "guarantee": run.guarantee,
        "continuation": run.continuation, "imbalance": run.guarantee.bounds.imbalance,
        "standardized": standardized([[1.0], [2.0]]), "kernel": TARGET.kernel,
        **{name: mode() for name, mode in MODES.items()},
    }


def observed(network):
    observer = lplfast.Observer(TARGET, network)
    observer.update(1.1 * network.W1, network.W2)
    return observer


def square(W):
    return float((W**2).sum()), 2 * W


EVERYTHING = everything()


def test_every_public_class_is_here():
    classes = {name for name in lplfast.__all__ if isinstance(getattr(lplfast, name), type)}
    # one is to be subclassed; the other lives for a call only, and says so
    assert classes - EVERYTHING.keys() == {"Rule", "IterateView"}


@pytest.mark.parametrize("name", EVERYTHING)
def test_everything_pickles(name):
    value = EVERYTHING[name]
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        again = pickle.loads(pickle.dumps(value, protocol=protocol))
        assert type(again) is type(value)
        assert " at 0x" in str(value) or str(again) == str(value)
    assert joblib.hash(value) == joblib.hash(value)


def test_a_run_is_the_same_after_use():
    run = train(TARGET, networks()["wide"], max_iter=5)
    before = digests(run)
    assert run.audit().passed
    assert run.network.W1.any()
    run.plot()
    assert train(TARGET, run, max_iter=8).iterations == 8
    assert digests(run) == before
