"""The folder of a study: what was computed is not computed again, whatever ended the process; one writer; explain."""

import functools
import json
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from runs import keys, shards
from studies_experiments import drawn, slow

from lplfast import explain, sweep
from lplfast.studies import maker, store

SIZES = {"size": [3, 1, 4]}


class Counted:
    """An experiment that counts its calls."""

    __name__ = "counted"

    def __init__(self):
        self.calls = 0

    def __call__(self, rng, size):
        self.calls += 1
        return drawn(rng, size)


def test_the_same_call_computes_only_what_is_missing(tmp_path):
    experiment = Counted()

    def study(sizes, seeds):
        before = experiment.calls
        found = sweep(experiment, {"size": sizes}, seeds=seeds, store=tmp_path, n_jobs=1)
        assert found.drop_attrs().equals(sweep(drawn, {"size": sizes}, seeds=seeds).drop_attrs())
        return experiment.calls - before

    assert study([3, 1], 2) == 4
    first = shards(tmp_path / "counted")
    assert study([3, 1], 2) == 0
    assert study([1, 3, 4], 2) == 2
    assert study([1, 3, 4], 3) == 3
    assert study([4], [7, 1]) == 1
    # a failure is a result, too
    assert study([2, 3], 2) == 2
    assert study([2, 3], 2) == 0
    assert first.items() <= shards(tmp_path / "counted").items()
    about = json.loads((tmp_path / "counted" / "study.json").read_text())
    assert about["labels"] == {"size": [3, 1, 4, 2]}


def test_a_stop_in_the_middle_costs_what_was_under_way(tmp_path):
    experiment = Counted()
    stops = iter([3, 5])

    def stopping(rng, size):
        if experiment.calls == next_stop[0]:
            next_stop[0] = next(stops, None)
            raise KeyboardInterrupt
        return experiment(rng, size)

    next_stop = [next(stops)]
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            sweep(stopping, SIZES, seeds=4, store=tmp_path, n_jobs=1)
    found = sweep(stopping, SIZES, seeds=4, store=tmp_path, n_jobs=1)
    assert found.drop_attrs().equals(sweep(drawn, SIZES, seeds=4).drop_attrs())
    # the first group has one cell, the second at most 8
    assert 12 <= experiment.calls <= 12 + 2 * 8


def test_other_dimensions_are_another_study(tmp_path):
    sweep(drawn, SIZES, seeds=1, store=tmp_path)
    with pytest.raises(ValueError, match=r"grid: expected the dimensions of the study in .*, size, got size, shift"):
        sweep(drawn, {**SIZES, "shift": [1.0]}, seeds=1, store=tmp_path)
    assert sweep(drawn, {**SIZES, "shift": [1.0]}, seeds=1, store=tmp_path, name="other").sizes["shift"] == 1


def test_another_source_is_refused_explained_and_kept(tmp_path):
    def experiment(rng, size):
        if size == 1:
            raise ValueError("broken")
        return {"x": 1}

    assert explain_of(tmp_path, experiment) == ""
    first = experiment

    def experiment(rng, size):
        return {"x": 2}

    with pytest.raises(ValueError, match=r"(?s)expected the maker .*source of the experiment.*on_mismatch='keep'"):
        sweep(experiment, SIZES, seeds=1, store=tmp_path)
    said = explain(tmp_path, "experiment")
    assert "-    return {\"x\": 1}" in said
    assert "+    return {\"x\": 2}" in said
    found = sweep(experiment, {"size": [3, 1, 4, 5]}, seeds=1, store=tmp_path, on_mismatch="keep")
    # what failed is tried again, what did not is kept
    assert found.x.values.ravel().tolist() == [1, 2, 1, 2]
    assert found.failed == 0
    assert explain(tmp_path, "experiment").startswith("kept: maker 1 went on, where there was, of maker 0:\nsource")
    assert sweep(experiment, SIZES, seeds=1, store=tmp_path).x.values.ravel().tolist() == [1, 2, 1]
    with pytest.raises(ValueError, match="expected the maker"):
        sweep(first, SIZES, seeds=1, store=tmp_path)


def explain_of(folder, experiment):
    sweep(experiment, SIZES, seeds=1, store=folder)
    return explain(folder, "experiment")


def times(factor, rng, size):
    return {"x": factor * size}


def test_other_arguments_of_a_partial(tmp_path):
    def study(*arguments, **options):
        return sweep(functools.partial(times, *arguments), SIZES, seeds=1, store=tmp_path, name="times", **options)

    assert study(2.0).identical(study(2.0))
    with pytest.raises(ValueError, match=r"expected the maker .*\narguments of the experiment: others now"):
        study(3.0)
    # what does not pickle is not compared
    study(lambda: 3.0, on_mismatch="keep")


