"""The edge of stability: constant steps across the critical one, the sharpness beside 2/eta, and where runs end."""

import numpy as np

from ..guarantees.constants import local_constants
from ..losses.squared import SquaredLoss
from ..network import Network
from ..run.training import train
from ..validation import as_count
from .panels import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILLION, panels
from .report import Finding, Report, followed, spread

__all__ = ["reproduce"]

N, WIDTH, CONDITION, TOL = 20, 1000, 3, 1e-16
STEPS = 10000

# Steps in units of the critical one: 2 over nu_hi at the start, or where a run of short steps ends.
FACTORS = {"wide layers": (0.5, 0.9, 1.2, 1.5, 1.9), "small layers": (0.5, 0.8, 0.95, 1.01, 1.02)}

# The iterations that are kept: all at first, then as many in each decade.
KEPT = np.unique(np.concatenate([np.arange(30), np.geomspace(30, STEPS, 80).round()])).astype(int)

# A minimum is left, or kept to, from this far; by how many steps; and the bisection of the step between them.
OFF, TRIAL, HALVINGS = 1e-7, 400, 9


def reproduce(*, seeds=10):
    """Train with constant steps across the critical one, from wide layers and from small ones.

    n = m = 20, K/mu = 3, the entries of Theta, Y = X Theta, of variance 1/n. Wide: h = 1000, deviation h^(-1/4), where
    the sharpness is greatest at the start. Small: h = 40, deviation 0.01, where it grows with the layers.
    """
    seeds = as_count("seeds", seeds)
    columns = []
    for kind, factors in FACTORS.items():
        starts = [start(kind, seed) for seed in range(seeds)]
        critical = [critical_step(kind, *at) for at in starts]
        for factor in followed(factors, of=len(FACTORS)):
            samples = [_sample(*at, factor * eta) for at, eta in zip(starts, critical, strict=True)]
            columns.append({"start": np.full(KEPT.size, kind), "factor": np.full(KEPT.size, factor), "iteration": KEPT,
                            **{key: value for name in samples[0]
                               for key, value in spread(name, [sample[name] for sample in samples]).items()}})
    table = {name: np.concatenate([column[name] for column in columns]) for name in columns[0]}
    return Report("edge", table, _findings(table), [], draw)


def start(kind, seed):
    """Return the problem and the network of one seed."""
    rng = np.random.default_rng([seed, list(FACTORS).index(kind)])
    U, V = (np.linalg.qr(rng.standard_normal((N, N)))[0] for _ in range(2))
    X = (U * np.linspace(1, CONDITION**-0.5, N)) @ V.T
    problem = SquaredLoss(X, X @ rng.standard_normal((N, N)) / np.sqrt(N))
    if kind == "wide layers":
        return problem, Network.gaussian_implicit(N, WIDTH, N, std=WIDTH**-0.25, rng=rng)
    return problem, Network.gaussian(N, 2 * N, N, std=0.01, rng=rng)


def critical_step(kind, problem, network):
    """Return 2 over the greatest eigenvalue of the tangent kernel.

    Of wide layers it is that at the start, of small ones that where a run of short steps ends.
    """
    if kind == "small layers":
        network = train(problem, network, "local", max_iter=STEPS, tol=TOL).network
    return 2 / local_constants(problem, network).kernel_extremes[1]


def sharpness(problem, network):
    """Return the bracket of the sharpness at a network, as narrow as can be."""
    row = train(problem, network, max_iter=0, constants="exact").history
    return row["sharpness_lo"][0], row["sharpness_hi"][0]


def _sample(problem, network, eta):
    """Return a run's gap and sharpness times eta/2, at the iterations kept, and the largest stable step at its end.

    A run that has ended stays where it is. The stable step is bracketed, in units of 2 over the upper and of 2 over the
    lower end of the sharpness there; NaN where the run has not converged.
    """
    run = train(problem, network, eta, max_iter=STEPS, tol=TOL, record=["gap", "sharpness_lo", "sharpness_hi"])
    history = {name: column[np.minimum(KEPT, column.size - 1)] for name, column in run.history.items()}
    found = {"gap": history["gap"] / history["gap"][0], "sharpness_lo": history["sharpness_lo"] * eta / 2,
             "sharpness_hi": history["sharpness_hi"] * eta / 2, "converged": np.full(KEPT.size, float(run.converged))}
    low = high = stable = unstable = np.nan
    if run.converged:
        low, high = sharpness(problem, run.network)
        stable, unstable = stable_step(problem, run.network, 2 / high)
    at_end = {"end_lo": low * eta / 2, "end_hi": high * eta / 2, "stable": stable * high / 2,
              "unstable": unstable * low / 2}
    return {**found, **{name: np.full(KEPT.size, value) for name, value in at_end.items()}}


