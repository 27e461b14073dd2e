"""Losses for labels: logistic regression for m binary ones, softmax regression for one of m classes."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from ..annotations import ArrayLike, Reduction
from ..interrupts import look_up
from ..linalg.factorization import factorize
from ..threads import single_threaded_blas
from ..validation import as_matrix
from .concordance import near_minimizer, reach, strong_part
from .cross_entropy import Logistic, Softmax
from .labels import as_binary, as_distributions
from .row_loss import RowLoss

__all__ = ["LogisticLoss", "SoftmaxLoss"]

U = float(np.finfo(float).eps) / 2

# Of a Hessian block of more rows than this no eigenvalue is computed.
LARGEST = 2000


class Classification(RowLoss):
    """A sum over rows x of `log-partition(x (W + offset)) - <label, x (W + offset)>`, and a ridge.

    A subclass says what a row's distribution is, `_probabilities`, what its second derivatives are made of, `_seconds`,
    and what changes of the logits make of it.
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
        norm = np.linalg.norm(self._X)
        lost = np.linalg.norm(self._X @ self._unseen) + (2 * self.shape[0] + 16) * U * math.sqrt(self.rank) * norm
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
        if not all(np.linalg.norm(A - seen) <= 1e-13 * np.linalg.norm(A) for A, seen in parts):
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
        return self.per_row * math.sqrt(np.einsum("ij,ij->i", self._X, self._X).max()) * (1 + (self.shape[0] + 4) * U)

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
        if self._too_large:
            return 0.0
        # X, in the r directions that it sees
        X, (N, r) = self._X, (len(self._X), self.rank)
        if self._unseen is not None:
            X = X @ (factorize(X).V if self.basis is None else self.basis)
        found = np.inf
        for H in self._seen_hessians(X, self._seconds(Z)):
            look_up()
            off = (2 * N + 10 * len(H) + 4 * r**1.5 + 32) * U * float(np.trace(H))
            found = min(found, float(scipy.linalg.eigvalsh(H, subset_by_index=[0, 0])[0]) - off)
        # the probabilities are off by a part of themselves
        part = (32 * (self.shape[1] + 16) + 16 * float(abs(Z).max())) * U
        return max(0.0, found * (1 - part))

    def _slopes_and_rounding(self, Z, targets, logits):
        # of the logits, and of the probabilities some 8 u more
        P = self._probabilities(Z)
        return P - targets, self._tilt_bound(P, logits) + 8 * (self.shape[1] + 1) * U * (P + scipy.special.entr(P))


