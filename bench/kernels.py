"""Kernels against their twin: a whole step compiled, and as `lplfast.reference` takes it."""

import numpy as np

from lplfast import reference

from .agreement import check
from .cases import Case, ours
from .table import Row, Table
from .timing import Work, interleaved

__all__ = ["LARGE", "SIZES", "tables"]

# (n, m, h), steps of the twin in one repeat
SIZES = [((4, 4, 64), 40), ((10, 10, 200), 40), ((20, 20, 1000), 20), ((50, 50, 500), 10),
         ((100, 100, 200), 5), ((100, 10, 10000), 3)]

STEPS = 150

# above this width histories are compared over fewer steps
LARGE = 1000


def tables(quick):
    """Time per step of the loop alone, over its first 150 steps, against `reference.descend` at full width.

    The compiled loop has compressed the layers before, which is not timed here (see `width`). The twin's
    steps cost the same wherever they are: it takes fewer, and its last evaluation counts as one.
    """
    rows = []
    for (n, m, h), twin_steps in SIZES:
        case = Case.make(n, m, h)
        runs = ours(case, STEPS)
        check(runs, _follow(case), steps=10 if quick or h > LARGE else 50)
        twin = _twin(case, 2 if quick else twin_steps)
        for mode, run in runs.items():
            times = interleaved({mode: Work(run.prepare, run.steps), "twin": twin}, 3 if quick else 7)
            rows.append(Row.quotient(f"{mode:9}  n={n} m={m} h={h}", times[mode], times["twin"],
                                     note=run.note))
    yield Table(f"One step: the compiled loop (first {STEPS} steps) and its twin, lplfast/reference.py", rows,
                rival="twin us", ratio="twin / lplfast")


def _twin(case, steps):
    loss, local = reference.squared_loss(case.X, case.Y), reference.RULES["local"]()
    return Work(lambda: lambda: reference.descend(loss, case.W1, case.W2, local, steps), steps + 1)


def _follow(case):
    loss = reference.squared_loss(case.X, case.Y)

    def follow(steps, given):
        choose = reference.RULES["local"]() if given is None else lambda at, t: given[t]
        history = reference.descend(loss, case.W1, case.W2, choose, steps)[2][:steps]
        return {name: np.array([row[name] for row in history]) for name in history[0]}

    return follow
