"""The local constants along a run, beside what bounds them: from the current loss, and from the initialization."""

import dataclasses

import numpy as np

from ..direct_labels import label_curves
from ..guarantees.bounds import initial_bounds
from ..guarantees.rates import guaranteed_rate
from ..losses.squared import SquaredLoss
from ..network import Network
from ..run.training import train
from ..validation import as_count
from .panels import BLACK, BLUE, GREEN, SKY, VERMILLION, band, log_ticks, panels
from .report import Finding, Report, followed, spread

__all__ = ["reproduce"]

N, WIDTH, CONDITION, TOL, MAX_ITER = 20, 1000, 3, 1e-6, 1000

# constants and bounds are each within some 100 u of the truth, by what a singular value decomposition loses
ROUNDING = 1e-12

# a claim -> the smaller side, the larger side
CLAIMS = {
    "mu_t is at least its bound from the current loss": ("mu_current", "mu_t"),
    "mu_t is at least its bound from the initialization": ("mu_initial", "mu_t"),
    "K_t is at most its bound from the current loss": ("K_t", "K_current"),
    "K_t is at most its bound from the initialization": ("K_t", "K_initial"),
    "K_t_sharp is at most K_t": ("K_t_sharp", "K_t"),
    "the greatest eigenvalue of the Hessian is at most K_t_sharp": ("sharpness_hi", "K_t_sharp"),
}


def reproduce(*, seeds=10, step_size=None):
    """Train with a rule that has a guarantee before its first step, and compute the bounds at every iterate.

    X of singular values evenly spaced from 1/sqrt(3) to 1, so that K/mu = 3; Y = X Theta, the entries of Theta of
    variance 1/n; n = m = 20, h = 1000, layers of deviation h^(-1/4). A `step_size` is taken in place of the
    guaranteed rule's.
    """
    seeds = as_count("seeds", seeds)
    samples, notes = [], []
    for seed in followed(range(seeds)):
        problem, network = start(seed)
        guaranteed = guaranteed_rate(problem, network)
        if guaranteed.vacuous:
            notes.append(f"seed {seed} has no bound from the initialization. {guaranteed.message}")
        else:
            samples.append(constants(problem, network, guaranteed, step_size))
    findings = []
    for claim, (smaller, larger) in CLAIMS.items():
        shares = np.concatenate([sample[smaller] / sample[larger] for sample in samples])
        findings.append(Finding(claim, f"{smaller}/{larger} at most {shares.max():.4f} over {shares.size} iterates",
                                shares.max() <= 1 + ROUNDING))
    length = min(len(sample["mu_t"]) for sample in samples)
    table = {"iteration": np.arange(length)}
    for name in samples[0]:
        table.update(spread(name, [sample[name][:length] for sample in samples]))
    return Report("local-constants", table, findings, notes, draw)


def start(seed):
    """Return the problem and the network of one seed."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((N, N)))[0] for _ in range(2))
    X = (U * np.linspace(1, CONDITION**-0.5, N)) @ V.T
    problem = SquaredLoss(X, X @ rng.standard_normal((N, N)) / np.sqrt(N))
    return problem, Network.gaussian_implicit(N, WIDTH, N, std=WIDTH**-0.25, rng=rng)


def constants(problem, network, guaranteed, step_size):
    """Return the local constants of every step, the bounds on them, and what part of them these are."""
    at = [initial_bounds(problem, network)]
    run = train(problem, network, guaranteed.rule if step_size is None else step_size, max_iter=MAX_ITER, tol=TOL,
                constants="exact", callback=lambda run: at.append(initial_bounds(problem, run.network)))
    eta = run.history["step_size"][:-1]
    before = [bounds_before(at[0], guaranteed, t) for t in range(eta.size)]
    found = {name: run.history[name][:-1] for name in ("mu_t", "K_t", "K_t_sharp", "sharpness_lo", "sharpness_hi")}
    for when, known in (("current", at[:-1]), ("initial", before)):
        found[f"mu_{when}"] = np.array([bounds.mu_lower for bounds in known])
        found[f"K_{when}"] = np.array([bounds.K_upper(step) for bounds, step in zip(known, eta, strict=True)])
        for name in ("mu", "K"):
            found[f"{name}_{when}_share"] = found[f"{name}_{when}"] / found[f"{name}_t"]
    return found


def bounds_before(bounds, guaranteed, t):
    """Return the InitialBounds at iterate t that are known before the first step, from its guaranteed gap and drift.

    docs/theory.md, section 11.
    """
    gap, drift = guaranteed.gap_at(t), guaranteed.drift_at(t)
    p1, p2 = bounds.margins.at(gap)
    alpha = float(max(bounds.imbalance.alpha(p1) - drift, bounds.imbalance.alpha(p1, drift)))
    return dataclasses.replace(bounds, gap=gap, p1=p1, p2=p2, alpha=alpha, mu_lower=bounds.margins.mu * alpha,
                               beta=bounds.imbalance.beta(p2) + drift)


# What is drawn above: the constants; below: bounds over the constant that they bound.
CONSTANTS = {
    "K_t": ({"color": VERMILLION}, "$K_t$"),
    "K_t_sharp": ({"color": GREEN, "ls": "--"}, r"$K_t^{\mathrm{sharp}}$"),
    "mu_t": ({"color": BLUE}, r"$\mu_t$"),
}
SHARES = {
    "K_initial_share": ({"color": VERMILLION, "ls": ":"}, "$K_t$, before the first step"),
    "K_current_share": ({"color": VERMILLION, "ls": "--"}, "$K_t$, from the loss at $t$"),
    "mu_current_share": ({"color": BLUE, "ls": "--"}, r"$\mu_t$, from the loss at $t$"),
    "mu_initial_share": ({"color": BLUE, "ls": ":"}, r"$\mu_t$, before the first step"),
}


def draw(table):
    """Draw the constants above, with the sharpness between its bounds, and below how far off bounds on them are."""
    figure, axes = panels(2, 1, height=4.2, sharex=True)
    constants, shares = axes[:, 0]
    t, drawn = table["iteration"], {}
    constants.fill_between(t, table["sharpness_lo_median"], table["sharpness_hi_median"], color=SKY, alpha=0.35, lw=0)
    edges = [constants.plot(t, table[f"sharpness_{end}_median"], color=SKY, lw=0.8)[0] for end in ("hi", "lo")]
    for ax, curves in ((constants, CONSTANTS), (shares, SHARES)):
        drawn[ax] = [band(ax, t, table, name, **style) for name, (style, _) in curves.items()]
    (one,) = shares.plot(t, np.ones(t.size), color=BLACK, lw=0.8)
    constants.set_yscale("log")
    constants.set_ylim(10, 150)
    log_ticks(constants.yaxis, (10, 20, 50, 100))
    shares.set_ylim(bottom=0.8)
    constants.set_ylabel("local constants")
    shares.set_ylabel("bound / constant")
    shares.set_xlabel("iteration $t$")
    shares.set_xlim(0, t[-1])
    label_curves(constants, [*drawn[constants], edges[1]], [*(label for _, label in CONSTANTS.values()), "sharpness"],
                 clear_of=edges[:1])
    label_curves(shares, drawn[shares], [label for _, label in SHARES.values()], clear_of=[one])
    return figure
