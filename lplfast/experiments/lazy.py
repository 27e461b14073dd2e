"""How far a run is from its linearization, predicted before the first step and measured, against the width."""

import numpy as np

from ..guarantees.constants import local_constants
from ..guarantees.curve import predicted_curve
from ..run.training import train
from ..validation import as_count
from .panels import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILLION, band, log_ticks, panels
from .report import Finding, Report, followed, spread
from .wide_start import start

__all__ = ["reproduce"]

FACTOR, MAX_ITER, NARROW = 1e-6, 2000, 0.1
CONDITIONS = (1, 3, 10)
WIDTHS = tuple(round(10 ** (power / 4)) for power in range(10, 33))

# The runs that are drawn: K/mu and widths.
SHOWN, FEW, MANY = 10, 10**3, 10**5


def reproduce(*, seeds=10, widths=WIDTHS, step_size=None):
    """Compare the predicted band with measured gaps at widths from 10^2.5 to 10^8, for K/mu = 1, 3 and 10.

    n = m = 20; layers of deviation h^(-1/4), so that the product has one scale at every width; the entries of Theta,
    Y = X Theta, have variance 1/n. The step is 1/(K s_max(T)^2) at the start, or `step_size`; predicted is that of the
    former. Gaps are relative to the first.
    """
    seeds = as_count("seeds", seeds)
    columns = []
    for condition in CONDITIONS:
        for width in followed(widths, of=len(CONDITIONS)):
            samples = [_sample(condition, width, seed, step_size) for seed in range(seeds)]
            length = min(sample["gap"].size for sample in samples)
            columns.append({"condition": np.full(length, condition), "width": np.full(length, width),
                            "iteration": np.arange(length),
                            **{key: value for name in samples[0] for key, value in
                               spread(name, [sample[name][:length] for sample in samples]).items()}})
    table = {name: np.concatenate([column[name] for column in columns]) for name in columns[0]}
    return Report("lazy", table, _findings(table), [], draw)


def _sample(condition, width, seed, step_size):
    """Return the measured gaps of one seed, relative to the first, the linear ones, and what is predicted of them."""
    problem, network = start(condition, width, seed)
    eta = 1 / (problem.K * local_constants(problem, network).sigma_max_sq)
    run = train(problem, network, eta if step_size is None else step_size, max_iter=MAX_ITER, tol=FACTOR,
                record=["gap", "floor"])
    gap, slack = run.history["gap"], run.history["floor"]
    frozen, moving = (predicted_curve(problem, network, eta, run.iterations, order=order) for order in (0, 1))
    linear = frozen.linear_gap
    ratio = gap / linear
    found = {"gap": gap / gap[0], "ratio": ratio, "deviation": abs(ratio - 1),
             # both in units of sqrt(2 gap)
             "deviation_bound": (1 + moving.distance / np.sqrt(2 * linear)) ** 2 - 1}
    outside = np.zeros(gap.size)
    for order, curve in enumerate((frozen, moving)):
        found[f"lower_{order}"], found[f"upper_{order}"] = curve.gap_lower / linear, curve.gap_upper / linear
        found[f"width_{order}"] = curve.width
        # beyond what rounding of the run itself may have done
        beyond = np.maximum(curve.gap_lower - gap, gap - curve.gap_upper) - slack - 1e-12 * gap
        outside = np.maximum(outside, beyond / gap[0])
    return {**found, "outside": outside}


def ends(table, condition):
    """Return the rows of the last iterations of one K/mu, one a width."""
    rows = np.flatnonzero((table["condition"] == condition) & (np.roll(table["iteration"], -1) == 0))
    return {name: column[rows] for name, column in table.items()}


def narrow_from(at, name):
    """Return the width from which on the median of a column is at most NARROW, between widths by its logarithm."""
    value, width = np.log(np.maximum(at[f"{name}_median"], 1e-300)), np.log(at["width"])
    wide = np.flatnonzero(value > np.log(NARROW))
    last = wide[-1] if wide.size else -1
    if last == value.size - 1:
        return np.inf
    if last < 0:
        return float(at["width"][0])
    part = (value[last] - np.log(NARROW)) / (value[last] - value[last + 1])
    return float(np.exp(width[last] + part * (width[last + 1] - width[last])))


