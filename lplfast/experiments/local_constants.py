"""The local constants along a run, beside what bounds them: from the current loss, and from the initialization."""

import dataclasses

import numpy as np

from ..guarantees.bounds import initial_bounds
from ..guarantees.rates import guaranteed_rate
from ..losses.problems import SquaredLoss
from ..network import Network
from ..run.training import train
from ..validation import as_count
from .panels import BLUE, GREEN, VERMILLION, band, log_ticks, panels
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
    """Return mu_t, K_t, K_t_sharp of every step, and the bounds on them."""
    at = [initial_bounds(problem, network)]
    run = train(problem, network, guaranteed.rule if step_size is None else step_size, max_iter=MAX_ITER, tol=TOL,
                constants="exact", callback=lambda run: at.append(initial_bounds(problem, run.network)))
    # along the whole run: as at t = 0, with the drift of the imbalance
    drifted = dataclasses.replace(at[0], beta=guaranteed.B)
    eta = run.history["step_size"][:-1]
    return {
        **{name: run.history[name][:-1] for name in ("mu_t", "K_t", "K_t_sharp")},
        "mu_current": np.array([bounds.mu_lower for bounds in at[:-1]]),
        "mu_initial": np.full(eta.size, problem.mu * guaranteed.A),
        "K_current": np.array([bounds.K_upper(step) for bounds, step in zip(at, eta, strict=False)]),
        "K_initial": np.array([drifted.K_upper(step) for step in eta]),
    }


CURVES = {
    "K_initial": (VERMILLION, ":", r"$K_t$: bound from $t=0$"),
    "K_current": (VERMILLION, "--", r"$K_t$: bound from $L(t)$"),
    "K_t": (VERMILLION, "-", r"$K_t$"),
    "K_t_sharp": (GREEN, "-", r"$K_t^{\mathrm{sharp}}$"),
    "mu_t": (BLUE, "-", r"$\mu_t$"),
    "mu_current": (BLUE, "--", r"$\mu_t$: bound from $L(t)$"),
    "mu_initial": (BLUE, ":", r"$\mu_t$: bound from $t=0$"),
}


def draw(table):
    """Draw the constants (lines) and their bounds (dashed, dotted) against the iteration."""
    figure, axes = panels(1, 1, height=3.1)
    ax = axes[0, 0]
    for name, (color, ls, label) in CURVES.items():
        band(ax, table["iteration"], table, name, color=color, ls=ls, label=label)
    ax.set_yscale("log")
    ax.set_ylim(10, 250)
    log_ticks(ax.yaxis, (10, 20, 50, 100, 200))
    ax.set_xlabel("iteration $t$")
    ax.set_ylabel("local constants")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
