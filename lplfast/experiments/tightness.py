"""How tight guaranteed bounds are, as in section 4.2 of Xu et al. (2023): measured loss and bound for every rule."""

import numpy as np

from ..direct_labels import label_curves
from ..guarantees.bounds import initial_bounds
from ..guarantees.rates import guaranteed_rate
from ..losses.squared import SquaredLoss
from ..network import Network
from ..run.training import train
from ..validation import as_count
from .panels import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILLION, band, panels
from .report import Finding, Report, followed, spread

__all__ = ["GUARANTEES", "reproduce"]

# s -> the alpha_0/beta_0 in the title of the paper's plot
PAPER = {1: 0.505, 5: 0.555, 100: 0.600}

# C1, C2: how far the paper's rules f and f0 let the bounds of t = 0 be off later
N, WIDTH, MAX_ITER, TOL, C1, C2 = 20, 1000, 100, 1e-12, 0.5, 1.5


# a gap is known to some u sqrt(gap_0/gap), 1e6 u at the end of a run
ROUNDING = 1e-9


def polynomial(run, mu, K, low, high, p):
    """Return the bound of Xu et al. (2023) on the ratio of gaps of every step; X.T X = I, so ||G||_F^2 = 2 gap."""
    eta, g = run.history["step_size"], np.sqrt(2 * K * run.history["gap"])
    return (1 - 2 * mu * low * eta + (K * mu * high**2 + 2 * mu * p * g) * eta**2 + 2 * mu * K * high * p * g * eta**3
            + mu * K * p**2 * g**2 * eta**4)


def rho(problem, run, networks):
    """Singular values."""
    at = run.history
    return polynomial(run, problem.mu, problem.K, at["sigma_min_sq"], at["sigma_max_sq"], at["sigma_max_W"])


def rho_hat(problem, run, networks):
    """Bounds on them from the imbalance and the loss of every iterate."""
    at = [initial_bounds(problem, network, margins="xu2023") for network in networks]
    low, high, p = np.array([(bounds.alpha, bounds.beta, bounds.p2) for bounds in at]).T
    return polynomial(run, problem.mu, problem.K, low, high, p)


def f(problem, run, networks):
    """Bounds on them from t = 0."""
    start = initial_bounds(problem, networks[0], margins="xu2023")
    return polynomial(run, problem.mu, problem.K, C1 * start.alpha, C2 * start.beta, start.p2)


def descent_lemma(K_t):
    """Return 1 - mu_t eta (2 - eta K_t) of every step, the bound of Xu et al. (2025)."""
    def ratios(problem, run, networks):
        eta = run.history["step_size"]
        return 1 - run.history["mu_t"] * eta * (2 - eta * run.history[K_t])

    return ratios


def best(problem, run, networks):
    """Return the best bound that is known for a step."""
    return run.history["rate_bound"]


def before(problem, run, networks):
    """Return what is guaranteed of every step before the first one."""
    gaps = run.guarantee.rate.gap_at(np.arange(run.iterations + 1))
    return np.append(gaps[1:] / gaps[:-1], np.nan)


# rule -> function of (problem, run, networks at every iterate) that bounds the ratio of gaps of every step
GUARANTEES = {
    "xu-f0": f,
    "xu-f": f,
    "xu-rho-hat": rho_hat,
    "xu-rho": rho,
    "local": descent_lemma("K_t"),
    "sharp": descent_lemma("K_t_sharp"),
    "majorizer": best,
    "contraction": best,
    "planned": best,
    "schedule": before,
}


def reproduce(*, seeds=50, guarantees=GUARANTEES):
    """Train on N = n = m = 20, X orthogonal, Y = X Theta, with Gaussian layers of deviation r and 1/r, h = 1000.

    r = sqrt((s + sqrt(s^2 + 4))/2), so that r^2 - 1/r^2 = s is the imbalance; the entries of Theta have variance 1/n.
    """
    seeds = as_count("seeds", seeds)
    parts, findings, notes, exponents = [], [], [], {}
    for s in PAPER:
        starts = [start(s, seed) for seed in range(seeds)]
        ratio = np.array([found.alpha / found.beta for found in
                          (initial_bounds(problem, network, margins="xu2023") for problem, network in starts)])
        findings.append(Finding(
            f"s = {s}: the median alpha_0/beta_0 is within 5 % of the {PAPER[s]:.3f} that the paper prints",
            f"{np.median(ratio):.3f} ({ratio.min():.3f} to {ratio.max():.3f})",
            abs(np.median(ratio) / PAPER[s] - 1) < 0.05))
        for rule, guarantee in followed(guarantees.items(), of=len(PAPER)):
            pairs = [measured_and_bound(problem, network, rule, guarantee) for problem, network in starts]
            exponents[s, rule] = np.median([np.log(gap[-1]) / np.log(bound[-1]) for gap, bound in pairs])
            parts.append({"s": s, "rule": rule, "pairs": pairs})
    for rule in guarantees:
        shares = [(bound[1:] / gap[1:]).min() for part in parts if part["rule"] == rule
                  for gap, bound in part["pairs"]]
        findings.append(Finding(f"{rule}: the loss never exceeds its guaranteed bound",
                                f"smallest bound/loss {min(shares):.6g} over {len(shares)} runs",
                                min(shares) >= 1 - ROUNDING))
    for rule in guarantees:
        notes.append(f"{rule}: measured over guaranteed exponent (medians) "
                     + ", ".join(f"{exponents[s, rule]:.2f} at s = {s}" for s in PAPER))
    return Report("tightness", _table(parts), findings, notes, draw)


