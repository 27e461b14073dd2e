"""The guarantee before the first step against the width: it tends to what is best without overparametrization."""

import numpy as np

from ..guarantees.bounds import initial_bounds
from ..guarantees.rates import guaranteed_rate
from ..losses.problems import SquaredLoss
from ..network import Network
from ..run.training import train
from ..steps import Sharp
from ..validation import as_count
from .panels import BLACK, BLUE, GREEN, VERMILLION, band, log_ticks, panels
from .report import Finding, Report, followed, spread

__all__ = ["reproduce"]

N, FACTOR, MAX_ITER = 20, 1e-6, 20000
CONDITIONS = (1, 3)
WIDTHS = tuple(10**power for power in range(2, 13))

# How near to its limit a rate is called there. Brackets of singular values would keep it from its limit by their width.
NEAR, CONSTANTS = 0.01, "exact"

# Caps to look at for the theorem on the PL inequality, in units of 1/(K beta).
CAPS = np.geomspace(1e-3, 1, 40)


def reproduce(*, seeds=10, widths=WIDTHS, step_size=None):
    """Compare guaranteed and measured rates at widths to 10^12, for X = I and for K/mu = 3.

    n = m = 20; layers of deviation h^(-1/4), so that the product has one scale at every width; the entries of Theta,
    Y = X Theta, have variance 1/n. Guaranteed are the rate by the PL inequality and the best one, by contraction where
    that is better; measured is a run with the latter's rule, or with `step_size`.
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


def start(condition, width, seed):
    """Return the problem and the network of one seed."""
    rng = np.random.default_rng([seed, condition, width])
    U, V = (np.linalg.qr(rng.standard_normal((N, N)))[0] for _ in range(2))
    X = np.eye(N) if condition == 1 else (U * np.linspace(1, condition**-0.5, N)) @ V.T
    problem = SquaredLoss(X, X @ rng.standard_normal((N, N)) / np.sqrt(N))
    return problem, Network.gaussian_implicit(N, width, N, std=float(width) ** -0.25, rng=rng)


def _sample(condition, width, seed, step_size):
    """Return the rates and iterations of one seed; None if nothing is guaranteed."""
    problem, network = start(condition, width, seed)
    guaranteed = guaranteed_rate(problem, network, constants=CONSTANTS)
    if guaranteed.vacuous:
        return None
    longest = 1 / (problem.K * initial_bounds(problem, network).beta)
    by_pl = min(guaranteed_rate(problem, network, rule=Sharp(cap=cap * longest), constants=CONSTANTS).rate
                for cap in CAPS)
    run = train(problem, network, guaranteed.rule if step_size is None else step_size, max_iter=MAX_ITER, tol=FACTOR,
                constants=CONSTANTS)
    gap = run.history["gap"]
    promised, needed = guaranteed.iterations_to(FACTOR), run.iterations if run.converged else np.inf
    return {"rate_pl": by_pl, "rate_best": guaranteed.rate, "rate_measured": (gap[-1] / gap[0]) ** (1 / run.iterations),
            "iterations_guaranteed": promised, "iterations_measured": needed, "iterations_ratio": promised / needed}


def limits(condition):
    """Return the rates without overparametrization: by the PL inequality, by contraction."""
    return 1 - 1 / condition, ((condition - 1) / (condition + 1)) ** 2


def _findings(table):
    findings = []
    for condition in CONDITIONS:
        at = {name: column[table["condition"] == condition] for name, column in table.items()}
        said = f"K/mu = {condition}: "
        least = at["iterations_ratio_min"].min()
        findings.append(Finding(f"{said}no run needs more iterations than are guaranteed",
                                f"smallest guaranteed/measured {least:.3g}", least >= 1))
        for name, what, limit in zip(("rate_pl", "rate_best"), ("by the PL inequality", "by contraction"),
                                     limits(condition), strict=True):
            last = at[f"{name}_median"][-1]
            findings.append(Finding(f"{said}the rate guaranteed {what} tends to {limit:.4g}: 1 - rate within "
                                    f"{NEAR:.0%} at the widest", f"{last:.6g} at h = {at['width'][-1]:.0e}",
                                    abs(last - limit) <= NEAR * (1 - limit)))
        last = at["iterations_ratio_median"][-1]
        findings.append(Finding(f"{said}at the widest the guaranteed iterations to {FACTOR:g} are within 1.5 of the "
                                "measured ones", f"{last:.3g}", 1 <= last <= 1.5))
    return findings


def draw(table):
    """Draw, for both problems, the rates above and the ratio of iterations below, against the width."""
    figure, axes = panels(2, 2, height=3.8, sharex=True, height_ratios=(3, 2))
    for (rate, ratio), condition in zip(axes.T, CONDITIONS, strict=True):
        rows = table["condition"] == condition
        at = {name: column[rows] for name, column in table.items()}
        first = condition == CONDITIONS[0]
        for name, label, style in (("rate_pl", "guaranteed, PL", {"color": VERMILLION, "ls": "--"}),
                                   ("rate_best", "guaranteed, best", {"color": GREEN}),
                                   ("rate_measured", "measured", {"color": BLUE, "ls": ":", "marker": ".", "ms": 4})):
            band(rate, at["width"], at, name, label=label if first else None, **style)
        for limit, label in zip(limits(condition), (r"$1-\mu/K$", r"$(\frac{K-\mu}{K+\mu})^2$"), strict=True):
            if limit > 0:
                rate.axhline(limit, color=BLACK, lw=0.6, ls=(0, (4, 3)), zorder=0)
                rate.text(at["width"][-1], limit + 0.02, label, ha="right", va="bottom", size="small")
        band(ratio, at["width"], at, "iterations_ratio", color=GREEN, marker=".", ms=4)
        ratio.axhline(1, color=BLACK, lw=0.6, ls=(0, (4, 3)), zorder=0)
        rate.set_title("$X = I$" if condition == 1 else rf"$K/\mu = {condition}$")
        ratio.set_xlabel("width $h$")
        ratio.set_yscale("log")
        ratio.set_ylim(0.9, 8)
        log_ticks(ratio.yaxis, (1, 2, 4, 8))
    axes[0, 0].set_xscale("log")
    axes[0, 0].set_yscale("log")
    axes[0, 0].set_ylabel(r"rate $\rho$: gap$(t) \leq \rho^t\,$gap$(0)$")
    axes[0, 1].set_ylim(0, 1)
    axes[1, 0].set_ylabel("guaranteed/\nmeasured iterations")
    figure.legend(loc="outside lower center", ncols=3)
    return figure
