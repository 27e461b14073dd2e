"""What a training run returns: its history, how it ended, and whether every inequality held."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..annotations import Array, FilePath
from ..files import replace_file
from ..guarantees.audit import Audit, audit, theorems_failed
from ..guarantees.envelope import GuaranteedRate
from ..guarantees.initial import InitialGuarantee
from ..guarantees.rates import guaranteed_rule
from ..guarantees.rest import gap_and_drift, guarantee_of_the_rest, rule_begun
from ..markup import number, table_html
from ..network import Network
from ..spectral.modes import spectral_from
from ..validation import as_count
from .archive import load_entries, save_entries
from .entries import flat
from .exports import to_xarray
from .info import RunInfo
from .scales import LayerScales

if TYPE_CHECKING:   # extras
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["Continuation", "Interrupted", "Run"]


class Interrupted(KeyboardInterrupt):
    """Training was interrupted. Everything computed so far is kept, and can be continued.

    Attributes
    ----------
    runs : list
        What `train_many` had come to, in order; None where a run had not begun. A list of one from `train`.
    run : Run
        The first of them.

    """

    def __init__(self, *runs: "Run | None") -> None:
        begun = [run for run in runs if run is not None]
        ended = sum(run.status != "interrupted" for run in begun)
        super().__init__(f"{runs[0].message} The run so far is this exception's `run`, and train(problem, error.run) "
                         "goes on with it." if len(runs) == 1 and begun else
                         f"Interrupted: {ended} of {len(runs)} runs ended, {len(begun) - ended} under way; everything "
                         "up to here is kept in this exception's `runs`, None where a run had not begun.")
        self.runs = list(runs)

    @property
    def run(self) -> "Run":
        """The run of `train`."""
        return self.runs[0]

    def __reduce__(self):
        return Interrupted, tuple(self.runs)


# arrays are not compared: one is equal to itself
@dataclass(frozen=True, eq=False)
class Continuation:
    """What `train` needs, beside a run's history and network, to go on with it, bit for bit."""

    options: dict[str, Any]     # rule, mode, tol, record ...: what is not said anew
    fingerprint: str            # of the problem
    layout: str                 # of the state
    loss: float                 # at the last iterate: of a Python function, it tells one problem from another
    run_width: int              # of the layers in the state
    state: Array                # memory, what the loss carries along, and layers, as the compiled loop has them
    start: Array | None         # the first layer at t = 0, if the problem cannot see all of it

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays."""
        return {"state": self.state} if self.start is None else {"state": self.state, "start": self.start}

    def to_dict(self) -> dict[str, Any]:
        """Return the rest, plain enough for JSON."""
        return {"options": self.options, "fingerprint": self.fingerprint, "layout": self.layout, "loss": self.loss,
                "run_width": self.run_width}

    def layers(self, rows: int) -> Array:
        """Return the layers in the state as one stack of so many rows, a view.

        Raises
        ------
        ValueError
            If the state is too small to hold them.

        """
        size = rows * self.run_width
        if self.state.ndim != 1 or self.state.size < size:
            raise ValueError(f"run: expected a state of at least {size} numbers, {rows} rows of layers of width "
                             f"{self.run_width}, got an array of shape {self.state.shape}")
        return self.state[self.state.size - size:].reshape(rows, self.run_width)


class Run:
    """A training run.

    Attributes
    ----------
    history : dict of arrays
        One array a recorded column, one entry a recorded iterate; the step columns of the last are NaN. `loss`, `gap`
        (= loss - l*), `gap_bound` (`gap[0]` times all guaranteed rates so far), `grad_norm`, `mu_t` (lower bound),
        `sigma_min_sq` (lower bound), `sigma_max_sq`, `sigma_max_W` (upper bounds; the latter, unless `constants` is
        `"exact"`, as close as K_t needs it), `nu_lo`, `nu_hi` (a lower and an upper bound on the spectrum of the
        tangent kernel; for a loss that is not quadratic a local PL constant, `mu_t` or better, and NaN),
        `sharpness_lo`, `sharpness_hi` (bounds on the greatest eigenvalue of the Hessian of L; the lower one is NaN for
        such a loss), `floor` (what rounding alone, and an uncertain l*, leave of a gap), `bracket_width` (relative, of
        the wider of the brackets of s_min(T)^2 and s_max(T)^2, or what that of s_max(W) makes of K_t: 0 for estimates,
        infinite where s_min may be 0) belong to the iterate. Counted up to it: `time` (seconds in the loop),
        `loss_evaluations`,
        `gradient_evaluations`, `eigenproblems` (calls of LAPACK), `backtracks`, `drift` (the sum of `step_size^2
        grad_norm^2`, an upper bound on how far the imbalance has moved), `rounding` (what rounding may have done to
        the gap in all steps).
        `step_size`, `K_t`, `K_t_sharp` (upper bounds), `K_t_step` (what the step itself shows, `2 (step_size
        grad_norm^2 - decrease) / (step_size^2 grad_norm^2)`, rounded up, and never above the other two), `rate_bound`
        (the best guaranteed ratio of gaps) belong to the step from the iterate. Slacks, >= 0 where an inequality holds:
        `slack_pl = 1 - mu_t gap / (grad_norm^2 / 2)`, with `nu_lo` for a loss that is not quadratic,
        `slack_descent = decrease / (step_size grad_norm^2) - (1 - step_size min(K_t, K_t_sharp) / 2)`,
        `slack_rate = rate_bound - gap[t+1] / gap[t]`, and `slack_drift = 2 decrease / (step_size grad_norm^2) - 1`, the
        condition under which the imbalance moves little (docs/theory.md, section 11), which long steps may fail.
    status : str
        How it ended.
    message : str
        The same in a sentence, with what to do about it.
    network : Network
        The layers at the end.
    iterations : int
        How many steps were taken.
    checks : dict
        For `pl`, `descent`, `rate`, `drift`, `gap_bound`: steps, violations, uninformative, smallest, smallest_at; over
        all steps, whatever is recorded. A violation is a slack below minus what rounding can explain; a check is
        uninformative where rounding may take more than its slack. `smallest` is the smallest slack of the others, None
        (and so is `smallest_at`) if there are none.
    counters : dict
        `loss_evaluations`, `gradient_evaluations`, `eigenproblems`, `backtracks`, `renewals` of brackets, steps
        `redone` with exact singular values, iterates with all brackets `narrow`.
    facts : RunInfo
        What was run: problem, rule, constants, tolerance, sizes, versions. A record, readable as a dict is.
    continuation : Continuation
        What `train(problem, run)` needs to go on.
    guarantee : InitialGuarantee
        What the initialization guarantees: bounds, and a rate if a theorem speaks of the rule.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network, train
    >>> run = train(MatrixFactorization([[2.0]]), Network([[1.0]], [[1.0]]))
    >>> run.status, run.violations
    ('converged', 0)
    >>> bool((run.history["gap"] <= run.history["gap_bound"]).all())
    True

    """

    def __init__(self, *, history: dict[str, Array], status: str, message: str, network: Network, iterations: int,
                 checks: dict[str, dict[str, Any]], counters: dict[str, int], facts: RunInfo,
                 continuation: Continuation, guarantee: InitialGuarantee) -> None:
        self.history = history
        self.status = status
        self.message = message
        self.network = network
        self.iterations = iterations
        self.checks = checks
        self.counters = counters
        self.facts = facts
        self.continuation = continuation
        self.guarantee = guarantee

    @property
    def converged(self) -> bool:
        """Whether the gap fell to `tol`, or the gradient to `grad_tol`, times the first one."""
        return self.status == "converged"

    @property
    def violations(self) -> int:
        """How many times a theorem failed beyond rounding: 0, or the loss is not what it declares.

        Always 0 with `constants="power"`, whose constants are estimates.
        """
        return self.audit().violations

    @property
    def verdict(self) -> str:
        """A sentence on the inequalities checked at every step: how often, violations, smallest slacks."""
        # the drift condition is no theorem, with whatever constants
        checked = [claim for claim in self.audit().claims
                   if claim.name in self.checks and claim.name != "drift" and claim.steps]
        if not checked:
            return "No inequality was checked: no step was taken."
        steps = max(claim.steps for claim in checked)
        titles = [claim.title for claim in checked]
        listed = ", ".join(titles[:-1]) + " and " + titles[-1] if len(titles) > 1 else titles[0]
        every = "every step" if steps > 1 else "the only step"
        failed = sum(claim.violations for claim in checked)
        if self.facts.constants == "power":
            said = (f"The constants are estimates, so nothing is certified: {listed} compared with them at {every} "
                    f"({steps}): failed beyond rounding {failed} times")
        else:
            said = f"{listed[0].upper()}{listed[1:]} checked at {every} ({steps}): violations: {failed}"
        few = [claim for claim in checked if claim.steps < steps]
        if few:     # of somebody else's steps
            said += f", of which {min(claim.steps for claim in few)} were gradient steps, as all but the first ask"
        slacks = [f"{claim.title} {claim.smallest:.2g} at t={claim.at}" for claim in checked
                  if claim.smallest is not None]
        if slacks:
            said += f"; smallest slack: {', '.join(slacks)}"
        hidden = [f"{claim.title} at {claim.uninformative}" for claim in checked if claim.uninformative]
        if hidden:
            said += f"; within rounding, so that they show nothing: {', '.join(hidden)}"
        return f"{said}."

    @property
    def certificate(self) -> str:
        """A sentence on how the singular values were found, how wide their brackets were, and at what cost."""
        mode, tolerance, iterates = self.facts.constants, self.facts.tolerance, self.iterations + 1
        if mode == "power":
            return "Constants are estimates by power iteration: K_t errs low, mu_t high."
        narrow, renewals = self.counters["narrow"], self.counters["renewals"]
        others = "" if narrow == iterates else "; at the others as bracket_width says"
        return (f"Constants are {mode}: s_min(T)^2 and s_max(T)^2 known to {tolerance:.2g} of themselves, s_max(W) as "
                f"well as K_t needs it, at {narrow} of {iterates} iterates{others}; {renewals} brackets computed anew; "
                f"{self.counters['redone']} steps taken back and redone with exact values.")

    def audit(self) -> Audit:
        """Return an Audit: for every inequality its smallest slack, where, and how often it failed beyond rounding.

        Works on a loaded run. `print(run.audit())` is a table; `run.audit().passed` says whether all theorems held.
        """
        return audit(self.checks, self.history, self.guarantee, estimated=self.facts.constants == "power")

    def guarantee_from(self, t: int) -> GuaranteedRate:
        """Return what is guaranteed of the rest of the run from iterate t on, a GuaranteedRate that begins there.

        From the gap and the drift of the imbalance at t, which are in the history, and the imbalance at t = 0; at the
        last iterate from the layers themselves, too, if that says more. It is that of the run's rule or, if no theorem
        speaks of it, of the rule with fewest guaranteed iterations that the run could go on with.

        Parameters
        ----------
        t : int
            A recorded iterate, since the run has had its rule. -1 is the last one.

        Raises
        ------
        TypeError, ValueError
            If t is no such iterate; if the columns `iteration`, `gap`, `floor` and `drift` are not recorded, the gap at
            the start was not known, or the run is that of an `Observer`.

        """
        last = self.iterations
        t = last if isinstance(t, int | np.integer) and t == -1 else as_count("t", t, least=0)
        missing = [name for name in ("iteration", "gap", "floor", "drift") if name not in self.history]
        if missing:
            raise ValueError(f"run: expected the column {missing[0]!r} in its history; train with record='all'")
        rows = np.flatnonzero(self.history["iteration"] == t)
        begun = rule_begun(self.facts.rule)
        if not rows.size or t < begun:
            raise ValueError(f"t: expected a recorded iterate from {begun} to {last}, got {t}")
        bounds, options = self.guarantee.bounds, self.continuation.options
        if bounds is None:
            raise ValueError("run: expected one by `train`, from layers whose gap is known and within float64, got "
                             "another")
        row = {name: float(self.history[name][rows[0]]) for name in ("gap", "floor", "drift")}
        scales = LayerScales.of(options["layer_scales"])
        stack = self.continuation.layers(bounds.imbalance.n + bounds.imbalance.m) if t == last else None
        return guarantee_of_the_rest(bounds, guaranteed_rule(options["rule"]), spectral_from(
            options["constants"]["mode"], tolerance=options["constants"]["tolerance"]),
            *gap_and_drift(bounds, t, row), mu=scales.least_constant(self.facts.mu), taken=t - begun, stack=stack)

    def to_dataframe(self) -> "pd.DataFrame":
        """Return the history as a pandas DataFrame, one recorded iterate a row."""
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError('to_dataframe needs pandas: pip install "lplfast[frames]"') from error
        return pd.DataFrame(self.history)

    def to_xarray(self) -> "xr.Dataset":
        """Return the history as an xarray.Dataset along "iteration", with units, and the facts as attributes.

        Raises
        ------
        ImportError
            If xarray is not installed.
        """
        return to_xarray(self)

    def to_csv(self, path: FilePath) -> None:
        """Write the history as comma-separated values, 17 significant digits, NaN as an empty field.

        An existing file is replaced at once or not at all.

        Raises
        ------
        OSError
            If it cannot be written, or is no regular file; it names `path`.

        """
        replace_file(path, self._write_history)

    def _write_history(self, file):
        file.write((",".join(self.history) + "\n").encode("ascii"))
        for row in np.column_stack(list(self.history.values())):
            line = ",".join("" if math.isnan(x) else repr(x) for x in row.tolist())
            file.write((line + "\n").encode("ascii"))

    def plot(self) -> "Figure":
        """Return a matplotlib Figure: gap and its bound, rates, step size, mu_t and K_t over the iterations."""
        from ..plots import overview

        return overview(self)

    def save(self, path: FilePath, *, self_contained: bool = True) -> None:
        """Write the run to one file (NumPy's .npz, no pickle); an existing file is replaced at once or not at all.

        Parameters
        ----------
        path : path
            The file. Of a symbolic link, what it leads to is written; an existing file passes on its permissions.
        self_contained : bool
            Whether the file is enough for everything. If not, and the network was compressed from wide layers, it has
            the compressed ones and a digest of the wide ones that the run began from, which `load` is then to be
            given: some `(n + m)^2` numbers instead of `(n + m) h`. Checkpoints are such files.

        Raises
        ------
        OSError
            If it cannot be written, or is no regular file; it names `path`.
        ValueError
            If it is to be self-contained, and the run was itself loaded without its initial network.

        """
        parts = {**{name: getattr(self, name) for name in ("status", "message", "iterations", "checks", "counters")},
                 "facts": dict(self.facts), "guarantee": self.guarantee.to_dict(),
                 "continuation": {**self.continuation.to_dict(), **self.continuation.to_arrays()},
                 "history": self.history, "network": self.network.to_arrays(self_contained=self_contained)}
        save_entries(path, dict(flat(parts)))

    @classmethod
    def load(cls, path: FilePath, *, network: Network | None = None) -> Self:
        """Return the run saved at `path`. Nothing in the file is executed.

        Parameters
        ----------
        path : path
            The file.
        network : Network, optional
            The network that the run began from, to the last bit; not looked at where the file is self-contained. A
            checkpoint of a wide network leaves its wide layers out, and makes them again from these. Without it
            everything else is there, and training goes on; only `run.network.W1` and `.W2`, and saving
            self-contained, are then errors.

        Raises
        ------
        OSError
            If the file cannot be read, or is no regular file.
        TypeError
            If `network` is no Network.
        ValueError
            If it is not a saved run: the message names the entry, what was expected and what is there
            (docs/files.md); if it is one of another format; or if it began from another network.

        """
        if network is not None and not isinstance(network, Network):
            raise TypeError(f"network: expected the Network that the run began from, got {type(network).__name__}")
        parts = load_entries(path)
        continuation = {"start": None, **parts.pop("continuation")}
        history = {name: parts["history"][name] for name in continuation["options"]["record"]}
        return cls(**{**parts, "history": history, "network": Network.from_arrays(parts["network"], initial=network),
                      "facts": RunInfo(**parts["facts"]), "continuation": Continuation(**continuation),
                      "guarantee": InitialGuarantee.from_dict(parts["guarantee"], continuation["options"])})

    def _repr_html_(self) -> str:
        facts, gap = self.facts, self.history.get("gap")
        rows = [("problem", facts.problem), ("rule", facts.rule),
                ("network", f"{facts.n} → {facts.width} → {facts.m}, trained at width {facts.run_width}"),
                ("constants", facts.constants),
                ("gap", "" if gap is None else f"{number(float(gap[0]))} → {number(float(gap[-1]))}"),
                ("violations", self._failures())]
        return table_html(f"Run: {self.status} after {self.iterations} iterations", rows, note=self.message)

    def __repr__(self):
        gap = self.history.get("gap")
        last = "" if gap is None else f", gap={gap[-1]:.3g}"
        return f"<Run: {self.status} after {self.iterations} iterations{last}, violations={self._failures()}>"

    def _failures(self):
        # the loop's own counts: what the start guarantees takes longer to work out than a repr may
        return 0 if self.facts.constants == "power" else theorems_failed(self.checks)
