"""A run that was stopped and went on is, bit for bit, the run that was not: from memory, a file, a killed process."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from cases import NETWORKS, PROBLEMS, RULES, with_rule
from runs import killed_case, same

from lplfast import Constant, Local, MatrixFactorization, Run, Sharp, SquaredLoss, train
from lplfast.run import plan

TESTS = pathlib.Path(__file__).parent.parent
STEPS = 40
SHAPE = (6, 50, 4)


def case(rule="local", problem="squared", shape=SHAPE):
    n, h, m = shape
    rng = np.random.default_rng(5)
    if rule != "local":
        problem, _, network, rule, _ = with_rule(rule, rng, n, h, m)
        return problem, network, rule
    problem, _ = PROBLEMS[problem](rng, n, m)
    network = NETWORKS["gaussian"](rng, n, h, m)
    return problem, network, RULES[rule](problem, network)[0]


@pytest.mark.parametrize("constants", ["certified", "exact", "power"])
@pytest.mark.parametrize("rule", RULES)
def test_split_anywhere(rule, constants):
    problem, network, rule = case(rule)
    whole = train(problem, network, rule, max_iter=STEPS, tol=0.0, constants=constants)
    assert whole.iterations > 1
    for t in range(STEPS + 1):
        part = train(problem, network, rule, max_iter=min(t, whole.iterations), tol=0.0, constants=constants)
        assert same(train(problem, part, max_iter=STEPS), whole)


@pytest.mark.parametrize("options", [{"record": ["gap", "iteration"]}, {"record_every": 7}, {"compress": False}],
                         ids=str)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_split_on_every_problem_whatever_is_kept(problem, options):
    problem, network, _ = case(problem=problem)
    options = {"max_iter": STEPS, "tol": 0.0, **options}
    whole = train(problem, network, "sharp", **options)
    for t in (0, 1, 13, 14, 39, 40):
        part = train(problem, network, "sharp", **{**options, "max_iter": min(t, whole.iterations)})
        assert same(train(problem, part, max_iter=STEPS), whole)


def places(name):
    """Return where a run with a rule is split: at one step in four, each step with some rule, and at both ends."""
    return sorted({0, STEPS, *range(list(RULES).index(name) % 4, STEPS, 4)})


CONTINUE = """
import pathlib, pickle, sys
from run import test_continuation as tests
from lplfast import Run, train
folder = pathlib.Path(sys.argv[1])
for name in tests.RULES:
    problem, network, rule = tests.case(name)
    for t in tests.places(name):
        path = folder / f"{name}-{t}.npz"
        train(problem, Run.load(path), max_iter=tests.STEPS).save(path)
