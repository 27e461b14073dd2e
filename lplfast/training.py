"""Train a two-layer linear network by gradient descent, in the compiled loop."""

import contextlib
import math
import platform
import time

import numpy as np
import scipy

from .constants import check_pair
from .kernels.descent import COLUMNS, Descent
from .kernels.loss import DiagonalQuadratic
from .kernels.options import as_count, as_number
from .kernels.spectral import Spectral
from .outcome import outcome_message
from .run import Interrupted, Run, recorded
from .steps import rule_from
from .threads import single_threaded_blas

__all__ = ["train"]

# How long the loop runs before Python may look at signals, callbacks and the clock.
SECONDS_PER_CHUNK = 0.1
ROWS_PER_CHUNK = 4096


def train(problem, network, step_size="local", *, max_iter=1000, tol=1e-10, max_time=None,
          constants="certified", compress=True, record="all", record_every=1, callback=None,
          callback_every=1, progress=False):
    """Train `network` on `problem` by gradient descent, `W1 <- W1 - eta G W2.T`, `W2 <- W2 - eta W1.T G`.

    Parameters
    ----------
    problem : Problem
        The loss l of the product W1 W2.
    network : Network
        Where to start; not modified.
    step_size : str, float or Rule
        `"local"`: the root of `eta K_t(eta) = 1` (Xu et al. 2025); `"sharp"`: the same with `K_t_sharp`;
        `"majorizer"`, `"exact"`, `"polyak"`: see the rules of these names; a number: that step; or a rule object.
    max_iter : int
        How many steps at most.
    tol : float
        Converged when `gap <= tol * gap[0]`, whatever l* is within what is known of it.
    max_time : float, optional
        How many seconds at most; looked at after each step.
    constants : {"certified", "exact", "power"}
        How singular values are found: brackets that contain the truth; LAPACK at every step; power and inverse
        iteration, an estimate without a guarantee.
    compress : bool
        Whether to train at the equivalent width `min(h, n + m)`. Exact; `False` runs the full width.
    record : "all" or list of str
        The columns of the history.
    record_every : int
        Keep one iterate in so many; the last one is always kept.
    callback : callable, optional
        Called with the `Run` so far every `callback_every` steps; a true return value stops the run.
    callback_every : int
        See `callback`.
    progress : bool
        Whether to show a progress bar (tqdm).

    Returns
    -------
    Run
        With its status: `"converged"`, `"max_iter"`, `"max_time"`, `"floor"`, `"saddle"`, `"diverged"`, `"overflow"`,
        `"stalled"`, `"stopped"`, or `"guarantee_failed"`, and a message that says what to do.

    Raises
    ------
    TypeError, ValueError
        On bad arguments, before any work.
    Interrupted
        On Ctrl-C; its `run` holds everything computed so far.
    Exception
        Whatever a callback or a `CustomLoss` raises; its attribute `run` holds everything computed so far.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network
    >>> run = train(MatrixFactorization([[2.0]]), Network([[1.0]], [[1.0]]))
    >>> run.status, run.violations, abs(run.network.product.item() - 2) < 1e-4
    ('converged', 0, True)

    """
    check_pair(problem, network)
    rule = rule_from(step_size)
    if rule.needs_minimum and math.isnan(problem.minimum):
        raise ValueError(f"step_size: {rule!r} needs the minimum of the loss, which this problem does not know")
    if rule.needs_bound and math.isnan(problem.lower_bound):
        raise ValueError(f"step_size: {rule!r} needs the minimum of the loss or a lower bound of it, expected one of "
                         "`minimum`, `minimizer` and `lower_bound` in the problem, got none; or use 'sharp'")
    if rule.needs_quadratic and not isinstance(problem.kernel, DiagonalQuadratic):
        raise ValueError(f"step_size: {rule!r} needs a quadratic loss, which {type(problem).__name__} is not")
    spectral = Spectral(constants) if isinstance(constants, str) else constants
    if not isinstance(spectral, Spectral):
        raise TypeError(f"constants: expected 'certified', 'exact' or 'power', got {constants!r}")
    max_iter = as_count("max_iter", max_iter, least=0)
    record_every = as_count("record_every", record_every)
    callback_every = as_count("callback_every", callback_every)
    tol = as_number("tol", tol)
    max_time = math.inf if max_time is None else as_number("max_time", max_time)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback: expected a callable, got {callback!r}")
    if not isinstance(compress, bool | np.bool_):
        raise TypeError(f"compress: expected True or False, got {compress!r}")
    columns = recorded(record)

    with single_threaded_blas():
        loop = _Loop(problem, network, rule, spectral, compress, columns, record_every, tol)
        with _bar(progress, max_iter) as advanced:
            try:
                status = loop.go(max_iter, max_time, callback, callback_every, advanced)
            except KeyboardInterrupt:
                raise Interrupted(loop.result("interrupted")) from None
            except Exception as error:
                error.run = loop.result("interrupted")
                raise
        return loop.result(status)


