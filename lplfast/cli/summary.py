"""A run on the terminal: its history as a table, and the files that it is written to."""

import os

import numpy as np

from ..plots import save_figure

__all__ = ["table", "write"]

# The table: history column, heading, format.
TABLE = [
    ("iteration", "t", "{:>6.0f}"),
    ("gap", "gap", "{:>9.2e}"),
    ("step_size", "step size", "{:>9.2e}"),
    ("mu_t", "mu_t", "{:>9.2e}"),
    ("K_t", "K_t", "{:>9.2e}"),
    ("rate_bound", "1 - rate", "{:>9.2e}"),
    ("gap_bound", "gap <=", "{:>9.2e}"),
]

# The columns that the figure shows.
FIGURE = ("iteration", "gap", "gap_bound", "rate_bound", "step_size", "mu_t", "K_t", "K_t_sharp")


def table(run, rows=16):
    """Return the history at some iterations, as text: close together first, where most happens."""
    columns = [(run.history[name], name, heading, shape) for name, heading, shape in TABLE if name in run.history]
    if not columns:
        return f"Recorded: {', '.join(run.history)}."
    count = len(columns[0][0])
    picked = np.unique(np.append(np.geomspace(1, count, rows).round() - 1, count - 1).astype(int))
    lines = ["  ".join(heading.rjust(len(shape.format(0))) for _, _, heading, shape in columns)]
    lines += ["  ".join(_cell(values[i], name, shape) for values, name, _, shape in columns).rstrip() for i in picked]
    return "\n".join(lines)


def _cell(value, name, shape):
    """Return an entry of the table; nothing for what is not known, and a word where nothing is guaranteed."""
    width = len(shape.format(0))
    if np.isnan(value):
        return " " * width
    if name == "rate_bound" and value < 1.0:
        value = 1.0 - value     # a guaranteed rate of 1 - 1e-6 would print as 1
    elif name == "rate_bound" or value == np.inf:
        return "none".rjust(width)
    return shape.format(value)


def write(run, folder):
    """Write history, run and figure, and return what is said of it; what cannot be drawn costs the figure only."""
    path = {name: os.path.join(folder, name) for name in ("history.csv", "run.npz", "overview.png")}
    run.to_csv(path["history.csv"])
    written, missing = [path["history.csv"], path["run.npz"]], ""
    try:
        run.save(path["run.npz"])
    except ValueError:
        # it went on from a checkpoint, without its wide layers
        run.save(path["run.npz"], self_contained=False)
        missing = " The run is without its wide layers, as the checkpoint was."
    lacking = [name for name in FIGURE if name not in run.history]
    try:
        if lacking:
            missing += f" No figure: it needs the column {lacking[0]}."
        else:
            save_figure(run.plot(), path["overview.png"])
            written.append(path["overview.png"])
    except ImportError as error:
        missing += f" No figure: {error}."
    return f"{', '.join(written)}.{missing}"
