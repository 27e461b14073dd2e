"""Step-size rules side by side, as in section 4.1 of Xu et al. (2023): loss and step size per iteration."""

import numpy as np

from ..direct_labels import label_curves
from ..guarantees.constants import local_constants
from ..guarantees.rates import guaranteed_rate
from ..losses.squared import MatrixFactorization
from ..network import Network
from ..run.training import train
from ..steps import missing_for, rule_from
from ..validation import as_count
from .panels import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, band, panels
from .report import Finding, Report, followed, spread

__all__ = ["RULES", "reproduce"]

# name -> step size as `train` takes it
RULES = {name: name for name in ("xu-f0", "xu-f", "xu-rho-hat", "xu-rho", "arora", "du", "local", "sharp",
                                 "majorizer", "contraction", "planned", "exact")}
XU, EARLIER = ("xu-f0", "xu-f", "xu-rho-hat", "xu-rho"), ("arora", "du")

TOL, MAX_ITER = 1e-10, 1000

# The part of the first gap to which `planned` plans at first.
PROMISED = 1e-6

# G = W - Y is known to u ||Y|| / ||G||, some 1e-10 at the end of a run, in the compiled loop and here
ROUNDING = 1e-8


def reproduce(*, seeds=50, rules=RULES):
    """Train with every rule from the same starts: W(0) with entries of variance 1/4, Y = W(0) + 0.04 noise.

    n = 20, m = 1, X = I, h = 1000; the layers are balanced, from the singular value decomposition of W(0).
    """
    seeds = as_count("seeds", seeds)
    runs, notes, certified, promised = {name: [] for name in rules}, [], [], []
    for seed in followed(range(seeds)):
        problem, network = start(seed)
        certified.append(certified_decreases(problem, network))
        promised.append(guaranteed_rate(problem, network, factor=PROMISED))
        for name, step_size in rules.items():
            missing = missing_for(rule_from(step_size), problem, network)
            if missing:
                notes.append(f"{name} does not apply to seed {seed}, and counts as never getting there: it needs "
                             f"{missing}")
                runs[name].append(None)
            else:
                compared = _compared(problem, certified) if name in ("local", "majorizer") else None
                runs[name].append(train(problem, network, step_size, max_iter=MAX_ITER, tol=TOL, callback=compared))
    notes.extend(f"{name} reached {TOL:g} of the first gap within {MAX_ITER} iterations on {reached} of {seeds} seeds"
                 for name, found in runs.items() if (reached := np.isfinite(iterations(found)).sum()) < seeds)
    findings = [*_findings(runs, np.array(certified)), *_of_promises(runs.get("planned", []), promised)]
    return Report("steps", _table(runs, promised), findings, notes, draw)


def start(seed):
    """Return the problem and the network of one seed."""
    rng = np.random.default_rng(seed)
    W = rng.normal(scale=0.5, size=(20, 1))
    Y = W + 0.04 * rng.standard_normal((20, 1))
    return MatrixFactorization(Y), Network.balanced(W, 1000)


def certified_decreases(problem, network):
    """Return by how much the gap is certain to fall with the majorizer's step, and with the local one (K = 1)."""
    W1, W2 = network.stack()[: network.n], network.stack()[network.n:].T
    G = problem.gradient(network.product)
    tau = G @ W2.T @ W2 + W1 @ W1.T @ G
    B = G @ W2.T @ W1.T @ G
    eta = train(problem, network, "majorizer", max_iter=1).history["step_size"][0]
    move = -eta * tau + eta**2 * B
    majorizer = -np.vdot(G, move) - np.vdot(move, move) / 2
    at = local_constants(problem, network)
    eta = train(problem, network, "local", max_iter=1).history["step_size"][0]
    return majorizer, (eta - at.K_t(eta) * eta**2 / 2) * at.grad_norm**2


def _compared(problem, certified):
    """Return a callback that compares the two certificates at every iterate that a step is taken from."""
    def look(run):
        gap = run.history["gap"]
        if gap[-1] > TOL * gap[0]:
            certified.append(certified_decreases(problem, run.network))

    return look


def iterations(runs):
    """Return how many iterations each run needed; infinitely many if it did not get there or was none."""
    return np.array([run.iterations if run and run.converged else np.inf for run in runs])


def _decades(runs):
    """Return the median number of decades that the gap falls per iteration."""
    return np.median([np.log10(run.history["gap"][0] / run.history["gap"][-1]) / run.iterations if run else 0.0
                      for run in runs])


