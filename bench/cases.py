"""The cases: data, layers, and the compiled loop set up for them as `train` sets it up."""

import math
from typing import NamedTuple

import numpy as np

from lplfast import Local, Network, SquaredLoss
from lplfast.kernels import descent, spectral

__all__ = ["Case", "OursRun", "ours"]

COLUMNS = descent.COLUMNS


class Case(NamedTuple):
    """Data X (n, n), Y = X W* (n, m), and layers W1 (n, h), W2 (h, m)."""

    X: np.ndarray
    Y: np.ndarray
    W1: np.ndarray
    W2: np.ndarray

    @classmethod
    def make(cls, n, m, h, *, std=None, seed=0):
        """Return a case with `s_i(X)` evenly spaced from 0.1 to 1 and Gaussian layers of `std`.

        X has as few rows as this allows, n, so that a rival pays as little for the data as can be. W* has
        entries of standard deviation 1/sqrt(n). `std` is h^(-1/4) if None: then W1 W2 has entries of standard
        deviation 1 at any width.
        """
        rng = np.random.default_rng(seed)
        U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
        X = U * np.linspace(1.0, 0.1, n) @ V.T
        Y = X @ rng.standard_normal((n, m)) / math.sqrt(n)
        std = h**-0.25 if std is None else std
        return cls(X, Y, std * rng.standard_normal((n, h)), std * rng.standard_normal((h, m)))


class OursRun:
    """A run of the compiled loop alone, any number of times from the same start: all columns, no tol."""

    def __init__(self, case, constants, steps):
        self.problem = SquaredLoss(case.X, case.Y)
        self.start = Network(case.W1, case.W2).stack()
        self.n, self.limit = len(case.W1), steps
        self.rule, self.spectral = Local(), spectral.Spectral(constants)
        self.rows = np.empty((steps, len(COLUMNS)))
        loop = self._loop()
        # a run can end early, where rounding is all that is left of the gap
        self.outcome = self._advance(loop)
        self.steps, self.renewals = loop.t, loop.counters["renewals"]
        self.history = {name: self.rows[: self.steps, i].copy() for i, name in enumerate(COLUMNS)}

    def prepare(self):
        """Return a function that runs the loop once."""
        loop = self._loop()
        return lambda: self._advance(loop)

    def _loop(self):
        W1, W2 = self.problem.to_kernel(self.start[: self.n]), self.start[self.n:].T
        return descent.Descent(self.problem.kernel, self.rule, self.spectral, W1, W2)

    def _advance(self, loop):
        # tol = -1: no gap is small enough; budget: one call, however long
        return loop.advance(self.rows, max_iter=self.limit, tol=-1.0, budget=math.inf)

    @property
    def note(self):
        """How far it came, and how many exact eigenvalue problems it took."""
        early = "" if self.steps == self.limit else f" (then: {self.outcome})"
        return f"{self.steps} steps{early}, {self.renewals} renewals"


def ours(case, steps):
    """Return the runs of `case` in both modes, certified first, as a dict."""
    return {mode: OursRun(case, mode, steps) for mode in ("certified", "exact")}
