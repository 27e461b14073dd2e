"""Figures at the width of a printed column, in colours that everybody can tell apart."""

from ..plots import BLACK, BLUE, GREEN, VERMILLION

__all__ = ["BLACK", "BLUE", "COLUMN", "GREEN", "ORANGE", "PURPLE", "SKY", "VERMILLION", "band", "log_ticks", "panels"]

# The rest of Okabe and Ito's palette; its yellow does not print.
ORANGE, SKY, PURPLE = "#E69F00", "#56B4E9", "#CC79A7"

# The width of a column of a two-column paper, in inches.
COLUMN = 3.4


def panels(rows, columns, *, width=COLUMN, height, **options):
    """Return a Figure and its axes, an array of this many rows and columns."""
    from ..figure import ShownFigure

    figure = ShownFigure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def band(ax, x, table, name, **style):
    """Draw the median of a quantity, and the range from its first to its third quartile; return the line."""
    (line,) = ax.plot(x, table[f"{name}_median"], **style)
    ax.fill_between(x, table[f"{name}_q25"], table[f"{name}_q75"], color=line.get_color(), alpha=0.18, lw=0)
    return line


def log_ticks(axis, ticks):
    """Label these numbers alone on a logarithmic axis that spans a decade or two."""
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_ticks([], minor=True)
