"""Threads that share the tiles of a job (team.h), and products that are cut into tiles (tiles.pyx)."""

import os
import pathlib
import signal
import threading
import time
import warnings

import numpy as np
import pytest

from lplfast.threads import single_threaded_blas

U = 2.0**-53
COUNTS = [1, 2, 3, 7]

# more than 1.6e7 multiplications, cut across rows or columns, into two and more; odd, so that strips end anywhere
SHAPES = [(301, 203, 289), (257, 301, 333), (1031, 97, 201), (97, 201, 1031), (33, 1001, 599)]


def tasks():
    """How many threads the process has, as far as the system tells."""
    folder = pathlib.Path("/proc/self/task")
    return len(list(folder.iterdir())) if folder.exists() else 1


@pytest.mark.parametrize("n_threads", COUNTS)
@pytest.mark.parametrize("tiles", [0, 1, 2, 5, 40])
def test_every_tile_is_done_once_a_job(probe, n_threads, tiles):
    if not tiles:
        tiles, jobs = 1, 0
    else:
        jobs = 300
    with probe.Team(n_threads):
        assert (probe.shared(tiles, jobs) == jobs).all()


def test_a_job_inside_a_tile_is_done_where_it_is(probe):
    with probe.Team(3):
        assert (probe.shared(9, 50, 4) == 50).all()


def test_a_call_inside_a_call_has_a_team_of_its_own(probe):
    with probe.Team(2):
        assert (probe.shared(4, 10) == 10).all()
        with probe.Team(3):
            assert (probe.shared(4, 10) == 10).all()
        assert (probe.shared(4, 10) == 10).all()
    assert (probe.shared(4, 10) == 10).all()


def test_threads_come_with_the_first_job_and_go_with_the_team(probe):
    before = tasks()
    with probe.Team(4):
        assert tasks() == before
        probe.shared(1, 1)      # one tile needs nobody
        assert tasks() == before
        probe.shared(2, 1)
        assert tasks() == before + 3 * pathlib.Path("/proc/self/task").exists()
    assert tasks() == before


def met(probe, count, after=lambda: None):
    """How many threads were inside tiles at the same time, of a job of so many tiles that wait for each other."""
    barrier, inside = threading.Barrier(count), set()

    def tile(number):
        try:
            barrier.wait(10)
        except threading.BrokenBarrierError:    # too few of them have come
            return
        inside.add(threading.get_ident())
        after()

    probe.call(count, tile)
    return len(inside)


def test_workers_that_sleep_are_woken(probe):
    with probe.Team(3):
        for _ in range(5):
            assert met(probe, 3) == 3
            threading.Event().wait(0.01)    # they look for less than a millisecond


def test_workers_without_a_job_sleep(probe):
    with probe.Team(3):
        probe.shared(6, 1)
        threading.Event().wait(0.01)    # they look for less than a millisecond
        before = time.process_time()
        threading.Event().wait(0.1)
        # of all threads: two that looked on would take 0.2 s
        assert time.process_time() - before < 0.05


def test_a_caller_that_sleeps_is_woken(probe):
    caller = threading.get_ident()
    with probe.Team(3):
        for _ in range(5):
            assert met(probe, 3, lambda: threading.get_ident() == caller or threading.Event().wait(0.01)) == 3


def test_the_outer_team_is_back_after_an_inner_one(probe):
    with probe.Team(2):
        with probe.Team(3):
            assert met(probe, 3) == 3
        assert met(probe, 2) == 2


def test_signals_are_left_to_the_other_threads(probe):
    def blocked():
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    caller, seen = threading.get_ident(), []
    with probe.Team(3):
        met(probe, 3, lambda: seen.append((threading.get_ident() == caller, blocked())))
        assert sorted(seen) == [(False, True), (False, True), (True, False)]
    assert not blocked()


def test_what_is_cut_is_shared(probe):
    # more than 1.6e7 multiplications, or 320 rows: cut in two at least
    rng = np.random.default_rng(0)
    A = rng.standard_normal((330, 330))
    works = {"nt": lambda: probe.product("nt", A, A), "nn": lambda: probe.product("nn", A, A),
             "tn": lambda: probe.product("tn", A, A),
             "vector": lambda: probe.matvec_t(np.tile(A, 2), A[0]),
             "single gram": lambda: probe.single_gram(A), "single": lambda: probe.single_factor(1.0, A @ A.T, -1.0),
             "gradients": lambda: probe.both_gradients(A, A, A),
             "gram": lambda: probe.gram(A, False), "factor": lambda: probe.cholesky(A @ A.T + np.eye(330))}
    with single_threaded_blas():
        for name, work in works.items():
            before = tasks()
            with probe.Team(2):
                work()
                assert tasks() - before == pathlib.Path("/proc/self/task").exists(), name


