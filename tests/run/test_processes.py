"""Forked, spawned and killed processes, and threads of the user's own: the same bits, and nothing hangs."""

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from runs import forked, limits, same

from lplfast import MatrixFactorization, Network, Run, train, train_many

PROBLEM = MatrixFactorization(np.random.default_rng(0).standard_normal((5, 4)))
OPTIONS = {"step_size": 1e-3, "max_iter": 200, "tol": 0.0}


def network(seed=0):
    return Network.gaussian(5, 30, 4, std=0.5, rng=seed)


def trained(seed):
    """What a worker does: the run without its network's wide layers, which pickle as well."""
    return train(PROBLEM, network(seed), **OPTIONS)


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


SOLVER = """
import sys
import threading
import time
import numpy as np
from runs import forked
from lplfast import SoftmaxLoss
rng = np.random.default_rng(0)
problem = SoftmaxLoss(rng.standard_normal((4000, 30)), rng.integers(0, 8, 4000), l2=1e-4)
solving = threading.Thread(target=lambda: problem.minimum)
if sys.argv[1] == "its loop":
    import scipy.sparse.linalg
    solving.start()
else:
    assert "scipy.sparse.linalg" not in sys.modules
    solving.start()
    # the name is there from the beginning
    while "scipy.sparse.linalg" not in sys.modules and solving.is_alive():
        time.sleep(1e-4)
while solving.is_alive():
    print(problem._kernel is None, forked(lambda: bool(np.isfinite(problem.minimum))))
    time.sleep(rng.uniform(0, 0.01))
"""


@pytest.mark.parametrize("where", ["its import", "its loop"])
def test_a_fork_amid_a_solve_does_not_hang(where):
    # in a process of its own, for what other tests have imported
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.check_output([sys.executable, "-c", SOLVER, where], env=environment, text=True).splitlines()
    assert "True True" in said
    assert all(line.endswith("True") for line in said)


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
