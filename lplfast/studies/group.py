"""A group of cells, computed in a worker: a thread, another process, or another machine."""

import platform
import time

from ..interrupts import Cancelled, cancellable
from ..threads import single_threaded_blas
from .gathering import gathered
from .grid import SEED
from .maker import versions
from .results import variables_of

__all__ = ["Stop", "run_group"]

LONGEST_MESSAGE = 1000


class Stop:
    """Whether to stop: seen by the threads of this process; in another one it is not set."""

    def __init__(self):
        self.set = False

    def __call__(self):
        """Return whether it is set."""
        return self.set

    def __reduce__(self):
        return Stop, ()


def run_group(task):
    """Return the shard of a group. `task` is one tuple, so that joblib's engines take it along as it is.

    Raises
    ------
    RuntimeError
        If the versions here are others than those of the caller.
    """
    experiment, entropy, expected, cells, stop = task
    _check_versions(expected)
    errors, seconds, results = [], [], []
    with single_threaded_blas():
        for cell in cells:
            begun, result, error = time.perf_counter(), None, ""
            try:
                with cancellable(stop):
                    returned = experiment(cell.generator(entropy), **cell.parameters)
                    result = variables_of(returned, {*cell.parameters, SEED, "error"}, stop)
            except Exception as failure:
                # whatever the experiment raises is the result of its cell: the others go on
                error = f"{type(failure).__name__}: {failure}"[:LONGEST_MESSAGE]
            if stop():
                raise Cancelled     # what a run has come to until then is not the result of its cell
            errors.append(error)
            results.append(result)
            seconds.append(time.perf_counter() - begun)
    return gathered([cell.key for cell in cells], errors, seconds, results)


def _check_versions(expected):
    here = versions()
    for name, version in expected.items():
        if here[name] != version:
            raise RuntimeError(f"worker on {platform.node()}: expected {name} {version}, which the caller has, got "
                               f"{here[name]}: install the same versions on all machines")
