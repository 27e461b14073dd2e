"""Forked, spawned and killed processes, and threads of the user's own: the same bits, and nothing hangs."""

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from runs import limits, same

from lplfast import MatrixFactorization, Network, Run, SoftmaxLoss, train, train_many

PROBLEM = MatrixFactorization(np.random.default_rng(0).standard_normal((5, 4)))
OPTIONS = {"step_size": 1e-3, "max_iter": 200, "tol": 0.0}


def network(seed=0):
    return Network.gaussian(5, 30, 4, std=0.5, rng=seed)


def trained(seed):
    """What a worker does: the run without its network's wide layers, which pickle as well."""
    return train(PROBLEM, network(seed), **OPTIONS)


def forked(function, seconds=30):
    """Call a function in a forked child; whether it returned True, and the child ended in time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)     # of forking with threads, which is what is tested
        child = os.fork()
    if child == 0:
        ended = 1
        try:
            ended = 0 if function() is True else 2
        finally:
            os._exit(ended)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes(method):
    whole = [trained(seed) for seed in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
            for run, ended in zip(pool.map(trained, range(2)), whole, strict=True):
                assert same(run, ended)


def test_a_fork_from_a_callback_has_the_limits_of_before():
    before, whole, seen = limits(), trained(0), []

    def callback(run):
        seen.append(forked(lambda: limits() == before and same(trained(0), whole) and limits() == before))

    train(PROBLEM, network(), callback=callback, callback_every=100, **OPTIONS)
    assert seen == [True, True]
    assert limits() == before


def test_a_fork_beside_a_solve_does_not_hang():
    rng = np.random.default_rng(0)
    problem = SoftmaxLoss(rng.standard_normal((1000, 20)), rng.integers(0, 8, 1000), l2=1e-3)
    # what a solve imports is there by then: a fork amid an import leaves Python's own lock behind
    assert np.isfinite(SoftmaxLoss([[1.0], [2.0], [3.0]], [0, 1, 0], l2=1.0).minimum)
    solving = threading.Thread(target=lambda: problem.minimum)
    solving.start()
    while problem._kernel is None and limits() != [1] * len(limits()):
        time.sleep(1e-3)
    minima = []
    try:
        assert forked(lambda: minima.append(problem.minimum) is None and np.isfinite(minima[0]).item())
    finally:
        solving.join()


def test_threads_of_the_user_with_callbacks():
    whole, calls = [trained(seed) for seed in range(4)], []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda seed: train(PROBLEM, network(seed), callback=lambda run: calls.append(run.status),
                                                callback_every=10, **OPTIONS), range(4)))
    for run, ended in zip(runs, whole, strict=True):
        assert same(run, ended)
    assert len(calls) == 4 * 20


FOLDER = """
import sys
import numpy as np
from lplfast import MatrixFactorization, Network, train_many
problem = MatrixFactorization(np.random.default_rng(0).standard_normal((5, 4)))
networks = [Network.gaussian(5, 30, 4, std=0.5, rng=seed) for seed in range(4)]
print("begun", flush=True)
train_many(problem, networks, 1e-3, max_iter=100000, tol=0.0, n_threads=2, record_every=1000, checkpoint=sys.argv[1],
           checkpoint_every=0.01)
print("ended", flush=True)
"""
LONG = {"step_sizes": 1e-3, "max_iter": 100_000, "tol": 0.0, "n_threads": 2, "record_every": 1000}


@pytest.mark.slow
def test_twenty_kills_cost_no_bit(tmp_path):
    networks, rng = [network(seed) for seed in range(4)], np.random.default_rng(0)
    began = time.monotonic()
    whole = train_many(PROBLEM, networks, **LONG)
    seconds, killed = time.monotonic() - began, 0
    while killed < 20:
        command = [sys.executable, "-c", FOLDER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "begun\n"
            time.sleep(rng.uniform(0, seconds / 8))
            process.kill()
            if "ended" in process.stdout.read():
                break
        killed += 1
    assert killed > 5
    runs = train_many(PROBLEM, networks, **LONG, checkpoint=tmp_path, checkpoint_every=0.01)
    for run, ended in zip(runs, whole, strict=True):
        assert same(run, ended)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 4
    assert all(same(Run.load(file, network=network), ended)
               for file, network, ended in zip(files, networks, whole, strict=True))
    # and there is nothing left to do
    before = [file.stat().st_mtime_ns for file in files]
    train_many(PROBLEM, networks, **LONG, checkpoint=tmp_path)
    assert [file.stat().st_mtime_ns for file in files] == before
