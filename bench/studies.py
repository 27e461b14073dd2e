"""Studies: what a cell costs beside its run, and the studies of docs/examples/studies at full size."""

import pathlib
import tempfile
import time

import numpy as np

from lplfast import MatrixFactorization, Network, plan, sweep, train_many
from lplfast.studies.description import read_study

from .table import Row, Table
from .timing import Work, interleaved

__all__ = ["tables"]

FOLDER = pathlib.Path(__file__).parents[1] / "docs" / "examples" / "studies"

CELLS, STEPS = 4000, 20
PROBLEM = MatrixFactorization(np.random.default_rng(0).standard_normal((4, 4)))

ALLOWED = 100.0         # us a cell beside its run
ALLOWED_IN_ALL = 60e6   # us for a study of docs/examples/studies, on two cores


def tables(quick):
    """Time per cell of plans that take next to nothing, with a store, less that of the same runs by `train_many`.

    The shipped studies run once: a minute each says more than its repetitions would.
    """
    cells, rows = CELLS // 4 if quick else CELLS, []
    for n_jobs in (1, 2):
        works = {"sweep": Work(lambda n_jobs=n_jobs: lambda: _sweep(cells, n_jobs), cells),
                 "train_many": Work(lambda n_jobs=n_jobs: lambda: _train_many(cells, n_jobs), cells)}
        times = interleaved(works, 3 if quick else 7)
        rows.append(Row.within(times.extra("sweep", "train_many"), f"{cells} cells over train_many, {n_jobs} threads: "
                               f"a cell of 4 x 4, {STEPS} steps", "sweep", ALLOWED))
    for path in () if quick else sorted(FOLDER.glob("*.toml")):
        rows.append(_shipped(path))
    yield Table("studies", "Studies: a cell beside its run, and whole ones", rows, notes=(
        "Threads share the interpreter: for runs that take less than a millisecond, one is as fast as two."))


def _experiment(rng):
    return plan(PROBLEM, Network.gaussian(4, 8, 4, std=0.5, rng=rng), "local", max_iter=STEPS, tol=0.0)


def _sweep(cells, n_jobs):
    with tempfile.TemporaryDirectory() as store:
        sweep(_experiment, {}, seeds=cells, n_jobs=n_jobs, store=store)


def _train_many(cells, n_threads):
    networks = [Network.gaussian(4, 8, 4, std=0.5, rng=np.random.default_rng([1, seed])) for seed in range(cells)]
    train_many(PROBLEM, networks, "local", n_threads=n_threads, max_iter=STEPS, tol=0.0)


def _shipped(path):
    """Return the row of a study at full size."""
    experiment, grid, options = read_study(path)
    with tempfile.TemporaryDirectory() as store:
        begun = time.perf_counter()
        found = sweep(experiment, grid, store=store, **options)
        taken = time.perf_counter() - begun
    if not (found.status == "converged").all():
        raise ValueError(f"{path.name}: expected all runs to converge, got others")
    return Row.within([1e6 * taken], f"the study {path.stem}, {found.cells} cells", "sweep", ALLOWED_IN_ALL,
                      note=f"{taken:.0f} s")
