"""The history of a run under way: a dict whose columns are made when they are read, and are what they were then."""

import copy
import json
import pickle
import threading

import numpy as np
import pandas as pd
import pytest

from lplfast import MatrixFactorization, Network, train
from lplfast.descent.history import COLUMNS
from lplfast.run.history import HistoryUnderWay
from lplfast.run.recorder import ROWS, Recorder

PROBLEM = MatrixFactorization(np.random.default_rng(0).standard_normal((3, 2)))
NETWORK = Network.gaussian(3, 9, 2, std=0.5, rng=0)
OPTIONS = {"step_size": 1e-3, "tol": 0.0}

# What reads a history; `list` of the names of what it has read.
READERS = {
    "nothing": lambda history: None,
    "a column": lambda history: history["gap"],
    "two, the later one first": lambda history: (history["step_size"], history["gap"]),
    "all": lambda history: list(history.values()),
}


def untimed(history):
    return {name: column.tobytes() for name, column in history.items() if name != "time"}


def so_far(whole, t, every):
    """Return the history that a run had after t steps, of what it has at the end."""
    rows = len(range(0, t, every))
    history = {name: column[:rows + 1].copy() for name, column in whole.items()}
    for name in ("step_size", "rate_bound"):
        history[name][-1] = np.nan
    return history


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("keep", [lambda run: run, lambda run: run.history], ids=["run", "history"])
def test_what_is_kept_stays_what_it_was(read, every, keep):
    seen, then, arrays = [], [], []

    def callback(run):
        arrays.append(read(run.history))
        seen.append(keep(run))
        then.append({name: np.array(run.history[name]) for name in ("gap", "K_t")} if run.iterations % 2 else None)

    train(PROBLEM, NETWORK, callback=callback, max_iter=20, record_every=every, **OPTIONS)
    for t, kept in enumerate(seen, start=1):
        alone = train(PROBLEM, NETWORK, max_iter=t, record_every=every, **OPTIONS).history
        history = kept if isinstance(kept, dict) else kept.history
        assert list(history) == list(COLUMNS)
        assert untimed(history) == untimed(alone)
        if then[t - 1]:
            assert all(np.array_equal(history[name], column, equal_nan=True) for name, column in then[t - 1].items())
    assert len(seen) == 20


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_beyond_what_the_loop_fills_at_once(read):
    # rows are taken over, and their place filled again; and a run that goes on has rows of before
    seen, steps = {}, 2 * ROWS + 100

    def callback(run):
        read(run.history)
        seen[run.iterations] = run.history

    first = train(PROBLEM, NETWORK, callback=callback, callback_every=1000, max_iter=steps, **OPTIONS)
    whole = train(PROBLEM, first, callback=callback, callback_every=1000, max_iter=2 * steps).history
    assert len(seen) == 2 * steps // 1000
    for t, history in seen.items():
        expected = so_far({name: whole[name] for name in ("gap", "step_size", "rate_bound", "drift")}, t, 1)
        assert all(np.array_equal(history[name], column, equal_nan=True) for name, column in expected.items())


class RefusedError(Exception):
    """Of a callback."""


@pytest.mark.parametrize("error", [RefusedError, KeyboardInterrupt, None])
def test_after_the_end_of_the_run_by_a_callback(error):
    seen = []

    def callback(run):
        seen.append(run.history)
        run.history["gap"]
        if run.iterations == 7 and error:
            raise error
        return run.iterations == 7

    run = None
    try:
        run = train(PROBLEM, NETWORK, callback=callback, max_iter=20, **OPTIONS)
    except (RefusedError, KeyboardInterrupt) as raised:
        run = raised.run
    for t, history in enumerate(seen, start=1):
        assert untimed(history) == untimed(train(PROBLEM, NETWORK, max_iter=t, **OPTIONS).history)
    assert untimed(run.history) == untimed(seen[-1])
    # and it goes on without touching them
    train(PROBLEM, run, max_iter=20)
    assert untimed(seen[-1]) == untimed(run.history)


