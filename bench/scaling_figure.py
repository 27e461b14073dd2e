"""The figure of what one iteration costs over n, m, h and N, and of the speed of its products."""

import pathlib

from lplfast.experiments.panels import BLACK, BLUE, SKY, VERMILLION, log_ticks, panels
from lplfast.plots import STYLE, pyplot

from .products import flops, speed
from .scaling import DENSE, HUGE

__all__ = ["draw"]

GREY = "0.45"

# How who is drawn.
OURS, BARE = {"color": BLUE, "marker": "o", "ms": 3}, {"color": BLACK, "ls": "--"}
RIVALS = {"NumPy": {"color": VERMILLION, "marker": "s", "ms": 3}, "PyTorch": {"color": SKY, "marker": "D", "ms": 3}}


def draw(found, folder):
    """Write scaling.png and scaling.pdf of the Tables, a dict by name, into a folder; return their paths.

    What was not measured leaves its panel, or its line, out.
    """
    with pyplot().rc_context(STYLE | {"lines.linewidth": 1.1}):
        figure, ((over_n, over_m, over_h), (over_rows, gflops, share)) = panels(2, 3, width=7.2, height=4.4)
        for ax, name, label in ((over_n, "over n", "$n = m$,  with $h = 4n$"),
                                (over_m, "over m", "$m$,  with $n = 100$, $h = 10^4$"),
                                (over_h, "over h", "$h$,  with $n = m = 20$"),
                                (over_rows, "over N", "$N$,  with $n = 64$, $m = 10$, $h = 10^3$")):
            _times(ax, found, name)
            ax.set(xlabel=label, ylabel=r"time per iteration ($\mu$s)")
        _beyond_memory(over_h)
        _speeds(gflops, found)
        _share(share, found)
        log_ticks(over_n.xaxis, [4, 16, 64, 256, 1024])
        log_ticks(over_m.xaxis, [1, 4, 16, 64, 256, 1024])
        log_ticks(gflops.xaxis, [4, 16, 64, 256, 1024])
        log_ticks(share.yaxis, [1, 2, 4, 8])
        titles = ("inputs and outputs", "outputs", "hidden width", "samples, softmax loss", "speed of the products",
                  "a step over its products")
        for ax, letter, title in zip(figure.axes, "abcdef", titles, strict=True):
            ax.set_title(f"({letter}) {title}", loc="left")
            ax.tick_params(which="minor", size=0)
        _legend(figure)
        paths = [pathlib.Path(folder) / f"scaling.{kind}" for kind in ("png", "pdf")]
        for path in paths:
            figure.savefig(path, dpi=200)
    return paths


def _times(ax, found, name):
    """Draw the time of an iteration of ours, of its bare work, and of a rival."""
    rows = found[name].rows if name in found else []
    axis = 0 if name == "over N" else "nmh".index(name[-1])
    for other, style in RIVALS.items():
        theirs = [row for row in rows if row.other == other]
        if theirs:
            ax.loglog([row.size[axis] for row in theirs], [row.other_time for row in theirs], **style)
    if not rows:
        ax.annotate("not measured", (0.5, 0.5), xycoords="axes fraction", ha="center")
    bare = [row for row in rows if row.other == "bare"]
    sizes = [row.size[axis] for row in bare]
    _ours(ax, sizes, [row.time for row in bare], bare)
    ax.loglog(sizes, [row.other_time for row in bare], **BARE)


def _ours(ax, x, y, rows, **style):
    """Draw a line of ours; its markers are open where only the first few steps were timed."""
    ax.loglog(x, y, **OURS | style)
    few = [i for i, row in enumerate(rows) if _flops(row) > 6 * HUGE]
    ax.loglog([x[i] for i in few], [y[i] for i in few], **OURS | style | {"mfc": "white", "ls": ""})


def _beyond_memory(ax):
    """Shade the widths at which there are no layers."""
    right = ax.get_xlim()[1]
    ax.axvspan(10**0.5 * DENSE, right, color=SKY, alpha=0.15, lw=0)
    ax.set_xlim(right=right)
    ax.annotate("layers\nnever\nformed", (0.97, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize=7)


def _speeds(ax, found):
    """Draw operations of the three products a second, alone and as a part of our step, on one thread and on all.

    Dotted lines are at the most that was measured.
    """
    one = [row for row in found["over n"].rows if row.other == "bare"]
    every = found["speed"].rows if "speed" in found else []
    together = [row for row in every if row.name == "lplfast"]
    for rows, most, marker, who in ((one, one, "o", "one core"), (together, every, "^", "all cores")):
        if rows:
            sizes = [row.size[0] for row in rows]
            ax.semilogx(sizes, [speed(row.size, row.other_time) for row in rows], **BARE | {"marker": marker, "ms": 3})
            _ours(ax, sizes, [speed(row.size, row.time) for row in rows], rows, marker=marker)
            best = max(speed(row.size, row.other_time) for row in most)
            ax.axhline(best, color=GREY, lw=0.8, ls=":")
            ax.annotate(f"{who}: {best:.0f}", (0.02, best), xycoords=("axes fraction", "data"), xytext=(0, 2),
                        textcoords="offset points", fontsize=7)
    ax.set(yscale="linear", ylim=(0, 1.15 * best), xlabel="$n = m$,  with $h = 4n$", ylabel="GFLOP/s")


def _share(ax, found):
    """Draw how many times its bare products a step takes, against their size."""
    for name, marker, said, ha in (("over n", "o", "as in (a)", "left"), ("over m", "^", "as in (b)", "right")):
        rows = sorted((row for row in found[name].rows if row.other == "bare"), key=_flops)
        _ours(ax, [_flops(row) for row in rows], [row.ratio for row in rows], rows, marker=marker)
        # beside the line, which falls to the right
        ax.annotate(said, (_flops(rows[0]), rows[0].ratio), xytext=(3 if ha == "left" else -3, 2), ha=ha,
                    textcoords="offset points", fontsize=7)
    ax.axhline(1, **BARE)
    lowest, highest = ax.get_ylim()
    ax.set(ylim=(min(0.9, lowest), 1.4 * highest))
    ax.set(xlabel="operations of its products, $6nmk$", ylabel="time over that of the products")


def _legend(figure):
    """One for all panels."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], **OURS, label="lplfast, everything recorded"),
             *(Line2D([], [], **style, label=f"{name}, at width $h$") for name, style in RIVALS.items()),
             Line2D([], [], **BARE, label="products alone (dgemm; in (d), and exp)")]
    figure.legend(handles=lines, loc="outside upper center", ncols=len(lines), columnspacing=1.5)


def _flops(row):
    """Return the additions and multiplications of the three products; 0 for rows over N, which have others."""
    if len(row.size) > 3:
        return 0
    n, m, h = row.size
    return flops(n, m, min(h, n + m))
