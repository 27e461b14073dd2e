"""Iterations to 1e-8 of the first gap: six rules, eight widths, three scales of the start, two losses.

`lplfast sweep docs/examples/studies/widths.toml`, or `python widths.py` there, which draws it, too.
"""

import numpy as np

from lplfast import MatrixFactorization, Network, SquaredLoss, plan, sweep
from lplfast.data import load_data, standardized
from lplfast.direct_labels import label_curves
from lplfast.plots import PALETTE, STYLE, pyplot, save_figure

GRID = {"loss": ["factorization", "diabetes"],
        "rule": ["local", "sharp", "contraction", "exact", "armijo", "majorizer"],
        "width": [10, 20, 40, 80, 160, 320, 640, 1280], "std": [0.3, 1.0, 3.0]}

TITLES = {"factorization": "matrix factorization", "diabetes": "diabetes, standardized"}


# Made once a task: a dict is sent to processes with the experiment, as functools.cache is not.
PROBLEMS = {}


def problem_of(loss):
    """Return the problem: a diagonal target, or scikit-learn's diabetes with columns and target of deviation 1."""
    if loss not in PROBLEMS:
        X, y = load_data("diabetes")
        PROBLEMS[loss] = (MatrixFactorization(np.diag([2.0, 1.5, 1.0, 0.7, 0.5])) if loss == "factorization" else
                          SquaredLoss(standardized(X).X, standardized(y.reshape(-1, 1)).X, reduction="mean"))
    return PROBLEMS[loss]


def experiment(rng, loss, rule, width, std):
    """Return the run from layers of deviation `std width^(-1/4)`: the product's does not depend on the width."""
    problem = problem_of(loss)
    network = Network.gaussian(problem.shape[0], width, problem.shape[1], std=std * width**-0.25, rng=rng)
    return plan(problem, network, rule, tol=1e-8, max_iter=200_000, record=["gap"], record_every=200_000)


def figure(found):
    """Draw the median of the seeds, and the range from the first to the third quartile."""
    from matplotlib.figure import Figure

    with pyplot().rc_context(STYLE):
        drawn = Figure(figsize=(7.0, 4.0), layout="constrained")
        axes = drawn.subplots(len(found.loss), len(found["std"]), sharex=True, sharey="row", squeeze=False)
        reached = found.iterations.where(found.status == "converged", np.inf)
        low, median, high = (reached.quantile(q, "seed", method="nearest") for q in (0.25, 0.5, 0.75))
        for row, loss in zip(axes, found.loss.values, strict=True):
            for ax, std in zip(row, found["std"].values, strict=True):
                for color, rule in zip(PALETTE, found.rule.values, strict=False):
                    cell = {"loss": loss, "std": std, "rule": rule}
                    ax.loglog(found.width, median.sel(cell), color=color, marker="o", ms=2)
                    ax.fill_between(found.width, low.sel(cell), high.sel(cell), color=color, alpha=0.15, lw=0)
                ax.tick_params(which="minor", length=0)
            row[0].set_ylabel(f"{TITLES[loss]}\niterations to $10^{{-8}}$")
        for ax, std in zip(axes[0], found["std"].values, strict=True):
            ax.set_title(f"deviation of the entries: {std:g}" + r"$\,h^{-1/4}$")
        for ax in axes[-1]:
            ax.set_xlabel("width $h$")
        rules = list(found.rule.values)
        # colours are the same in all panels: above, where curves meet, a list has room; below, one panel is labelled
        axes[0, 0].legend(axes[0, 0].get_lines(), rules, ncols=2, frameon=False, handlelength=1.2, columnspacing=1.0,
                          fontsize="small", loc="upper right")
        label_curves(axes[-1, -1], axes[-1, -1].get_lines(), rules)
    return drawn


if __name__ == "__main__":
    found = sweep(experiment, GRID, seeds=20, store="lplfast-out", name="widths", progress=True)
    save_figure(figure(found), "widths.png")
