"""The cells of a study on an engine, group by group."""

import contextlib
import functools

from .cluster import Cluster
from .gathering import gathered
from .group import Caller, Task, said
from .maker import versions
from .pace import Groups, Pace
from .workers import Workers

__all__ = ["BACKENDS", "compute"]

BACKENDS = ("threading", "loky", "dask")

# How many cells may have ended their workers, and none been computed: then it is not the cells.
HOPELESS = 50


def compute(experiment, entropy, cells, *, backend, n_jobs, commit, give_up):
    """Compute cells, and hand the shard of each group to `commit` when it has ended.

    Where a worker ends, for want of memory say, nobody knows at which cell: those in flight are computed again one by
    one, ever fewer at a time, at last each alone. Those that end their worker even then are given up.

    Parameters
    ----------
    experiment : callable
    entropy : int
    cells : list of Cell
    backend : {"threading", "loky", "dask"}
    n_jobs : int
        As joblib has it.
    commit : callable
        Is given a Shard, in the thread that calls this.
    give_up : callable
        Likewise, once: what has come of the cells that end their workers.

    Raises
    ------
    ValueError
        If there is no client of Dask.
    BrokenProcessPool, KilledWorker
        If workers end whatever they are given.
    """
    engine = Cluster(n_jobs) if backend == "dask" else Workers(backend, n_jobs)
    caller = Caller(Pace(engine))
    groups = Groups(cells, caller.pace)
    try:
        for width in engine.widths():
            tasks = map(functools.partial(Task, experiment, entropy, versions(), caller), groups)
            ended = _round(engine, tasks, width, commit)
            if not ended:
                return
            groups = iter([[cell] for cell in cells if cell.key in ended])
    finally:
        # what threads are still at, if something was raised
        caller.stopped = True
    nothing = [None] * len(ended)
    give_up(gathered(list(ended), [said(error) for error in ended.values()], [0.0] * len(ended), nothing))


def _round(engine, tasks, width, commit):
    """Return the errors of the cells whose workers ended, by key."""
    ended, hopeless = {}, True
    with contextlib.closing(engine.outcomes(tasks, width)) as outcomes:
        for task, shard, error in outcomes:
            if error is None:
                hopeless = False
                task.caller.took(shard)
                commit(shard)
                continue
            ended |= {cell.key: error for cell in task.cells}
            if hopeless and len(ended) > HOPELESS:
                error.add_note(f"lplfast: {len(ended)} cells ended their workers, and none was computed. What is in "
                               "the store stays, and the same call goes on with the rest")
                raise error
    return ended