class SoftmaxLoss(Classification):
    """l(W) = sum_i cross-entropy(softmax(x_i (W + offset)), label_i) + l2/2 ||W + offset||_F^2.

    `K = s_max(X)^2 / 2 + l2` and `mu = l2`, for a mean with the first term divided by N. The minimizer is computed
    when it is first needed, by Newton's method (docs/theory.md, section 12).

    Parameters
    ----------
    X : (N, n) array_like
        Inputs, one sample a row.
    labels : (N,) or (N, m) array_like
        One label a row: integers, whole floats, booleans or strings, pandas' categories too; or the probabilities of m
        classes in each row, which are scaled to sum 1. More than 20 distinct numbers with fewer than three rows to each
        are taken for quantities and refused; as strings they are classes.
    l2 : float
        Ridge penalty, >= 0; not divided by N. Without one, labels that a linear map separates leave no minimizer: with
        0, which has the minimizer computed at once, there has to be a proof of its existence. mu is 0 then, and what
        is guaranteed comes from the curvature at the minimizer (`nu_lo` in the history). Directions that the data do
        not see are left out: what of W1 is outside the row space of X never moves.
    reduction : {"sum", "mean"}
        Whether the data term is summed over the rows or divided by N.
    offset : (n, m) array_like, optional
        A frozen matrix that W is added to.

    Attributes
    ----------
    classes : (m,) array
        The sorted distinct labels: column j of W belongs to `classes[j]`. 0 to m - 1 for probabilities.
    minimizer_error, minimum_error : float
        How far `minimizer` may be from the true one, and `minimum` above l*.
    condition_number : float
        s_1(X) / s_r(X), r the rank.

    Raises
    ------
    TypeError, ValueError
        On anything but finite real inputs and labels of at least two classes as described.

    Examples
    --------
    >>> loss = SoftmaxLoss([[1.0], [-1.0]], [0, 1], l2=1.0)
    >>> round(loss.K, 12), loss.mu, loss.shape      # s_max(X)^2 = 2
    (2.0, 1.0, (1, 2))
    >>> round(loss.value([[0.0, 0.0]]), 12) == round(2 * float(np.log(2)), 12)
    True
    >>> SoftmaxLoss([[1.0], [-1.0], [0.0]], ["b", "a", "b"], l2=1.0).classes.tolist()
    ['a', 'b']

    """

    kind = Softmax
    blocks = 1
    per_row = math.sqrt(2)      # a range of m numbers is at most so much of their norm

    targets_name = "labels"

    def __init__(self, X: ArrayLike, labels: ArrayLike, *, l2: float, reduction: Reduction = "sum",
                 offset: ArrayLike | None = None) -> None:
        X = as_matrix("X", X)
        targets, self.classes = as_distributions(labels)
        super().__init__(X, targets, l2=l2, reduction=reduction, offset=offset, curvature=0.5)

    def _seen_outputs(self, A):
        # a number that is added to all logits changes no probability
        return A - A.mean(axis=0)

    def _hessian(self, at):
        H, (n, m) = self._data_hessian(self._X, at.seconds), self.shape
        H[np.diag_indices_from(H)] += self.l2
        if self.l2 == 0:
            each, size = H.reshape(m, n, m, n), H.diagonal().reshape(m, n).mean(axis=0)
            each[:, np.arange(n), :, np.arange(n)] += size[:, np.newaxis, np.newaxis] / m
            if self._unseen is not None:
                each[np.arange(m), :, np.arange(m)] += size.mean() * (self._unseen @ self._unseen.T)
        return H[np.newaxis]

    def _seen_hessians(self, X, P):
        """Yield the data's part of the Hessian for inputs X of full rank, on the rows that X sees, of sum 0.

        On constant rows, where it is 0, it is replaced by its mean eigenvalue.
        """
        H, m = self._data_hessian(X, P), self.shape[1]
        r = X.shape[1]
        H.reshape(m, r, m, r)[:, np.arange(r), :, np.arange(r)] += np.trace(H) / ((m - 1) * r * m)
        yield H

    def _data_hessian(self, X, P):
        """Return the data's part of the Hessian for these inputs and probabilities."""
        n, m = X.shape[1], self.shape[1]
        H = np.zeros((m, n, m, n))
        for j in range(m):
            for k in range(j):
                look_up()
                block = self._weight * (X.T @ (X * (P[:, j] * P[:, k])[:, np.newaxis]))
                H[j, :, k], H[k, :, j] = -block, -block.T
                # p_j (1 - p_j), summed up from the other classes: 1 - p_j itself has no digits where p_j is nearly 1
                H[j, :, j] += block
                H[k, :, k] += block
        return H.reshape(m * n, m * n)

    def _probabilities(self, Z):
        E, sums, _ = self._exponentials(Z)
        return E / sums[:, np.newaxis]

    _seconds = _probabilities

    def _exponentials(self, Z):
        """Return exp(Z) over its largest entry in every row, the sums of rows, and the logarithms of what is left out.

        Rows are short: NumPy is faster along the columns of a transpose.
        """
        top = Z.T.copy().max(axis=0)
        E = np.exp(Z - top[:, np.newaxis])
        return E, E @ np.ones(Z.shape[1]), top

    def _derivatives(self, Z, targets):
        E, sums, top = self._exponentials(Z)
        P = E / sums[:, np.newaxis]
        return (np.log(sums) + top) - _row_dots(targets, Z), P - targets, P

    def _bent(self, P, D):
        return P * (D - _row_dots(P, D)[:, np.newaxis])

    def _averages(self, P):
        return P * (1 - P) @ np.full(P.shape[1], 1 / P.shape[1])

    def _tilt_bound(self, P, D):
        return P * (D + _row_dots(P, D)[:, np.newaxis])


