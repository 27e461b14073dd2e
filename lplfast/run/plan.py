"""A run that has been checked and not begun: every bad argument is an error here, before any work."""

import dataclasses
import math
import time
from typing import Any, Self

import numpy as np

from ..descent.state import LAYOUT
from ..guarantees.constants import check_pair
from ..losses.problems import Problem
from ..losses.scaled import scaled
from ..network import Network
from ..rules.registry import StepSize
from ..validation import as_count, as_number
from .options import RunOptions
from .requirements import missing_for
from .run import Run

__all__ = ["HISTORY_LIMIT", "Plan", "plan"]

# Bytes that a history may take up in memory.
HISTORY_LIMIT = 2**31


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to run: from `network`, or on from where `run` stopped.

    `trained` is the problem in the units of the layers that are trained, `problem` itself unless `layer_scales` says
    otherwise; `network` is in the user's.
    """

    problem: Problem
    network: Network
    run: Run | None
    options: RunOptions
    max_iter: int
    max_time: float
    trained: Problem

    @classmethod
    def validated(cls, problem: Problem, network: Network | Run, *, step_size: StepSize | None, max_iter: int,
                  max_time: float | None, solve: bool | None = None, **given: Any) -> Self:
        """Return the plan of a run on `problem` from `network`, a Network or a Run to be continued.

        Unless `solve` is None, the minimizer is looked for here, where that takes work, within `max_time`; `solve` says
        whether with a progress bar.

        Raises
        ------
        TypeError, ValueError
            If anything does not fit.
        TimeoutError
            If `max_time` passes over the solution.

        """
        run, taken = None, 0
        if isinstance(network, Run):
            run, network, taken = network, network.network, network.iterations
        check_pair(problem, network)
        options = (RunOptions.new(step_size=step_size, **given) if run is None else
                   RunOptions.again(run.continuation.options, step_size=step_size, **given))
        max_iter = as_count("max_iter", max_iter, least=0)
        if max_iter < taken:
            raise ValueError(f"max_iter: expected at least {taken}, the steps that the run has taken, since it counts "
                             f"all steps of a run, got {max_iter}")
        max_time = math.inf if max_time is None else as_number("max_time", max_time)
        _check_history(max_iter, options)
        if solve is not None:
            started = time.perf_counter()
            problem.solve(max_time=None if max_time == math.inf else max_time, progress=solve)
            max_time = max(0.0, max_time - (time.perf_counter() - started))
        trained = problem if options.layer_scales.plain else scaled(problem, options.layer_scales.product)
        if run is None or step_size is not None:
            # what a rule needs at its first step, its own run has had
            missing = missing_for(options.rule, trained, _in_units(network, options))
            if missing:
                raise ValueError(f"step_size: {options.rule!r} needs {missing}")
        if run is not None:
            _check_origin(problem, run)
        return cls(problem, network, run, options, max_iter, max_time, trained)

    @property
    def start(self) -> Network:
        """The network in the units of the layers that are trained."""
        return _in_units(self.network, self.options)

    def taken_up(self, run: Run) -> Self:
        """Return the plan that goes on with a run of this one, from a file.

        Raises
        ------
        ValueError
            If it is a run of something else.
        """
        _check_origin(self.problem, run)
        return dataclasses.replace(self, run=run)


def _in_units(network, options):
    """Return the network in the units of the layers that are trained."""
    if options.layer_scales.plain:
        return network
    stack = options.layer_scales.divide(network.stack(compress=options.compress), network.n)
    if not np.isfinite(stack).all():
        raise ValueError("layer_scales: expected scales that leave W1/a and W2/b within float64, got "
                         f"{tuple(options.layer_scales)}; rescale the layers")
    return network.replace(stack)


# What `plan` takes beside what is trained, and what it is where it is not given.
DEFAULTS = {"max_iter": 1000, "tol": None, "grad_tol": None, "max_growth": None, "max_time": None, "constants": None,
            "compress": None, "layer_scales": None, "record": None, "record_every": None}


def plan(problem: Problem, network: Network | Run, step_size: StepSize | None = None, **options: Any) -> Plan:
    """Return what `train` would be given, checked and not begun: what an experiment may return to `sweep`.

    Parameters
    ----------
    problem : Problem
        The loss l of the product W1 W2.
    network : Network or Run
        Where to start, or the run to continue.
    step_size : str, float, Rule or callable, optional
        As in `train`.
    options
        `max_iter`, `tol`, `grad_tol`, `max_growth`, `max_time`, `constants`, `compress`, `layer_scales`, `record` and
        `record_every`, as in `train`.

    Returns
    -------
    Plan
        Immutable; it pickles if the problem and the rule do.

    Raises
    ------
    TypeError, ValueError
        On bad arguments; if the rule needs what the problem or the network does not have.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network
    >>> plan(MatrixFactorization([[2.0]]), Network([[1.0]], [[1.0]]), "sharp", max_iter=50).max_iter
    50

    """
    unknown = sorted(set(options) - set(DEFAULTS))
    if unknown:
        raise TypeError(f"{unknown[0]}: expected options among {', '.join(DEFAULTS)}, got another; callbacks, "
                        "checkpoints and progress are for train")
    return Plan.validated(problem, network, step_size=step_size, **{**DEFAULTS, **options})


def _check_history(max_iter, options):
    """Refuse a history that may come to exceed HISTORY_LIMIT."""
    columns = len(options.record)
    size = 8 * columns * (max_iter // options.record_every + 2)
    if size > HISTORY_LIMIT:
        every = math.ceil(max_iter / (HISTORY_LIMIT // (8 * columns) - 2))
        raise ValueError(f"record_every: expected a history of at most {HISTORY_LIMIT / 2**30:.0f} GiB, got up to "
                         f"{size / 2**30:.3g} GiB: {max_iter} steps, one in {options.record_every} kept with "
                         f"{columns} columns. Use record_every={every} or more, fewer columns (record=...), or fewer "
                         "steps (max_iter=...)")


def _check_origin(problem, run):
    """Refuse to go on with a run on another problem, or from a state that means something else here or lacks a part."""
    went_on = run.continuation
    if went_on.layout != LAYOUT:
        raise ValueError(f"run: expected one of this version of lplfast, got one of {run.facts.versions['lplfast']} "
                         "that kept other things. Start anew from its layers: train(problem, run.network)")
    if went_on.fingerprint != problem.fingerprint:
        raise ValueError(f"problem: expected the one that the run was trained on, {run.facts.problem}, to the last "
                         f"bit, got {problem!r}. Make it from the same data and options, or start anew from the "
                         "layers: train(problem, run.network)")
    if went_on.start is None and not problem.sees_everything:
        raise ValueError(f"run: expected the first layer at t = 0, of which {problem!r} cannot see a part, got a run "
                         "without. Start anew from its layers: train(problem, run.network)")