"""


def test_split_anywhere_across_files_and_processes(tmp_path):
    wholes = {}
    for name in RULES:
        problem, network, rule = case(name)
        wholes[name] = train(problem, network, rule, max_iter=STEPS, tol=0.0)
        for t in places(name):
            train(problem, network, rule, max_iter=min(t, wholes[name].iterations), tol=0.0).save(
                tmp_path / f"{name}-{t}.npz")
    subprocess.run([sys.executable, "-c", CONTINUE, str(tmp_path)], check=True, cwd=TESTS)
    for name, whole in wholes.items():
        for t in places(name):
            assert same(Run.load(tmp_path / f"{name}-{t}.npz"), whole)


def test_many_pieces_and_callbacks_change_nothing():
    problem, network, rule = case()
    whole = train(problem, network, rule, max_iter=STEPS, tol=0.0)
    run = network
    for t in range(1, STEPS + 1):
        run = train(problem, run, rule, max_iter=t, tol=0.0)
    assert same(run, whole)
    seen = []
    train(problem, network, rule, max_iter=STEPS, tol=0.0, callback=seen.append, callback_every=9)
    for part in seen:
        assert same(train(problem, part, max_iter=STEPS), whole)


def test_what_is_not_said_anew_is_the_runs_own():
    problem, network, _ = case()
    run = train(problem, network, Local(cap=0.01), max_iter=5, tol=1e-3, constants="exact", record=["gap"],
                record_every=2)
    on = train(problem, run, max_iter=10**6)
    assert on.status == "converged"
    assert on.facts == run.facts
    assert list(on.history) == ["gap"]
    assert len(on.history["gap"]) == (on.iterations - 1) // 2 + 2
    further = train(problem, on, max_iter=10**6, tol=1e-6)
    assert further.history["gap"][-1] <= 1e-6 * further.history["gap"][0] < on.history["gap"][-1]
    # nothing left to do
    assert same(train(problem, further, max_iter=10**6), further)


def test_another_rule_may_go_on():
    problem, network, _ = case()
    run = train(problem, network, "local", max_iter=5, tol=0.0)
    on = train(problem, run, "sharp", max_iter=20)
    assert on.facts["rule"] == "Local() to t=5, then Sharp()"
    assert same(train(problem, train(problem, run, Sharp(), max_iter=11), max_iter=20), on)
    # from the same layers, though with other brackets: certified both times, to the tolerance of 1%
    anew = train(problem, run.network, "sharp", max_iter=15, tol=0.0)
    assert np.allclose(on.history["step_size"][5:-1], anew.history["step_size"][:-1], rtol=0.05)
    assert on.violations == 0


def test_another_problem_is_refused():
    problem, network, _ = case()
    run = train(problem, network, max_iter=5)
    X, Y = np.random.default_rng(0).standard_normal((2, 6, 6))
    others = [MatrixFactorization(np.ones((6, 4))), SquaredLoss(X, Y[:, :4]), SquaredLoss(X, Y[:, :4], l2=1e-9)]
    assert len({other.fingerprint for other in others}) == 3
    for other in others:
        with pytest.raises(ValueError, match=r"^problem: expected the one that the run was trained on, Squa"):
            train(other, run, max_iter=10)
    with pytest.raises(ValueError, match=r"^network: expected"):
        train(MatrixFactorization([[1.0]]), run)
    assert case()[0].fingerprint == problem.fingerprint


@pytest.mark.parametrize(("options", "named"), [
    ({"max_iter": 4}, "max_iter: expected at least 5"), ({"constants": "exact"}, "constants: expected that of the run"),
    ({"compress": False}, "compress: expected that"), ({"record": ["gap"]}, "record: expected that"),
    ({"record_every": 2}, "record_every: expected that"), ({"constants": "x"}, "constants: expected one of"),
    ({"step_size": "x"}, "step_size: expected"), ({"tol": -1}, "tol: expected"),
], ids=str)
def test_options_that_a_run_cannot_go_on_with(options, named):
    problem, network, _ = case()
    with pytest.raises((TypeError, ValueError), match=named):
        train(problem, train(problem, network, max_iter=5), **options)


def test_a_run_of_another_layout_or_an_unknown_rule_is_refused_with_a_way_out(tmp_path):
    problem, network, _ = case()
    run = train(problem, network, Constant(0.01), max_iter=5)
    assert train(problem, run, Constant(0.01), max_iter=5, record="all").iterations == 5
    run.continuation.options["rule"]["class"] = "Theirs"
    run.save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match="the run that is continued, Theirs, got nothing of that name"):
        train(problem, Run.load(tmp_path / "run.npz"))
    assert train(problem, Run.load(tmp_path / "run.npz"), "local").iterations > 5
    object.__setattr__(run.continuation, "layout", "another")
    with pytest.raises(ValueError, match=r"^run: expected one of this version .* train\(problem, run.network\)"):
        train(problem, run, "local")


def test_a_history_that_would_not_fit_is_refused_before_it_starts():
    problem, network, _ = case()
    with pytest.raises(ValueError, match=r"^record_every: expected a history of at most 2 GiB.* Use record_every=\d+"):
        train(problem, network, max_iter=10**9)
    with pytest.raises(ValueError, match="record_every=") as refused:
        train(problem, network, max_iter=10**12, record=["gap", "iteration"])
    suggested = int(str(refused.value).partition("record_every=")[2].split()[0])
    for every, fits in ((suggested, True), (suggested - 1, False)):
        rows = 10**12 // every + 2
        assert (16 * rows <= plan.HISTORY_LIMIT) == fits
    run = train(problem, network, max_iter=10**12, record=["gap", "iteration"], record_every=suggested)
    assert run.status == "converged"


def test_checkpoints_at_the_start_under_way_and_at_the_end(tmp_path):
    problem, network, _ = case()
    path, seen = tmp_path / "run.npz", []

    def callback(so_far):
        saved = Run.load(path)
        seen.append(saved.iterations)
        assert saved.status == "running"
        time.sleep(0.002)

    run = train(problem, network, 1e-6, tol=0.0, checkpoint=path, checkpoint_every=0.01, callback=callback,
                callback_every=10)
    assert seen[0] == 0
    assert 2 < len(set(seen)) <= len(seen)
    assert same(Run.load(path, network=network), run)
    assert os.listdir(tmp_path) == ["run.npz"]
    with pytest.raises(FileNotFoundError):
        train(problem, network, checkpoint=tmp_path / "nowhere" / "run.npz")


def test_a_checkpoint_that_cannot_be_written_does_not_cost_the_run(tmp_path):
    problem, network, _ = case()
    folder = tmp_path / "folder"
    folder.mkdir()

    def callback(so_far):
        if folder.exists():
            (folder / "run.npz").unlink()
            folder.rmdir()

    with pytest.warns(RuntimeWarning, match="^checkpoint: not written"):
        run = train(problem, network, checkpoint=folder / "run.npz", callback=callback)
    assert run.converged


KILLED = """
import sys
from runs import killed_case
from lplfast import Run, train
path, interval = sys.argv[1], float(sys.argv[2])
problem, network, rule = killed_case()
start = Run.load(path, network=network) if len(sys.argv) > 3 else network
print("ready", flush=True)
train(problem, start, rule, max_iter=10**9, tol=0.0, record_every=10_000, checkpoint=path,
      checkpoint_every=interval)
"""
INTERVAL = 0.1
# writing takes its time, and so does a busy machine
DELAY = 0.5


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path):
    path, rng, late = tmp_path / "run.npz", random.Random(1), []
    arguments = []
    for _ in range(20):
        command = [sys.executable, "-c", KILLED, str(path), str(INTERVAL), *arguments]
        with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"ready\n"
            ready = time.time()
            time.sleep(rng.uniform(0.0, 0.6))
            killed = time.time()
            process.send_signal(signal.SIGKILL)
        if not path.exists():
            continue    # killed before anything was computed
        arguments = ["go on"]
        late.append(killed - max(ready, path.stat().st_mtime))
        assert Run.load(path).status == "running"
    assert len(late) > 10
    assert max(late) < INTERVAL + DELAY
    problem, network, rule = killed_case()
    stopped = Run.load(path, network=network)
    end = stopped.iterations + 1000
    whole = train(problem, network, rule, max_iter=end, tol=0.0, record_every=10_000)
    assert same(train(problem, stopped, max_iter=end), whole)