class _Loop:
    """One run under way: the compiled descent, and the rows that it has filled."""

    def __init__(self, problem, network, rule, spectral, compress, columns, record_every, tol):
        self.problem, self.network, self.columns = problem, network, columns
        self.record_every, self.tol = record_every, tol
        self.start = network.stack(compress=compress)
        n = network.n
        self.descent = Descent(problem.kernel, rule, spectral, problem.to_kernel(self.start[:n]), self.start[n:].T)
        self.full = []      # chunks of rows, the columns wanted
        self.rows = np.empty((ROWS_PER_CHUNK, len(COLUMNS)))

    def go(self, max_iter, max_time, callback, callback_every, advanced):
        """Advance until there is a status; nothing here changes a number, so an interrupt may come anywhere."""
        deadline = time.perf_counter() + max_time
        descent, done, status = self.descent, 0, None
        while status is None:
            next_call = max_iter if callback is None else min(max_iter, done - done % callback_every + callback_every)
            budget = min(SECONDS_PER_CHUNK, deadline - time.perf_counter())
            outcome = self._advance(next_call, budget)
            moved, done = descent.t - done, descent.t
            advanced(moved)
            if outcome not in ("running", "max_iter"):
                status = outcome
            elif outcome == "max_iter" and done >= max_iter:
                status = "max_iter"
            elif time.perf_counter() >= deadline:
                status = "max_time"
            if callback is not None and moved and done % callback_every == 0 and callback(self.result("running")):
                status = status or "stopped"
        return status

    def _advance(self, max_iter, budget):
        """Fill more rows: one call into the compiled loop, which counts them, so that none is lost or doubled."""
        room = self.rows[self.descent.filled - len(self.full) * ROWS_PER_CHUNK:]
        if not len(room):
            self.full.append(self.rows[:, self.columns])
            room = self.rows = np.empty((ROWS_PER_CHUNK, len(COLUMNS)))
        return self.descent.advance(room, every=self.record_every, max_iter=max_iter, tol=self.tol, budget=budget)

    def result(self, status):
        """Return the run so far."""
        descent, n = self.descent, self.network.n
        stack = np.empty_like(self.start)
        stack[:n] = self.problem.from_kernel(descent.W1, self.start[:n])
        stack[n:] = descent.W2.T
        last = descent.last_row()
        current = self.rows[: descent.filled - len(self.full) * ROWS_PER_CHUNK, self.columns]
        table = np.concatenate([*self.full, current, last[np.newaxis, self.columns]])
        history = {COLUMNS[column]: np.ascontiguousarray(table[:, i]) for i, column in enumerate(self.columns)}
        facts = {
            "problem": repr(self.problem), "mu": self.problem.mu, "K": self.problem.K,
            "minimum": self.problem.minimum, "rule": repr(descent.rule), "constants": descent.spectral.mode,
            "tolerance": descent.spectral.tolerance, "tol": self.tol,
            "n": n, "m": self.network.m, "width": self.network.width, "run_width": int(self.start.shape[1]),
            "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__},
        }
        message = outcome_message(status, descent, dict(zip(COLUMNS, last, strict=True)), self.tol, self.network,
                                  history)
        return Run(history=history, status=status, message=message, network=self.network.replace(stack),
                   iterations=descent.t, checks=descent.checks, counters=descent.counters, facts=facts)


def _bar(progress, total):
    """Return a context manager that gives a function to call with the number of steps just taken."""
    if not progress:
        return contextlib.nullcontext(lambda steps: None)
    return _Tqdm(total)


class _Tqdm:
    def __init__(self, total):
        try:
            from tqdm.auto import tqdm
        except ImportError as error:
            raise ImportError('progress=True needs tqdm: pip install "lplfast[progress]"') from error
        self.bar = tqdm(total=total, unit="step")

    def __enter__(self):
        return self.bar.update

    def __exit__(self, *exc):
        self.bar.close()
