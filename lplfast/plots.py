"""Figures of a run. Each `plot_` draws one thing into `ax` and returns it; the others return a whole figure."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from .direct_labels import label_curves
from .files import replace_file
from .guarantees.rates import guaranteed_rule, kind_of
from .guarantees.rest import rule_begun
from .run.comparison import Runs, labelled
from .run.exports import iterations_of
from .run.run import Run
from .validation import as_choice

if TYPE_CHECKING:   # an extra
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["compare", "overview", "plot_constants", "plot_gap", "plot_rate", "plot_step_size"]

# Okabe and Ito's palette: distinguishable with any colour vision.
BLUE, VERMILLION, GREEN, BLACK = "#0072B2", "#D55E00", "#009E73", "#000000"
PALETTE = BLUE, VERMILLION, GREEN, "#CC79A7", "#E69F00", "#56B4E9", BLACK

STYLE = {
    "font.size": 8, "axes.labelsize": 8, "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.fontsize": 7,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6, "lines.linewidth": 1.2,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "legend.frameon": False, "axes.titlesize": 8,
    "ytick.minor.size": 0,
}


def pyplot():
    """Return matplotlib's pyplot, or say how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('figures need matplotlib: pip install "lplfast[plots]"') from error
    return plt


def _axes(ax):
    """Return the axes to draw into: the current ones if none are given."""
    if ax is None:
        return pyplot().gca()
    if not callable(getattr(ax, "plot", None)):
        raise TypeError(f"ax: expected the Axes of a figure of matplotlib, got {type(ax).__name__}")
    return ax


def _column(run, name):
    """Return a recorded column with its iterations."""
    if not isinstance(run, Run):
        raise TypeError(f"run: expected a Run, got {type(run).__name__}")
    for needed in ("iteration", name):
        if needed not in run.history:
            raise ValueError(f"run: expected the column {needed!r} in its history; train with record='all'")
    return run.history["iteration"], run.history[name]


# the parts of a run after which its guarantees are drawn
GUARANTEED_AT = 0.0, 0.25, 0.5, 0.75

# matplotlib leaves float64 where it makes margins and ticks for numbers from beyond
DRAWN = 1e-200, 1e200


# from how many iterations on the first ones are given more room, and how many those are
MANY, LINEAR = 100, 10

# of the gap: how far above what rounding leaves of it the fall of a step is still one
ABOVE_FLOOR = 1e3


def _draw(run, name, ax, **style):
    """Draw a positive column against the iteration, leaving out what a log scale cannot show."""
    t, y = _column(run, name)
    shown = (y > DRAWN[0]) & (y < DRAWN[1])
    ax.plot(t[shown], y[shown], **style)


def _labelled(draw, run, ax):
    """Draw into axes, the current ones if none are given, write labels beside the new curves, and return the axes."""
    ax = _axes(ax)
    before = ax.get_lines()
    draw(run, ax)
    _label(ax, before)
    return ax


def _label(ax, before=(), laid_out=False):
    """Write the labels of all curves beside them, but of those that were there before."""
    lines = ax.get_lines()
    new = [line for line in lines if line not in before and not line.get_label().startswith("_")]
    label_curves(ax, new, [line.get_label() for line in new], clear_of=[line for line in lines if line not in new],
                 laid_out=laid_out)


def _show_the_first(ax):
    """Give the first iterations more room, where there are many: logarithmic from `LINEAR` on."""
    ends = [line.get_xdata().max() for line in ax.get_lines() if len(line.get_xdata())]
    if max(ends, default=0) > MANY:
        ax.set_xscale("symlog", linthresh=LINEAR)
        ax.set_xlim(left=0)
    return ax


def _finish(ax, ylabel):
    """Label the axes; a log scale where the values span a decade, else a linear one from 0."""
    drawn = np.concatenate([line.get_ydata() for line in ax.get_lines()] or [np.ones(1)])
    if drawn.size and drawn.max() > 10 * drawn.min():
        ax.set_yscale("log")
    elif drawn.size:
        ax.set_ylim(0, 1.15 * drawn.max())
        ax.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
    ax.set_xlabel("iteration $t$")
    ax.set_ylabel(ylabel)
    return ax


