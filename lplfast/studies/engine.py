"""The cells of a study on an engine of joblib, group by group."""

import concurrent.futures.process
import contextlib

from .group import Stop, run_group
from .maker import versions
from .pace import Pace

__all__ = ["BACKENDS", "compute"]

BACKENDS = ("threading", "loky", "dask")

# How often a worker may end before anything is computed: as often as Dask lets a task's.
PATIENCE = 3


def compute(experiment, entropy, cells, *, backend, n_jobs, commit):
    """Compute cells, and hand the shard of each group to `commit` when it has ended.

    Where a process of loky ends, joblib gives up: the cells that are left are begun anew, unless that happens again and
    again, and nothing is computed in between. Dask does so itself.

    Parameters
    ----------
    experiment : callable
    entropy : int
    cells : list of Cell
    backend, n_jobs
        As joblib has them.
    commit : callable
        Is given a Shard, in the thread that calls this.

    Raises
    ------
    ValueError
        If joblib has no such engine: of Dask, if there is no client.
    BrokenProcessPool
        If a cell ends its process again and again.
    """
    import joblib

    # by a context: where Dask's engine is an argument of Parallel, joblib 1.6 hands its own options on to tasks
    with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
        pace, vain = Pace(joblib.effective_n_jobs(n_jobs)), 0
        while cells:
            done = set()
            try:
                _compute(experiment, entropy, cells, pace, lambda shard, done=done: (
                    commit(shard), done.update(shard.keys)))
            except concurrent.futures.process.BrokenProcessPool as error:
                vain = 0 if done else vain + 1
                if vain == PATIENCE:
                    error.add_note(f"lplfast: a worker ended {vain} times, and nothing was computed in between. What "
                                   "is in the store stays, and the same call goes on with the rest")
                    raise
            cells = [cell for cell in cells if cell.key not in done]


def _compute(experiment, entropy, cells, pace, commit):
    import joblib

    stop = Stop()

    def tasks():
        # joblib asks for the next one when a worker is free
        at = 0
        while at < len(cells):
            size = pace.next(len(cells) - at)
            yield joblib.delayed(run_group)((experiment, entropy, versions(), cells[at:at + size], stop))
            at += size

    try:
        with contextlib.closing(joblib.Parallel(batch_size=1, return_as="generator_unordered")(tasks())) as shards:
            for shard in shards:
                pace.took(len(shard.keys), float(shard.seconds.sum()))
                commit(shard)
    finally:
        # what threads are still at, if something was raised
        stop.set = True