class LogisticLoss(Classification):
    """l(W) = sum_ij log(1 + exp(-y_ij (X (W + offset))_ij)) + l2/2 ||W + offset||_F^2, for m binary labels a row.

    `K = s_max(X)^2 / 4 + l2` and `mu = l2`, for a mean with the first term divided by N. The minimizer is computed
    when it is first needed, by Newton's method (docs/theory.md, section 12).

    Parameters
    ----------
    X : (N, n) array_like
        Inputs, one sample a row.
    Y : (N,) or (N, m) array_like
        Labels with two distinct values in all: integers, whole floats, booleans or strings, pandas' categories too.
        The second in order is the positive one. -1 and 0 together are refused, as one of them must be a mistake; so is
        a single label everywhere, but a column of several may be constant.
    l2 : float
        Ridge penalty, >= 0; not divided by N. Without one, labels that a linear map separates leave no minimizer: with
        0, which has the minimizer computed at once, there has to be a proof of its existence. mu is 0 then, and what
        is guaranteed comes from the curvature at the minimizer (`nu_lo` in the history). Directions that the data do
        not see are left out: what of W1 is outside the row space of X never moves.
    reduction : {"sum", "mean"}
        Whether the data term is summed over rows and columns or divided by N.
    offset : (n, m) array_like, optional
        A frozen matrix that W is added to.

    Attributes
    ----------
    classes : (2,) array
        The two labels; a positive output stands for the second.
    minimizer_error, minimum_error : float
        How far `minimizer` may be from the true one, and `minimum` above l*.
    condition_number : float
        s_1(X) / s_r(X), r the rank.

    Raises
    ------
    TypeError, ValueError
        On anything but finite real inputs and labels as described.

    Examples
    --------
    >>> loss = LogisticLoss([[2.0], [2.0]], [1, -1], l2=1.0)
    >>> round(loss.K, 12), loss.mu      # s_max(X)^2 = 8
    (3.0, 1.0)
    >>> bool(abs(loss.minimizer.item()) < 1e-12)
    True

    """

    kind = Logistic
    per_row = 1.0

    targets_name = "Y"

    def __init__(self, X: ArrayLike, Y: ArrayLike, *, l2: float, reduction: Reduction = "sum",
                 offset: ArrayLike | None = None) -> None:
        X = as_matrix("X", X)
        targets, self.classes = as_binary(Y)
        super().__init__(X, targets, l2=l2, reduction=reduction, offset=offset, curvature=0.25)

    def _hessian(self, at):
        H = super()._hessian(at)
        if self.l2 == 0 and self._unseen is not None:
            H += H.trace(axis1=1, axis2=2)[:, np.newaxis, np.newaxis] / self.rank * (self._unseen @ self._unseen.T)
        return H

    def _seen_hessians(self, X, seconds):
        """Yield the data's part of the Hessian for inputs X of full rank, column by column."""
        for column in seconds.T:
            yield self._weight * (X.T @ (X * column[:, np.newaxis]))

    def _probabilities(self, Z):
        E = np.exp(-abs(Z))
        return np.maximum(E, Z >= 0) / (1 + E)      # 1 for E of the logits that are not negative

    def _seconds(self, Z):
        # p (1 - p) with all the digits of 1 - p
        E = np.exp(-abs(Z))
        return E / (1 + E) ** 2

    def _derivatives(self, Z, targets):
        E = np.exp(-abs(Z))
        whole = 1 + E
        # log(1 + exp(-y z)), in the middle of 0 and 1 labels: log(1 + exp(z)) - z of the positive ones
        return (np.maximum((1 - 2 * targets) * Z, 0.0) + np.log1p(E), np.maximum(E, Z >= 0) / whole - targets,
                E / (whole * whole))

    def _tilt_bound(self, P, D):
        return P * (1 - P) * D


def _row_dots(A, B):
    """Return the inner products of the rows of A with those of B."""
    return np.einsum("ij,ij->i", A, B)