def plot_gap(run: Run, ax: "Axes | None" = None) -> "Axes":
    """Draw the measured gap, its guaranteed bound, and the rounding floor if the gap comes near it; else the loss.

    Of a network too narrow for the minimum of a squared loss, the least gap that its width can reach.

    Of a rule that a theorem speaks of, what was guaranteed of the rest of the run at four of its iterates, too.
    """
    return _labelled(_draw_gap, run, ax)


def _draw_gap(run, ax):
    if np.isnan(_column(run, "gap")[1]).all():
        _draw(run, "loss", ax, color=BLUE)
        return _finish(ax, r"loss $L(t)$ ($\ell^*$ is not known)")
    _draw(run, "gap_bound", ax, color=VERMILLION, ls="--", label="bound, step by step")
    _draw(run, "gap", ax, color=BLUE, label="measured")
    gap, floor = _column(run, "gap")[1], run.history.get("floor")
    if floor is not None and 0 < np.nanmin(gap) < 1e3 * float(floor[-1]):
        _draw(run, "floor", ax, color=BLACK, ls=":", lw=0.8, label="rounding floor")
    if run.facts.unreached > DRAWN[0]:
        ax.axhline(run.facts.unreached, color=BLACK, ls="--", lw=0.6, label=f"least at width {run.facts.width}")
    _draw_guarantees(run, ax)
    return _finish(ax, r"gap $L(t)-\ell^*$")


def _draw_guarantees(run, ax):
    """Draw what is guaranteed of the rest of the run, at four of its iterates, if that is said of its own rule."""
    own = guaranteed_rule(run.continuation.options["rule"])
    if not {"gap", "floor", "drift"} <= run.history.keys() or run.guarantee.bounds is None or kind_of(own) is None:
        return
    iterations, label = run.history["iteration"], "guaranteed from there on"
    its_own = iterations[iterations >= rule_begun(run.facts.rule)]
    for t in sorted({int(its_own[int(part * (its_own.size - 1))]) for part in GUARANTEED_AT}):
        found = run.guarantee_from(t)
        if found.vacuous:
            continue
        ahead = iterations[iterations >= t]
        gap = found.gap_at((ahead - t).astype(np.int64))
        shown = (gap > DRAWN[0]) & (gap < DRAWN[1])
        ax.plot(ahead[shown], gap[shown], color=GREEN, ls="-.", lw=0.8, label=label)
        label = None


def plot_rate(run: Run, ax: "Axes | None" = None) -> "Axes":
    """Draw what part of the gap each step takes away: measured, as far as rounding lets see it, and guaranteed."""
    return _labelled(_draw_rate, run, ax)


def _draw_rate(run, ax):
    (t, gap), (_, bound) = _column(run, "gap"), _column(run, "rate_bound")
    floor = run.history.get("floor", np.zeros(gap.size))
    seen = (gap > ABOVE_FLOOR * floor) & (gap > 0)
    fell = np.full(gap.size, np.nan)
    both = np.flatnonzero(seen[:-1] & seen[1:])
    # of thinned histories, by the step in the geometric mean
    with np.errstate(over="ignore"):
        fell[both] = -np.expm1((np.log(gap[both + 1]) - np.log(gap[both])) / np.diff(t)[both])
    for values, style in ((fell, {"color": BLUE, "label": "measured"}),
                          (1 - bound, {"color": VERMILLION, "ls": "--", "label": "guaranteed"})):
        shown = (values > DRAWN[0]) & (values < DRAWN[1])
        ax.plot(t[shown], values[shown], **style)
    return _show_the_first(_finish(ax, r"$1-$gap$(t+1)\,/\,$gap$(t)$"))


def plot_step_size(run: Run, ax: "Axes | None" = None) -> "Axes":
    """Draw the step size."""
    return _labelled(_draw_step_size, run, ax)


def _draw_step_size(run, ax):
    _draw(run, "step_size", ax, color=BLUE)
    return _show_the_first(_finish(ax, r"step size $\eta_t$"))