def _table(runs, promised):
    """Return one row per rule and iteration that at least half of the seeds reach; a run stays where it ended.

    The last rule is "guaranteed", the gap that is guaranteed before the first step, as far as it is planned.
    """
    parts = []
    for name, found in runs.items():
        found = [run for run in found if run]
        if not found:
            continue
        length = int(np.median([run.iterations for run in found])) + 1
        gap = [_lasting(run.history["gap"], length) for run in found]
        eta = [_lasting(run.history["step_size"][:-1], length) for run in found]
        parts.append({"rule": np.full(length, name), "iteration": np.arange(length),
                      **spread("log10_loss", np.log10(gap)), **spread("step_size", eta)})
    found = [guaranteed for guaranteed in promised if not guaranteed.vacuous]
    if found:
        length = int(min(np.median([guaranteed.iterations_to(PROMISED) for guaranteed in found]), MAX_ITER)) + 1
        gap = [guaranteed.gap_at(np.arange(length)) for guaranteed in found]
        parts.append({"rule": np.full(length, "guaranteed"), "iteration": np.arange(length),
                      **spread("log10_loss", np.log10(gap)), **spread("step_size", np.full((1, length), np.nan))})
    return {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}


def _lasting(column, length):
    """Return the first so many numbers, the last one repeated where they are fewer."""
    return column[np.minimum(np.arange(length), len(column) - 1)]


def _findings(runs, certified):
    needed = {name: iterations(found) for name, found in runs.items()}
    median = {name: np.median(count) for name, count in needed.items()}
    decades = {name: _decades(found) for name, found in runs.items()}
    slowest, fastest = min(decades[name] for name in XU), max(decades[name] for name in EARLIER)
    final = [(np.log(run.history["gap_bound"][-1] / run.history["gap"][0]),
              np.log(run.history["gap"][-1] / run.history["gap"][0])) for run in runs["contraction"] if run]
    exponent = max(measured / guaranteed for guaranteed, measured in final)
    # balanced layers of rank one, of singular value s: the tangent kernel has eigenvalues s^2 and 2 s^2, and near the
    # minimum local contracts W - W* by 1 - 1/2, contraction by (2 - 1)/(2 + 1)
    predicted = np.log(1 - 1 / 2) / np.log((2 - 1) / (2 + 1))
    halved = median["contraction"] / median["local"] if np.isfinite(median["local"]) else np.nan
    findings = [
        Finding("the rules of Xu et al. (2023) beat arora and du by far: 10 times the decades per iteration",
                f"at least {slowest:.3g} against at most {fastest:.3g} decades", slowest > 10 * fastest),
        Finding("xu-rho and xu-rho-hat beat xu-f and xu-f0", _medians(median, XU[::-1]),
                max(median["xu-rho"], median["xu-rho-hat"]) < min(median["xu-f"], median["xu-f0"])),
        Finding("local beats xu-rho", _medians(median, ("local", "xu-rho")), median["local"] < median["xu-rho"]),
        Finding("contraction halves local's iterations", f"{halved:.2f} of them", halved <= 0.5,
                refuted="a half is the limit of bad conditions, and here the tangent kernel has condition 2"),
        Finding("contraction needs the share of local's iterations that theory gives at a tangent kernel of condition "
                "2, log(1 - 1/2)/log(1/3), within 10 %", f"{halved:.2f} against {predicted:.2f}",
                abs(halved / predicted - 1) < 0.1),
        Finding("contraction's guarantee is within 1.5 of the measured exponent", f"at most {exponent:.3f}",
                1 <= exponent <= 1.5),
    ]
    for name in ("sharp", "majorizer", "planned"):
        worse = int((needed[name] > needed["local"]).sum())
        findings.append(Finding(f"{name} needs no more iterations than local (medians)",
                                f"{_medians(median, (name, 'local'))}; more on {worse} of {len(needed[name])} seeds",
                                median[name] <= median["local"] < np.inf))
    short = (certified[:, 1] / certified[:, 0]).max()
    findings.append(Finding("at every iterate the majorizer's certified decrease is at least local's",
                            f"local's is at most {short:.4f} of it over {len(certified)} iterates of both",
                            short <= 1 + ROUNDING))
    return findings


