"""Rules with a guarantee at every step, on the logistic loss of scikit-learn's breast_cancer.

`lplfast sweep docs/examples/studies/certified.toml`, or `python certified.py` there, which draws it, too.
"""

import numpy as np

from lplfast import LogisticLoss, Network, plan, sweep
from lplfast.data import load_data, standardized
from lplfast.direct_labels import label_curves
from lplfast.plots import PALETTE, STYLE, pyplot, save_figure

GRID = {"rule": ["local", "sharp", "majorizer"], "l2": [0.3, 0.1, 0.03, 0.01], "width": [4, 16, 64, 256]}


# Made once a task: a dict is sent to processes with the experiment, as functools.cache is not.
PROBLEMS = {}


def problem_of(l2):
    """Return the mean loss on standardized columns, with a ridge."""
    if l2 not in PROBLEMS:
        X, y = load_data("breast_cancer")
        PROBLEMS[l2] = LogisticLoss(standardized(X).X, y, l2=l2, reduction="mean")
    return PROBLEMS[l2]


def experiment(rng, rule, l2, width):
    """Return the run to 1e-8 of the first gap, with what was guaranteed for it."""
    problem = problem_of(l2)
    network = Network.gaussian(problem.shape[0], width, problem.shape[1], std=0.5 * width**-0.25, rng=rng)
    return plan(problem, network, rule, tol=1e-8, max_iter=50_000, record=["gap", "gap_bound"], record_every=50_000)


def guaranteed_share(found):
    """Return which share of the measured decades of the gap the rates of all steps had guaranteed: at most 1."""
    first = found.gap.isel(iteration=0)
    return np.log(found.final_bound / first) / np.log(found.final_gap / first)


def figure(found):
    """Draw iterations and the guaranteed share against the ridge: medians, and quartiles over seeds and widths."""
    from matplotlib.figure import Figure

    with pyplot().rc_context(STYLE):
        drawn = Figure(figsize=(7.0, 2.6), layout="constrained")
        drawn.get_layout_engine().set(wspace=0.08)
        left, right = drawn.subplots(1, 2)
        reached = found.iterations.where(found.status == "converged", np.inf)
        for ax, values, said in ((left, reached, "iterations to $10^{-8}$"),
                                 (right, guaranteed_share(found), "guaranteed share of the decades")):
            low, median, high = (values.quantile(q, ("seed", "width"), method="nearest") for q in (0.25, 0.5, 0.75))
            for color, rule in zip(PALETTE, found.rule.values, strict=False):
                ax.plot(found.l2, median.sel(rule=rule), color=color, marker="o", ms=2)
                ax.fill_between(found.l2, low.sel(rule=rule), high.sel(rule=rule), color=color, alpha=0.15, lw=0)
            ax.set_xscale("log")
            ax.set_xticks(found.l2.values, [f"{l2:g}" for l2 in found.l2.values])
            ax.set_xticks([], minor=True)
            ax.set_xlabel(r"ridge $\lambda$")
            ax.set_ylabel(said)
        left.set_yscale("log")
        right.set_ylim(0, 1)
        for ax in (left, right):
            label_curves(ax, ax.get_lines(), list(found.rule.values))
    return drawn


if __name__ == "__main__":
    found = sweep(experiment, GRID, seeds=10, store="lplfast-out", name="certified", progress=True)
    save_figure(figure(found), "certified.png")