def stable_step(problem, network, guess):
    """Return a step that keeps to a minimum and one that leaves it, by bisection to a part 2^-HALVINGS of `guess`."""
    rng = np.random.default_rng(0)
    stack = network.stack()
    near = network.replace(stack + OFF * rng.standard_normal(stack.shape) * np.linalg.norm(stack) / np.sqrt(stack.size))
    stable, unstable = 0.5 * guess, 1.5 * guess
    for _ in range(HALVINGS):
        eta = (stable + unstable) / 2
        # the map is linear and symmetric there: in the end the gap falls, or grows until it is not linear any more
        run = train(problem, near, eta, max_iter=TRIAL, tol=0.0, max_growth=1e4, record=["gap"])
        gap = run.history["gap"]
        grows = run.status == "diverged" or gap[-1] > gap[gap.size // 2]
        stable, unstable = (stable, eta) if grows else (eta, unstable)
    return stable, unstable


def _findings(table):
    end = table["iteration"] == KEPT[-1]
    above = end & (table["factor"] > 1)
    reached = table["converged_min"][end]
    width = 2.0**-HALVINGS
    worst = np.nanmax(table["end_lo_max"][end])
    stable, unstable = np.nanmax(table["stable_max"][end]), np.nanmin(table["unstable_min"][end])
    peak = table["gap_median"][(table["start"] == "wide layers") & (table["factor"] > 1.5)].max()
    small = (table["start"] == "small layers") & (table["iteration"] == 0)
    nearest, farthest = np.nanmax(table["end_hi_max"][above]), np.nanmin(table["end_lo_min"][above])
    return [
        Finding("every run ends at a minimum", f"{reached.mean():.0%} of the settings", bool(reached.all())),
        Finding("where it ends the sharpness is below 2/eta", f"at most {worst:.4g} of it", worst <= 1),
        Finding("with steps above the critical one it ends within 5% below 2/eta",
                f"from {farthest:.4g} to {nearest:.4g} of it", farthest >= 0.95),
        Finding("wide layers come from above it, by a gap that grows first, small ones from below",
                f"gap up to {peak:.3g} of the first; from {table['sharpness_hi_max'][small].max():.2g} of 2/eta",
                peak > 1 and table["sharpness_hi_max"][small].max() < 1),
        Finding("the largest stable step there is between 2/sharpness_hi and 2/sharpness_lo, to a bisection",
                f"kept to at {stable:.4g} of 2/sharpness_hi, left at {unstable:.4g} of 2/sharpness_lo",
                stable <= 1 + 2 * width and unstable >= 1 - 2 * width),
    ]


def draw(table):
    """Draw the sharpness relative to 2/eta above, the gap below, from wide layers and from small ones."""
    figure, axes = panels(2, 2, height=3.9, sharex=True, sharey="row")
    for (sharp, gap), kind in zip(axes.T, FACTORS, strict=True):
        for factor, color in zip(FACTORS[kind], (SKY, BLUE, GREEN, ORANGE, VERMILLION), strict=True):
            rows = (table["start"] == kind) & (table["factor"] == factor)
            t = table["iteration"][rows] + 1
            sharp.fill_between(t, table["sharpness_lo_median"][rows], table["sharpness_hi_median"][rows], color=color,
                               alpha=0.35, lw=0)
            sharp.plot(t, table["sharpness_hi_median"][rows], color=color, lw=0.8)
            shown = table["gap_median"][rows] > 0
            gap.plot(t[shown], table["gap_median"][rows][shown], color=color, label=f"{factor:g}")
        sharp.axhline(1, color=BLACK, lw=0.6, ls=(0, (4, 3)), zorder=0)
        sharp.set_title(kind)
        sharp.set_xscale("log")
        sharp.set_ylim(0, 2.5)
        gap.set_yscale("log")
        gap.set_ylim(1e-28, 30)
        gap.set_yticks([1, 1e-5, 1e-10, 1e-15])
        gap.set_xlabel("iteration $t + 1$")
        gap.legend(title=r"$\eta/\eta_c$", loc="lower left", handlelength=1.0, ncols=2, columnspacing=0.8)
    axes[0, 0].set_ylabel(r"sharpness, relative to $2/\eta$")
    axes[1, 0].set_ylabel("gap$(t)\\,/\\,$gap$(0)$")
    return figure
