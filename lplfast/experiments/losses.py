"""General losses: what rules take on real and on drawn data, iterations and seconds, and what is guaranteed of it."""

from typing import NamedTuple

import numpy as np

from ..data import load_data, standardized
from ..losses.logistic import LogisticLoss
from ..losses.softmax import SoftmaxLoss
from ..losses.squared import SquaredLoss
from ..network import Network
from ..run.training import train
from ..validation import as_count
from .panels import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, log_ticks, panels
from .report import Finding, Report, followed, spread

__all__ = ["reproduce"]

ROWS, INPUTS, OUTPUTS, WIDTH, L2, MAX_ITER = 200, 20, 5, 1000, 0.003, 2000

# name -> step size as `train` takes it
RULES = {name: name for name in ("local", "sharp", "majorizer", "armijo", "exact", "polyak", "adgd")}

# What is known before a step, what is looked for along it, and what is promised nothing.
BY_K, SEARCHES, UNCERTIFIED = ("local", "sharp"), ("armijo", "exact"), ("polyak", "adgd")


class Setting(NamedTuple):
    """A problem of the experiment: to what part of its first gap it is trained."""

    tol: float = 1e-6
    data: str = ""              # of scikit-learn, or drawn
    kind: type = SoftmaxLoss    # of loss on these data
    l2: float = 1.0
    promised: float = np.nan    # the gap that is to be guaranteed at the end with `majorizer`, over the first one
    title: str = ""             # of its panel, if it has one


SETTINGS = {
    "squared": Setting(promised=1e-2),
    "logistic": Setting(promised=1e-2),
    "softmax": Setting(promised=1e-2, title="drawn data, softmax, to $10^{-6}$"),
    "adapter": Setting(promised=1e-2),
    "breast_cancer": Setting(1e-8, "breast_cancer", LogisticLoss, 1.0, 1e-2,
                             "breast_cancer, logistic, ridge 1, to $10^{-8}$"),
    "digits": Setting(1e-6, "digits", SoftmaxLoss, 1.0, 0.1, "digits, softmax, ridge 1, to $10^{-6}$"),
    "digits-0.01": Setting(1e-6, "digits", SoftmaxLoss, 0.01, 0.4, "digits, softmax, ridge 0.01, to $10^{-6}$"),
}


def reproduce(*, seeds=10, rules=RULES, settings=tuple(SETTINGS)):
    """Train on seven problems: iterations and seconds of each rule, and whether its guarantees hold.

    Drawn: X of 200 rows of 20 independent normal entries of variance 1/20, labels from a linear model, ridge 0.003, the
    mean over the rows; m = 5. The adapter learns other labels on top of the frozen minimizer for the first ones, from
    layers of a tenth of the deviation. Real: scikit-learn's breast_cancer and digits, standardized, without the
    constant columns, the sum over the rows, ridge 1 and 0.01; left out where scikit-learn is not installed, with a
    note. All: h = 1000, layers of deviation h^(-1/4).
    """
    seeds = as_count("seeds", seeds)
    notes = [f"medians over {seeds} seeds; seconds in the compiled loop, one thread, all columns recorded"]
    try:
        real = {name: on_data(SETTINGS[name]) for name in settings if SETTINGS[name].data}
    except ImportError as error:
        real = {}
        notes.append(f"real data are left out: {error}")
    runs = {(name, rule): [] for name in settings if name in real or not SETTINGS[name].data for rule in rules}
    for seed in followed(range(seeds)):
        found = drawn(seed) | {name: (problem, Network.gaussian(problem.shape[0], WIDTH, problem.shape[1], rng=seed,
                                                                std=WIDTH**-0.25)) for name, problem in real.items()}
        for name, rule in runs:
            runs[name, rule].append(train(*found[name], rules[rule], max_iter=MAX_ITER, tol=SETTINGS[name].tol))
    return Report("losses", tabulate(runs), list(findings(runs)), notes, draw)


def on_data(setting):
    """Return the problem of real data."""
    X, labels = load_data(setting.data)
    columns = standardized(X)
    return setting.kind(columns.X[:, ~columns.constant], labels, l2=setting.l2)


def drawn(seed):
    """Return problem and network of every set of drawn data, by name."""
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


def tabulate(runs):
    """Return some 100 rows a problem and rule, to the iteration that half of the runs reach.

    A run stays where it ended.
    """
    parts = []
    for (name, rule), found in runs.items():
        length = int(np.median([run.iterations for run in found])) + 1
        kept = np.unique(np.geomspace(1, length, 100).round().astype(int)) - 1
        column = {key: [run.history[key][np.minimum(kept, run.iterations)] for run in found]
                  for key in ("gap", "gap_bound", "time")}
        first = np.array([run.history["gap"][:1] for run in found])
        taken = np.repeat([[needed(run)] for run in found], kept.size, axis=1)
        parts.append({"problem": np.full(kept.size, name), "rule": np.full(kept.size, rule), "iteration": kept,
                      **spread("gap", column["gap"] / first), **spread("gap_bound", column["gap_bound"] / first),
                      **spread("seconds", column["time"]), **spread("iterations", taken)})
    return {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}


