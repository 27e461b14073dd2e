"""What losses of labels share: a cross-entropy of each row. docs/theory.md, section 12."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg

from ..interrupts import look_up
from ..linalg.factorization import factorize
from ..linalg.peaks import peaks
from ..threads import single_threaded_blas
from .concordance import near_minimizer, reach, strong_part
from .proof import norm
from .row_loss import RowLoss

__all__ = ["Classification"]

U = float(np.finfo(float).eps) / 2

# The least number above 0.
LEAST = float(np.finfo(float).smallest_subnormal)

# Of a Hessian block of more rows than this no eigenvalue is computed.
LARGEST = 2000


class Classification(RowLoss):
    """A sum over rows x of `log-partition(x (W + offset)) - <label, x (W + offset)>`, and a ridge.

    A subclass says what a row's distribution is, `_probabilities`, and what changes of the logits make of it,
    `_tilt_bound`.
    """

    classes: npt.NDArray[Any]

    needs_ridge = False
    _curvature = None       # at the minimizer, once it has been asked for

    def __init__(self, X, targets, **options):
        super().__init__(X, targets, **options)
        if self.l2 == 0 and math.isinf(self.minimizer_error):
            raise ValueError(
                f"l2: expected > 0 for these labels, got 0. A minimizer was looked for, its existence not certified: "
                f"{self._refused()}. Add a ridge (l2 > 0)")

    def _compiled(self, at, W_star, **constants):
        Z = at.outputs
        if self.l2 > 0:
            return self.kind(self._X, Z, W_star, unseen=self._unseen, **constants)
        self._curvature = self._least(Z)
        _, error = self._errors(constants["uncertainty"])
        if self.basis is None:
            return self.kind(self._X, Z, W_star, minimum_error=error, **constants)
        del constants["X_max"]      # of X in the frame of the data, it is another
        lost = norm(self._X @ self._unseen) + (2 * self.shape[0] + 16) * U * math.sqrt(self.rank) * norm(self._X)
        return self.kind(self._X @ self.basis, Z, self.basis.T @ W_star, minimum_error=error, lost=lost, **constants)

    def _errors(self, uncertainty):
        if self.l2 > 0:
            return super()._errors(uncertainty)
        return near_minimizer(uncertainty, self._curvature, self._steepness)

    @property
    def curvature_at_minimizer(self) -> float:
        """A lower bound on the curvature of the data's part of l at the minimizer, along what the data see.

        0 where none is known, as for more than 2000 weights that depend on each other. The first access solves for it.
        """
        kernel = self.kernel
        if self._curvature is None:
            with single_threaded_blas():
                self._curvature = self._least(np.array(kernel.options["logits"]))
        return self._curvature

    def constant_below(self, gap: float, stack: np.ndarray) -> float:
        """Return a mu that holds from layers `[W1; W2.T]` on as long as the gap is at most this.

        Of layers without what the data do not see, which stay so, the PL constant by the curvature at the minimizer,
        of which quadratic growth with the same constant is a consequence; mu of others.
        """
        W1, W2t = np.split(stack, [self.shape[0]])
        parts = [(W2t, self._seen_outputs(W2t))]
        if self.l2 > 0:
            parts.append((W1, self._seen_inputs(W1)))
        if self._ridge_on is not None:
            parts.append((self._ridge_on, self._seen(self._ridge_on)))
        if not all(norm(A - seen) <= 1e-13 * norm(A) for A, seen in parts):
            return self.mu
        d, R = self.curvature_at_minimizer, self._steepness
        return max(self.mu, strong_part(d, self.l2, R * reach(gap, d, R, self.l2)))

    def __getstate__(self):
        state = super().__getstate__()
        if self.l2 > 0:         # worked out on demand
            state.pop("_curvature", None)
        return state

    @property
    def _steepness(self):
        """What the curvature changes by along a matrix of norm 1, as a part of itself, at most."""
        peak = float(peaks(self._X)) or 1.0     # squares of what is far below 1 are 0
        X = self._X / peak
        return self.per_row * peak * math.sqrt(np.einsum("ij,ij->i", X, X).max()) * (1 + (self.shape[0] + 8) * U)

    def _refused(self):
        """Say why no minimizer is certified."""
        if self._too_large:
            return (f"its proof takes an eigenvalue problem of more than {LARGEST} rows, which is not solved")
        return ("the classes may be separable by a linear map of X, and then the loss has no minimizer, or nearly so; "
                "or the columns of X are nearly collinear")

    @property
    def _too_large(self):
        return self.rank * self.shape[1] // self.blocks > LARGEST

    def _least(self, Z):
        """Return a lower bound on the eigenvalues of the data's part of the Hessian at logits Z, on what the data see.

        0 where that is all that is known. docs/theory.md, section 12.
        """
        if self._too_large or not self.rank:
            return 0.0
        # X, in the r directions that it sees
        X, (N, r) = self._X, (len(self._X), self.rank)
        if self._unseen is not None:
            X = X @ (factorize(X).V if self.basis is None else self.basis)
        found, (_, _, seconds) = np.inf, self._derivatives(Z, self._targets)
        for H in self._seen_hessians(X, seconds):
            look_up()
            off = (2 * N + 10 * len(H) + 4 * r**1.5 + 32) * U * float(np.trace(H)) + N * len(H) * LEAST
            found = min(found, float(scipy.linalg.eigvalsh(H, subset_by_index=[0, 0])[0]) - off)
        # the probabilities are off by a part of themselves
        part = (32 * (self.shape[1] + 16) + 16 * float(abs(Z).max())) * U
        return max(0.0, found * (1 - part))

    def _slopes_and_rounding(self, Z, targets, logits):
        # of the logits, and of the probabilities some 8 u more
        P = self._probabilities(Z)
        entropies = -P * np.log(np.maximum(P, LEAST))
        return P - targets, self._tilt_bound(P, logits) + 8 * (self.shape[1] + 1) * U * (P + entropies)

    def _evaluation_rounding(self, Z, losses):
        # of exponentials, a logarithm and sums of m terms, relative to 1 or to the largest logit of a row
        return 8 * (self.shape[1] + 4) * U * (len(Z) + abs(Z).max(axis=1).sum())