def _of_promises(runs, promised):
    """Yield what was found of the iterations that are guaranteed before the first step."""
    pairs = [(guaranteed.iterations_to(PROMISED), _first_below(run, PROMISED))
             for guaranteed, run in zip(promised, runs, strict=False) if run]
    if pairs:
        guaranteed, measured = np.array(pairs).T
        yield Finding(f"planned is at {PROMISED:g} of the first gap no later than is guaranteed before the first step",
                      f"after {np.median(measured):.0f}, guaranteed {np.median(guaranteed):.0f} (medians); later on "
                      f"{(measured > guaranteed).sum()} of {len(pairs)} seeds", bool((measured <= guaranteed).all()))


def _first_below(run, factor):
    """Return the first iterate with at most that part of the first gap; infinity if there is none."""
    below = np.flatnonzero(run.history["gap"] <= factor * run.history["gap"][0])
    return below[0] if below.size else np.inf


def _medians(median, names):
    return ", ".join(f"{name} {median[name]:.0f}" for name in names)


STYLES = {
    "arora": {"color": "0.6", "ls": "-"},
    "du": {"color": "0.4", "ls": "-."},
    "xu-f0": {"color": ORANGE, "ls": "-"},
    "xu-f": {"color": BLACK, "ls": (0, (2, 4)), "lw": 0.9},
    "xu-rho-hat": {"color": SKY, "ls": "-"},
    "xu-rho": {"color": BLUE, "ls": (0, (2, 3))},
    "local": {"color": VERMILLION, "ls": "-"},
    "sharp": {"color": VERMILLION, "ls": "--"},
    "contraction": {"color": GREEN, "ls": "-"},
    "majorizer": {"color": PURPLE, "ls": "-"},
    "planned": {"color": BLUE, "ls": "--"},
    "guaranteed": {"color": BLUE, "ls": ":"},
    "exact": {"color": BLACK, "ls": (0, (1, 2))},
}

# The rules of the two columns of panels, with their labels; what lies on another curve has none of its own. local is in
# both, to compare by. Where there is little room, first come first served.
COLUMNS = (
    {"guaranteed": "guaranteed", "contraction": "contraction,\nplanned", "planned": None, "majorizer": "majorizer",
     "exact": "exact", "local": "local, sharp", "sharp": None},
    {"local": "local", "xu-rho-hat": "xu-rho-hat,\nxu-rho", "xu-rho": None, "xu-f0": "xu-f0, xu-f", "xu-f": None,
     "arora": "arora", "du": "du"},
)


def draw(table):
    """Draw loss and step size against the iteration, fast rules on the left: medians, and bands of the quartiles."""
    figure, axes = panels(2, 2, height=4.2, sharex="col")
    column_lines = []
    for column, labels in zip(axes.T, COLUMNS, strict=True):
        rules = [name for name in labels if name in table["rule"]]
        at = {name: {key: values[table["rule"] == name] for key, values in table.items()} for name in rules}
        for part in at.values():
            part.update({f"loss_{end}": 10.0 ** part[f"log10_loss_{end}"] for end in ("median", "q25", "q75")})
        for ax, quantity in zip(column, ("loss", "step_size"), strict=True):
            lines = {name: band(ax, part["iteration"], part, quantity, **STYLES[name]) for name, part in at.items()}
            if ax is not axes[1, 0]:
                ax.set_yscale("log")
            column_lines.append((ax, lines, labels))
        # room for a label beside the slowest; the earlier rules go on and on
        reached = max(part["iteration"][-1] for name, part in at.items() if name not in EARLIER)
        column[0].set_xlim(0, 1.1 * reached)
        column[1].set_xlabel("iteration $t$")
    axes[0, 1].sharey(axes[0, 0])
    axes[0, 1].tick_params(labelleft=False)
    # those on the left are within a factor of two, those on the right span five decades
    axes[1, 0].set_ylim(0, 1.15 * np.nanmax(table["step_size_q75"]))
    axes[1, 1].set_ylim(top=3)
    axes[0, 0].set_ylabel("loss $L(t)$")
    axes[1, 0].set_ylabel(r"step size $\eta_t$")
    figure.draw_without_rendering()
    for ax, lines, labels in column_lines:
        named = {name: line for name, line in lines.items() if labels[name]}
        label_curves(ax, list(named.values()), [labels[name] for name in named],
                     clear_of=[line for name, line in lines.items() if name not in named], laid_out=True)
    return figure
