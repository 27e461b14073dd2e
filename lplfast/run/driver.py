"""One run under way."""

import math
import time
import weakref

import numpy as np

from ..descent.descent import Descent
from ..descent.history import COLUMNS
from ..guarantees.initial import InitialGuarantee
from ..rules.registry import rule_parts
from ..threads import single_threaded_blas
from .parts import RunParts, RunUnderWay
from .recorder import Recorder

__all__ = ["RunDriver"]

# How long the compiled loop runs before Python may look at signals, callbacks and the clock.
SECONDS_PER_CHUNK = 0.1


class RunDriver:
    """The compiled descent of a plan, and the rows that it has filled.

    An exception, an interrupt among them, may come at any line. What is here is a run at each of them: a change is one
    assignment or one call of what is compiled, and `result` changes nothing.
    """

    def __init__(self, plan, n_threads=1):
        self.status = None      # how the run has ended, when it has
        self.plan, self.n_threads = plan, n_threads
        if plan.run is None:
            self._begin()
        else:
            self._resume()
        self.recorder = Recorder(plan.options.record, plan.max_iter // plan.options.record_every + 1, self.before)

    def _begin(self):
        """Set up a new run."""
        plan = self.plan
        problem, n = plan.problem, plan.problem.shape[0]
        stack = plan.network.stack(compress=plan.options.compress)
        # only what a problem cannot see has to be remembered
        self.start = None if problem.sees_everything else stack[:n]
        self.before = {}        # history of the run that is continued, by name
        self.rule_said = repr(plan.options.rule)
        self.guarantee = None   # until the loss has been evaluated, where its errors belong to the run
        self.descent = self._descent(plan.options.layer_scales.divide(problem.to_kernel(stack),
                                                                      problem.kernel.shape[0]))

    def _resume(self):
        """Take up the run of the plan where it stopped."""
        run = self.plan.run
        options, state = self.plan.options, run.continuation.state
        stack = run.continuation.layers(sum(self.plan.problem.kernel.shape))
        self.start = run.continuation.start
        # the last row lacks its step, and is written again
        self.before = {name: run.history[name][:-1] for name in options.record}
        same = rule_parts(options.rule) == run.continuation.options["rule"]
        self.rule_said = (run.facts.rule if same else
                          f"{run.facts.rule} to t={run.iterations}, then {options.rule!r}")
        self.guarantee = run.guarantee if same else run.guarantee.without_rate()
        self.descent = self._descent(stack)
        self.descent.restore(state, same_rule=same)
        if self.descent.t != run.iterations:
            raise ValueError(f"run: expected a state after {run.iterations} steps, as the run has taken, got one after "
                             f"{self.descent.t}")
        # a function may add up in another order from time to time; another loss is farther off
        loss = float(self.descent.last_row()[COLUMNS.index("loss")])
        if not np.isclose(loss, run.continuation.loss, rtol=1e-9, atol=0.0, equal_nan=True):
            raise ValueError(f"problem: expected the one that the run was trained on, of loss "
                             f"{run.continuation.loss!r} where the run ends, got {loss!r} there")

    def _descent(self, stack):
        return Descent(self.plan.trained.kernel, self.plan.options.rule, self.plan.options.spectral, stack,
                       n_threads=self.n_threads)

    def so_far(self, status):
        """Return the run so far, as ended by `status` unless it has ended by itself."""
        with single_threaded_blas():
            return self.result(self.status or status)

    def _initial_guarantee(self):
        """Return what the start guarantees; to be called there before it is left."""
        plan = self.plan
        if self.guarantee is None and plan.run is None:
            self.guarantee = InitialGuarantee(plan.trained, plan.start, plan.options.rule, plan.options.spectral,
                                              self.descent.gap_above)
        return self.guarantee

    def run_until_stopped(self, *, callback=None, callback_every=1, advanced=None, checkpoint=None, cancelled=None):
        """Advance until there is a status, and return the run."""
        max_iter, deadline = self.plan.max_iter, time.perf_counter() + self.plan.max_time
        longest = SECONDS_PER_CHUNK if checkpoint is None else min(SECONDS_PER_CHUNK, checkpoint.every)
        descent, status = self.descent, None
        self._initial_guarantee()
        done = descent.t
        if advanced is not None:
            advanced(done)
        while status is None:
            next_call = max_iter if callback is None else min(max_iter, done - done % callback_every + callback_every)
            outcome = self._advance(next_call, min(longest, deadline - time.perf_counter()))
            moved, done = descent.t - done, descent.t
            if advanced is not None:
                advanced(moved)
            if outcome not in ("running", "max_iter"):
                status = outcome
            elif outcome == "max_iter" and done >= max_iter:
                status = "max_iter"
            elif time.perf_counter() >= deadline:
                status = "max_time"
            elif cancelled is not None and cancelled():
                status = "interrupted"
            if callback is not None and moved and done % callback_every == 0 and self._stopped_by(callback):
                status = status or "stopped"
            if checkpoint is not None and status is None:
                checkpoint.save_if_due(self)
        self.status = status
        return self.result(status)

    def _advance(self, max_iter, budget):
        """Fill more rows: one call into the compiled loop, which counts them, so that none is lost or doubled."""
        options = self.plan.options
        room = self.recorder.room(self.descent.filled)
        return self.descent.advance(room, every=options.record_every, max_iter=max_iter, tol=options.tol,
                                    grad_tol=-1.0 if options.grad_tol is None else options.grad_tol,
                                    max_growth=math.inf if options.max_growth is None else options.max_growth,
                                    budget=budget)

    def _stopped_by(self, callback):
        """Return whether the callback asks to stop; what it has kept of the run so far is made before that goes on."""
        parts = self._parts("running")
        run = RunUnderWay(parts)
        kept = weakref.ref(run)
        stop = bool(callback(run))
        del run
        run = kept()
        if run is not None:
            RunUnderWay.keep(run)       # by its class: a run that has been copied is a Run already
        else:
            parts.let_go()
        return stop

    def _parts(self, status):
        return RunParts(self, status, self._initial_guarantee())

    def result(self, status):
        """Return the run so far; after another status than "running" it may not be advanced any more."""
        return self._parts(status).run()
