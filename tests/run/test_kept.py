"""Whatever is raised along a run carries the run so far; memory that runs out costs no step."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from runs import same

from lplfast import MatrixFactorization, Network, Run, train, train_many

PROBLEM = MatrixFactorization(np.random.default_rng(0).standard_normal((3, 2)))
NETWORK = Network.gaussian(3, 9, 2, std=0.5, rng=0)
OPTIONS = {"step_size": 1e-3, "max_iter": 20, "tol": 0.0}


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):  # noqa: N818
    """Takes no attribute."""

    code: int = 3


class Own(Exception):  # noqa: N818
    """Has a `run` of its own, which cannot be set."""

    @property
    def run(self):
        """Something else."""
        return "mine"


@pytest.mark.parametrize("error", [ValueError("no"), Frozen(), Own(), SystemExit(4), GeneratorExit(), MemoryError()],
                         ids=lambda error: type(error).__name__)
def test_any_exception_carries_the_run(tmp_path, error):
    def callback(run):
        if run.iterations == 12:
            raise error

    path = tmp_path / "run.npz"
    with pytest.raises(type(error)) as caught:
        train(PROBLEM, NETWORK, callback=callback, checkpoint=path, **OPTIONS)
    assert caught.value is error
    run = vars(error)["run"]
    assert run.iterations == 12
    assert ("vars(error)['run']" in str(getattr(error, "__notes__", ""))) == (getattr(error, "run", None) is not run)
    whole = train(PROBLEM, NETWORK, **OPTIONS)
    for kept in (run, Run.load(path, network=NETWORK)):
        assert kept.status == "interrupted"
        assert same(train(PROBLEM, kept, **OPTIONS), whole)


def test_any_exception_of_one_run_carries_all():
    networks = [Network.gaussian(3, 9, 2, std=0.5, rng=seed) for seed in range(3)]

    def callback(i, run):
        if i == 1 and run.iterations == 12:
            raise Frozen

    with pytest.raises(Frozen) as caught:
        train_many(PROBLEM, networks, 1e-3, n_threads=1, callback=callback, max_iter=20, tol=0.0)
    first, second, third = vars(caught.value)["runs"]
    assert first.status == "max_iter"
    assert second.iterations == 12
    assert third is None


@pytest.mark.parametrize("whose", ["callback", "rule"])
def test_runs_in_a_folder_go_on_where_an_exception_has_ended_them(whose, tmp_path):
    networks, full = [Network.gaussian(3, 9, 2, std=0.5, rng=seed) for seed in range(3)], True

    def write(t):
        if full and t == 12:
            raise OSError("disk full")

    def rule(iterate):
        if whose == "rule":
            write(iterate.t)
        return 1e-3

    def callback(i, run):
        if whose == "callback":
            write(run.iterations)

    def runs():
        return train_many(PROBLEM, networks, rule, callback=callback, checkpoint=tmp_path, max_iter=20, tol=0.0)

    with pytest.raises(OSError, match="disk full"):
        runs()
    if whose == "rule":
        # which is asked for the same step again
        with pytest.raises(OSError, match="disk full"):
            runs()
    full = False
    whole = [train(PROBLEM, network, rule, max_iter=20, tol=0.0) for network in networks]
    assert all(same(run, ended) for run, ended in zip(runs(), whole, strict=True))


def test_a_callback_stops_its_own_run_alone():
    networks = [Network.gaussian(3, 9, 2, std=0.5, rng=seed) for seed in range(3)]
    calls = []

    def callback(i, run):
        calls.append((i, run.iterations))
        return i == 1 and run.iterations == 10

    runs = train_many(PROBLEM, networks, 1e-3, max_iter=20, tol=0.0, callback=callback, callback_every=5)
    assert [(run.status, run.iterations) for run in runs] == [("max_iter", 20), ("stopped", 10), ("max_iter", 20)]
    assert sorted(calls) == [(i, t) for i in range(3) for t in (5, 10, 15, 20) if i != 1 or t <= 10]


MEMORY = """
import resource, sys, warnings
import numpy as np
from lplfast import MatrixFactorization, Network, Run, train

problem = MatrixFactorization(np.eye(2))
network = Network.gaussian(2, 4, 2, std=0.5, rng=0)
train(problem, network, max_iter=3)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
steps = 200_000
room = int(sys.argv[1]) * 8 * 28 * steps // 100      # in hundredths of the history
resource.setrlimit(resource.RLIMIT_AS, (used + room, resource.RLIM_INFINITY))
try:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        run = train(problem, network, 1e-9, max_iter=steps, tol=0.0, **dict(zip(["checkpoint"], sys.argv[2:])),
                    checkpoint_every=0.02)
    print("ended", run.status, run.iterations)
except MemoryError as error:
    run = error.run
    print("raised", run.status, run.iterations)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for path in sys.argv[2:]:
    assert any("not written" in str(warning.message) for warning in warned)
    assert Run.load(path).iterations == steps
assert len(run.history["gap"]) == run.iterations + 1
assert np.isfinite(run.history["gap"]).all()
whole = train(problem, network, 1e-9, max_iter=run.iterations, tol=0.0)
assert all(run.history[name].tobytes() == whole.history[name].tobytes() for name in run.history if name != "time")
"""


@pytest.mark.parametrize(("room", "outcome"), [(400, "ended max_iter 200000"), (150, "ended max_iter 200000"),
                                               (70, "raised interrupted")])
def test_memory_that_runs_out_costs_no_step(room, outcome):
    # 1.5 times the history is enough to end with it, and less ends the run where the memory does
    done = subprocess.run([sys.executable, "-c", MEMORY, str(room)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(outcome)


def test_a_checkpoint_that_does_not_fit_costs_a_warning(tmp_path):
    # of a run under way, what is written is a copy; of one that has ended it is the run itself
    done = subprocess.run([sys.executable, "-c", MEMORY, "250", str(tmp_path / "run.npz")], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("ended max_iter 200000")
