"""The loss of m binary labels a row: logistic regression. docs/theory.md, section 12."""

import numpy as np

from ..annotations import ArrayLike, Reduction
from ..validation import as_matrix
from .classification import Classification
from .cross_entropy import Logistic
from .labels import as_binary

__all__ = ["LogisticLoss"]


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
        How far `minimizer` may be from the true one, and `minimum` from l*.
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

    def _derivatives(self, Z, targets):
        E = np.exp(-abs(Z))
        whole = 1 + E
        # log(1 + exp(-y z)), in the middle of 0 and 1 labels: log(1 + exp(z)) - z of the positive ones;
        # its slope, p - y; and p (1 - p) with all the digits of 1 - p
        return (np.maximum((1 - 2 * targets) * Z, 0.0) + np.log1p(E), np.maximum(E, Z >= 0) / whole - targets,
                E / (whole * whole))

    def _tilt_bound(self, P, D):
        return P * (1 - P) * D
