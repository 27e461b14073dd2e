"""What the initialization guarantees of a run is worked out when it is asked for, once, by whichever thread."""

import threading

import pytest

from lplfast import CustomLoss, MatrixFactorization, Network, Sharp, initial_bounds, train
from lplfast.guarantees import initial


def counted():
    """A loss in Python, and how often it has been called."""
    calls = []

    def loss(W):
        calls.append(1)
        return 0.5 * float(((W - 1) ** 2).sum()), W - 1.0

    return CustomLoss(loss, shape=(1, 1), mu=1.0, K=1.0, minimum=0.0, minimizer=[[1.0]]), calls


def test_what_the_start_guarantees_does_not_ask_the_loss_again(tmp_path):
    problem, calls = counted()
    run = train(problem, Network([[3.0]], [[0.3]]), Sharp(cap=0.01), max_iter=7)
    before = len(calls)
    assert "violations=0" in repr(run)
    assert run.guarantee._kept is None    # a repr takes no time
    assert {claim.name for claim in run.audit().claims} >= {"initial", "initial_rate"}
    run.save(tmp_path / "run.npz")
    assert len(calls) == before
    assert run.guarantee.bounds == initial_bounds(problem, Network([[3.0]], [[0.3]]))


def test_a_fault_in_working_out_a_guarantee_is_not_taken_for_nothing_to_check(monkeypatch):
    run = train(MatrixFactorization([[1.0]]), Network([[3.0]], [[0.3]]), Sharp(cap=0.01), max_iter=7)

    def fails(*arguments):
        raise NameError("a fault of ours")

    monkeypatch.setattr(initial, "bounds_at", fails)
    with pytest.raises(NameError, match="a fault of ours"):
        run.audit()


def test_an_initial_guarantee_may_be_worked_out_by_several_threads(monkeypatch):
    run = train(MatrixFactorization([[1.0]]), Network([[3.0]], [[0.3]]), Sharp(cap=0.01), max_iter=7)
    several, bounds_at, found = threading.Barrier(4), initial.bounds_at, []

    def slowly(*arguments):
        several.wait(timeout=60)    # all of them have begun before one is done
        return bounds_at(*arguments)

    monkeypatch.setattr(initial, "bounds_at", slowly)
    threads = [threading.Thread(target=lambda: found.append(run.guarantee.contraction)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert run.guarantee._origin is None
