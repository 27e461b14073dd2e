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


def table(run, rows=16):
    """Return the history at some iterations, as text: close together first, where most happens."""
    count = len(run.history["iteration"])
    picked = np.unique(np.append(np.geomspace(1, count, rows).round() - 1, count - 1).astype(int))
    lines = ["  ".join(heading.rjust(len(shape.format(0))) for _, heading, shape in TABLE)]
    for i in picked:
        cells = []
        for column, _, shape in TABLE:
            value = run.history[column][i]
            if column == "rate_bound":
                value = 1.0 - value     # a guaranteed rate of 1 - 1e-6 would print as 1
            cells.append(" " * len(shape.format(0)) if np.isnan(value) else shape.format(value))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def write(run, folder):
    """Write history, run and figure, and say so; a missing matplotlib costs the figure only."""
    path = {name: os.path.join(folder, name) for name in ("history.csv", "run.npz", "overview.png")}
    run.to_csv(path["history.csv"])
    run.save(path["run.npz"])
    written, missing = [path["history.csv"], path["run.npz"]], ""
    try:
        save_figure(run.plot(), path["overview.png"])
        written.append(path["overview.png"])
    except ImportError as error:
        missing = f" No figure: {error}."
    return f"Wrote {', '.join(written)}.{missing}"