def test_teams_of_several_threads_do_not_mix(probe):
    def work():
        with probe.Team(2):
            seen.append((probe.shared(7, 2000) == 2000).all())

    seen, threads = [], [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 4


@pytest.mark.parametrize("working", [False, True])
def test_a_forked_child_does_all_tiles_itself(probe, working):
    # whatever the workers are at: asleep, or looking for a job
    with probe.Team(3):
        probe.shared(6, 1)
        if not working:
            threading.Event().wait(0.01)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)     # that there are threads is the point
            child = os.fork()
        right = (probe.shared(6, 100) == 100).all()
        if not child:
            with probe.Team(2):
                right = right and (probe.shared(6, 100) == 100).all()
    if not child:
        os._exit(0 if right else 1)
    assert right
    assert os.waitpid(child, 0)[1] == 0


def results(probe, kind, shape):
    n, k, m = shape
    rng = np.random.default_rng(shape)
    A, B, start = rng.standard_normal((n, k)), rng.standard_normal((k, m)), rng.standard_normal((n, m))
    ours = np.ascontiguousarray(A.T if kind == "tn" else A), np.ascontiguousarray(B.T if kind == "nt" else B)
    found = probe.product(kind, *ours)
    # gamma_k of the absolute values here and there
    assert (abs(found - A @ B) <= 2 * (k + 2) * U * (abs(A) @ abs(B))).all()
    if kind != "nt":
        return [found]
    added = probe.product(kind, *ours, start)
    assert (abs(added - (start + A @ B)) <= 2 * (k + 2) * U * (abs(A) @ abs(B)) + 3 * U * abs(start)).all()
    return [found, added]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["nt", "nn", "tn"])
def test_products_have_the_bits_of_one_thread(probe, kind, shape):
    with single_threaded_blas():
        alone = results(probe, kind, shape)
        for count in COUNTS:
            with probe.Team(count):
                assert all(map(np.array_equal, results(probe, kind, shape), alone)), count


# one that is not cut, and those that are, also where strips are narrower than an edge
@pytest.mark.parametrize("shape", [(40, 20), (301, 1003), (203, 1200), (100_003, 5)], ids=str)
def test_a_product_with_a_vector_has_the_bits_of_one_thread(probe, shape):
    rng = np.random.default_rng(shape)
    A, x = rng.standard_normal(shape), rng.standard_normal(shape[0])
    with single_threaded_blas():
        alone = probe.matvec_t(A, x)
        assert (abs(alone - A.T @ x) <= 2 * (shape[0] + 2) * U * (abs(A).T @ abs(x))).all()
        for count in COUNTS:
            with probe.Team(count):
                assert np.array_equal(probe.matvec_t(A, x), alone), count


# from 1.6e7 multiplications on side by side, from a side of 1024 on cut as well
@pytest.mark.parametrize("shape", [(20, 40, 20), (99, 101, 103), (301, 203, 289), (1031, 97, 201),
                                   (201, 97, 1031)], ids=str)
def test_both_gradients_have_the_bits_of_one_thread(probe, shape):
    n, k, m = shape
    rng = np.random.default_rng(shape)
    G, W1, W2t = rng.standard_normal((n, m)), rng.standard_normal((n, k)), rng.standard_normal((m, k))
    with single_threaded_blas():
        alone = probe.both_gradients(G, W1, W2t)
        assert (abs(alone[0] - G @ W2t) <= 2 * (m + 2) * U * (abs(G) @ abs(W2t))).all()
        assert (abs(alone[1] - G.T @ W1) <= 2 * (n + 2) * U * (abs(G).T @ abs(W1))).all()
        for count in COUNTS:
            with probe.Team(count):
                assert all(map(np.array_equal, probe.both_gradients(G, W1, W2t), alone)), count


@pytest.mark.parametrize("shape", [(290, 280), (333, 201), (1030, 33)], ids=str)
@pytest.mark.parametrize("columns", [False, True], ids=["rows", "columns"])
def test_gram_matrices_have_the_bits_of_one_thread(probe, shape, columns):
    A = np.random.default_rng(shape).standard_normal(shape)
    ours = np.ascontiguousarray(A.T) if columns else A
    with single_threaded_blas():
        alone = probe.gram(ours, columns)
        assert (abs(alone - A @ A.T) <= 2 * (shape[1] + 2) * U * (abs(A) @ abs(A).T)).all()
        for count in COUNTS:
            with probe.Team(count):
                assert np.array_equal(probe.gram(ours, columns), alone), count


@pytest.mark.parametrize("n", [320, 337, 501])
def test_cholesky_factors_have_the_bits_of_one_thread(probe, n):
    A = np.random.default_rng(n).standard_normal((n, n + 9))
    M = A @ A.T
    with single_threaded_blas():
        alone = probe.cholesky(M)
        # (n + 3) u of |L||L.T| for the factor, n u for the product here
        assert (abs(alone @ alone.T - M) <= (2 * n + 4) * U * (abs(alone) @ abs(alone).T)).all()
        for count in COUNTS:
            with probe.Team(count):
                assert np.array_equal(probe.cholesky(M), alone), count
        for broken in (0, n // 2, n - 1):
            before = M[broken, broken]
            M[broken, broken] = -1.0
            assert probe.cholesky(M) is None
            assert probe.cholesky_row(M) == broken + 1
            M[broken, broken] = before