def needed(run):
    """Return the iterations to the tolerance; infinitely many if it did not get there."""
    return run.iterations if run.converged else np.inf


def findings(runs):
    """Yield what was found."""
    everything = [run for found in runs.values() for run in found]
    steps, violations = (sum(getattr(run, what) for run in everything) for what in ("iterations", "violations"))
    yield Finding("every inequality holds at every step, with every problem and rule",
                  f"{violations} violations in {steps} steps of {len(everything)} runs", violations == 0)
    yield from of_iterations(runs)
    yield from of_guarantees(runs)
    yield from of_short_steps(runs)


def of_iterations(runs):
    """Yield what was found of iterations and seconds."""
    quick = [run for (name, rule), found in runs.items() if rule not in BY_K or not SETTINGS[name].data
             for run in found]
    reached = sum(run.converged for run in quick)
    yield Finding("every run reaches its gap, but for local and sharp on real data", f"{reached} of {len(quick)}",
                  reached == len(quick))
    pairs = [("sharp", "local", "drawn"), ("exact", "local", "drawn"), ("majorizer", "sharp", "all"),
             ("majorizer", "armijo", "real"), ("majorizer", "exact", "real")]
    for faster, slower, data in pairs:
        medians = {name: [np.median([needed(run) for run in runs[name, rule]]) for rule in (faster, slower)]
                   for name, rule in runs if rule == faster and (name, slower) in runs
                   and data in ("all", "real" if SETTINGS[name].data else "drawn")}
        if medians:
            yield Finding(f"{faster} takes no more iterations than {slower} on {data} data (medians)",
                          ", ".join(f"{name} {counted(ours)} to {counted(theirs)}"
                                    for name, (ours, theirs) in medians.items()),
                          all(ours <= theirs for ours, theirs in medians.values()))
    seconds = {name: [np.median([run.history["time"][-1] for run in runs[name, rule]])
                      for rule in ("majorizer", *SEARCHES)]
               for name, rule in runs if rule == "majorizer" and SETTINGS[name].data == "digits"
               and all((name, search) in runs for search in SEARCHES)}
    if seconds:
        yield Finding("on digits majorizer takes no more seconds than armijo and exact (medians)",
                      ", ".join(f"{name} {ours:.2g} to {least:.2g} and {most:.2g}"
                                for name, (ours, least, most) in seconds.items()),
                      all(ours <= min(theirs) for ours, *theirs in seconds.values()))


def of_guarantees(runs):
    """Yield what was found of the gaps that are guaranteed at the end."""
    for (name, rule), found in runs.items():
        if rule == "majorizer":
            promised = np.median([final_bound(run) for run in found])
            yield Finding(f"{name}: with majorizer a gap of {SETTINGS[name].promised:g} of the first is guaranteed",
                          f"{promised:.2g}", promised <= SETTINGS[name].promised)
    shares = [np.mean(run.history["rate_bound"][:-1] < 1) for (_, rule), found in runs.items() if rule in SEARCHES
              for run in found]
    if shares:
        yield Finding("what armijo and exact have found is certified: rate_bound is below 1 at 95 % of their steps",
                      f"at {min(shares):.1%} at least", min(shares) >= 0.95)
    ends = [final_bound(run) for (name, rule), found in runs.items() if rule in UNCERTIFIED and SETTINGS[name].data
            for run in found]
    if ends:
        yield Finding("polyak and adgd are guaranteed nothing on real data, as the loss may grow by some of their "
                      "steps: gap_bound ends above the first gap",
                      f"in {sum(end > 1 for end in ends)} of {len(ends)} runs", min(ends) > 1)


def of_short_steps(runs):
    """Yield why local and sharp are slow on real data."""
    slow = [run for (name, rule), found in runs.items() if rule in BY_K and SETTINGS[name].data for run in found]
    if slow:
        shares = [np.median(run.history["K_t_step"][:-1] / run.history["K_t"][:-1]) for run in slow]
        yield Finding("local and sharp step by the K of all W, and on real data the smoothness that their steps show, "
                      f"K_t_step, is 1 % of K_t at most: they are not there after {MAX_ITER} iterations",
                      f"{max(shares):.2%}, {sum(run.converged for run in slow)} of {len(slow)} runs are",
                      max(shares) <= 0.01 and not any(run.converged for run in slow))


