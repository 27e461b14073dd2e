"""Runs under way: what a callback has not read is worked out later, or never, and is what it was."""

import copy
import pickle
import threading

import numpy as np
import pytest
from cases import PROBLEMS
from runs import same

from lplfast import Network, Run, train
from lplfast.run.parts import PARTS, RunUnderWay

STEPS = 12


@pytest.fixture(scope="module")
def case():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    return problem, Network.gaussian(6, 50, 4, std=0.4, rng=1)


def followed(case, callback, **options):
    return train(*case, max_iter=STEPS, tol=0.0, callback=callback, **options)


def test_all_arguments_of_a_run_are_parts(case):
    assert set(PARTS) == set(vars(followed(case, lambda run: False)))


@pytest.mark.parametrize("read", [(), *((name,) for name in PARTS), PARTS], ids=" ".join)
def test_what_is_kept_is_the_run_as_it_was(case, read):
    seen = []

    def callback(run):
        for name in read:
            getattr(run, name)
        seen.append(run)

    whole = followed(case, callback)
    assert [run.iterations for run in seen] == list(range(1, STEPS + 1))
    for t, run in enumerate(seen, start=1):
        alone = train(*case, max_iter=t, tol=0.0)
        assert type(run) is Run
        assert set(vars(run)) == set(PARTS)
        assert run.status == "running"
        assert (run.checks, run.counters, run.facts) == (alone.checks, alone.counters, alone.facts)
        assert run.message.startswith(f"Under way after {t} iteration")
        assert np.array_equal(run.history["gap"], alone.history["gap"])
        assert run.guarantee.bounds == whole.guarantee.bounds
        assert np.array_equal(run.network.W1, alone.network.W1)
        assert same(train(case[0], run, max_iter=STEPS), whole)


def test_nothing_is_worked_out_that_nobody_reads(case):
    there = []

    def callback(run):
        there.append(set(vars(run)) & set(PARTS))
        run.history  # noqa: B018 - the access is the test
        there.append(set(vars(run)) & set(PARTS))

    followed(case, callback, callback_every=STEPS)
    assert there == [set(), {"history"}]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda run: pickle.loads(pickle.dumps(run))],
                         ids=["copy", "deepcopy", "pickle"])
def test_copies_are_plain_runs(case, copied):
    seen = []
    followed(case, lambda run: seen.append(copied(run)), callback_every=5)
    for t, run in zip((5, 10), seen, strict=True):
        assert type(run) is Run
        assert run.iterations == t
        assert np.array_equal(run.history["gap"], train(*case, max_iter=t, tol=0.0).history["gap"])


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps], ids=["copy", "deepcopy", "pickle"])
def test_a_run_that_has_been_copied_can_be_kept_as_well(case, copied):
    seen = []
    whole = followed(case, lambda run: (copied(run), seen.append(run))[1])
    assert whole.status == "max_iter"
    assert [(type(run), run.iterations, set(vars(run))) for run in seen] == [
        (Run, t, set(PARTS)) for t in range(1, STEPS + 1)]


def test_what_a_callback_changes_stays_changed(case):
    seen = []

    def callback(run):
        run.message = "mine"
        seen.append(run)

    followed(case, callback, callback_every=STEPS)
    assert seen[0].message == "mine"
    assert seen[0].iterations == STEPS
    with pytest.raises(AttributeError, match="nonsense"):
        seen[0].nonsense  # noqa: B018 - the access is the test


def test_another_thread_reads_the_iterate_of_the_callback(case):
    found, threads = [], []

    def callback(run):
        def look():
            found.append((run.iterations, len(run.history["gap"]), run.network.product))

        threads.append(threading.Thread(target=look))
        threads[-1].start()

    followed(case, callback)
    for thread in threads:
        thread.join()
    for t, length, product in found:
        assert length == t + 1
        assert np.array_equal(product, train(*case, max_iter=t, tol=0.0).network.product)
    assert sorted(t for t, _, _ in found) == list(range(1, STEPS + 1))


def test_a_thread_that_asked_before_the_run_was_made_whole(case):
    seen = []
    followed(case, seen.append, callback_every=STEPS)
    # as the interpreter goes on where it was: looked up in the class that the run had
    assert RunUnderWay.__getattr__(seen[0], "iterations") == STEPS
    with pytest.raises(AttributeError, match="nonsense"):
        RunUnderWay.__getattr__(seen[0], "nonsense")
    RunUnderWay.keep(seen[0])
    assert type(pickle.loads(pickle.dumps(seen[0]))) is Run


def test_an_attribute_that_is_none_is_an_error_while_the_run_is_under_way(case):
    def callback(run):
        with pytest.raises(AttributeError, match="nonsense"):
            run.nonsense  # noqa: B018 - the access is the test
        assert repr(run).startswith(f"<Run: running after {run.iterations} iteration")

    followed(case, callback, callback_every=4)
