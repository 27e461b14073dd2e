"""Constants, bounds and step sizes on losses that are not squared, and on a low-rank adapter of a frozen matrix."""

import numpy as np

from ..losses.classification import LogisticLoss, SoftmaxLoss
from ..losses.problems import SquaredLoss
from ..network import Network
from ..run.training import train
from ..validation import as_count
from .panels import BLACK, BLUE, GREEN, ORANGE, VERMILLION, panels
from .report import Finding, Report, followed

__all__ = ["reproduce"]

ROWS, INPUTS, OUTPUTS, WIDTH, L2, TOL, MAX_ITER = 200, 20, 5, 1000, 0.003, 1e-6, 20000

# name -> step size as `train` takes it
RULES = {name: name for name in ("local", "sharp", "majorizer", "exact")}

# name -> title of its panel
LOSSES = {"squared": "squared", "logistic": "logistic", "softmax": "softmax", "adapter": "softmax, adapter"}


def reproduce(*, seeds=10, rules=RULES):
    """Train on four losses of one set of data: how many iterations each rule takes, and whether its guarantees hold.

    X of 200 rows of 20 independent normal entries of variance 1/20, labels drawn from a linear model, ridge 0.003, the
    mean over the rows; n = 20, m = 5, h = 1000, layers of deviation h^(-1/4). The adapter learns other labels on top of
    the frozen minimizer for the first ones, from layers of a tenth of that deviation.
    """
    seeds = as_count("seeds", seeds)
    runs = {(loss, rule): [] for loss in LOSSES for rule in rules}
    for seed in followed(range(seeds)):
        for loss, (problem, network) in start(seed).items():
            for rule, step_size in rules.items():
                runs[loss, rule].append(train(problem, network, step_size, max_iter=MAX_ITER, tol=TOL))
    # the figure shows the first seed
    table = {"loss": [], "rule": [], "iteration": [], "gap": [], "gap_bound": [], "mu_t": [], "K_t": []}
    for (loss, rule), of_seeds in runs.items():
        history = of_seeds[0].history
        kept = np.unique(np.geomspace(1, history["gap"].size, 200).astype(int)) - 1
        table["loss"] += [loss] * kept.size
        table["rule"] += [rule] * kept.size
        table["iteration"] += history["iteration"][kept].astype(int).tolist()
        for name in ("mu_t", "K_t"):
            table[name] += history[name][kept].tolist()
        for name in ("gap", "gap_bound"):
            table[name] += (history[name][kept] / history["gap"][0]).tolist()
    return Report("losses", table, list(findings(runs, rules)), [], draw)


def findings(runs, rules):
    """Yield what was found."""
    everything = [run for of_seeds in runs.values() for run in of_seeds]
    steps = sum(run.iterations for run in everything)
    violations = sum(run.violations for run in everything)
    yield Finding("every inequality holds at every step, with every loss and rule",
                  f"{violations} violations in {steps} steps of {len(everything)} runs", violations == 0)
    ended = [run.status for run in everything]
    yield Finding("every run reaches 1e-6 of its first gap", f"{ended.count('converged')} of {len(ended)}",
                  ended.count("converged") == len(ended))
    for faster, slower in (("sharp", "local"), ("majorizer", "local"), ("exact", "local")):
        if {faster, slower} <= set(rules):
            medians = {loss: [np.median([run.iterations for run in runs[loss, rule]]) for rule in (faster, slower)]
                       for loss in LOSSES}
            yield Finding(f"{faster} takes no more iterations than {slower}, in the median, with every loss",
                          ", ".join(f"{loss} {ours:.0f} to {theirs:.0f}" for loss, (ours, theirs) in medians.items()),
                          all(ours <= theirs for ours, theirs in medians.values()))


def start(seed):
    """Return the problem and the network of every loss."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((ROWS, INPUTS)) / np.sqrt(INPUTS)
    logits = 3 * X @ rng.standard_normal((INPUTS, OUTPUTS))
    moved = logits + 3 * X @ rng.standard_normal((INPUTS, OUTPUTS))
    noise = rng.gumbel(size=logits.shape)
    options = {"l2": L2, "reduction": "mean"}
    first = SoftmaxLoss(X, np.eye(OUTPUTS)[np.argmax(logits + noise, axis=1)], **options)
    problems = {
        "squared": SquaredLoss(X, logits + noise, **options),
        "logistic": LogisticLoss(X, (logits + rng.logistic(size=logits.shape) > 0).astype(int), **options),
        "softmax": first,
        "adapter": SoftmaxLoss(X, np.eye(OUTPUTS)[np.argmax(moved + noise, axis=1)], offset=first.minimizer, **options),
    }
    return {loss: (problem, Network.gaussian_implicit(INPUTS, WIDTH, OUTPUTS, rng=rng,
                                                      std=(0.1 if loss == "adapter" else 1.0) * WIDTH**-0.25))
            for loss, problem in problems.items()}


STYLES = {"local": (BLUE, "-"), "sharp": (GREEN, "--"), "majorizer": (VERMILLION, "-"), "exact": (ORANGE, "-")}


def draw(table):
    """Draw the gap of every rule, and what is guaranteed of it (dotted), one panel a loss."""
    figure, axes = panels(2, 2, height=3.4, sharex=True, sharey=True)
    loss, rule, lines = np.array(table["loss"]), np.array(table["rule"]), {}
    t, gap, bound = (np.array(table[name], dtype=float) for name in ("iteration", "gap", "gap_bound"))
    for ax, (name, title) in zip(axes.flat, LOSSES.items(), strict=True):
        for chosen in dict.fromkeys(table["rule"]):
            rows = (loss == name) & (rule == chosen)
            color, ls = STYLES.get(chosen, (BLACK, "-"))
            ax.plot(1 + t[rows], bound[rows], color=color, ls=":", lw=0.8)
            (lines[chosen],) = ax.plot(1 + t[rows], gap[rows], color=color, ls=ls, lw=1.0)
        ax.set_title(title)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_ylim(3e-7, 3)
    for ax in axes[1]:
        ax.set_xlabel("iteration $t + 1$")
    for ax in axes[:, 0]:
        ax.set_ylabel("gap / first gap")
    (guaranteed,) = axes[0, 0].plot([], [], color=BLACK, ls=":", lw=0.8)
    figure.legend([*lines.values(), guaranteed], [*lines, "guaranteed"], loc="outside lower center", ncols=5,
                  handlelength=1.2, columnspacing=0.8)
    return figure