def _findings(table):
    outside = table["outside_max"].max()
    findings = [Finding("every measured gap is inside both bands", f"outside by at most {outside:.3g} of the first gap",
                        outside <= 0)]
    for condition in CONDITIONS:
        at = ends(table, condition)
        frozen, moving = narrow_from(at, "width_0"), narrow_from(at, "width_1")
        said = f"K/mu = {condition}: at {FACTOR:g} of the first gap "
        findings.append(Finding(f"{said}the band is within {NARROW:.0%} from some width on",
                                f"h = {frozen:.2g} by order 0, {moving:.2g} by order 1", frozen < np.inf))
        findings.append(Finding(f"{said}order 1 has a band within {NARROW:.0%} at a fiftieth of order 0's width",
                                f"{frozen / moving:.3g} times narrower networks", moving <= frozen / 50))
        measured, bound = at["deviation_max"][-1], at["deviation_bound_max"][-1]
        findings.append(Finding(f"{said}the widest network is within 1% of its linearization",
                                f"predicted {bound:.2g}, measured {measured:.2g}", measured <= bound <= 0.01))
    return findings


def draw(table):
    """Draw, above, runs at two widths beside their linearizations, and below the bands and distances of all widths."""
    figure, axes = panels(2, 2, height=4.0)
    for ax, width in zip(axes[0], (FEW, MANY), strict=True):
        _draw_runs(ax, table, width)
    (narrow, far), colors = axes[1], (BLUE, ORANGE, VERMILLION)
    for condition, color in zip(CONDITIONS, colors, strict=True):
        at = ends(table, condition)
        label = rf"$K/\mu = {condition}$"
        band(narrow, at["width"], at, "width_0", color=color, ls="--")
        band(narrow, at["width"], at, "width_1", color=color, label=label)
        band(far, at["width"], at, "deviation_bound", color=color)
        band(far, at["width"], at, "deviation", color=color, ls=":")
    narrow.axhline(NARROW, color=BLACK, lw=0.6, ls=(0, (4, 3)), zorder=0)
    for ax, styles in ((narrow, {"order 0": "--", "order 1": "-"}), (far, {"bound": "-", "measured": ":"})):
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks([1e3, 1e5, 1e7])
        ax.set_xlabel("width $h$")
        ax.legend(handles=[ax.plot([], [], color=BLACK, ls=style, label=label)[0] for label, style in styles.items()],
                  loc="upper right", handlelength=1.6, borderaxespad=0.0)
    narrow.set_ylim(1e-5, 60)
    far.set_ylim(1e-6, 30)
    narrow.set_ylabel("width of the band at the end")
    far.set_ylabel(r"$|$gap$\,/\,$linear gap$ - 1|$ at the end")
    conditions = [line for line in narrow.get_lines() if line.get_label().startswith("$")]
    runs, _ = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles=[*runs, *conditions], loc="outside lower center", ncols=3)
    return figure


def _draw_runs(ax, table, width):
    """Draw the measured gap and both bands at one width, relative to the gap of the linearization."""
    rows = (table["condition"] == SHOWN) & (table["width"] == width)
    at = {name: column[rows] for name, column in table.items()}
    for order, color in ((0, SKY), (1, GREEN)):
        lower, upper = np.maximum(at[f"lower_{order}_median"], 1e-3), np.minimum(at[f"upper_{order}_median"], 1e3)
        ax.fill_between(at["iteration"], lower, upper, color=color, alpha=0.35 + 0.25 * order, lw=0,
                        label=f"band, order {order}")
    ax.plot(at["iteration"], at["ratio_median"], color=BLACK, lw=0.8, label="measured")
    ax.axhline(1, color=BLACK, lw=0.6, ls=(0, (4, 3)), zorder=0)
    ax.set_yscale("log")
    ends = (0.25, 4) if width == FEW else (0.8, 1.25)
    ax.set_ylim(*ends)
    log_ticks(ax.yaxis, (0.25, 0.5, 1, 2, 4) if width == FEW else (0.8, 0.9, 1, 1.1, 1.2))
    ax.set_title(rf"$h = 10^{{{np.log10(width):.0f}}}$, $K/\mu = {SHOWN}$")
    ax.set_xlabel("iteration $t$")
    ax.set_ylabel("gap relative to linear gap" if width == FEW else None)
