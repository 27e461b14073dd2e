"""Processes and a cluster: the same bits as on one thread, and workers that are killed cost nothing but time."""

import concurrent.futures.process
import contextlib
import functools
import logging
import os
import signal
import threading
import time

import dask
import psutil
import pytest
from distributed import Client, LocalCluster
from joblib.externals.loky import get_reusable_executor
from runs import keys, limits, shards
from studies_experiments import GRID, drawn, fatal, planned, slow

from lplfast import sweep
from lplfast.studies.pace import Pace

SIZES = {"size": list(range(1, 41))}


@pytest.fixture(scope="module", autouse=True)
def no_process_is_left():
    def children():
        # Python's own, which tracks shared memory until this process ends
        return {child for child in psutil.Process().children(recursive=True)
                if "resource_tracker" not in " ".join(child.cmdline())}

    before = children()
    yield
    get_reusable_executor().shutdown(wait=True)
    psutil.wait_procs(children() - before, timeout=10)
    assert children() - before == set()


@pytest.fixture(scope="module")
def cluster(no_process_is_left):
    """A scheduler in this process, and two workers in their own."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)     # what it says of killed workers
    with (dask.config.set({"distributed.scheduler.no-workers-timeout": "60s"}),
          LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
          Client(cluster) as client):
        yield client


@pytest.mark.parametrize("experiment", [planned, lambda rng, rule, width: planned(rng, rule, width)],
                         ids=["function", "lambda"])
def test_processes_have_the_bits_of_threads(experiment):
    alone = sweep(experiment, GRID, seeds=3, n_jobs=1, name="study")
    assert sweep(experiment, GRID, seeds=3, backend="loky", n_jobs=2, name="study").identical(alone)


def arm(folder, sizes):
    """Have the processes killed that come to these sizes."""
    for size in sizes:
        (folder / str(size)).touch()


def killed_in_the_middle(folder, backend):
    experiment = functools.partial(fatal, str(folder))
    alone = sweep(experiment, SIZES, seeds=3, name="study", n_jobs=1)
    arm(folder, [7, 20])
    found = sweep(experiment, SIZES, seeds=3, name="study", store=folder, backend=backend, n_jobs=2)
    assert not (folder / "7").exists()
    assert found.identical(alone)


def test_processes_that_are_killed_in_the_middle(tmp_path):
    killed_in_the_middle(tmp_path, "loky")


def test_a_cluster_has_the_bits_of_threads_whoever_is_killed(cluster, tmp_path):
    # one test, so that of those that share the tests one alone starts a cluster
    alone = sweep(planned, GRID, seeds=30, n_jobs=1)
    assert sweep(planned, GRID, seeds=30, backend="dask", store=tmp_path).identical(alone)
    assert sweep(planned, GRID, seeds=40, backend="dask", store=tmp_path).identical(
        sweep(planned, GRID, seeds=40))
    # what fails there is data here
    assert sweep(drawn, {"size": [3, 2]}, seeds=2, backend="dask").identical(sweep(drawn, {"size": [3, 2]}, seeds=2))
    killed_in_the_middle(tmp_path, "dask")
    ending_its_worker_always(tmp_path, "dask", "KilledWorker: Attempted to run task 'run_on_worker")


def ending_its_worker_always(folder, backend, said):
    """One cell of three, which fails; for this call alone: a worker with more memory may come further."""
    def experiment(rng, size):
        if size == 5 and ends:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"x": rng.random() + size}

    ends = True
    found = sweep(experiment, {"size": [4, 5, 6]}, seeds=1, store=folder, backend=backend, n_jobs=2)
    assert found.failed == 1
    assert found.error.sel(size=5, seed=0).item().startswith(said)
    ends = False
    others = sweep(experiment, {"size": [4, 6]}, seeds=1)
    assert found.x.dropna("size").equals(others.x)
    assert len(keys(folder / "experiment")) == 2
    assert sweep(experiment, {"size": [4, 6, 5]}, seeds=1, store=folder).failed == 0


def test_a_cell_that_always_ends_its_process(tmp_path):
    ending_its_worker_always(tmp_path, "loky", "TerminatedWorkerError: A worker process managed by the executor was "
                                               "unexpectedly terminated.")


@pytest.mark.parametrize("lost", ["cluster", "client"])
def test_a_scheduler_that_is_lost(lost, tmp_path):
    def experiment(rng):
        time.sleep(0.02)
        return {"x": rng.random()}

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with (LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
          Client(cluster) as client):
        ends = {"cluster": cluster, "client": client}[lost]
        closing = threading.Thread(target=close_after_a_shard, args=(ends, tmp_path / "experiment"))
        closing.start()
        with pytest.raises(ConnectionError, match="the same call goes on with the rest"):
            sweep(experiment, {}, seeds=1000, store=tmp_path, backend="dask")
        closing.join()
    assert 0 < len(keys(tmp_path / "experiment")) < 1000


def close_after_a_shard(ends, study):
    while not study.exists() or not shards(study):
        time.sleep(0.01)
    ends.close()


def test_cells_that_all_end_their_processes(monkeypatch, tmp_path):
    def experiment(rng):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr("lplfast.studies.engine.HOPELESS", 3)
    with pytest.raises(concurrent.futures.process.BrokenProcessPool) as broken:
        sweep(experiment, {}, seeds=9, store=tmp_path, backend="loky", n_jobs=2)
    assert broken.value.__notes__ == ["lplfast: 4 cells ended their workers, and none was computed. What is in the "
                                      "store stays, and the same call goes on with the rest"]


def test_another_version_on_a_worker_is_an_error(monkeypatch, tmp_path):
    # what this process says it has, the workers do not
    monkeypatch.setattr("lplfast.studies.engine.versions", lambda: {"numpy": "0.1"})
    with pytest.raises(RuntimeError, match=r"worker on .*: expected numpy 0\.1, which the caller has, got "):
        sweep(drawn, SIZES, backend="loky", n_jobs=2)


def test_workers_have_one_blas_thread():
    def experiment(rng):
        return {"threads": str(limits())}

    for backend in ("threading", "loky"):
        found = sweep(experiment, {}, seeds=3, backend=backend, n_jobs=2)
        assert set(found.threads.values) == {str([1] * len(limits()))}, backend


class Two:
    """An engine of two workers."""

    def workers(self):
        return 2


def test_groups_take_a_second_and_the_last_ones_are_shared():
    pace, left, sizes = Pace(Two()), 5000, []
    while left:
        sizes.append(pace.next(left))
        left -= sizes[-1]
        pace.took(sizes[-1], 1e-3 * sizes[-1])
    assert sizes[:5] == [1, 4, 16, 64, 256]
    assert max(sizes) == 1000
    # a tenth of a second at least, but for what is left
    assert sizes[-3:-1] == [100, 100]
    assert sum(sizes) == 5000
    pace.took(2, 300.0)
    assert pace.next(1000) == 1


def test_groups_grow_though_nobody_has_told_of_those_before():
    pace = Pace(Two())
    assert [pace.next(5000) for _ in range(4)] == [1, 1, 1, 1]
    pace.took(1, 1e-3)
    assert [pace.next(5000) for _ in range(5)] == [4, 16, 64, 256, 1000]
    # the first of all, which loaded a file, is soon forgotten
    pace = Pace(Two())
    pace.took(pace.next(5000), 2.0)
    for _ in range(20):
        size = pace.next(5000)
        pace.took(size, 1e-3 * size)
    assert size > 900


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_seven_kills_of_workers(backend, cluster, tmp_path):
    # three in a study of 15 seeds, the others while a part of it is there already. A busy machine is slow to begin
    # workers anew, and in so many cells there are fewer: the study is made longer until there have been all
    kills, seen, seeds = [], {}, 0
    while len(kills) < 7:
        seeds += 15
        assert seeds <= 300
        # cells that sleep: sixteen threads for them cost no more than one
        alone = sweep(slow, SIZES, seeds=seeds, name="study", n_jobs=16)
        ended, most = threading.Event(), 3 if seeds == 15 else 7
        killer = threading.Thread(target=kill, args=(backend, cluster, tmp_path / "study", kills, most, seen, ended))
        killer.start()
        found = sweep(slow, SIZES, seeds=seeds, store=tmp_path, name="study", backend=backend, n_jobs=2)
        ended.set()
        killer.join()
        assert found.identical(alone)
        assert seen.items() <= shards(tmp_path / "study").items()
        assert len(keys(tmp_path / "study")) == len(SIZES["size"]) * seeds


def kill(backend, cluster, study, kills, most, seen, ended):
    """Kill a worker when there is a new shard, until there have been so many kills."""
    while len(kills) < most and not ended.is_set():
        now = shards(study) if study.exists() else {}
        assert seen.items() <= now.items()      # none is written again
        if now.keys() > seen.keys():
            for pid in workers(backend, cluster)[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    kills.append(pid)
                    seen.update(now)
        time.sleep(0.02)


def workers(backend, cluster):
    """Return the processes that work now."""
    if backend == "dask":
        # a worker that has just been killed does not answer
        return list(cluster.run(os.getpid, on_error="ignore").values())
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):     # nor has it a command line
            if "LokyProcess" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found
