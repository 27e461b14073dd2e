"""An interrupt at every line of ours: what was computed is kept, and goes on to the same bits."""

import pathlib
import sys

import numpy as np
import pytest
from runs import limits, same

import lplfast
from lplfast import Interrupted, MatrixFactorization, Network, Run, train, train_many
from lplfast.run.crowd import Crowd
from lplfast.run.driver import RunDriver

PACKAGE = str(pathlib.Path(lplfast.__file__).parent)
# where most of what is kept is handled
SEVERAL = ("execution.py", "driver.py", "parts.py", "recorder.py", "checkpoint.py", "training.py")

# where there begins to be something to keep
BEGINS = {RunDriver._advance.__code__, Crowd.carried_out.__code__}

PROBLEM = MatrixFactorization(np.random.default_rng(0).standard_normal((3, 2)))
NETWORK = Network.gaussian(3, 9, 2, std=0.5, rng=0)
OPTIONS = {"max_iter": 6, "tol": 0.0}


class Injector:
    """Raises KeyboardInterrupt when a line of ours is about to run for the `which`-th time; else only counts lines."""

    def __init__(self, line=None, which=0):
        self.line, self.which = line, which
        self.seen, self.begun = {}, 0

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            line = frame.f_code.co_filename, frame.f_lineno
            count = self.seen[line] = self.seen.get(line, 0) + 1
            if line == self.line and count == self.which:
                raise KeyboardInterrupt
            self.begun += frame.f_code in BEGINS
        return self

    def call(self, function, *arguments, **options):
        sys.settrace(self)
        try:
            return function(*arguments, **options)
        finally:
            sys.settrace(None)


def moments(function, *arguments, **options):
    """Return every line of ours that a call runs, and which time: the first, and for lines of run/ the last, too."""
    injector = Injector()
    injector.call(function, *arguments, **options)
    return sorted({(line, which) for line, count in injector.seen.items()
                   for which in {1, count if in_run(line) else 1}})


def in_run(line):
    return line[0].startswith(f"{PACKAGE}/run/")


# every line takes ten seconds: the last time of those of run/ always, all else where there is time
@pytest.mark.parametrize("where", ["run", pytest.param("elsewhere", marks=pytest.mark.slow)])
def test_train(tmp_path, where):
    whole, before = train(PROBLEM, NETWORK, **OPTIONS), limits()

    def call(path):
        # a fresh network: a compressed one is not compressed again
        network = Network(NETWORK.W1, NETWORK.W2)
        return train(PROBLEM, network, callback=lambda run: False, callback_every=2, checkpoint=path,
                     checkpoint_every=1e-9, **OPTIONS)

    lines = [(line, which) for line, which in moments(call, tmp_path / "first.npz")
             if (in_run(line) and line[0].endswith(SEVERAL)) == (where == "run")]
    kept = 0
    for i, (line, which) in enumerate(lines):
        injector, path = Injector(line, which), tmp_path / str(i) / "run.npz"
        path.parent.mkdir()
        try:
            injector.call(call, path)
        except Interrupted as interrupt:
            kept += 1
            run = interrupt.run
            assert run.history["iteration"].tolist() == list(range(run.iterations + 1)), line
            assert same(train(PROBLEM, run, **OPTIONS), whole), line
        except KeyboardInterrupt:
            assert not injector.begun, line
        else:
            pytest.fail(f"swallowed at {line}, time {which}")
        assert limits() == before, line
        left = sorted(path.parent.iterdir())
        assert left in ([], [path]), line
        if left:
            assert same(train(PROBLEM, Run.load(path, network=NETWORK), **OPTIONS), whole), line
    assert kept > 50


def test_train_many():
    networks = [Network.gaussian(3, 9, 2, std=0.5, rng=seed) for seed in range(2)]
    whole, before = train_many(PROBLEM, networks, **OPTIONS), limits()

    def call():
        return train_many(PROBLEM, [Network(one.W1, one.W2) for one in networks], n_threads=2, **OPTIONS)

    kept = 0
    for line, which in moments(call):
        injector = Injector(line, which)
        try:
            injector.call(call)
        except Interrupted as interrupt:
            kept += 1
            for run, ended in zip(interrupt.runs, whole, strict=True):
                assert run is None or same(train(PROBLEM, run, **OPTIONS), ended), line
        except KeyboardInterrupt:
            assert not injector.begun, line
        else:
            pytest.fail(f"swallowed at {line}, time {which}")
        assert limits() == before, line
    assert kept > 5
