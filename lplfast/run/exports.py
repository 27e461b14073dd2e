"""A run as other libraries have it."""

import numpy as np

from .columns import described

__all__ = ["iterations_of", "to_xarray"]


def iterations_of(run):
    """Return the iteration of each row, whether it was recorded or not."""
    if "iteration" in run.history:
        return run.history["iteration"].astype(np.int64)
    # every so many, and the last one
    rows = len(next(iter(run.history.values())))
    return np.minimum(np.arange(rows) * run.continuation.options["record_every"], run.iterations)


def to_xarray(run):
    """Return the history of a run as an xarray.Dataset: see Run.to_xarray."""
    try:
        import xarray
    except ImportError as error:
        raise ImportError('to_xarray needs xarray: pip install "lplfast[sweep]"') from error
    variables = {name: ("iteration", column, described(name)) for name, column in run.history.items()
                 if name != "iteration"}
    facts = dict(run.facts)
    facts |= facts.pop("versions")
    ended = {"status": run.status, "message": run.message, "iterations": run.iterations}
    return xarray.Dataset(variables, {"iteration": ("iteration", iterations_of(run), described("iteration"))},
                          {**ended, **facts})
