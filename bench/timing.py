"""Time: interleaved repeats, so that whatever slows the machine down slows every rival down."""

import gc
import math
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from lplfast.threads import single_threaded_blas

__all__ = ["Timing", "Work", "interleaved"]

SECONDS_PER_REPEAT = 5e-3


class Work(NamedTuple):
    """What to time: `prepare()` is not timed and returns the function that is; that does `units` steps."""

    prepare: Callable
    units: int


class Timing(NamedTuple):
    """Seconds per unit, the median; and the median, least and greatest quotient by the first work's."""

    seconds: float
    ratio: float
    ratio_least: float
    ratio_greatest: float


def interleaved(works, repeats=7):
    """Return a dict of the Timing of each of `works`, a dict of Work.

    They run in turn, on one BLAS thread, `repeats` rounds; one repeat prepares and runs a work as many times
    as take 5 ms. The ratio is the median of the rounds' quotients, which need not be that of the medians.
    """
    with single_threaded_blas():
        calls = {name: _calls(work) for name, work in works.items()}
        rounds = []
        for _ in range(repeats):
            rounds.append({name: _time(work, calls[name]) / work.units for name, work in works.items()})
    first = next(iter(works))
    found = {}
    for name in works:
        ratios = [times[name] / times[first] for times in rounds]
        found[name] = Timing(statistics.median(times[name] for times in rounds), statistics.median(ratios),
                             min(ratios), max(ratios))
    return found


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
    seconds = _time(work, 1)
    if seconds < SECONDS_PER_REPEAT:
        seconds = min(seconds, _time(work, 1))
    return min(1000, max(1, math.ceil(1.2 * SECONDS_PER_REPEAT / seconds)))
