"""A group of cells, computed in a worker: a thread, another process, or another machine."""

import platform
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ..interrupts import Cancelled, cancellable
from ..threads import single_threaded_blas
from .gathering import gathered
from .grid import SEED
from .maker import versions
from .results import variables_of

__all__ = ["Caller", "Task", "run_group", "said"]

LONGEST_MESSAGE = 1000


class Caller:
    """Who has cells computed, as threads of the same process see it; in another one, nobody listens.

    Attributes
    ----------
    pace : Pace or None
        What learns how long a group took: from its thread, before that one begins another.
    stopped : bool
        Whether to stop.
    """

    def __init__(self, pace=None):
        self.pace, self.stopped, self.told = pace, False, set()

    def __reduce__(self):
        return Caller, ()

    def took(self, shard):
        """Say what a group has come to, from where it was computed or where it has arrived."""
        if self.pace is not None and shard.keys[0] not in self.told:
            self.told.add(shard.keys[0])
            self.pace.took(len(shard.keys), float(shard.seconds.sum()))


class Task(NamedTuple):
    """A group of cells to be computed."""

    experiment: Callable[..., Any]
    entropy: int
    versions: dict
    caller: Caller
    cells: list


def run_group(task):
    """Return the shard of a group.

    Raises
    ------
    RuntimeError
        If the versions here are others than those of the caller.
    """
    _check_versions(task.versions)
    errors, seconds, results = [], [], []
    with single_threaded_blas():
        for cell in task.cells:
            begun, result, error = time.perf_counter(), None, ""
            try:
                result = _computed(cell, task)
            except Exception as failure:
                # whatever the experiment raises is the result of its cell: the others go on
                error = said(failure)
            if task.caller.stopped:
                raise Cancelled     # what a run has come to until then is not the result of its cell
            errors.append(error)
            results.append(result)
            seconds.append(time.perf_counter() - begun)
    shard = gathered([cell.key for cell in task.cells], errors, seconds, results)
    task.caller.took(shard)
    return shard


def _computed(cell, task):
    def stopped():
        return task.caller.stopped

    with cancellable(stopped):
        returned = task.experiment(cell.generator(task.entropy), **cell.parameters)
        return variables_of(returned, {*cell.parameters, SEED, "error"}, stopped)


def said(error):
    """Return the message of an error, for the cell that it comes from."""
    return f"{type(error).__name__}: {error}"[:LONGEST_MESSAGE]


def _check_versions(expected):
    here = versions()
    for name, version in expected.items():
        if here[name] != version:
            raise RuntimeError(f"worker on {platform.node()}: expected {name} {version}, which the caller has, got "
                               f"{here[name]}: install the same versions on all machines")
