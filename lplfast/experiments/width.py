"""The guarantee before the first step against the width: it tends to what is best without overparametrization."""

import numpy as np

from ..guarantees.bounds import initial_bounds
from ..guarantees.rates import guaranteed_rate
from ..run.training import train
from ..steps import Sharp
from ..validation import as_count
from .panels import BLACK, BLUE, GREEN, ORANGE, VERMILLION, band, log_ticks, panels
from .report import Finding, Report, followed, spread
from .wide_start import start

__all__ = ["reproduce"]

FACTOR, MAX_ITER = 1e-6, 20000
CONDITIONS = (1, 3)
WIDTHS = tuple(10**power for power in range(2, 13))

# How near to its limit a rate is called there. Brackets of singular values would keep it from its limit by their width.
NEAR, CONSTANTS = 0.01, "exact"

# Caps to look at for the theorem on the PL inequality, in units of 1/(K beta).
CAPS = np.geomspace(1e-3, 1, 40)


def reproduce(*, seeds=10, widths=WIDTHS, step_size=None):
    """Compare guaranteed and measured iterations at widths to 10^12, for X = I and for K/mu = 3.

    n = m = 20; layers of deviation h^(-1/4), so that the product has one scale at every width; the entries of Theta,
    Y = X Theta, have variance 1/n. Guaranteed are the best curve by the descent lemma and the PL inequality, and the
    best one; measured are a run with the latter's rule, or with `step_size`, and one of the rule `planned`.
    """
    seeds = as_count("seeds", seeds)
    rows, notes = [], []
    for condition in CONDITIONS:
        for width in followed(widths, of=len(CONDITIONS)):
            samples = [sample for seed in range(seeds) if (sample := _sample(condition, width, seed, step_size))]
            if len(samples) < seeds:
                notes.append(f"K/mu = {condition}, h = {width:.0e}: nothing is guaranteed on {seeds - len(samples)} of "
                             f"{seeds} seeds")
            if samples:
                rows.append({"condition": condition, "width": width,
                             **{key: value for name in samples[0]
                                for key, value in spread(name, [sample[name] for sample in samples]).items()}})
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Report("width", table, _findings(table), notes, draw)


def _sample(condition, width, seed, step_size):
    """Return the rates and iterations of one seed; None if nothing is guaranteed."""
    problem, network = start(condition, width, seed)
    guaranteed = guaranteed_rate(problem, network, constants=CONSTANTS)
    if guaranteed.vacuous:
        return None
    longest = 1 / (problem.K * initial_bounds(problem, network).beta)
    by_pl = [guaranteed_rate(problem, network, rule=Sharp(cap=cap * longest), constants=CONSTANTS) for cap in CAPS]
    promised, best = guaranteed.iterations_to(FACTOR), promised_rate(guaranteed)
    found = {"rate_pl": min(map(promised_rate, by_pl)), "rate_best": best, "iterations_guaranteed": promised}
    for name, rule in {"measured": guaranteed.rule if step_size is None else step_size, "planned": "planned"}.items():
        run = train(problem, network, rule, max_iter=MAX_ITER, tol=FACTOR, constants=CONSTANTS, record=["gap"])
        gap, needed = run.history["gap"], run.iterations if run.converged else np.inf
        rate = (gap[-1] / gap[0]) ** (1 / run.iterations)
        found.update({f"rate_{name}": rate, f"iterations_{name}": needed, f"spare_{name}": promised - needed,
                      f"exponent_{name}": np.log(rate) / np.log(best)})
    return found


def promised_rate(guaranteed):
    """Return the geometric mean of what is guaranteed of each step, up to where FACTOR is reached; 1 if it never is."""
    count = guaranteed.iterations_to(FACTOR)
    return (guaranteed.gap_at(count) / guaranteed.gap_at(0)) ** (1 / count) if count < np.inf else 1.0


def limits(condition):
    """Return the rates without overparametrization: by the PL inequality, by contraction."""
    return 1 - 1 / condition, ((condition - 1) / (condition + 1)) ** 2