def test_other_versions_entropy_and_objects(tmp_path, monkeypatch):
    def experiment(rng, of):
        return {"x": of[0] + rng.random()}

    def study(**options):
        return sweep(experiment, {"of": {"a": [1.0], "b": [value]}}, seeds=1, store=tmp_path, **options)

    value = 2.0
    study()
    value = 3.0
    with pytest.raises(ValueError, match="object: of = \"b\" is another one now"):
        study()
    value = 2.0
    monkeypatch.setattr(store, "versions", lambda: {**maker.versions(), "numpy": "0.1"})
    # nothing differs but the version here: the refused call is the last one that was made
    assert "is another one now" in explain(tmp_path, "experiment")
    study()
    assert explain(tmp_path, "experiment") == f"version of numpy: {np.__version__} in the store, 0.1 now"
    monkeypatch.undo()
    monkeypatch.setattr(maker, "ENTROPY", 1)
    with pytest.raises(ValueError, match="entropy: 0 in the store, 1 now"):
        study()


def test_a_source_that_cannot_be_read_is_said_and_not_refused(tmp_path):
    names = {}
    exec("def unread(rng):\n    return {'x': 1}", names)
    assert sweep(names["unread"], {}, seeds=1, store=tmp_path).source == "not readable"
    assert sweep(names["unread"], {}, seeds=2, store=tmp_path).sizes["seed"] == 2
    assert explain(tmp_path, "unread") == "source of the experiment: could not be read, so it is not compared"


def test_one_writer(tmp_path):
    inner = []

    def experiment(rng):
        try:
            sweep(experiment, {}, seeds=1, store=tmp_path)
        except BlockingIOError as error:
            inner.append(str(error))
        return {}

    sweep(experiment, {}, seeds=1, store=tmp_path, n_jobs=1)
    assert inner == [f"store: expected one writer, got pid {os.getpid()} on host {os.uname().nodename}, which is "
                     "writing to it; wait for it, or use another name"]


@pytest.mark.parametrize("content", [b"", b"PK", b"pickle", None], ids=repr)
def test_a_damaged_shard_is_named_and_executes_nothing(tmp_path, content):
    sweep(drawn, SIZES, seeds=2, store=tmp_path)
    path = next(iter((tmp_path / "drawn" / "shards").iterdir()))
    if content == b"pickle":
        np.savez(tmp_path / "hostile.npz", about=np.array([Executed()], dtype=object))
        content = (tmp_path / "hostile.npz").read_bytes()
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    with pytest.raises(ValueError, match=f"{path.name}: expected a shard of a study.* Remove it"):
        sweep(drawn, SIZES, seeds=2, store=tmp_path)
    path.unlink()
    assert sweep(drawn, SIZES, seeds=2, store=tmp_path).identical(sweep(drawn, SIZES, seeds=2))


class Executed:
    def __reduce__(self):
        return os.abort, ()


@pytest.mark.parametrize("change", [
    lambda about: about.pop("makers"), lambda about: about.update(format=2), lambda about: about.update(makers=[]),
    lambda about: about.update(labels=[]), lambda about: about.update(dims=[1]), lambda about: about.update(dims=None),
    lambda about: about["makers"][0].pop("source"), lambda about: about["makers"][0].update(versions=1),
    lambda about: about["makers"][0].update(objects={"size": 1}), lambda about: about.update(makers=[None]),
])
def test_a_damaged_study_is_named(tmp_path, change):
    sweep(drawn, SIZES, seeds=1, store=tmp_path)
    path = tmp_path / "drawn" / "study.json"
    about = json.loads(path.read_text())
    change(about)
    path.write_text(json.dumps(about))
    for call in (lambda: sweep(drawn, SIZES, seeds=1, store=tmp_path), lambda: explain(tmp_path, "drawn")):
        with pytest.raises(ValueError, match=r"store: expected a study in .*, got a damaged study\.json"):
            call()
    with pytest.raises(ValueError, match="expected a study"):
        explain(tmp_path, "nothing")


KILLED = """
import sys
from lplfast import sweep
from studies_experiments import slow
sweep(slow, {"size": list(range(1, 41))}, seeds=20, store=sys.argv[1], n_jobs=2)
print("ended", flush=True)
"""


def killed(folder, seen):
    """Start the study in another process, and kill it when it has written a shard; whether it came to its end."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE,
                          env=environment) as process:
        while process.poll() is None and not shards(folder / "slow").keys() > seen.keys():
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        return process.stdout.read() == b"ended\n"


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_and_gone_on_with(tmp_path, kills):
    seen = {}
    for _ in range(kills):
        if killed(tmp_path, seen):
            break
        now = shards(tmp_path / "slow")
        # no shard is written again, and each call gets further
        assert seen.items() < now.items()
        seen = now
    assert len(seen) >= min(kills, 4)
    grid = {"size": list(range(1, 41))}
    assert sweep(slow, grid, seeds=20, store=tmp_path).identical(sweep(slow, grid, seeds=20))
    assert seen.items() <= shards(tmp_path / "slow").items()
    assert len(keys(tmp_path / "slow")) == 40 * 20
    assert not [name for name in os.listdir(tmp_path / "slow" / "shards") if name.startswith(".")]


def test_who_calls_is_nobody_in_another_process():
    from lplfast.studies.group import Caller
    caller = Caller(pace=object())
    caller.stopped = True
    there = pickle.loads(pickle.dumps(caller))
    assert (there.pace, there.stopped) == (None, False)
