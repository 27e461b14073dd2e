"""The cost of one iteration over n, m and h: ours, the bare products, and NumPy."""

from .agreement import check_certified
from .cases import Case
from .numpy_rival import GramDescent
from .products import products
from .rivals import follow, timed
from .table import Row, Table
from .timing import interleaved

__all__ = ["DENSE", "FEW", "HUGE", "STEPS", "SWEEPS", "tables"]

SWEEPS = {
    "over n": [(n, n, 4 * n) for n in (4, 8, 16, 32, 64, 128, 256, 512, 1024)],
    "over m": [(100, m, 10_000) for m in (1, 4, 16, 64, 256, 1024)],
    "over h": [(20, 20, 10**power) for power in range(2, 9)],
}
FIXED = {"over n": "m = n, h = 4n", "over m": "n = 100, h = 10000", "over h": "n = m = 20"}

# Beyond this many multiplications a product, two rounds have to do, and a few steps.
LARGE, HUGE = 1e8, 1e9
STEPS, FEW = 150, 20

# Beyond this width there are no layers, only their triangular factor, and no rival.
DENSE = 10**6


def tables(quick):
    """Three tables, one for each size that varies alone."""
    for name, sizes in SWEEPS.items():
        rows = []
        for n, m, h in sizes:
            if not quick or n * m * min(h, n + m) < 1e6:
                rows += _one_size(n, m, h, DENSE // 10 if quick else DENSE, 3 if quick else 5)
        yield Table(name, f"One iteration {name}, {FIXED[name]}", rows, notes=(
            f"lplfast: certified, all columns, from compressed layers, over its first {STEPS} steps, or {FEW} where a\n"
            f"product has more than {HUGE:.0e} multiplications. NumPy at full width, where there are layers; beyond\n"
            f"h = {DENSE:.0e} there are none: Network.gaussian_implicit." + ("\nQuick: fewer sizes." if quick else "")))


def _one_size(n, m, h, dense, repeats):
    k = min(h, n + m)
    case = Case.make(n, m, h) if h <= dense else Case.implicit(n, m, h)
    run = case.compressed().run("certified", FEW if n * m * k > HUGE else STEPS)
    works = {"lplfast": run.work, "bare": products(n, m, k)}
    if h <= dense:
        steps = 2 if n * m * h > 1e7 else 10
        check_certified(run.history, follow(GramDescent, case), steps)
        works["NumPy"] = timed(GramDescent, case, steps)
    times = interleaved(works, 2 if n * m * k > LARGE else repeats)
    what, size = f"n={n} m={m} h={h}", (n, m, h)
    yield Row.excess(times, what, "lplfast", "bare", note=f"k={k}; {run.note}", size=size)
    if "NumPy" in works:
        yield Row.quotient(times, what, "lplfast", "NumPy", size=size)
