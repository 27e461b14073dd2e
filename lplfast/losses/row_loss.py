"""Losses of the rows of X (W + offset) with a ridge: what they share, and the solution for their minimizer.

docs/theory.md, section 12.
"""

import contextlib
import math
import os
import threading
import time

import numpy as np

from ..annotations import Array
from ..interrupts import Cancelled, cancellable
from ..linalg.factorization import factorize, rank_and_null
from ..once import once
from ..progress import solution_bar
from ..threads import single_threaded_blas
from ..validation import HUGE, as_number, as_offset, as_reduction
from .conditioning import are_standardized, describe_conditioning
from .expansion import Expansion, column_hessian
from .gram import Gram
from .newton import newton
from .problems import Problem
from .proof import norm
from .rowwise import Rowwise

__all__ = ["RowLoss"]

U = float(np.finfo(float).eps) / 2

# One problem is solved at a time: two threads that ask for the same one get the same answer, once.
SOLVING = threading.RLock()


def _after_fork():
    """Leave in the child no lock that another thread of the parent holds."""
    global SOLVING
    SOLVING = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class RowLoss(Problem):
    """A sum over rows x of a convex function of x (W + offset), and a ridge.

    Its minimizer has no closed form: it is computed when it is first asked for, by `newton`, and known to
    `minimizer_error`. Of some rows of Z = X (W + offset) and of the targets, a subclass says what the rows' functions
    are, their derivatives, and what their second derivatives are made of (`_derivatives`); what rounding does to the
    first derivatives (`_slopes_and_rounding`) and to the values (`_evaluation_rounding`); and which compiled loss of
    rows it is (`_compiled`). One whose outputs depend on each other also says what the second derivatives do (`_bent`,
    `_averages`, `_hessian`, `blocks`).

    One with a minimizer without a ridge says so (`needs_ridge`) and what is known of it then (`_errors`). X of rank
    r < n is then replaced by what it is in the frame of its r right singular vectors, as for a squared loss.
    """

    needs_ridge = True
    _on_demand = ("fingerprint", "_gram", "_minimum_rounding", "_spectrum")

    def __init__(self, X, targets, *, l2, reduction, offset, curvature):
        N, n = X.shape
        if targets.shape[0] != N:
            raise ValueError(f"{self.targets_name}: expected {N} rows as in X, got {targets.shape[0]}")
        self.shape, self.basis, self._kernel = (n, targets.shape[1]), None, None
        self._reached = self._found = None      # where Newton's method is, and where it has come to
        self.l2 = as_number("l2", l2, positive=self.needs_ridge)
        self.reduction = as_reduction(reduction)
        self._X, self._targets = X.copy(), targets
        self._X.flags.writeable = False     # the kernel has it, too
        self._offset = as_offset(offset, self.shape)
        self._ridge_on = self._offset if self.l2 > 0 and offset is not None else None
        self._weight = 1 / N if reduction == "mean" else 1.0
        self._standardized = are_standardized(X)
        with single_threaded_blas():
            peak = self._gram.tops.max()
            if not peak < HUGE / max(X.shape):
                raise ValueError("X: expected numbers whose squares are float64 numbers, got up to "
                                 f"{peak:.3g}; rescale X")
            self._look_at_data()
            top_sq = self._gram.largest
        self.mu = self.l2
        self.K = float(self._weight * curvature * top_sq + self.l2) * (1 + 8 * U)

    def _look_at_data(self):
        """Find the rank of X, and what it does not see: from X.T X if that can tell, or else from a decomposition."""
        n = self.shape[0]
        self.rank, self._unseen = n, None       # what the data do not see of W1; None where that is nothing
        if self._gram.proves_full_rank():
            return
        if self.l2 > 0:         # what takes the singular values, often most of the work, only on demand
            self.rank, null = rank_and_null(self._X)
        else:
            found = factorize(self._X)
            self.rank, self._spectrum, null = found.rank, found.s, found.null
            if found.rank == 0:
                raise ValueError("X: expected a nonzero matrix, got all zeros: there is nothing to learn from")
            self.basis = found.V if found.rank < n else None
        if self.rank < n:
            self._unseen = null

    @once
    def _gram(self):
        return Gram(self._X)

    @once
    def _spectrum(self):
        """The singular values of X that are not 0."""
        with single_threaded_blas():
            found = self._gram.singular_values()
            return factorize(self._X).s if found is None else found

    @property
    def singular_values(self) -> Array:
        """The singular values of X, largest first."""
        return np.pad(self._spectrum, (0, min(self._X.shape) - self.rank))

    @property
    def condition_number(self) -> float:
        """s_1(X) / s_r(X), r the rank."""
        with np.errstate(over="ignore", divide="ignore"):
            return float(self._spectrum[0] / self._spectrum[-1]) if self.rank else np.inf

    @property
    def kernel(self) -> Rowwise:
        """The compiled loss; the first access solves for the minimizer."""
        if self._kernel is None:
            self.solve()
        return self._kernel

    def solve(self, *, max_time: float | None = None, progress: bool = False) -> None:
        """Solve for the minimizer now, which otherwise the first use of it does, or `train`.

        Once is enough. What it had come to when it was stopped, by `max_time` or Ctrl-C, is where the next call begins;
        the last bits of the minimizer may then differ. Arguments and errors are those of `Problem.solve`.
        """
        deadline = time.perf_counter() + (math.inf if max_time is None else as_number("max_time", max_time))
        with SOLVING:
            if self._kernel is not None:
                return
            bar = solution_bar() if progress else contextlib.nullcontext()
            # bounds on rounding that leave float64 are infinite, and say so by that
            with (single_threaded_blas(), bar as tell, cancellable(lambda: time.perf_counter() > deadline),
                  np.errstate(over="ignore", invalid="ignore")):
                try:
                    self._kernel = self._solve(tell)
                except Cancelled:
                    if time.perf_counter() <= deadline:
                        raise
                    raise TimeoutError(
                        f"max_time: {max_time:.3g} s have passed before the minimizer was found; what has been found "
                        "is kept: problem.solve() goes on from there, as does the same call") from None
                self._reached = None

    @property
    def minimum(self) -> float:
        """The loss at `minimizer`, as computed: l* to `minimum_error`. The first access solves for it."""
        return self.kernel.minimum

    @property
    def minimizer(self) -> Array:
        """The minimizer W, up to `minimizer_error`; the one of least norm. The first access solves for it."""
        found = self.kernel.minimizer
        return found if self.basis is None else self.basis @ found

    @property
    def minimizer_error(self) -> float:
        """A bound on the distance from `minimizer` to the true one: ||gradient|| / mu, rounding included."""
        return self._errors(self.kernel.uncertainty)[0]

    @property
    def minimum_error(self) -> float:
        """How far `minimum` may be from l*: ||gradient at minimizer||^2 / (2 mu), and what rounding may do to it."""
        return self._errors(self.kernel.uncertainty)[1] + self._minimum_rounding

    @once
    def _minimum_rounding(self):
        self.solve()
        with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
            return self.at(self._found).value_rounding

    def _errors(self, uncertainty):
        """Return how far what `_solve` finds is from the minimizer, and from l*, given the norm of the gradient."""
        return uncertainty / self.mu, uncertainty * uncertainty / (2 * self.mu)     # a power raises where this is inf

    @property
    def lower_bound(self) -> float:
        """A number that l* is not below: `minimum - minimum_error`."""
        return self.minimum - self.minimum_error

    @property
    def conditioning(self) -> str:
        """A sentence on the rank and the condition number of X, with the remedy where they are bad."""
        return describe_conditioning(self) + "."

    def _seen_inputs(self, A):
        return A if self._unseen is None else A - self._unseen @ (self._unseen.T @ A)

    def _solve(self, tell):
        def report(V, slope):
            self._reached = V
            if tell is not None:
                tell(slope)

        at = self._minimize(np.zeros(self.shape) if self._reached is None else self._reached, report)
        V = self._seen(at.V)        # where the minimizer of a ridge is
        W_star = V - self._offset
        if self.l2 == 0:        # the one of least norm
            W_star = self._seen(W_star)
        V = W_star + self._offset       # what the stored minimizer stands for
        if not np.array_equal(V, at.V):
            at = self.at(V)
        self._found = V
        # rounding counts twice: in the gradient here, and in the slopes that the kernel stores
        uncertainty = (norm(at.gradient) + 2 * at.rounding) * (1 + 1e-6)
        return self._compiled(at, W_star, mu=self.mu, K=self.K, minimum=float(at.value), weight=self._weight,
                              l2=self.l2, uncertainty=uncertainty,
                              X_max=math.sqrt(self._gram.largest) * (1 + 4 * U))

    def _minimize(self, first, report):
        """Return the loss to second order near its minimizer, looked for from `first` on."""
        return newton(self, first, report=report, project=self._seen)

    @property
    def work(self) -> int:
        """How many multiplications a product with X takes."""
        return self._X.size * self.shape[1]

    @property
    def blocks(self) -> int:
        """How many independent problems this is: one a column."""
        return self.shape[1]

    def at(self, V: Array) -> Expansion:
        """Return the loss to second order where the whole matrix `W + offset` is V."""
        return Expansion(self, V)

    def _hessian(self, at):
        return np.array([column_hessian(self, column) for column in at.seconds.T])

    def _bent(self, seconds, D):
        return seconds * D

    def _averages(self, seconds):
        return seconds @ np.full(seconds.shape[1], 1 / seconds.shape[1])

    def __getstate__(self):
        # solved first, whether that was asked for before or not: nobody who is sent this has to do it again
        return {"_kernel": self.kernel, **super().__getstate__()}

    def _numbers(self):
        # a table is no reason to solve for the minimizer
        if self._kernel is not None:
            return super()._numbers()
        return {"mu": self.mu, "K": self.K, "K/mu": self.K / self.mu if self.mu > 0 else None}

    def __repr__(self):
        return f"{type(self).__name__}(shape={self.shape}, mu={self.mu:.4g}, K={self.K:.4g})"
