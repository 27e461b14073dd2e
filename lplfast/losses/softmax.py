"""The loss of one of m classes a row: softmax regression. docs/theory.md, section 12."""

import math

import numpy as np

from ..annotations import ArrayLike, Reduction
from ..interrupts import look_up
from ..validation import as_matrix
from .classification import Classification
from .cross_entropy import Softmax
from .labels import as_distributions

__all__ = ["SoftmaxLoss"]


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
        How far `minimizer` may be from the true one, and `minimum` from l*.
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
        return super()._averages(P * (1 - P))

    def _tilt_bound(self, P, D):
        return P * (D + _row_dots(P, D)[:, np.newaxis])


def _row_dots(A, B):
    """Return the inner products of the rows of A with those of B."""
    return np.einsum("ij,ij->i", A, B)
