"""Time: interleaved repeats, so that whatever slows the machine down slows every rival down."""

import gc
import math
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from lplfast.threads import single_threaded_blas

__all__ = ["SECONDS_PER_REPEAT", "Rounds", "Work", "interleaved", "timed_once"]

SECONDS_PER_REPEAT = 5e-3


class Work(NamedTuple):
    """What to time: `prepare()` is not timed and returns the function that is; that does `units` steps.

    `seconds` is what one run took if it has run before; else it will once, to warm up.
    """

    prepare: Callable
    units: int = 1
    seconds: float | None = None


class Rounds:
    """What each work took in each round: a dict of lists of seconds a unit."""

    def __init__(self, seconds):
        self.taken = seconds

    def seconds(self, name):
        """Return the median."""
        return statistics.median(self.taken[name])

    def extra(self, name, other):
        """Return by how many us each round of one work took longer."""
        return [1e6 * (a - b) for a, b in zip(self.taken[name], self.taken[other], strict=True)]

    def quotient(self, above, below):
        """Return the median, the least and the greatest of the rounds' quotients of two works.

        The median of the quotients need not be that of the medians: what slows a round down slows both.
        """
        quotients = [a / b for a, b in zip(self.taken[above], self.taken[below], strict=True)]
        return statistics.median(quotients), min(quotients), max(quotients)


def interleaved(works, repeats=7):
    """Return the Rounds of `works`, a dict of Work.

    They run in turn, on one BLAS thread, `repeats` rounds; one repeat prepares and runs a work as many times as take
    5 ms.
    """
    with single_threaded_blas():
        calls = {name: _calls(work) for name, work in works.items()}
        rounds = [{name: _time(work, calls[name]) / work.units for name, work in works.items()}
                  for _ in range(repeats)]
    return Rounds({name: [times[name] for times in rounds] for name in works})


def timed_once(work):
    """Return the seconds a unit of one run of a Work, on one BLAS thread."""
    with single_threaded_blas():
        return _time(work, 1) / work.units


def _time(work, calls):
    """Return the seconds that one of `calls` runs takes."""
    runs = [work.prepare() for _ in range(calls)]
    collecting = gc.isenabled()
    gc.disable()
    try:
        started = time.perf_counter()
        for run in runs:
            run()
        return (time.perf_counter() - started) / calls
    finally:
        if collecting:
            gc.enable()


def _calls(work):
    """Return how many runs take `SECONDS_PER_REPEAT`; warms up."""
    seconds = _time(work, 1) if work.seconds is None else work.seconds
    if seconds < SECONDS_PER_REPEAT:
        seconds = min(seconds, _time(work, 1))
    return min(1000, max(1, math.ceil(1.2 * SECONDS_PER_REPEAT / seconds)))
