"""Runs compared bit for bit, and processes that are interrupted or forked."""

import contextlib
import os
import signal
import subprocess
import time
import warnings

import numpy as np
import psutil
from threadpoolctl import threadpool_info

from lplfast import Local, Network, SquaredLoss
from lplfast.studies.shard import Shard

# The loop looks for signals every 0.1 s and the promise is 0.3 s; the rest is for a busy machine, see `waited`.
SECONDS = 1.0


def limits():
    """Return how many threads each BLAS library of this process has."""
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def same(ours, theirs):
    """Whether two runs agree in everything but the time they took."""
    assert ours.status == theirs.status
    assert ours.message == theirs.message
    assert ours.checks == theirs.checks
    assert ours.counters == theirs.counters
    assert ours.history.keys() == theirs.history.keys()
    for name, column in ours.history.items():
        if name != "time":
            assert column.tobytes() == theirs.history[name].tobytes(), name
    state = ours.continuation.state.copy()
    state[1] = theirs.continuation.state[1]     # seconds
    assert state.tobytes() == theirs.continuation.state.tobytes()
    assert ours.network.W1.tobytes() == theirs.network.W1.tobytes()
    assert ours.network.W2.tobytes() == theirs.network.W2.tobytes()
    return True


def killed_case():
    """Return a problem, a network and a rule whose steps are so short that they never arrive."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((8, 4))
    problem = SquaredLoss(X, X @ rng.standard_normal((4, 3)) + 0.1 * rng.standard_normal((8, 3)))
    return problem, Network.gaussian(4, 200, 3, std=200**-0.25, rng=rng), Local(cap=1e-9)


def shards(study):
    """Return the shards of a study that are there, with when each was written."""
    found = {}
    for path in (study / "shards").glob("*.npz"):
        with contextlib.suppress(FileNotFoundError):
            found[path.name] = path.stat().st_mtime_ns
    return {name: when for name, when in found.items() if not name.startswith(".")}


def keys(study):
    """Return the keys of all cells of a study; none is in two shards, so none was computed twice."""
    found = [key for path in (study / "shards").glob("[!.]*.npz") for key in Shard.load(path).keys]
    assert len(set(found)) == len(found)
    return set(found)


@contextlib.contextmanager
def started(command, **options):
    """Start a process that minds Ctrl-C, even where these tests run in the background of a shell and do not."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options)
    with process:
        try:
            yield process
        finally:
            process.kill()


def interrupted(process, ready, seconds):
    """Wait for a line that starts with `ready`, and so many seconds more; send Ctrl-C; return when, for `waited`."""
    for line in process.stdout:
        if line.startswith(ready):
            break
    time.sleep(seconds)
    used = psutil.Process(process.pid).cpu_times()
    sent = time.time(), used.user + used.system
    process.send_signal(signal.SIGINT)
    return sent


def waited(sent, caught):
    """Return how many seconds a process took to catch Ctrl-C: by the clock, or of processors where that is less.

    `caught` is what it printed then, time.time() and time.process_time(). By the clock alone it would be late where
    others have the processors.
    """
    return min(float(then) - when for then, when in zip(caught.split(), sent, strict=True))


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
