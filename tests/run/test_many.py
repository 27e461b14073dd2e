"""Many runs on threads: the bits of `train` alone for any number of threads; inputs are never written."""

import pickle
import sys
import threading

import joblib
import numpy as np
import pytest
from cases import NETWORKS, PROBLEMS
from runs import SECONDS, interrupted, limits, same, started, waited

from lplfast import Local, MatrixFactorization, Network, SquaredLoss, train, train_many

SCALAR, ONES = MatrixFactorization([[1.0]]), Network([[1.0]], [[1.0]])
STEPS = ["local", "sharp", "majorizer", "exact", 1e-3, 1e6, Local(cap=0.01)]


def study(count=40):
    """Return problems, networks and step sizes, no two runs alike, some with bad ends."""
    rng = np.random.default_rng(3)
    problems, networks, steps = [], [], []
    for i in range(count):
        name = list(PROBLEMS)[i % len(PROBLEMS)]
        problems.append(PROBLEMS[name](rng, 5, 3)[0])
        networks.append(list(NETWORKS.values())[i % len(NETWORKS)](rng, 5, 60, 3))
        steps.append(STEPS[i % len(STEPS)])
    # layers of zeros, and layers whose product overflows
    networks[7] = Network(np.zeros((5, 60)), np.zeros((60, 3)))
    networks[8] = Network(np.full((5, 60), 1e160), np.full((60, 3), 1e160))
    return problems, networks, steps


def test_the_bits_of_train_alone_for_any_number_of_threads():
    before = limits()
    alone = [train(*arguments, max_iter=300) for arguments in zip(*study(), strict=True)]
    # every end a run can have is the run's own
    assert {"converged", "max_iter", "saddle", "overflow"} <= {run.status for run in alone}
    for n_threads in (1, 2, 5, None):
        runs = train_many(*study(), max_iter=300, n_threads=n_threads)
        assert len(runs) == len(alone)
        for ours, theirs in zip(runs, alone, strict=True):
            assert same(ours, theirs)
    assert limits() == before


def test_one_value_stands_for_all():
    (problem, *_), (network, *_), _ = study(9)
    alone = train(problem, network)
    assert [same(run, alone) for run in train_many([problem] * 3, network, "local")] == [True] * 3
    assert [same(run, alone) for run in train_many(problem, [network] * 2)] == [True] * 2
    assert [same(run, alone) for run in train_many(problem, network, ("local", "local"))] == [True] * 2
    assert same(train_many(problem, network)[0], alone)
    for run, eta in zip(train_many(problem, network, np.array([1e-3, 1e-4])), (1e-3, 1e-4), strict=True):
        assert same(run, train(problem, network, eta))
    assert train_many([], []) == []


def test_runs_go_on():
    problems, networks, steps = study()
    # without a limit, the one that diverges would end in a step that overflows, which is tried again, and counted
    halves = train_many(problems, networks, steps, max_iter=20, max_growth=1e8)
    wholes = train_many(problems, networks, steps, max_iter=40, max_growth=1e8)
    # a run that has ended stays as it is; one that stopped for want of steps goes on
    for ours, theirs in zip(train_many(problems, halves, max_iter=40), wholes, strict=True):
        assert same(ours, theirs)


@pytest.mark.parametrize(("arguments", "named"), [
    (([SCALAR] * 2, [ONES] * 3), "^problems, networks: expected lists of one length, got 2, 3"),
    ((SCALAR, [ONES] * 2, ["local"]), "^networks, step_sizes: expected lists of one length, got 2, 1"),
    ((SCALAR, [ONES, None]), "^run 1: network: expected"),
    ((SCALAR, ONES, ["local", 0.1, "x"]), "^run 2: step_size: expected"),
    ((None, ONES), "^run 0: problem: expected"),
], ids=lambda part: part if isinstance(part, str) else "")
def test_bad_input_to_any_run_is_an_error_before_any_work(arguments, named, monkeypatch):
    def begun(self, **options):
        raise AssertionError("a run has begun")

    monkeypatch.setattr(Network, "stack", begun)
    with pytest.raises((TypeError, ValueError), match=named):
        train_many(*arguments)


def test_progress_counts_runs(capsys):
    train_many(MatrixFactorization([[1.0]]), [Network([[1.0]], [[1.0]])] * 7, progress=True)
    assert "7/7" in capsys.readouterr().err