def plot_constants(run: Run, ax: "Axes | None" = None) -> "Axes":
    """Draw the local constants: mu_t below, K_t and its sharper form above; and the sharpness, from above."""
    return _labelled(_draw_constants, run, ax)


def _draw_constants(run, ax):
    _draw(run, "K_t", ax, color=VERMILLION, label=r"$K_t$")
    _draw(run, "K_t_sharp", ax, color=GREEN, ls="--", label=r"$K_t^{\mathrm{sharp}}$")
    _draw(run, "mu_t", ax, color=BLUE, label=r"$\mu_t$")
    if "sharpness_hi" in run.history:
        _draw(run, "sharpness_hi", ax, color=BLACK, ls=":", lw=0.8, label="sharpness")
    return _show_the_first(_finish(ax, "local constants"))


def compare(runs: Runs, labels: Sequence[str] | None = None, *, x: Literal["iteration", "time"] = "iteration",
            ax: "Axes | None" = None) -> "Figure":
    """Draw the gaps of runs, labelled beside their curves, and return the Figure, which a notebook shows.

    Parameters
    ----------
    runs, labels
        As `lplfast.compare` takes them.
    x : {"iteration", "time"}
        Iterations, or seconds in the compiled loop.
    ax : matplotlib Axes, optional
        Where to draw; by default, into a new figure, whose `axes[0]` they are.

    Raises
    ------
    TypeError, ValueError
        On bad arguments; if a run did not record its gap (of a loss with unknown l*, the loss is drawn) or its time.
    """
    as_choice("x", x, ("iteration", "time"))
    named = labelled(runs, labels)
    ys = {label: _gap_or_loss(run) for label, run in named.items()}
    if ax is None:
        from .figure import ShownFigure

        with pyplot().rc_context(STYLE):
            return compare(runs, labels, x=x, ax=ShownFigure(figsize=(3.5, 2.5), layout="constrained").subplots())
    ax, lines = _axes(ax), []
    for number, (label, run) in enumerate(named.items()):
        y = ys[label]
        shown = (y > DRAWN[0]) & (y < DRAWN[1])
        where = iterations_of(run) if x == "iteration" else _column(run, "time")[1]
        lines += ax.plot(where[shown], y[shown], color=PALETTE[number % len(PALETTE)],
                         ls=("-", "--", ":", "-.")[number // len(PALETTE) % 4])
    known = all("gap" in run.history and not np.isnan(run.history["gap"]).all() for run in named.values())
    _finish(ax, r"gap $L(t)-\ell^*$" if known else "loss $L(t)$")
    if x == "time":
        ax.set_xlabel("seconds")
        ax.ticklabel_format(axis="x", scilimits=(-2, 3), useMathText=True)
    label_curves(ax, lines, list(named))
    return ax.figure


def _gap_or_loss(run):
    """Return the gap of a run, or its loss where l* is not known."""
    for name in ("gap", "loss"):
        if name in run.history and not np.isnan(run.history[name]).all():
            return run.history[name]
    raise ValueError("runs: expected the column 'gap' or 'loss' in each history; train with record='all'")


def overview(run: Run) -> "Figure":
    """Return a new Figure with the four panels of a run: gap, rate of each step, step size, local constants."""
    plt = pyplot()
    from .figure import ShownFigure

    with plt.rc_context(STYLE):
        figure = ShownFigure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.subplots(2, 2)
        for draw, ax in zip((_draw_gap, _draw_rate, _draw_step_size, _draw_constants), axes.flat, strict=True):
            draw(run, ax)
        # when all of them are where they will be
        figure.draw_without_rendering()
        for ax in axes.flat:
            _label(ax, laid_out=True)
    return figure


def save_figure(figure, path):
    """Write a figure in the format that the name ends with, at once or not at all: 200 dots an inch where it has dots.

    Raises
    ------
    OSError
        If it cannot be written, or is no regular file.

    """
    kind = os.path.splitext(path)[1].removeprefix(".")
    replace_file(path, lambda file: figure.savefig(file, format=kind, dpi=200))
