"""Losses for labels: logistic regression for m binary ones, softmax regression for one of m classes."""

import numpy as np
import scipy

from ..interrupts import look_up
from ..validation import as_matrix
from .cross_entropy import Logistic, Softmax
from .labels import as_binary, as_distributions
from .row_loss import RowLoss

__all__ = ["LogisticLoss", "SoftmaxLoss"]

U = float(np.finfo(float).eps) / 2


class Classification(RowLoss):
    """A sum over rows x of `log-partition(x (W + offset)) - <label, x (W + offset)>`, and a ridge.

    A subclass says what a row's distribution is, `_probabilities`, and what changes of the logits make of it.
    """

    def _compiled(self, V, W_star, **constants):
        return self.kind(self._X, self._X @ V, W_star, unseen=self._unseen, **constants)

    def _slopes(self, Z):
        return self._probabilities(Z) - self._targets

    def _slopes_rounding(self, Z, logits):
        # of the logits, and of the probabilities some 8 u more
        P = self._probabilities(Z)
        return self._tilt_bound(P, logits) + 8 * (self.shape[1] + 1) * U * (P + scipy.special.entr(P))

    def _bent(self, Z, D):
        return self._tilted(self._probabilities(Z), D)


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
        Ridge penalty, > 0; not divided by N. Without one, labels that a linear map separates leave no minimizer.
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

    targets_name = "labels"

    def __init__(self, X, labels, *, l2, reduction="sum", offset=None):
        X = as_matrix("X", X)
        targets, self.classes = as_distributions(labels)
        super().__init__(X, targets, l2=l2, reduction=reduction, offset=offset, curvature=0.5)

    def _seen_outputs(self, A):
        # a number that is added to all logits changes no probability
        return A - A.mean(axis=0)

    def hessian(self, V):
        """Return the Hessian at V as an array of shape (1, m n, m n), class by class."""
        X, P, (n, m) = self._X, self._probabilities(self._X @ V), self.shape
        H = np.zeros((m, n, m, n))
        for j in range(m):
            for k in range(j):
                look_up()
                block = self._weight * (X.T @ (X * (P[:, j] * P[:, k])[:, np.newaxis]))
                H[j, :, k], H[k, :, j] = -block, -block.T
                # p_j (1 - p_j), summed up from the other classes: 1 - p_j itself has no digits where p_j is nearly 1
                H[j, :, j] += block
                H[k, :, k] += block
        H = H.reshape(m * n, m * n)
        H[np.diag_indices_from(H)] += self.l2
        return H[np.newaxis]

    def _probabilities(self, Z):
        E = np.exp(Z - Z.max(axis=1, keepdims=True))
        return E / E.sum(axis=1, keepdims=True)

    def _row_losses(self, Z):
        top = Z.max(axis=1, keepdims=True)
        return (np.log(np.exp(Z - top).sum(axis=1)) + top[:, 0]) - (self._targets * Z).sum(axis=1)

    def _tilted(self, P, D):
        return P * (D - (P * D).sum(axis=1, keepdims=True))

    def _tilt_bound(self, P, D):
        return P * (D + (P * D).sum(axis=1, keepdims=True))


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
        Ridge penalty, > 0; not divided by N. Without one, labels that a linear map separates leave no minimizer.
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

    targets_name = "Y"

    def __init__(self, X, Y, *, l2, reduction="sum", offset=None):
        X = as_matrix("X", X)
        targets, self.classes = as_binary(Y)
        super().__init__(X, targets, l2=l2, reduction=reduction, offset=offset, curvature=0.25)

    @property
    def blocks(self):
        """How many independent problems this is: one a column."""
        return self.shape[1]

    def hessian(self, V):
        """Return the Hessian at V as an array of shape (m, n, n), column by column."""
        Z = self._X @ V
        # 1 - p of logits z is p of -z, with all its digits
        return self._hessian_by_columns(self._probabilities(Z) * self._probabilities(-Z))

    def _probabilities(self, Z):
        E = np.exp(-abs(Z))
        return np.where(Z >= 0, 1.0, E) / (1 + E)

    def _row_losses(self, Z):
        # log(1 + exp(-y z)), in the middle of 0 and 1 labels: log(1 + exp(z)) - z of the positive ones
        return np.logaddexp(0.0, np.where(self._targets == 1, -Z, Z))

    def _tilted(self, P, D):
        return P * (1 - P) * D

    _tilt_bound = _tilted