def _findings(table):
    findings = []
    for condition in CONDITIONS:
        at = {name: column[table["condition"] == condition] for name, column in table.items()}
        said = f"K/mu = {condition}: "
        least = at["spare_measured_min"].min()
        findings.append(Finding(f"{said}no run needs more iterations to {FACTOR:g} than are guaranteed",
                                f"the closest has {least:.0f} to spare", least >= 0))
        promised, taken = at["iterations_guaranteed_median"][0], at["iterations_planned_median"][0]
        findings.append(Finding(f"{said}at the narrowest planned takes at most half of the guaranteed iterations "
                                "(medians)", f"{taken:.0f} of {promised:.0f} at h = {at['width'][0]}",
                                taken <= promised / 2))
        for name, what, limit in zip(("rate_pl", "rate_best"), ("by the PL inequality", "by contraction"),
                                     limits(condition), strict=True):
            last = at[f"{name}_median"][-1]
            findings.append(Finding(f"{said}the rate guaranteed {what} tends to {limit:.4g}: 1 - rate within "
                                    f"{NEAR:.0%} at the widest", f"{last:.6g} at h = {at['width'][-1]:.0e}",
                                    abs(last - limit) <= NEAR * (1 - limit)))
        last = at["exponent_measured_median"][-1]
        findings.append(Finding(f"{said}at the widest the measured exponent is within 1.5 of the guaranteed one",
                                f"{last:.3g} times as large", 1 <= last <= 1.5))
    return findings


# Rate column -> its style.
CURVES = {
    "rate_pl": {"color": VERMILLION, "ls": "--", "label": "by PL alone"},
    "rate_best": {"color": GREEN, "label": "guaranteed"},
    "rate_measured": {"color": BLUE, "label": "measured"},
    "rate_planned": {"color": ORANGE, "ls": (0, (1, 1)), "label": "planned"},
}


def draw(table):
    """Draw, for both problems, iterations above and their ratio below, against the width.

    Iterations are those that a rate takes to FACTOR: no whole numbers, which would jump where a curve crosses one.
    """
    figure, axes = panels(2, 2, height=3.9, sharex=True, height_ratios=(3, 2))
    for (taken, ratio), condition in zip(axes.T, CONDITIONS, strict=True):
        rows = table["condition"] == condition
        at = {name: column[rows] for name, column in table.items()}
        counts = {name: np.log(FACTOR) / np.log(column) for name, column in at.items() if name.startswith("rate_")}
        for name, style in CURVES.items():
            band(taken, at["width"], counts, name, **style)
        for limit, label in zip(limits(condition), (r"$1-\mu/K$", r"$(\frac{K-\mu}{K+\mu})^2$"), strict=True):
            if limit > 0:
                count = np.log(FACTOR) / np.log(limit)
                taken.axhline(count, color=BLACK, lw=0.6, ls=(0, (4, 3)), zorder=0)
                taken.text(at["width"][-1], count * 1.08, label, ha="right", va="bottom", size="small")
        band(ratio, at["width"], at, "exponent_measured", **CURVES["rate_measured"])
        ratio.axhline(1, color=BLACK, lw=0.6, ls=(0, (4, 3)), zorder=0)
        taken.set_title("$X = I$" if condition == 1 else rf"$K/\mu = {condition}$")
        ratio.set_xlabel("width $h$")
        ratio.set_yscale("log")
        ratio.set_ylim(0.95, 2.2)
        log_ticks(ratio.yaxis, (1, 1.5, 2))
        taken.set_yscale("log")
    axes[0, 0].set_xscale("log")
    axes[0, 0].set_xlim(table["width"].min(), table["width"].max())
    axes[0, 0].set_ylabel("iterations to $10^{-6}$")
    axes[1, 0].set_ylabel("guaranteed/\nmeasured iterations")
    # no curve is there
    axes[0, 0].legend(loc="upper right", handlelength=1.6, borderaxespad=0.0)
    return figure
