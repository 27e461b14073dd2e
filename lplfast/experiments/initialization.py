"""Where the guarantee before the first step says nothing, and where it bites: imbalance against margin."""

import numpy as np

from ..guarantees.rates import guaranteed_rate
from ..losses.squared import MatrixFactorization
from ..network import Network
from ..run.training import train
from ..validation import as_count
from .panels import log_ticks, panels
from .report import Finding, Report, followed, spread

__all__ = ["reproduce"]

N, FACTOR, MAX_ITER = 5, 1e-6, 20000

# ||W(0) - W*||_F over the least singular value of W*: the margin is what it leaves of 1
DISTANCES = tuple(np.geomspace(0.03, 30, 12))

# Where anything is guaranteed, so many times as many iterations as are measured are, at most.
RATIO = 4

# lam_n(D) = lam_n(-D), in units of the largest singular value of W*
IMBALANCES = (0.0, *np.geomspace(0.01, 1000, 11))


def reproduce(*, seeds=10, distances=DISTANCES, imbalances=IMBALANCES, step_size=None):
    """Compare the guaranteed and the measured iterations to 1e-6 on matrix factorization, n = m = 5.

    W(0) = W* + distance, in a random direction, as balanced layers, beside 2 n hidden units of which only one side is
    connected: they change no product and give the imbalance n eigenvalues of each sign. The run takes the step size
    that the guarantee is for, the local one where there is none, or `step_size`.
    """
    seeds = as_count("seeds", seeds)
    rows = []
    for imbalance in imbalances:
        for distance in followed(distances, of=len(imbalances)):
            guaranteed, measured, ratio, mute = np.array([_sample(distance, imbalance, seed, step_size)
                                                          for seed in range(seeds)]).T
            rows.append({"imbalance": imbalance, "distance": distance, "vacuous": int(mute.sum()),
                         "runs": seeds, "within": int((measured <= guaranteed).sum()),
                         **spread("guaranteed", guaranteed), **spread("measured", measured),
                         **spread("ratio", ratio)})
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Report("initialization", table, _findings(table), [], draw)


def start(distance, imbalance, seed):
    """Return the problem and the network of one seed at one place of the grid."""
    rng = np.random.default_rng(seed)
    Y, direction = rng.standard_normal((2, N, N))
    s = np.linalg.svd(Y, compute_uv=False)
    balanced = Network.balanced(Y + distance * s[-1] * direction / np.linalg.norm(direction), N)
    alone = np.sqrt(imbalance * s[0]) * np.eye(N)
    none = np.zeros((N, N))
    return MatrixFactorization(Y), Network(np.hstack([balanced.W1, alone, none]), np.vstack([balanced.W2, none, alone]))


def _sample(distance, imbalance, seed, step_size):
    """Return the guaranteed and the measured iterations, their ratio, and whether the guarantee is vacuous."""
    problem, network = start(distance, imbalance, seed)
    found = guaranteed_rate(problem, network)
    rule = step_size or found.rule or "local"
    promised = found.iterations_to(FACTOR)
    run = train(problem, network, rule, max_iter=MAX_ITER if found.vacuous else promised, tol=FACTOR, record=["gap"])
    needed = run.iterations if run.converged else np.inf
    return promised, needed, np.inf if found.vacuous else promised / needed, found.vacuous


def _findings(table):
    within, runs = table["within"].sum(), table["runs"].sum()
    findings = [Finding(f"no run needs more iterations to {FACTOR:g} than are guaranteed",
                        f"{within} of {runs} runs within", within == runs)]
    near, none = table["distance"] < 1, table["imbalance"] == 0
    for claim, cells, mute in (
            ("without imbalance and without margin the guarantee is vacuous", none & ~near, True),
            ("without imbalance a margin is enough", none & near, False),
            ("without a margin an imbalance is enough", ~none & ~near, False)):
        agree = table["vacuous"][cells] == (table["runs"][cells] if mute else 0)
        findings.append(Finding(claim, f"so at {agree.sum()} of {agree.size} places", bool(agree.all())))
    ratios = table["ratio_median"][table["vacuous"] == 0]
    findings.append(Finding(f"wherever something is guaranteed, it is within {RATIO} of what is measured (medians)",
                            f"{ratios.min():.3g} to {ratios.max():.3g} times as many at {ratios.size} of "
                            f"{table['vacuous'].size} places", bool(ratios.max() <= RATIO)))
    return findings


# Column -> the title of its panel, and what it is.
PANELS = {
    "guaranteed": "guaranteed before the first step",
    "measured": "measured, with the same steps",
    "ratio": "guaranteed / measured",
}


def draw(table):
    """Draw both numbers of iterations and their ratio over the grid; where nothing is guaranteed there is no color."""
    from matplotlib.colors import LogNorm

    figure, axes = panels(3, 1, height=4.9, sharex=True, sharey=True)
    distances, imbalances = np.unique(table["distance"]), np.unique(table["imbalance"])
    # no imbalance has no place on a log scale: a row of its own, below the others and twice as high
    columns, rows = _edges(distances), _edges(imbalances[1:])
    rows = np.append(rows[0] ** 3 / rows[1] ** 2, rows)
    meshes = {}
    for ax, (name, title) in zip(axes[:, 0], PANELS.items(), strict=True):
        cells = table[f"{name}_median"].reshape(imbalances.size, distances.size)
        shown = np.isfinite(cells)
        style = {"cmap": "cividis", "norm": LogNorm(1, RATIO)} if name == "ratio" else {
            "cmap": "viridis", "norm": LogNorm(1, 1e4)}
        ax.set_facecolor("0.9")
        meshes[name] = ax.pcolormesh(columns, rows, np.where(shown, cells, np.nan), rasterized=True, **style)
        ax.axvline(1, color="white", lw=1.0, ls=":")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_title(title, loc="left")
    none = np.sqrt(rows[0] * rows[1])
    for ax in axes[::2, 0]:
        ax.text(np.sqrt(columns[-1]), none, "nothing", ha="center", va="center")
    powers = np.arange(-2, 4)
    axes[0, 0].set_yticks([none, *10.0**powers], ["0", *(f"$10^{{{power}}}$" for power in powers)])
    axes[0, 0].set_yticks([], minor=True)
    figure.supylabel(r"imbalance $\lambda_n(D) / \sigma_{\max}(W^*)$", size="medium")
    axes[-1, 0].set_xlabel(r"distance $\|W(0)-W^*\|_F / \sigma_{\min}(W^*)$")
    figure.colorbar(meshes["measured"], ax=axes[:2, 0], label="iterations to $10^{-6}$")
    bar = figure.colorbar(meshes["ratio"], ax=axes[2, 0], label="ratio", extend="max")
    log_ticks(bar.ax.yaxis, (1, 2, 4))
    return figure


def _edges(centres):
    """Return the edges of cells around points evenly spaced on a log scale."""
    half = np.sqrt(centres[1] / centres[0])
    return np.append(centres / half, centres[-1] * half)
