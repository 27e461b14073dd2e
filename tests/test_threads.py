"""The BLAS thread limit: one while anybody is inside, restored when the last one leaves, in any order."""

import threading

from runs import limits

from lplfast import MatrixFactorization, Network, train
from lplfast.threads import single_threaded_blas


def test_limits_are_restored_by_the_last_one_out():
    before = limits()
    first, second = single_threaded_blas(), single_threaded_blas()
    with first:
        assert set(limits()) == {1}
        second.__enter__()
    assert set(limits()) == {1}
    second.__exit__(None, None, None)
    assert limits() == before


def test_another_thread_than_the_first_has_one_too():
    def inside():
        with single_threaded_blas():
            seen.append(limits())
        seen.append(limits())

    before, seen = limits(), []
    inside()
    for _ in range(2):
        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
    inside()
    assert seen == [[1] * len(before), before] * 4


def test_two_threads_training_at_once_leave_no_limit_behind():
    before, problem = limits(), MatrixFactorization([[2.0, 1.0], [0.0, 1.0]])

    def work(seed):
        for _ in range(30):
            assert train(problem, Network.gaussian(2, 9, 2, rng=seed)).violations == 0

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limits() == before
