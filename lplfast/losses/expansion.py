"""A loss of the rows of X V to second order at one V: what one pass over X finds, and what Newton's method asks of it.

docs/theory.md, section 12.
"""

import numpy as np

from ..once import once
from .gram import sum_of_squares
from .proof import norm

__all__ = ["Expansion", "column_hessian", "pieces"]

U = float(np.finfo(float).eps) / 2

# Numbers of X that are worked on together.
CACHED = 60_000


def pieces(X):
    """Return slices of rows, so many that a piece of X stays in a core's cache from one product to the next."""
    rows = max(64, CACHED // X.shape[1])
    return [slice(first, first + rows) for first in range(0, len(X), rows)]


class Expansion:
    """l at V, by the plain formulas; `loss` is a `RowLoss`.

    Attributes
    ----------
    V, gradient : (n, m) arrays
        Where this is, the whole matrix `W + offset`, and the gradient there.
    value : float
        l there.
    outputs : (N, m) array
        `X @ V`.
    seconds : (N, m) array
        What the second derivatives of the rows' functions are made of.
    """

    def __init__(self, loss, V):
        self.loss, self.V = loss, V
        self._pieces = pieces(loss._X)
        self.outputs, self.seconds = np.empty(loss._targets.shape), np.empty(loss._targets.shape)
        value, gradient = 0.0, np.zeros(loss.shape)
        for rows in self._pieces:
            X = loss._X[rows]
            self.outputs[rows] = Z = X @ V
            losses, slopes, self.seconds[rows] = loss._derivatives(Z, loss._targets[rows])
            value += losses.sum()
            gradient += X.T @ slopes
        self.value = loss._weight * value + loss.l2 / 2 * np.vdot(V, V)
        self.gradient = loss._weight * gradient + loss.l2 * V

    def hessian(self):
        """Return the Hessian, of shape (blocks, size, size): its blocks in the order of `V.T.ravel()`.

        Without a ridge it is 0 on what the data do not see; there it is replaced by something of its size.
        """
        return self.loss._hessian(self)

    def times_hessian(self, A):
        """Return what the Hessian makes of an (n, m) matrix."""
        loss, found = self.loss, np.zeros(self.loss.shape)
        for rows in self._pieces:
            X = loss._X[rows]
            found += X.T @ loss._bent(self.seconds[rows], X @ A)
        return loss._weight * found + loss.l2 * A

    def average_hessian(self, rows_alike=False):
        """Return what the Hessian does to a column, shape (n, n), if all columns had their average curvature.

        And if all rows had, for which X.T X does.
        """
        loss, averages = self.loss, self.loss._averages(self.seconds)
        if not rows_alike or len(loss._X) < loss.shape[0]:
            return column_hessian(loss, averages)
        found = loss._gram.matrix * (loss._weight * averages.mean()) * loss._gram.unit**2
        found[np.diag_indices_from(found)] += loss.l2
        return found

    @once
    def rounding(self):
        """A bound on what rounding may have done to the gradient, in the Frobenius norm."""
        loss, (N, n) = self.loss, self.loss._X.shape
        absolute, found = abs(self.V), np.zeros(loss.shape)
        for rows in self._pieces:
            size = abs(loss._X[rows])
            # of the outputs: sums of n products
            slopes, R = loss._slopes_and_rounding(self.outputs[rows], loss._targets[rows],
                                                  (n + 1) * U * (size @ absolute))
            found += size.T @ (R + (N + 4) * U * (abs(slopes) + R))
        return norm(loss._weight * found + 4 * U * loss.l2 * absolute)

    @property
    def value_rounding(self):
        """A bound on what rounding may have done to the value."""
        loss, (N, n), m = self.loss, self.loss._X.shape, self.loss.shape[1]
        absolute, found, size = abs(self.V), 0.0, 0.0
        for rows in self._pieces:
            Z, targets = self.outputs[rows], loss._targets[rows]
            # of the outputs: sums of n products, by which a convex function moves as its slopes at either end allow
            outputs = (n + 1) * U * (abs(loss._X[rows]) @ absolute)
            slopes, R = loss._slopes_and_rounding(Z, targets, outputs)
            losses = abs(loss._derivatives(Z, targets)[0])
            found += ((abs(slopes) + R) * outputs).sum() + loss._evaluation_rounding(Z, losses)
            size += losses.sum()
        added = min(N, self._pieces[0].stop) * m + len(self._pieces)
        return float(loss._weight * (found + (added + 6) * U * size)
                     + (n * m + 8) * U * loss.l2 / 2 * np.vdot(self.V, self.V)) * (1 + 1e-6)


def column_hessian(loss, curvatures):
    """Return the Hessian where each output is on its own, for a column with these second derivatives, (n, n)."""
    found = sum_of_squares((loss._X[rows] * np.sqrt(loss._weight * curvatures[rows])[:, np.newaxis]
                            for rows in pieces(loss._X)), loss.shape[0])
    found[np.diag_indices_from(found)] += loss.l2
    return found
