"""One run under way."""

import math
import os
import platform
import time
import warnings

import numpy as np
import scipy

from ..descent.descent import Descent
from ..descent.history import COLUMNS, copy_columns
from ..descent.state import LAYOUT
from ..guarantees.initial import Promise
from ..rules.registry import rule_parts
from ..versions import __version__
from .outcome import outcome_message
from .run import Continuation, Run

__all__ = ["Checkpoint", "Loop"]

# How long the compiled loop runs before Python may look at signals, callbacks and the clock.
SECONDS_PER_CHUNK = 0.1
ROWS_PER_CHUNK = 4096


class Checkpoint:
    """A file that the run so far is written to every so many seconds."""

    def __init__(self, path, every):
        self.path, self.every = os.fspath(path), every
        self.due = None

    def begin(self, run):
        """Write the first time: a path that cannot be written is an error now, and not when there is much to lose."""
        run.save(self.path)
        self.due = time.perf_counter() + self.every

    def look(self, loop):
        """Write the run so far if it is time."""
        if time.perf_counter() >= self.due:
            self.write(loop.result("running"))
            self.due = time.perf_counter() + self.every

    def write(self, run):
        """Write a run; a disk that is full for a while must not cost it."""
        try:
            run.save(self.path)
        except OSError as error:
            warnings.warn(f"checkpoint: not written, what was there is kept: {error}", RuntimeWarning, stacklevel=5)


class Loop:
    """The compiled descent of a plan, and the rows that it has filled."""

    def __init__(self, plan):
        self.plan = plan
        problem, settings, run = plan.problem, plan.settings, plan.run
        self.columns = settings.columns
        if run is None:
            first = plan.network.stack(compress=settings.compress)
            # only what a problem cannot see has to be remembered
            self.start = None if problem.sees_everything else first[:problem.shape[0]]
            stack, before = problem.to_kernel(first), []
            self.rule_said = repr(settings.rule)
            self.promise = None     # until the loss has been evaluated, where its errors belong to the run
        else:
            state, self.start = run.continuation.state, run.continuation.start
            rows = sum(problem.kernel.shape)
            stack = state[state.size - rows * run.facts["run_width"]:].reshape(rows, -1)
            # the last row lacks its step, and is written again
            before = [np.stack([run.history[name][:-1] for name in settings.record])]
            same = rule_parts(settings.rule) == run.continuation.settings["rule"]
            self.rule_said = (run.facts["rule"] if same else
                              f"{run.facts['rule']} to t={run.iterations}, then {settings.rule!r}")
        self.descent = Descent(problem.kernel, settings.rule, settings.spectral, stack)
        if run is not None:
            self.descent.restore(state, same_rule=same)
            self.promise = run.promise if same else run.promise.without_rate()
            # a function may add up in another order from time to time; another loss is farther off
            if not np.isclose(self._last()["loss"], run.continuation.loss, rtol=1e-9, atol=0.0, equal_nan=True):
                raise ValueError(f"problem: expected the one that the run was trained on, of loss "
                                 f"{run.continuation.loss!r} where the run ends, got {self._last()['loss']!r} there")
        self.before = before    # history of the run that is continued, a row for each column
        self.full = []          # likewise, of the chunks that are full
        # a chunk is filled before there is a second one
        self.capacity = min(ROWS_PER_CHUNK, plan.max_iter // settings.record_every + 1)
        self.rows = np.empty((self.capacity, len(COLUMNS)))

    def go(self, **options):
        """Advance until there is a status; what the user's own code raises on the way carries the `run` so far."""
        try:
            return self._go(**options)
        except Exception as error:
            error.run = self.result("stopped")
            raise

    def _promise(self):
        """Return what the start promises; to be called there before it is left."""
        plan = self.plan
        if self.promise is None and plan.run is None:
            self.promise = Promise(plan.problem, plan.network, plan.settings.rule, plan.settings.spectral,
                                   self.descent.gap_above)
        return self.promise

    def _go(self, *, callback=None, callback_every=1, advanced=None, checkpoint=None, cancelled=None):
        """Advance until there is a status; nothing here changes a number, so an interrupt may come anywhere."""
        max_iter, deadline = self.plan.max_iter, time.perf_counter() + self.plan.max_time
        longest = SECONDS_PER_CHUNK if checkpoint is None else min(SECONDS_PER_CHUNK, checkpoint.every)
        descent, status = self.descent, None
        self._promise()
        done = descent.t
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
            if callback is not None and moved and done % callback_every == 0 and callback(self.result("running")):
                status = status or "stopped"
            if checkpoint is not None:
                checkpoint.look(self)
        return status

    def _advance(self, max_iter, budget):
        """Fill more rows: one call into the compiled loop, which counts them, so that none is lost or doubled."""
        room = self.rows[self.descent.filled - len(self.full) * self.capacity:]
        if not len(room):
            self.full.append(np.empty((len(self.columns), self.capacity)))
            copy_columns(self.rows, self.columns, self.full[-1])
            room = self.rows = np.empty((self.capacity, len(COLUMNS)))
        settings = self.plan.settings
        return self.descent.advance(room, every=settings.record_every, max_iter=max_iter, tol=settings.tol,
                                    grad_tol=-1.0 if settings.grad_tol is None else settings.grad_tol,
                                    max_growth=math.inf if settings.max_growth is None else settings.max_growth,
                                    budget=budget)

    def _last(self):
        """Return the row of the current iterate, by column."""
        return dict(zip(COLUMNS, self.descent.last_row().tolist(), strict=True))

    def result(self, status):
        """Return the run so far."""
        descent, (problem, network, settings) = self.descent, (self.plan.problem, self.plan.network, self.plan.settings)
        stack = problem.from_kernel(descent.stack, self.start)
        last = self._last()
        done = [*self.before, *self.full]
        before, current = sum(table.shape[1] for table in done), descent.filled - len(self.full) * self.capacity
        table = np.empty((len(self.columns), before + current + 1))
        if done:
            np.concatenate(done, axis=1, out=table[:, :before])
        copy_columns(self.rows[:current], self.columns, table[:, before:-1])
        table[:, -1] = [last[name] for name in settings.record]
        history = dict(zip(settings.record, table, strict=True))
        facts = {
            "problem": repr(problem), "mu": problem.mu, "K": problem.K, "minimum": problem.minimum,
            "rule": self.rule_said, "constants": settings.spectral.mode, "tolerance": settings.spectral.tolerance,
            "tol": settings.tol, "n": network.n, "m": network.m, "width": network.width,
            "run_width": stack.shape[1],
            "versions": {"lplfast": __version__, "python": platform.python_version(), "numpy": np.__version__,
                         "scipy": scipy.__version__},
        }
        message = outcome_message(status, descent, last, settings, network, history)
        return Run(history=history, status=status, message=message, network=network.replace(stack),
                   iterations=descent.t, checks=descent.checks, counters=descent.counters, facts=facts,
                   continuation=Continuation(settings=settings.to_dict(), fingerprint=problem.fingerprint,
                                             layout=LAYOUT, loss=last["loss"], state=descent.state(), start=self.start),
                   promise=self._promise())
