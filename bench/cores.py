"""One large run on all cores: against one of them, and against others with all their threads."""

import contextlib
import time

from lplfast.cores import available_cores

from .agreement import check_certified
from .all_threads import AllThreads
from .cases import Case
from .rivals import RIVALS, follow
from .table import Row, Table
from .timing import Rounds, timed_once

__all__ = ["COMPARED", "REST", "RIVALS_OF_ALL_CORES", "tables"]

# (n, m, h), our steps, and those of a rival
SIZES = [((512, 512, 512), 40, 3), ((1024, 1024, 1024), 10, 2)]
COMPARED = 2

RIVALS_OF_ALL_CORES = ("NumPy", "PyTorch", "JAX", "Numba")

# Seconds until the threads of whoever was timed before have gone to sleep.
REST = 0.3


def tables(quick):
    """Time per step of the loop with all its threads, with one, and of rivals with all of theirs."""
    cores = available_cores()
    rows = []
    for size, steps, rival_steps in SIZES[:1] if quick else SIZES:
        repeats = 3 if quick else 7 if size[0] < 1000 else 5
        rows += _one_size(size, steps // 4 if quick else steps, rival_steps, cores, repeats)
    yield Table("cores", f"All {cores} cores for one large run: one iteration, with everything that is recorded", rows,
                notes=("A rival has a process of its own, with as many threads as it takes. The first steps, at which\n"
                       "brackets are renewed most often. Load makes all ratios less."))


def _one_size(size, steps, rival_steps, cores, repeats):
    case = Case.make(*size)
    small = case.compressed()
    ours = {name: small.run("certified", steps, n_threads=count) for name, count in
            (("all threads", cores), ("1 thread", 1))}
    for run in ours.values():
        check_certified(run.history, follow(RIVALS["NumPy"].load(), case), COMPARED)
    with contextlib.ExitStack() as stack:
        rivals = {name: stack.enter_context(AllThreads(name, size, rival_steps))
                  for name in RIVALS_OF_ALL_CORES if RIVALS[name].installed}
        taken = {name: [] for name in (*ours, *rivals)}
        for _ in range(repeats):
            for name, run in ours.items():
                time.sleep(REST)
                taken[name].append(timed_once(run.work))
            for name, rival in rivals.items():
                time.sleep(REST)
                taken[name].append(rival.seconds() / rival_steps)
    times = Rounds(taken)
    what = "n={} m={} h={}, ".format(*size) + f"{steps} steps"
    yield Row.quotient(times, what, "all threads", "1 thread", target=">= 1.5", note=ours["1 thread"].note, size=size)
    for name in rivals:
        yield Row.quotient(times, what, "all threads", name, target=">= 2.5", note="with all its threads", size=size)
