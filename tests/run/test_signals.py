"""Real signals at random moments: they reach the inside of NumPy and of the standard library, too."""

import contextlib
import gc
import signal

import numpy as np
import pytest
from runs import limits, same

from lplfast import Interrupted, MatrixFactorization, Network, Run, train, train_many

PROBLEM = MatrixFactorization(np.random.default_rng(0).standard_normal((3, 2)))
NETWORK = Network.gaussian(3, 9, 2, std=0.5, rng=0)
OPTIONS = {"max_iter": 300, "tol": 0.0}

# so many of each kind, and 1000 together where there is time
SIGNALS = [100, pytest.param(500, marks=pytest.mark.slow)]


@contextlib.contextmanager
def alarm(seconds):
    """Raise KeyboardInterrupt after so many seconds, as Ctrl-C does: by a signal and its handler."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    # what comes in the callbacks of the garbage collector, of which hypothesis has some, is lost by Python itself
    gc.disable()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        gc.enable()
        signal.signal(signal.SIGALRM, before)


def interrupted(function, seconds, kept):
    """Call a function, and interrupt it; what it returned, or what Interrupted carried, goes into `kept`, a list."""
    try:
        with alarm(seconds):
            kept.append(function())
    except Interrupted as interrupt:
        kept.append(interrupt)
    except KeyboardInterrupt:       # before the run or after it
        pass


@pytest.mark.parametrize("count", SIGNALS)
def test_train(tmp_path, count):
    path, rng, before = tmp_path / "run.npz", np.random.default_rng(0), limits()
    whole, carried = train(PROBLEM, NETWORK, **OPTIONS), 0
    for _ in range(count):
        kept = []
        interrupted(lambda: train(PROBLEM, Network(NETWORK.W1, NETWORK.W2), checkpoint=path, checkpoint_every=1e-9,
                                  callback=lambda run: False, callback_every=100, **OPTIONS),
                    rng.uniform(1e-5, 6e-3), kept)
        assert limits() == before
        for end in kept:
            if isinstance(end, Interrupted):
                carried += 1
                run = end.run
                assert run.history["iteration"].tolist() == list(range(run.iterations + 1))
                assert same(train(PROBLEM, run, **OPTIONS), whole)
        if path.exists():
            assert same(train(PROBLEM, Run.load(path, network=NETWORK), **OPTIONS), whole)
            path.unlink()
        assert not list(tmp_path.iterdir())
    assert carried > count / 10


@pytest.mark.parametrize("count", SIGNALS)
def test_train_many(count):
    networks = [Network.gaussian(3, 9, 2, std=0.5, rng=seed) for seed in range(4)]
    rng, before, whole = np.random.default_rng(1), limits(), train_many(PROBLEM, networks, **OPTIONS)
    carried = 0
    for _ in range(count):
        kept = []
        interrupted(lambda: train_many(PROBLEM, networks, n_threads=2, **OPTIONS), rng.uniform(1e-5, 6e-3), kept)
        assert limits() == before
        for end in kept:
            runs = end.runs if isinstance(end, Interrupted) else end
            carried += isinstance(end, Interrupted)
            for run, ended in zip(runs, whole, strict=True):
                assert run is None or same(train(PROBLEM, run, **OPTIONS), ended)
    assert carried > count / 10
