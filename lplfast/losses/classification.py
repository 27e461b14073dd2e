"""Losses for labels: logistic regression for m binary ones, softmax regression for one of m classes."""

import functools
import threading

import numpy as np
import scipy

from ..linalg.factorization import factorize
from ..threads import single_threaded_blas
from ..validation import HUGE, as_matrix, as_number, as_offset, as_reduction
from .conditioning import describe_conditioning
from .curvature import largest_curvature
from .labels import as_binary, as_distributions
from .newton import newton
from .problems import Problem
from .rowwise import Logistic, Softmax

__all__ = ["LogisticLoss", "SoftmaxLoss"]

U = float(np.finfo(float).eps) / 2

# One problem is solved at a time: two threads that ask for the same one get the same answer, once.
SOLVING = threading.RLock()


class Classification(Problem):
    """A sum over rows x of `log-partition(x (W + offset)) - <label, x (W + offset)>`, and a ridge.

    Its minimizer has no closed form: it is computed when it is first asked for, by `newton`, and known to
    `minimizer_error`. A subclass says what a row's distribution is.
    """

    def __init__(self, X, targets, *, l2, reduction, offset, curvature):
        N, n = X.shape
        if targets.shape[0] != N:
            raise ValueError(f"{self.targets_name}: expected {N} rows as in X, got {targets.shape[0]}")
        if not abs(X).max() < HUGE / max(X.shape):
            raise ValueError(f"X: expected numbers whose squares are float64 numbers, got up to {abs(X).max():.3g}; "
                             "rescale X")
        self.shape, self.basis = (n, targets.shape[1]), None
        self.l2 = as_number("l2", l2, positive=True)
        self.reduction = as_reduction(reduction)
        self._X, self._targets = X.copy(), targets
        self._offset = as_offset(offset, self.shape)
        self._weight = 1 / N if reduction == "mean" else 1.0
        with single_threaded_blas():
            found, top_sq = factorize(X), largest_curvature(X)
        self.rank = found.rank
        self.singular_values = np.pad(found.s, (0, min(X.shape) - found.rank))
        with np.errstate(over="ignore", divide="ignore"):
            self.condition_number = float(found.s[0] / found.s[-1]) if self.rank else np.inf
        self.mu = self.l2
        self.K = float(self._weight * curvature * top_sq + self.l2) * (1 + 8 * U)

    @property
    def kernel(self):
        """The compiled loss; the first access solves for the minimizer."""
        with SOLVING:
            return self._kernel

    @property
    def minimum(self):
        """l*, an upper bound: l at `minimizer`. The first access solves for it."""
        return self.kernel.minimum

    @property
    def minimizer(self):
        """The minimizer W, up to `minimizer_error`. The first access solves for it."""
        return self.kernel.minimizer

    @property
    def minimizer_error(self):
        """A bound on the distance from `minimizer` to the true one: ||gradient|| / mu, rounding included."""
        return self.kernel.uncertainty / self.mu

    @property
    def minimum_error(self):
        """What `minimum` may exceed l* by: ||gradient at minimizer||^2 / (2 mu), rounding included."""
        return self.kernel.uncertainty * self.kernel.uncertainty / (2 * self.mu)    # a power raises where this is inf

    @property
    def lower_bound(self):
        """A number that l* is not below: `minimum - minimum_error`."""
        return self.minimum - self.minimum_error

    @property
    def conditioning(self):
        """A sentence on the rank and the condition number of X, with the remedy where they are bad."""
        return describe_conditioning(self) + "."

    @functools.cached_property
    def _kernel(self):
        with single_threaded_blas():
            return self._solve()

    def _solve(self):
        V, _ = newton(self)
        W_star = V - self._offset
        V = W_star + self._offset       # what the stored minimizer stands for
        value, gradient = self.value_and_gradient(V)
        # rounding counts twice: in the gradient here, and in the probabilities that the kernel stores
        uncertainty = np.linalg.norm(gradient) + 2 * self._gradient_rounding(V)
        return self.kind(self._X, self._X @ V, W_star, mu=self.mu, K=self.K,
                         minimum=float(value), weight=self._weight, l2=self.l2,
                         uncertainty=uncertainty * (1 + 1e-6))

    def value_and_gradient(self, V):
        """Return l and its gradient where the whole matrix `W + offset` is V, by the plain formulas."""
        Z = self._X @ V
        R = self._probabilities(Z) - self._targets
        return (self._weight * self._row_losses(Z).sum() + self.l2 / 2 * np.vdot(V, V),
                self._weight * (self._X.T @ R) + self.l2 * V)

    def hessian_product(self, V, U):
        """Return the Hessian at V times U."""
        return self._weight * (self._X.T @ self._tilted(self._probabilities(self._X @ V), self._X @ U)) + self.l2 * U

    def _gradient_rounding(self, V):
        """Bound what rounding may have done to the gradient at V, entry by entry."""
        (N, n), m = self._X.shape, self.shape[1]
        size, absolute = abs(self._X), abs(V)
        P = self._probabilities(self._X @ V)
        # logits, to (n + 1) u each; then the probabilities to some 8 u more, and sums over N rows
        logits = (n + 1) * U * (size @ absolute)
        R = self._tilt_bound(P, logits) + 8 * (m + 1) * U * (P + scipy.special.entr(P))
        sums = (N + 4) * U * (size.T @ (abs(P - self._targets) + R))
        return float(np.linalg.norm(self._weight * (size.T @ R + sums) + 4 * U * self.l2 * absolute))

    def __repr__(self):
        return f"{type(self).__name__}(shape={self.shape}, mu={self.mu:.4g}, K={self.K:.4g})"


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

    def hessian(self, V):
        """Return the Hessian at V as an array of shape (1, m n, m n), class by class."""
        X, P, (n, m) = self._X, self._probabilities(self._X @ V), self.shape
        H = np.zeros((m, n, m, n))
        for j in range(m):
            for k in range(j):
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
        X, n = self._X, self.shape[0]
        Z = X @ V
        # 1 - p of logits z is p of -z, with all its digits
        variances = self._probabilities(Z) * self._probabilities(-Z)
        return np.array([self._weight * (X.T @ (X * v[:, np.newaxis])) + self.l2 * np.eye(n) for v in variances.T])

    def _probabilities(self, Z):
        E = np.exp(-abs(Z))
        return np.where(Z >= 0, 1.0, E) / (1 + E)

    def _row_losses(self, Z):
        # log(1 + exp(-y z)), in the middle of 0 and 1 labels: log(1 + exp(z)) - z of the positive ones
        return np.logaddexp(0.0, np.where(self._targets == 1, -Z, Z))

    def _tilted(self, P, D):
        return P * (1 - P) * D

    _tilt_bound = _tilted