def fresh(names=COLUMNS):
    """Return a history of two rows and a last one, and the dict that it stands for."""
    recorder = Recorder(names, 10, {})
    rows = recorder.room(0)
    rows[:2] = np.arange(2 * len(COLUMNS)).reshape(2, -1)
    last = np.full(len(COLUMNS), -1.0)
    plain = {name: np.append(rows[:2, COLUMNS.index(name)], -1.0) for name in names}
    return HistoryUnderWay(recorder, 2, last, threading.RLock()), plain


def as_lists(columns):
    return {name: np.asarray(column).tolist() for name, column in columns.items()}


NEW = np.zeros(3)

# whatever a dict can do -> what comes of it, with arrays as lists
USES = {
    "len": len,
    "names": list,
    "reversed": lambda history: list(reversed(history)),
    "there": lambda history: ("gap" in history, "nonsense" in history, bool(history)),
    "get": lambda history: (history.get("gap").tolist(), history.get("nonsense")),
    "keys": lambda history: list(history.keys()),
    "values": lambda history: [column.tolist() for column in history.values()],
    "items": lambda history: as_lists(dict(history.items())),
    "dict": lambda history: as_lists(dict(history)),
    "update another": lambda history: as_lists({"own": NEW} | history),
    "and more": lambda history: as_lists(history | {"own": NEW}),
    "two stars": lambda history: as_lists({**history}),
    "as arguments": lambda history: as_lists((lambda **columns: columns)(**history)),
    "copy": lambda history: as_lists(history.copy()),
    "copy.copy": lambda history: as_lists(copy.copy(history)),
    "deepcopy": lambda history: as_lists(copy.deepcopy(history)),
    "pickle": lambda history: as_lists(pickle.loads(pickle.dumps(history))),
    "repr": repr,
    "JSON": lambda history: json.dumps(history, default=lambda column: column.tolist()),
    "pop": lambda history: (history.pop("loss").tolist(), list(history)),
    "popitem": lambda history: (history.popitem()[0], list(history)),
    "del": lambda history: (history.__delitem__("loss"), list(history)),
    "del after it was read": lambda history: (history["loss"], history.__delitem__("loss"), list(history))[1:],
    "clear": lambda history: (history.clear(), list(history), history.get("gap")),
    "setdefault": lambda history: (history.setdefault("gap", NEW).tolist(), history.setdefault("own", 3), len(history)),
    "update": lambda history: (history.update(gap=NEW), as_lists(history)),
    "in place": lambda history: as_lists(history.__ior__({"gap": NEW})),
    "set": lambda history: (history.__setitem__("gap", NEW), as_lists(history)),
    "set a new one": lambda history: (history.__setitem__("own", NEW), as_lists(history)),
    "equal": lambda history: (history == {}, history != {}),
    "read backwards": lambda history: ([history[name].tolist() for name in reversed(COLUMNS)], list(history)),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_it_is_a_dict_in_every_way(use):
    history, plain = fresh()
    assert use(history) == use(plain)
    assert as_lists(history) == as_lists(plain)
    assert list(history) == list(plain)


def test_every_method_of_dict_is_one_of_its_own_or_looks_at_no_column():
    # of a new version of Python, too
    own = {name for name in vars(dict) if name in vars(HistoryUnderWay)}
    assert set(vars(dict)) - own <= {
        "__new__", "__getattribute__", "__class_getitem__", "__hash__", "fromkeys", "__sizeof__",
        "__setitem__", "__delitem__", "__ior__", "update", "clear", "__contains__", "__len__", "__reversed__", "keys",
        "__lt__", "__le__", "__gt__", "__ge__"}     # the last four are NotImplemented for dicts


def test_a_name_that_is_no_column_is_a_key_error():
    history, _ = fresh(("gap", "loss"))
    for name in ("nonsense", "K_t", 3):
        with pytest.raises(KeyError, match=str(name)):
            history[name]
    history.make_whole()
    with pytest.raises(KeyError, match="nonsense"):
        history["nonsense"]


def test_a_column_that_has_been_read_stays_the_array_that_it_is():
    history, _ = fresh()
    gap = history["gap"]
    assert history["gap"] is gap
    history.make_whole()
    assert history["gap"] is gap


def test_other_libraries_read_all_columns():
    history, plain = fresh()
    frame = pd.DataFrame(history)
    assert as_lists(frame) == as_lists(plain)