def counted(iterations):
    """Return a number of iterations in words."""
    return f"{iterations:.0f}" if np.isfinite(iterations) else f"> {MAX_ITER}"


def final_bound(run):
    """Return the gap that is guaranteed at the end, over the first one."""
    return run.history["gap_bound"][-1] / run.history["gap"][0]


COLORS = {"local": BLUE, "sharp": GREEN, "majorizer": VERMILLION, "armijo": SKY, "exact": ORANGE, "polyak": PURPLE,
          "adgd": "0.5"}

# Where the numbers of iterations end, right of the seconds, in widths of their panel.
COUNTS = 1.45

# The problems with a panel, from the top.
SHOWN = ("digits", "digits-0.01", "breast_cancer", "softmax")


def draw(table):
    """Draw, a row of panels for each problem that has a title, gaps on the left, and on the right what was taken."""
    shown = [name for name in SHOWN if name in table["problem"]]
    figure, axes = panels(len(shown), 2, height=0.3 + 1.4 * len(shown), width_ratios=(7, 5))
    for (gaps, taken), name in zip(axes, shown, strict=True):
        at = {rule: {column: values[(table["problem"] == name) & (table["rule"] == rule)]
                     for column, values in table.items()} for rule in dict.fromkeys(table["rule"])}
        draw_gaps(gaps, at, SETTINGS[name])
        draw_taken(taken, at)
        gaps.set_title(SETTINGS[name].title, loc="left")
    axes[0, 0].text(0.03, 0.03, "solid:\nmeasured,\ndotted:\nguaranteed", transform=axes[0, 0].transAxes, fontsize=7)
    axes[0, 1].set_title("iterations", loc="right", x=COUNTS)
    axes[-1, 0].set_xlabel("iteration $t + 1$")
    axes[-1, 1].set_xlabel("seconds")
    return figure


def draw_gaps(ax, at, setting):
    """Draw what was measured, and what is guaranteed where something is."""
    for rule, part in at.items():
        t, gap, bound = 1 + part["iteration"], part["gap_median"], part["gap_bound_median"]
        # sharp lies on local, nearly
        color, width = COLORS.get(rule, BLACK), 2.2 if rule == "local" else 1.0
        ax.plot(t, gap, color=color, lw=width)
        if bound[-1] < 1:
            ax.plot(t, bound, color=color, lw=1.0, ls=(0, (1, 1)))
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(1, MAX_ITER)
    ax.set_ylim(setting.tol / 2, 2)
    log_ticks(ax.xaxis, (1, 10, 100, 1000))
    powers = range(0, round(np.log10(setting.tol)) - 1, -2)
    ax.set_yticks([10.0**power for power in powers], [f"$10^{{{power}}}$" for power in powers])
    ax.set_ylabel("gap / first gap")


def draw_taken(ax, at):
    """Draw the seconds of every rule, the median and the range over the seeds, beside the median of its iterations."""
    # room between rules that are certified beforehand, afterwards, and not at all
    places = {rule: y + 0.5 * (rule in SEARCHES) + (rule in UNCERTIFIED) for y, rule in enumerate(at)}
    for rule, y in places.items():
        part, color = at[rule], COLORS.get(rule, BLACK)
        iterations = part["iterations_median"][-1]
        ax.plot([part["seconds_min"][-1], part["seconds_max"][-1]], [y, y], color=color, lw=1.2)
        ax.plot(part["seconds_median"][-1], y, ls="", marker="o", ms=4, color=color,
                mfc=color if iterations < np.inf else "white")
        ax.text(COUNTS, y, counted(iterations), va="center", ha="right", transform=ax.get_yaxis_transform(), fontsize=7,
                color=color)
    decades(ax, [part[f"seconds_{end}"][-1] for part in at.values() for end in ("min", "max")])
    ax.set_ylim(max(places.values()) + 0.6, -0.6)
    ax.set_yticks(list(places.values()), places)
    ax.tick_params(axis="y", length=0)
    for label, rule in zip(ax.get_yticklabels(), places, strict=True):
        label.set_color(COLORS.get(rule, BLACK))


def decades(ax, values):
    """Make x logarithmic, from below these values to above, with two powers of 10 at least."""
    low, high = np.log10(min(values)) - 0.15, np.log10(max(values)) + 0.15
    if np.floor(high) - np.ceil(low) < 1:
        low, high = np.floor(low), np.ceil(high)
    ax.set_xscale("log")
    ax.set_xlim(10**low, 10**high)
    ax.set_xticks([10.0**power for power in np.arange(np.ceil(low), np.floor(high) + 1)])
    ax.xaxis.set_minor_formatter("")
