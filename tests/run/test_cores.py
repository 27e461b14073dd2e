"""`n_threads`: cores for one run, and cores in all for many; no bit depends on either."""

import numpy as np
import pytest
from runs import same

from lplfast import Network, PseudoHuberLoss, SoftmaxLoss, SquaredLoss, train, train_many
from lplfast.run import crowd, execution

OPTIONS = {"max_iter": 4, "tol": 0.0}


def squared(rng):
    """Products are cut, and Cholesky factors: odd, and more rows than columns."""
    n, m, h = 331, 207, 261
    problem = SquaredLoss(rng.standard_normal((n, n)) / np.sqrt(n), rng.standard_normal((n, m)))
    return problem, Network.gaussian(n, h, m, std=h**-0.25, rng=rng)


def pseudo_huber(rng):
    X, Y = rng.standard_normal((5003, 41)), rng.standard_normal((5003, 7))
    return PseudoHuberLoss(X, Y, delta=1.0, l2=1.0), Network.gaussian(41, 48, 7, std=0.3, rng=rng)


def softmax(rng):
    X = rng.standard_normal((9001, 37))
    return SoftmaxLoss(X, rng.integers(0, 5, 9001), l2=1.0), Network.gaussian(37, 42, 5, std=0.3, rng=rng)


@pytest.mark.parametrize("made", [squared, pseudo_huber, softmax])
@pytest.mark.parametrize("rule", ["local", "majorizer"])
def test_no_bit_depends_on_the_cores_of_a_run(made, rule):
    problem, network = made(np.random.default_rng(0))
    alone = train(problem, network, rule, **OPTIONS)
    for n_threads in (2, 3, None):
        assert same(train(problem, network, rule, n_threads=n_threads, **OPTIONS), alone)


def test_a_run_that_goes_on_may_have_other_cores():
    problem, network = squared(np.random.default_rng(1))
    whole = train(problem, network, n_threads=2, **OPTIONS)
    half = train(problem, network, n_threads=3, **{**OPTIONS, "max_iter": 2})
    assert same(train(problem, half, **OPTIONS), whole)


@pytest.mark.parametrize(("n_threads", "runs", "at_once", "each"), [
    (1, 3, 1, 1), (2, 3, 2, 1), (4, 3, 3, 1), (4, 2, 2, 2), (7, 2, 2, 3), (3, 1, 1, 3)])
def test_many_runs_share_the_cores_fixed_at_the_start(monkeypatch, n_threads, runs, at_once, each):
    given = []
    pool = crowd.concurrent.futures.ThreadPoolExecutor

    def watched_pool(workers):
        given.append(workers)
        return pool(workers)

    driver = execution.RunDriver

    def watched_driver(plan, threads):
        given.append(threads)
        return driver(plan, threads)

    monkeypatch.setattr(crowd.concurrent.futures, "ThreadPoolExecutor", watched_pool)
    monkeypatch.setattr(execution, "RunDriver", watched_driver)
    problem = SquaredLoss(np.eye(2), np.ones((2, 1)))
    networks = [Network.gaussian(2, 3, 1, rng=seed) for seed in range(runs)]
    assert len(train_many(problem, networks, n_threads=n_threads, max_iter=3)) == runs
    assert given == [at_once] + [each] * runs
