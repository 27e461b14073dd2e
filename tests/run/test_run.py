"""Runs: what they keep, how they are saved, shown and passed around."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from cases import PROBLEMS

import lplfast
from lplfast import Constant, Local, MatrixFactorization, Network, Run, Sharp, SquaredLoss, local_constants, train
from lplfast.descent.history import COLUMNS
from lplfast.spectral.exact import Exact


@pytest.fixture(scope="module")
def run():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    return train(problem, Network.gaussian(6, 50, 4, std=0.4, rng=1), max_iter=200)


def same_histories(ours, theirs, but=()):
    assert ours.keys() == theirs.keys()
    return all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in ours if name not in but)


def test_history_has_one_entry_an_iterate_and_nan_for_the_step_never_taken(run):
    assert list(run.history) == list(COLUMNS)
    for name, column in run.history.items():
        assert column.shape == (run.iterations + 1,), name
        step = name in ("step_size", "K_t", "K_t_sharp", "K_t_step", "rate_bound", "slack_descent", "slack_rate",
                        "slack_drift")
        assert np.isnan(column[-1]) == step, name
        assert np.isfinite(column[:-1]).all(), name
    assert np.allclose(run.history["gap_bound"][1:], run.history["gap"][0] * np.cumprod(run.history["rate_bound"][:-1]))
    assert (np.diff(run.history["time"]) >= 0).all()


def test_saved_and_loaded(run, tmp_path):
    run.save(tmp_path / "run.npz")
    loaded = Run.load(tmp_path / "run.npz")
    assert same_histories(loaded.history, run.history)
    for name in ("status", "message", "iterations", "checks", "counters", "facts", "verdict", "certificate"):
        assert getattr(loaded, name) == getattr(run, name), name
    assert np.array_equal(loaded.network.W1, run.network.W1)
    assert np.array_equal(loaded.network.W2, run.network.W2)
    assert not [path for path in tmp_path.iterdir() if path.name != "run.npz"]


def test_facts_are_a_record_that_reads_as_a_dict(run):
    facts = run.facts
    assert list(facts) == list(facts.keys()) == [field.name for field in dataclasses.fields(facts)]
    assert facts["rule"] == facts.rule == "Local()"
    assert dict(facts) == facts
    assert {**facts}["versions"]["lplfast"] == lplfast.__version__
    assert "run_width" in facts
    assert facts.get("colour") is None
    with pytest.raises(KeyError):
        facts["keys"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        facts.rule = "another"
    with pytest.raises(TypeError):
        facts["rule"] = "another"


def test_facts_are_no_state():
    problem, network = MatrixFactorization(np.eye(2)), Network.gaussian(2, 50, 2, rng=0)
    whole, part = train(problem, network, max_iter=9), train(problem, network, max_iter=4)
    part.facts = dataclasses.replace(part.facts, run_width=1, n=7, width=7, constants="power", tol=1.0, versions={})
    assert np.array_equal(train(problem, part, max_iter=9).network.W1, whole.network.W1)


def test_a_balanced_network_of_a_billion_units_is_saved_small(tmp_path):
    run = train(MatrixFactorization(np.diag([2.0, 1.0])), Network.balanced(np.eye(2), 10**9))
    run.save(tmp_path / "run.npz")
    assert (tmp_path / "run.npz").stat().st_size < 100_000
    assert Run.load(tmp_path / "run.npz").network.width == 10**9


def test_everything_public_is_pickled_and_copied(run):
    problem, _ = PROBLEMS["offset"](np.random.default_rng(0), 6, 4)
    network = Network.gaussian(6, 50, 4, rng=1)
    objects = [run, problem, network, Network.balanced(np.eye(3), 10**6), local_constants(problem, network),
               Constant(0.1), Local(cap=2.0, growth_from=0.1), Sharp(cap=3.0), Exact(), problem.kernel,
               MatrixFactorization([[1.0]]), lplfast.Interrupted(run)]
    for thing in objects:
        for again in (pickle.loads(pickle.dumps(thing)), copy.deepcopy(thing)):
            assert type(again) is type(thing)
            assert repr(again) == repr(thing)
    again = pickle.loads(pickle.dumps((problem, network)))
    assert same_histories(train(*again).history, train(problem, network).history, but=["time"])


def test_dataframe_and_csv_hold_the_same_bits(run, tmp_path):
    frame = run.to_dataframe()
    assert same_histories({name: frame[name].to_numpy() for name in frame}, run.history)
    run.to_csv(tmp_path / "history.csv")
    read = np.genfromtxt(tmp_path / "history.csv", delimiter=",", names=True)
    assert same_histories({name: read[name] for name in read.dtype.names}, run.history)


def test_record_selects_columns_and_rows(run):
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    network = Network.gaussian(6, 50, 4, std=0.4, rng=1)
    few = train(problem, network, max_iter=200, record=["gap", "iteration"], record_every=7)
    assert list(few.history) == ["gap", "iteration"]
    kept = few.history["iteration"].astype(int)
    assert kept.tolist() == [*range(0, run.iterations, 7), *([run.iterations] if run.iterations % 7 else [])] or \
        kept.tolist() == [*range(0, run.iterations, 7), run.iterations]
    assert np.array_equal(few.history["gap"], run.history["gap"][kept])
    assert few.checks == run.checks
    with pytest.raises(ValueError, match="iteration"):
        train(problem, network, max_iter=3, record=["gap"]).plot()


def test_long_histories_grow_by_chunks():
    problem = SquaredLoss([[1.0, 0.0], [0.0, 0.01]], [[1.0], [1.0]])
    run = train(problem, Network.gaussian(2, 5, 1, rng=0), max_iter=10_000, tol=0.0, record=["gap", "iteration"])
    assert np.array_equal(run.history["iteration"], np.arange(run.iterations + 1))
    assert run.iterations > 4096
    assert (np.diff(run.history["gap"]) < 0).all()


def test_callback_sees_the_run_and_stops_it():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    network, seen = Network.gaussian(6, 50, 4, std=0.4, rng=1), []

    def callback(so_far):
        seen.append(so_far.iterations)
        assert len(so_far.history["gap"]) == so_far.iterations + 1
        return so_far.iterations >= 20

    run = train(problem, network, callback=callback, callback_every=5)
    assert seen == [5, 10, 15, 20]
    assert run.status == "stopped"
    assert run.iterations == 20
    assert same_histories(run.history, train(problem, network, max_iter=20).history, but=["time"])


def test_max_time_keeps_what_there_is():
    problem = SquaredLoss([[1.0, 0.0], [0.0, 1e-4]], [[1.0], [1.0]])
    run = train(problem, Network.gaussian(2, 5, 1, rng=0), max_iter=10**8, tol=0.0, max_time=0.05, record=["gap"])
    assert run.status == "max_time"
    assert len(run.history["gap"]) == run.iterations + 1
    assert train(problem, Network.gaussian(2, 5, 1, rng=0), max_time=0.0).iterations <= 1


def test_progress_counts_every_step(capsys):
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    network = Network.gaussian(6, 50, 4, rng=1)
    train(problem, network, max_iter=30, tol=0.0, progress=True)
    assert "30/30" in capsys.readouterr().err
    train(problem, train(problem, network, max_iter=20, tol=0.0), max_iter=30, progress=True)
    assert "30/30" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["no/such/folder/run.npz", "."])
def test_a_path_that_cannot_be_written_is_named(run, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=f"'{path}'$"):
        run.save(path)
    with pytest.raises(OSError, match=f"'{path}'$"):
        train(MatrixFactorization([[1.0]]), Network([[1.0]], [[2.0]]), checkpoint=path)
    assert not list(tmp_path.iterdir())


def test_an_interrupt_says_where_the_run_is(run):
    assert "this exception's `run`" in str(lplfast.Interrupted(run))
    assert "this exception's `runs`" in str(lplfast.Interrupted(run, None))


def test_the_certificate_speaks_of_other_iterates_where_there_are_some():
    run = train(MatrixFactorization([[2.0]]), Network([[1.0]], [[1.0]]), max_iter=5, tol=0.0)
    assert run.counters["narrow"] == 6
    renewed = f"{run.counters['renewals']} brackets"
    assert f"at 6 of 6 iterates; {renewed}" in run.certificate
    run.counters = {**run.counters, "narrow": 5}
    assert f"at 5 of 6 iterates; at the others as bracket_width says; {renewed}" in run.certificate