def start(s, seed):
    """Return the problem and the network of one seed: the same draws for every s."""
    rng = np.random.default_rng(seed)
    X = np.linalg.qr(rng.standard_normal((N, N)))[0]
    r = np.sqrt((s + np.sqrt(s**2 + 4)) / 2)
    problem = SquaredLoss(X, X @ rng.standard_normal((N, N)) / np.sqrt(N))
    return problem, Network.gaussian_implicit(N, WIDTH, N, std=(r, 1 / r), rng=rng)


def measured_and_bound(problem, network, rule, guarantee):
    """Return the gap and its guaranteed bound at every iterate, both relative to the first gap.

    `schedule` is what `guaranteed_rate` finds before the first step.
    """
    networks = [network]
    if rule == "schedule":
        rule = guaranteed_rate(problem, network, factor=TOL).rule
    run = train(problem, network, rule, max_iter=MAX_ITER, tol=TOL, callback=lambda run: networks.append(run.network))
    gap = run.history["gap"] / run.history["gap"][0]
    return gap, np.cumprod(np.append(1.0, guarantee(problem, run, networks)[:-1]))


def _table(parts):
    """Return one row per s, rule and iteration that every seed reaches."""
    columns = []
    for part in parts:
        length = min(len(gap) for gap, _ in part["pairs"])
        gap, bound = ([pair[i][:length] for pair in part["pairs"]] for i in (0, 1))
        columns.append({"s": np.full(length, part["s"]), "rule": np.full(length, part["rule"]),
                        "iteration": np.arange(length), **spread("loss_ratio", gap), **spread("bound_ratio", bound)})
    return {name: np.concatenate([column[name] for column in columns]) for name in columns[0]}


# one row of panels each; xu-rho-hat lies on xu-rho, xu-f0 near xu-f, sharp near local, majorizer near contraction
STYLES = ({"xu-f": ORANGE, "xu-rho": BLUE}, {"local": VERMILLION, "contraction": GREEN},
          {"schedule": BLACK, "planned": PURPLE})


def draw(table):
    """Draw the measured loss (lines) and its bound (dashed), relative to the first loss: one column of panels per s."""
    figure, axes = panels(len(STYLES), len(PAPER), width=7.0, height=5.2, sharex="row", sharey=True)
    drawn = {}
    for row, styles in zip(axes, STYLES, strict=True):
        for ax, s in zip(row, PAPER, strict=True):
            for rule, color in styles.items():
                rows = (table["s"] == s) & (table["rule"] == rule)
                part = {name: column[rows] for name, column in table.items()}
                drawn[ax, rule] = [band(ax, part["iteration"], part, name, color=color, ls=ls)
                                   for name, ls in (("loss_ratio", "-"), ("bound_ratio", "--"))]
        row[0].set_ylabel("$L(t)/L(0)$")
        row[0].set_xlim(left=0)
        row[0].locator_params(axis="x", integer=True)
    for ax, s in zip(axes[0], PAPER, strict=True):
        ax.set_title(f"$s = {s}$")
    for ax in axes[-1]:
        ax.set_xlabel("iteration $t$")
    ax.set_yscale("log")
    ax.set_ylim(TOL / 100, 2)
    handles = [ax.plot([], [], color="0.4", ls=ls, label=label)[0]
               for ls, label in (("-", "measured"), ("--", "guaranteed"))]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    figure.draw_without_rendering()
    for row, styles in zip(axes, STYLES, strict=True):
        measured, bounds = zip(*(drawn[row[0], rule] for rule in styles), strict=True)
        label_curves(row[0], measured, list(styles), clear_of=bounds, laid_out=True)
    return figure
