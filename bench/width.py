"""The width: an iteration at h = 100000 against one at h = 100, and what the compression costs once."""

from lplfast import Network

from .cases import Case, ours
from .table import Row, Table
from .timing import Work, interleaved

__all__ = ["tables"]

N, M, NARROW, WIDE = 20, 20, 100, 100_000


def tables(quick):
    """Time per iteration of the loop alone at both widths, which both run at the compressed width n + m.

    The two trajectories differ, and with them the number of renewals, most of all at the start: a certified
    ratio says little on the width alone. The exact runs do the same work at both.
    """
    repeats = 3 if quick else 7
    cases = {h: Case.make(N, M, h) for h in (NARROW, WIDE)}
    rows = []
    for steps in (150, 3000):
        runs = {h: ours(case, steps) for h, case in cases.items()}
        for mode in ("certified", "exact"):
            works = {h: Work(runs[h][mode].prepare, runs[h][mode].steps) for h in (NARROW, WIDE)}
            times = interleaved(works, repeats)
            rows.append(Row.excess(f"{mode}, {steps} steps", times[WIDE], times[NARROW], targets=("<= 1.15",),
                                   note=f"{runs[WIDE][mode].note}; h={NARROW}: {runs[NARROW][mode].note}"))
    yield Table(f"Width, n={N} m={M}: one iteration of the loop alone", rows, ours=f"h={WIDE} us",
                rival=f"h={NARROW} us", ratio="wide / narrow", notes=(
                    "Two networks, two trajectories: the narrow one needs more renewals, hence ratios < 1."))

    works = {h: Work(_compress(case), 1) for h, case in cases.items()}
    times = interleaved(works, repeats)
    row = Row.excess("Network(W1, W2).stack()", times[WIDE], times[NARROW], note="once a run")
    yield Table("Compression: from the wide layers to width n + m", [row], ours=f"h={WIDE} us",
                rival=f"h={NARROW} us", ratio="wide / narrow")


def _compress(case):
    def prepare():
        return Network(case.W1, case.W2).stack      # it remembers its compression: a new one each time

    return prepare
