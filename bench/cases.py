"""The cases: data, layers, and the compiled loop set up for them as `train` sets it up."""

import math
import time
from typing import NamedTuple

import numpy as np

from lplfast import Local, Network, SquaredLoss
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS
from lplfast.spectral.modes import spectral_from
from lplfast.threads import single_threaded_blas

from .timing import Work

__all__ = ["Case", "OursRun"]


class Case(NamedTuple):
    """Data X (n, n), Y = X W* (n, m), and layers W1 (n, h), W2 (h, m)."""

    X: np.ndarray
    Y: np.ndarray
    W1: np.ndarray
    W2: np.ndarray

    @classmethod
    def make(cls, n, m, h, *, seed=0):
        """Return a case with `s_i(X)` evenly spaced from 0.1 to 1 and Gaussian layers of deviation h^(-1/4).

        X has as few rows as this allows, n, so that a rival pays as little for the data as can be. W* has entries of
        standard deviation 1/sqrt(n), W1 W2 of 1 at any width.
        """
        rng = np.random.default_rng(seed)
        X, Y = _data(rng, n, m)
        std = h**-0.25
        return cls(X, Y, std * rng.standard_normal((n, h)), std * rng.standard_normal((h, m)))

    @classmethod
    def implicit(cls, n, m, h, *, seed=0):
        """Return such a case of any width, compressed from the start: its wide layers never exist."""
        rng = np.random.default_rng(seed)
        X, Y = _data(rng, n, m)
        stack = Network.gaussian_implicit(n, h, m, std=h**-0.25, rng=rng).stack()
        return cls(X, Y, stack[:n], stack[n:].T)

    def compressed(self):
        """Return the same with layers of width min(h, n + m)."""
        stack, n = Network(self.W1, self.W2).stack(), len(self.W1)
        return self._replace(W1=stack[:n], W2=stack[n:].T)

    def run(self, constants, steps, **options):
        """Return the OursRun with the local step at the width of these layers."""
        stack = np.concatenate([self.W1, self.W2.T])
        return OursRun(SquaredLoss(self.X, self.Y), stack, Local(), constants, steps, **options)


def _data(rng, n, m):
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    X = U * np.linspace(1.0, 0.1, n) @ V.T
    return X, X @ rng.standard_normal((n, m)) / math.sqrt(n)


class OursRun:
    """A run of the compiled loop alone at the width of its layers, any number of times: all columns, no tol."""

    def __init__(self, problem, stack, rule, constants, steps, *, n_threads=1):
        self.n_threads = n_threads
        self.parts = problem.kernel, rule, spectral_from(constants), problem.to_kernel(stack)
        self.limit = steps
        self.rows = np.empty((steps, len(COLUMNS)))
        loop = self._loop()
        with single_threaded_blas():
            started = time.perf_counter()
            # a run can end early, where rounding is all that is left of the gap
            self.outcome = self._advance(loop)
            self.seconds = time.perf_counter() - started
        self.steps, self.renewals = loop.t, loop.counters["renewals"]
        self.history = {name: self.rows[: self.steps, i].copy() for i, name in enumerate(COLUMNS)}

    @property
    def work(self):
        """The Work of one run, in steps really taken."""
        return Work(self._prepare, self.steps, self.seconds)

    @property
    def note(self):
        """How far it came, and how many exact eigenvalue problems it took."""
        early = "" if self.steps == self.limit else f" of {self.limit} (then: {self.outcome})"
        return f"{self.steps} steps{early}, {self.renewals} renewals"

    def _prepare(self):
        loop = self._loop()
        return lambda: self._advance(loop)

    def _loop(self):
        return Descent(*self.parts, n_threads=self.n_threads)

    def _advance(self, loop):
        # tol = -1: no gap is small enough
        return loop.advance(self.rows, max_iter=self.limit, tol=-1.0)
