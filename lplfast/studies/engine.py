"""The cells of a study on an engine of joblib, group by group."""

import contextlib

from .group import Stop, run_group
from .maker import versions
from .pace import Pace

__all__ = ["BACKENDS", "compute", "workers_of"]

BACKENDS = ("threading", "loky", "dask")


def workers_of(backend, n_jobs):
    """Return how many workers there are for these arguments of joblib's.

    Raises
    ------
    ValueError
        If joblib has no such engine: of Dask, if there is no client.
    """
    import joblib

    with joblib.parallel_config(backend=backend):
        return joblib.effective_n_jobs(n_jobs)


def compute(experiment, entropy, cells, *, backend, n_jobs, commit):
    """Compute cells, and hand the shard of each group to `commit` when it has ended.

    Parameters
    ----------
    experiment : callable
    entropy : int
    cells : list of Cell
    backend, n_jobs
        As joblib has them.
    commit : callable
        Is given a Shard, in the thread that calls this.
    """
    import joblib

    pace, stop = Pace(workers_of(backend, n_jobs)), Stop()

    def tasks():
        # joblib asks for the next one when a worker is free
        at = 0
        while at < len(cells):
            size = pace.next(len(cells) - at)
            yield joblib.delayed(run_group)((experiment, entropy, versions(), cells[at:at + size], stop))
            at += size

    parallel = joblib.Parallel(n_jobs=n_jobs, backend=backend, batch_size=1, return_as="generator_unordered")
    try:
        with contextlib.closing(parallel(tasks())) as shards:
            for shard in shards:
                pace.took(len(shard.keys), float(shard.seconds.sum()))
                commit(shard)
    finally:
        # what threads are still at, if something was raised
        stop.set = True