MANY = """
import pickle, sys, time
import numpy as np
from lplfast import Interrupted, MatrixFactorization, Network, train_many
problem = MatrixFactorization(np.random.default_rng(0).standard_normal((4, 3)))
networks = [Network.gaussian(4, 20, 3, rng=seed) for seed in range(6)]
# two that end at once, then steps so short that they never arrive
steps = [1.0, 1.0, 1e-9, 1e-9, 1e-9, 1e-9]
train_many(problem, networks[:2], max_iter=1)
print("ready", flush=True)
try:
    train_many(problem, networks, steps, max_iter=10**9, record_every=1000, tol=0.0, n_threads=2)
except Interrupted as interrupt:
    caught = time.time(), time.process_time()
    with open(sys.argv[1], "wb") as file:
        pickle.dump((problem, networks, interrupt), file)
    print(*caught, flush=True)
"""


def test_ctrl_c_stops_all_and_keeps_all(tmp_path):
    with started([sys.executable, "-c", MANY, str(tmp_path / "runs")]) as process:
        sent = interrupted(process, "ready", 0.3)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert waited(sent, out) < SECONDS
    with open(tmp_path / "runs", "rb") as file:
        problem, networks, interrupt = pickle.load(file)
    assert isinstance(interrupt, KeyboardInterrupt)
    assert str(interrupt) == ("Interrupted: 2 of 6 runs ended, 2 under way; everything up to here is kept in this "
                              "exception's `runs`, None where a run had not begun.")
    runs = interrupt.runs
    assert [run and run.status for run in runs] == [runs[0].status, runs[1].status, "interrupted", "interrupted",
                                                    None, None]
    assert "interrupted" not in (runs[0].status, runs[1].status)
    for run, network in zip(runs[2:4], networks[2:4], strict=True):
        end = run.iterations + 10
        assert same(train(problem, run, max_iter=end),
                    train(problem, network, 1e-9, max_iter=end, record_every=1000, tol=0.0))


def test_what_a_users_rule_raises_carries_all_runs():
    problem, network = MatrixFactorization([[2.0]]), Network([[1.0]], [[1.0]])
    alone = train(problem, network)

    def broken(iterate):
        if iterate.t == 3:
            raise ZeroDivisionError("broken")
        return 1e-3

    with pytest.raises(ZeroDivisionError, match="broken") as caught:
        train_many(problem, network, ["local", broken, "local"], n_threads=1)
    first, second, third = caught.value.runs
    assert same(first, alone)
    assert (second.iterations, second.status) == (3, "interrupted")
    assert third is None or third.iterations <= alone.iterations


def test_shared_arrays_are_never_written_and_give_the_bits_of_one_thread():
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in [(12, 6), (12, 4), (6, 50), (50, 4), (6, 4)]]
    before = [array.tobytes() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    X, Y, W1, W2, offset = arrays

    def work():
        return train(SquaredLoss(X, Y, l2=0.1, offset=offset), Network(W1, W2), "sharp", max_iter=200)

    problem, network = SquaredLoss(X, Y, l2=0.1, offset=offset), Network(W1, W2)
    alone, found = work(), []
    shared = [lambda: found.append(work()), lambda: found.append(train(problem, network, "sharp", max_iter=200))]
    threads = [threading.Thread(target=target) for target in shared for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    assert all(same(run, alone) for run in found)
    assert [array.tobytes() for array in arrays] == before
    # a callback that writes into what it is given changes no number of the run
    def scribble(so_far):
        so_far.history["gap"][:] = 0.0
        so_far.continuation.state[:] = 0.0

    assert same(train(problem, network, "sharp", max_iter=200, callback=scribble, callback_every=7), alone)


def test_beside_numpy_on_other_threads():
    before, stop = limits(), threading.Event()
    A = np.random.default_rng(0).standard_normal((200, 200))

    def products():
        while not stop.is_set():
            A @ A

    other = threading.Thread(target=products)
    other.start()
    try:
        alone = [train(*arguments) for arguments in zip(*study(12), strict=True)]
        assert all(map(same, train_many(*study(12), n_threads=2), alone))
    finally:
        stop.set()
        other.join()
    assert limits() == before


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_inside_joblib_workers(backend):
    problems, networks, steps = study(9)
    before = limits()
    alone = train_many(problems, networks, steps)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(nested)(*arguments)
                                  for arguments in zip(problems, networks, steps, strict=True))
    for (run, many, were, are), theirs in zip(found, alone, strict=True):
        assert same(run, theirs)
        assert same(many, theirs)
        if backend == "loky":
            assert were == are
    assert limits() == before
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


def nested(problem, network, step):
    were = limits()
    run = train(problem, network, step)
    (many,) = train_many(problem, [network], step, n_threads=2)
    return run, many, were, limits()
