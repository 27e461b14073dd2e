"""The cost of one iteration over n, m and h: ours, the bare products, and NumPy; and the figure of it."""

import pathlib

from lplfast.experiments.panels import BLACK, BLUE, SKY, VERMILLION, log_ticks, panels
from lplfast.plots import STYLE, pyplot

from .agreement import check_certified
from .cases import Case
from .numpy_rival import GramDescent
from .products import flops, products
from .rivals import follow, timed
from .table import Row, Table
from .timing import interleaved

__all__ = ["SWEEPS", "draw", "tables"]

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


def draw(found, folder):
    """Write scaling.png and scaling.pdf of the three Tables, a dict by name, into a folder; return their paths."""
    with pyplot().rc_context(STYLE):
        figure, axes = panels(2, 2, width=7.0, height=4.8)
        labels = ("rows $n$, with $m = n$ and $h = 4n$", "outputs $m$, with $n = 100$ and $h = 10^4$",
                  "hidden width $h$, with $n = m = 20$")
        for ax, name, label in zip(axes.flat, SWEEPS, labels, strict=False):
            _times(ax, found[name].rows, "nmh".index(name[-1]))
            ax.set(xlabel=label, ylabel=r"time per iteration ($\mu$s)")
        log_ticks(axes[0, 0].xaxis, [4, 16, 64, 256, 1024])
        log_ticks(axes[0, 1].xaxis, [1, 4, 16, 64, 256, 1024])
        axes[0, 0].legend(loc="upper left")
        _beyond_memory(axes[1, 0])
        _roofline(axes[1, 1], found)
        for ax, letter in zip(axes.flat, "abcd", strict=True):
            ax.set_title(f"({letter})", loc="left")
            ax.tick_params(which="minor", size=0)
        paths = [pathlib.Path(folder) / f"scaling.{kind}" for kind in ("png", "pdf")]
        for path in paths:
            figure.savefig(path, dpi=200)
    return paths


def _times(ax, rows, axis):
    bare, numpy = ([row for row in rows if row.other == other] for other in ("bare", "NumPy"))
    ax.loglog([row.size[axis] for row in numpy], [row.other_time for row in numpy], color=VERMILLION, marker="s", ms=3,
              label="NumPy, the same work at width $h$")
    sizes = [row.size[axis] for row in bare]
    _ours(ax, sizes, [row.time for row in bare], bare, label="lplfast, everything recorded")
    ax.loglog(sizes, [row.other_time for row in bare], color=BLACK, ls="--", label="three products alone (dgemm)")


def _ours(ax, x, y, rows, *, marker="o", **style):
    """Draw a line of ours; its markers are open where only the first few steps were timed."""
    ax.loglog(x, y, color=BLUE, marker=marker, ms=3, **style)
    few = [i for i, row in enumerate(rows) if _flops(row) > 6 * HUGE]
    ax.loglog([x[i] for i in few], [y[i] for i in few], color=BLUE, marker=marker, ms=3, mfc="white", ls="")


def _beyond_memory(ax):
    """Shade the widths at which there are no layers."""
    right = ax.get_xlim()[1]
    ax.axvspan(10**0.5 * DENSE, right, color=SKY, alpha=0.15, lw=0)
    ax.set_xlim(right=right)
    ax.annotate("layers never\nformed", (0.985, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize=7)


def _roofline(ax, found):
    """Draw the speed of the three products, alone and as a part of our step, against their size."""
    best = 0.0
    for name, marker in (("over n", "o"), ("over m", "^")):
        rows = sorted((row for row in found[name].rows if row.other == "bare"), key=_flops)
        work = [_flops(row) for row in rows]
        alone, within = ([_flops(row) / taken / 1e3 for row, taken in zip(rows, times, strict=True)]
                         for times in ([row.other_time for row in rows], [row.time for row in rows]))
        best = max(best, *alone)
        varied = f"${name[-1]}$ varied"
        ax.loglog(work, alone, color=BLACK, ls="--", marker=marker, ms=3, label=f"products alone, {varied}")
        _ours(ax, work, within, rows, marker=marker, label=f"within lplfast, {varied}")
    ax.axhline(best, color=BLACK, lw=0.8, ls=":")
    ax.set_ylim(top=2 * best)
    ax.annotate(f"dgemm at its best: {best:.0f} GFLOP/s", (0.01, 1.15 * best), xycoords=("axes fraction", "data"),
                fontsize=7)
    ax.legend(loc="lower right")
    ax.set(xlabel="operations per iteration, $6 n m k$", ylabel="GFLOP/s of the three products")


def _flops(row):
    n, m, h = row.size
    return flops(n, m, min(h, n + m))
