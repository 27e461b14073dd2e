"""`sweep`: an experiment at every cell of a grid."""

import importlib
import operator
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..validation import as_callable, as_choice, as_flag, shown
from .dataset import Assembly
from .engine import BACKENDS, compute
from .grid import Grid
from .maker import maker_of
from .progress import Progress
from .store import Folder, Memory, study_path

if TYPE_CHECKING:   # an extra
    import xarray as xr

__all__ = ["check_extra", "sweep"]

# Threads of one process, beyond which a number is a mistake; a cluster says itself how many it has.
MOST_JOBS = 1000


def sweep(experiment: Callable[..., Any], grid: Mapping[str, Any], *, seeds: int | Sequence[int] = 10,
          store: str | os.PathLike[str] | None = None, name: str | None = None, n_jobs: int | None = None,
          backend: Literal["threading", "loky", "dask"] = "threading",
          on_mismatch: Literal["refuse", "keep"] = "refuse", progress: bool = False) -> "xr.Dataset":
    """Carry out an experiment at every cell of a grid, on one machine or many, and return all results as one dataset.

    Each cell, a point of the grid and a seed, has a stream of random numbers of its own, made from its labels: results
    are the same to the bit for any order, backend and number of workers, on one kind of machine. With a store,
    whatever ends the process costs at most the groups of cells under way: the same call goes on, and so does one with
    more labels or seeds. Cells are computed in groups that take about a second, with BLAS on one thread.

    Parameters
    ----------
    experiment : callable
        `experiment(rng, **parameters)` is given a `numpy.random.Generator` and one argument for each dimension, and
        returns one of these: `plan(problem, network, ...)`, which is then carried out; a `Run`; an `xarray.Dataset`;
        or a dict of numbers, texts and arrays, in which a value may be a tuple `(dims, array)` or `(dims, array,
        attrs)`, as xarray has it. For processes it must pickle by cloudpickle, as functions of a notebook do.
    grid : dict
        Dimension -> list of labels (bool, int, float or str), or dict {label: object}, whose objects the experiment is
        then given.
    seeds : int or list of int
        How often each point is repeated, or with which seeds: the dimension "seed". More of them later are new cells.
    store : path, optional
        A folder, in which the study has a folder of its own: `study.json`, and shards in NumPy's format. Without one
        nothing is kept but what is returned.
    name : str, optional
        Of the study and its folder; the name of the experiment.
    n_jobs : int, optional
        joblib's: how many workers. All cores if None, and with Dask all workers of the cluster, also those that come
        later.
    backend : {"threading", "loky", "dask"}
        Threads of joblib, which suit plans, since the compiled loop does without the interpreter's lock; its processes
        on this machine; or the workers of the `dask.distributed.Client` that is open.
    on_mismatch : {"refuse", "keep"}
        What to do where the store was made from another source of the experiment, other arguments of a
        functools.partial, other objects in the grid, or under other versions of lplfast, Python, NumPy or SciPy:
        refuse, with what differs (also from `explain`); or keep what is there, and compute what is missing, failed
        cells too.
    progress : bool
        Whether to show a bar of cells (tqdm), in terminals and notebooks.

    Returns
    -------
    xarray.Dataset
        With the dimensions of the grid and "seed", and the variables that the experiment returned. Of plans and runs:
        `status`, `iterations`, `violations`, `final_loss`, and where they are recorded `final_gap`, `final_bound`,
        and the columns of the history (docs/history.md) along "iteration", at the multiples of `record_every`; seconds
        only where `record` names "time", so that equal studies are equal datasets. Variables of different length are
        padded with NaN; where those along a coordinate would take more than 1 GiB, it is thinned, as the attribute
        `thinned_<coordinate>` says. What an experiment raises is the result of its cell: the message is in `error`,
        and the attribute `failed` counts them. So is it where a cell ends its worker, again and again and at last
        alone; but of that the store keeps nothing, and the same call tries again. `units` and `long_name` are
        attributes of the variables; versions and the source are attributes of the dataset. `to_netcdf(path,
        engine="h5netcdf")` writes one file.

    Raises
    ------
    TypeError, ValueError
        On bad arguments, before any work; if the store is of another maker, or damaged.
    BlockingIOError
        If another process is writing to the same study.
    ImportError
        If the extra "sweep" is not installed.
    OSError
        If the store cannot be written. A ConnectionError, if the scheduler of Dask is gone.
    RuntimeError
        If a worker of Dask has other versions.
    BrokenProcessPool, KilledWorker
        If no cell can be computed, since all end their workers: joblib's and Dask's.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network, plan, sweep
    >>> problem = MatrixFactorization([[2.0, 0.0], [0.0, 1.0]])
    >>> def experiment(rng, rule, width):
    ...     return plan(problem, Network.gaussian(2, width, 2, rng=rng), rule, tol=1e-8)
    >>> found = sweep(experiment, {"rule": ["local", "sharp"], "width": [20, 50]}, seeds=3)
    >>> dict(found.sizes)["seed"], found.status.values[0, 0].tolist()
    (3, ['converged', 'converged', 'converged'])

    """
    as_callable("experiment", experiment)
    as_choice("backend", backend, BACKENDS)
    check_extra(*["distributed"] * (backend == "dask"))
    grid = Grid(grid, seeds)
    as_choice("on_mismatch", on_mismatch, ("refuse", "keep"))
    n_jobs = _jobs(n_jobs)
    progress = as_flag("progress", progress)
    name = getattr(experiment, "__name__", "study") if name is None else name
    kept = Memory() if store is None else Folder(study_path(store, name))
    maker = maker_of(experiment, grid)
    with kept.writing():
        kept.begin(grid, maker, keep=on_mismatch == "keep")
        finished = kept.finished()
        # by their keys, which are as good as drawn: groups take equally long, and the time left can be told
        cells = sorted((cell for cell in grid.cells() if cell.key not in finished), key=lambda cell: cell.key)
        with Progress(progress, len(grid), len(grid) - len(cells)) as bar:
            def commit(shard, keep=kept.commit):
                keep(shard)
                bar.advance(shard)

            if cells:
                # what is given up, this call alone knows: the next one may come further, with more memory
                compute(experiment, maker["entropy"], cells, backend=backend, n_jobs=n_jobs, commit=commit,
                        give_up=lambda shard: commit(shard, kept.hold))
    return Assembly(grid, kept.shards).dataset({"title": str(name), "source": maker["source"] or "not readable",
                                                "entropy": maker["entropy"], **maker["versions"],
                                                "platform": platform.platform()})


def check_extra(*further):
    """Import what a study needs, and further packages, or say which extra has them."""
    for package in ("joblib", "xarray", *further):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ImportError(f'sweep needs {package}: pip install "lplfast[sweep]"') from error


def _jobs(given):
    """Return joblib's number of jobs; -1 is all."""
    if given is None:
        return -1
    try:
        n_jobs = None if isinstance(given, bool) else operator.index(given)
    except TypeError:
        n_jobs = None
    if n_jobs is None:
        raise TypeError(f"n_jobs: expected an integer, as joblib has it, or None, got {shown(given)}")
    if n_jobs == 0 or abs(n_jobs) > MOST_JOBS:
        raise ValueError(f"n_jobs: expected a number of workers up to {MOST_JOBS}, or -1 for all, got {shown(n_jobs)}")
    return n_jobs
