"""Adapters of low rank on top of a frozen matrix: the first step that is certified and the iterations, by rank."""

import numpy as np

from ..data import load_data, standardized
from ..losses.squared import SquaredLoss
from ..network import Network
from ..run.training import train
from ..validation import as_count
from .panels import BLACK, BLUE, VERMILLION, band, log_ticks, panels
from .report import Finding, Report, followed, spread

__all__ = ["reproduce"]

RANKS = (1, 2, 4, 8, 16, 32, 64)

# name -> step size as `train` takes it
RULES = {name: name for name in ("sharp", "majorizer")}

L2, TOL, MAX_ITER = 0.1, 1e-2, 20000

# The rules as they are drawn: dashes, and what markers are filled with, if not with their colour.
STYLES = (("sharp", "--", "white"), ("majorizer", "-", None))

# The layer that is zero at the start, as it is drawn.
ZERO = {"W2": BLUE, "W1": VERMILLION}


def reproduce(*, seeds=10, ranks=RANKS, rules=RULES):
    """Train adapters of rank 1 to 64 on top of a frozen matrix, from W1 = 0 and from W2 = 0.

    scikit-learn's digits: the lower half of an image, linear in the upper half; the frozen matrix is the solution for
    the digits 0 to 4, and the adapter learns 5 to 9. Entries of the layer that is not zero have variance 1/n (W1) or
    1/h (W2). To 0.01 of the first gap, both less what the rank leaves. Without scikit-learn other data are drawn.
    """
    seeds = as_count("seeds", seeds)
    problem, notes = adapted()
    columns = []
    for zero in ZERO:
        for rank in followed(ranks, of=len(ZERO)):
            samples = [_sample(problem, start(problem, zero, rank, seed), rules) for seed in range(seeds)]
            columns.append({"zero": zero, "rank": rank,
                            "least": (problem.minimum_at_rank(rank) - problem.minimum) / _first_gap(problem),
                            **{key: value for name in samples[0] for key, value in
                               spread(name, [sample[name] for sample in samples]).items()}})
    table = {name: np.array([column[name] for column in columns]) for name in columns[0]}
    return Report("lora", table, _findings(problem, table, rules, real=not notes), notes, draw)


def adapted():
    """Return the problem of the adapter and what has to be said of it."""
    notes = []
    try:
        images, labels = load_data("digits")
        X, Y = images[:, :32], images[:, 32:]
    except ImportError as error:
        notes.append(f"real data are left out, and others drawn: {error}")
        rng = np.random.default_rng(0)
        X, labels = rng.standard_normal((600, 30)) @ np.diag(np.linspace(1, 0.2, 30)), np.arange(600) % 10
        Y = np.where(labels[:, np.newaxis] < 5, X @ rng.standard_normal((30, 32)), X @ rng.standard_normal((30, 32)))
    X, Y = standardized(X), Y[:, Y.std(axis=0) > 0]
    X, Y = X.X[:, ~X.constant], (Y - Y.mean(axis=0)) / Y.std(axis=0)
    before = labels < 5
    frozen = SquaredLoss(X[before], Y[before], l2=L2, reduction="mean").minimizer
    return SquaredLoss(X[~before], Y[~before], l2=L2, reduction="mean", offset=frozen), notes


def start(problem, zero, rank, seed):
    """Return an adapter of which one layer is zero, and so is the product."""
    n, m = problem.shape
    rng = np.random.default_rng([seed, rank])
    W1, W2 = rng.standard_normal((n, rank)) / np.sqrt(n), rng.standard_normal((rank, m)) / np.sqrt(rank)
    return Network(W1, 0 * W2) if zero == "W2" else Network(0 * W1, W2)


def _first_gap(problem):
    return problem.gap(np.zeros(problem.shape))


def _sample(problem, network, rules):
    """Return the first step of the first rule, the iterations of each, and how far above the least gap it ends."""
    found = {}
    for name, rule in rules.items():
        run = train(problem, network, rule, max_iter=MAX_ITER, tol=TOL, record=["gap", "step_size"])
        found.setdefault("first_step", run.history["step_size"][0])
        found[f"iterations_{name}"] = run.iterations if run.converged else np.inf
        found[f"end_{name}"] = (run.history["gap"][-1] - run.facts.unreached) / run.history["gap"][0]
        found[f"violations_{name}"] = run.violations
    return found


def _findings(problem, table, rules, real):
    findings = []
    for name in rules:
        taken, violations = table[f"iterations_{name}_max"], table[f"violations_{name}_max"].sum()
        findings += [
            Finding(f"{name}: every run reaches what its rank can", f"at most {taken.max():g} iterations",
                    bool(np.isfinite(taken).all())),
            Finding(f"{name}: no run falls below it, and every inequality holds",
                    f"{table[f'end_{name}_min'].min():.1e} of the first gap above it, {violations:g} violations",
                    bool(table[f"end_{name}_min"].min() > -1e-12 and violations == 0))]
    first, second = (table["zero"] == zero for zero in ZERO)
    narrow = table["rank"][first] < min(problem.shape)
    share = (table["first_step_min"][first] / table["first_step_max"][second])[narrow]
    findings.append(Finding("below full rank the first step that is certified is longer where W2 = 0",
                            f"{share.min():.3g} to {share.max():.3g} times", bool(share.min() > 1)))
    for name in rules if real else ():      # of the digits that is so, not of data in general
        with np.errstate(invalid="ignore"):     # where both never get there
            share = (table[f"iterations_{name}_median"][second] / table[f"iterations_{name}_median"][first])[narrow]
        findings.append(Finding(f"{name}: and it takes fewer iterations (medians)",
                                f"{share.min():.3g} to {share.max():.3g} times as many where W1 = 0",
                                bool(share.min() > 1)))
    return findings


def draw(table):
    """Draw what a rank can reach, the first step, and the iterations, by rank."""
    figure, (axes,) = panels(1, 3, width=7.1, height=2.3, sharex=True)
    least, steps, taken = axes
    for zero, color in ZERO.items():
        rows = {name: column[table["zero"] == zero] for name, column in table.items()}
        band(steps, rows["rank"], rows, "first_step", color=color, marker="o", ms=2.5, label=f"{zero} = 0 at the start")
        for name, ls, filled in STYLES:
            if f"iterations_{name}_median" in rows:
                band(taken, rows["rank"], rows, f"iterations_{name}", color=color, ls=ls, marker="o", ms=2.5,
                     mfc=filled or color)
    shown = rows["least"] > 0
    least.plot(rows["rank"][shown], rows["least"][shown], color=BLACK, marker="o", ms=2.5)
    for rank in rows["rank"][~shown]:
        least.text(rank, 0.03, "0", ha="center", transform=least.get_xaxis_transform())
    for ax, label in ((least, "least gap at the rank,\nrelative to the first"),
                      (steps, "certified first step"), (taken, "iterations")):
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.set_xticks(rows["rank"], [f"{rank:g}" for rank in rows["rank"]])
        ax.set_xlabel("rank $h$")
        ax.set_ylabel(label)
    log_ticks(least.yaxis, [0.01, 0.03, 0.1, 0.3])
    log_ticks(steps.yaxis, [0.01, 0.03, 0.1])
    steps.legend(loc="lower right")
    taken.set_ylim(4, None)
    for name, ls, filled in STYLES:
        taken.plot([], [], color=BLACK, ls=ls, marker="o", ms=2.5, mfc=filled or BLACK, label=name)
    taken.legend(loc="lower center", ncols=2)
    return figure
