"""`lplfast sweep`: a study that a file describes, on this machine or a cluster of Dask."""

import contextlib
import importlib.util
import os

from ..studies.description import read_study
from ..studies.engine import BACKENDS
from ..studies.sweep import check_extra, sweep
from .parser import add_command
from .terminal import folder_for, say

__all__ = ["add_to"]


def add_to(commands):
    """Declare the command."""
    command = add_command(
        commands, "sweep", _sweep, failed="a cell of the study failed",
        help="carry out a study: an experiment at every cell of a grid",
        description="Carry out the study that FILE describes, and write it as netCDF. What was computed is kept in the "
        "store, and the same command goes on from there. Needs the extra sweep; progress is shown where tqdm is "
        "installed.")
    command.add_argument("file", help="study.toml: experiment = \"file.py:function\", seeds, [grid]; docs/studies.md")
    command.add_argument("--store", metavar="DIR", help="folder of studies (default: the file's, or lplfast-out)")
    command.add_argument("--seeds", type=int, metavar="N", help="how often each point is repeated")
    command.add_argument("--n-jobs", type=int, metavar="N", help="joblib's number of workers (default all cores)")
    command.add_argument("--backend", choices=BACKENDS, help="joblib's engine (default threading)")
    command.add_argument("--scheduler", metavar="ADDRESS", help="of Dask's scheduler, tcp://host:port")
    command.add_argument("--on-mismatch", choices=("refuse", "keep"),
                         help="what to do with a store of another maker (default refuse)")


def _sweep(arguments):
    experiment, grid, options = read_study(arguments.file)
    given = {name: getattr(arguments, name) for name in ("store", "seeds", "n_jobs", "backend", "on_mismatch")}
    options |= {name: value for name, value in given.items() if value is not None}
    options.setdefault("store", "lplfast-out")
    options.setdefault("name", experiment.__name__)
    if (options.get("backend") == "dask") != (arguments.scheduler is not None):
        raise ValueError("--backend and --scheduler: expected the address of a scheduler with dask, and with it alone, "
                         "got one without the other")
    # what the end needs is missed before the work, and a bar not at all
    check_extra("h5netcdf", *["distributed"] * (arguments.scheduler is not None))
    shown = importlib.util.find_spec("tqdm") is not None
    folder = folder_for(options["store"], "--store")
    with _client(arguments.scheduler):
        found = sweep(experiment, grid, progress=shown, **options)
    path = os.path.join(folder, options["name"], f"{options['name']}.nc")
    found.to_netcdf(path, engine="h5netcdf")
    for name, size in found.sizes.items():
        say(f"{name:24} {size}")
    say(f"{found.cells} cells, {found.failed} failed. Wrote {path}.")
    if found.failed:
        say(f"The first that failed: {next(error for error in found.error.values.flat if error)}")
    return int(found.failed > 0)


def _client(address):
    """Return a context in which joblib has Dask's scheduler."""
    if address is None:
        return contextlib.nullcontext()
    from distributed import Client

    return Client(address)
