"""Squared losses, known by their singular value decomposition: of data, and of a matrix alone."""

import numpy as np

from ..annotations import Array, ArrayLike, Reduction
from ..linalg.factorization import factorize
from ..threads import single_threaded_blas
from ..validation import HUGE, as_matrix, as_number, as_offset, as_reduction
from .conditioning import are_standardized, describe_conditioning, describe_frame
from .least_squares import solve
from .problems import Problem
from .quadratic import DiagonalQuadratic

__all__ = ["MatrixFactorization", "SquaredLoss"]

U = float(np.finfo(float).eps) / 2


class SquaredLoss(Problem):
    """l(W) = ||X (W + offset) - Y||_F^2 / 2 + l2/2 ||W + offset||_F^2, for data of any rank.

    The data are used once, for the singular value decomposition `X = U S V.T`: in its frame the Hessian is
    the diagonal `S**2 + l2`, and neither the loop nor this object needs X or Y any more.

    With `l2 = 0` and X of rank r < n, directions that the data cannot see are left out: `mu = s_r(X)**2`,
    the corresponding part of W1 never moves, and the singular values of W1 that count are those of the part
    that does. The rank is that of X with its columns scaled to length 1, where singular values up to
    `max(X.shape) * eps` times the largest count as zero.

    Columns may be in any units: the decomposition is that of a matrix which differs from X by rounding relative to
    each column. mu is a lower and K an upper bound, exact where X.T X is diagonal and formed without rounding. What the
    frame of V loses of the gap, and how far the minimizer may be off, is bounded, and goes into the allowances of every
    check.

    Parameters
    ----------
    X : (N, n) array_like
        Inputs, one sample a row.
    Y : (N, m) or (N,) array_like
        Targets.
    l2 : float
        Ridge penalty, >= 0; not divided by N.
    reduction : {"sum", "mean"}
        Whether the data term is summed over the rows or divided by N.
    offset : (n, m) array_like, optional
        A frozen matrix that W is added to.

    Attributes
    ----------
    singular_values : array
        Those of X, largest first.
    rank : int
        The numerical rank r of X.
    condition_number : float
        s_1(X) / s_r(X).
    frame_error : float
        The gap in the frame of the data is within this part of itself of the gap on the data themselves.

    Raises
    ------
    TypeError, ValueError
        On anything but finite real matrices of fitting shapes; if X is zero; if its squares leave float64.

    Examples
    --------
    >>> loss = SquaredLoss([[2.0, 0.0], [0.0, 1.0]], [[2.0], [3.0]])
    >>> loss.mu, loss.K, loss.minimum
    (1.0, 4.0, 0.0)
    >>> loss.value([[0.0], [0.0]])
    6.5

    """

    minimizer: Array

    def __init__(self, X: ArrayLike, Y: ArrayLike, *, l2: float = 0.0, reduction: Reduction = "sum",
                 offset: ArrayLike | None = None) -> None:
        X = as_matrix("X", X)
        Y = as_matrix("Y", Y, vector_as_column=True)
        N, n = X.shape
        if Y.shape[0] != N:
            raise ValueError(f"Y: expected {N} rows as in X, got {Y.shape[0]}")
        self.l2: float = as_number("l2", l2)
        self.reduction: str = as_reduction(reduction)
        frozen = as_offset(offset, (n, Y.shape[1]))

        if not abs(X).max() < HUGE / max(X.shape):
            raise ValueError(f"X: expected numbers whose squares are float64 numbers, got up to {abs(X).max():.3g}; "
                             "rescale X")
        if not abs(Y).max() < HUGE / max(Y.shape):
            raise ValueError(f"Y: expected numbers whose squares are float64 numbers, got up to {abs(Y).max():.3g}; "
                             "rescale Y")
        rows = N if reduction == "mean" else 1
        with single_threaded_blas():    # the same bits however many cores there are
            found = solve(X, Y, l2=self.l2, rows=rows, offset=frozen)
            target = None if self.l2 > 0 else summarize((Y - X @ frozen) / np.sqrt(rows))
        self.singular_values: Array = found.singular_values
        self.rank: int = found.rank
        with np.errstate(over="ignore", divide="ignore"):
            self.condition_number = float(found.singular_values[0] / found.singular_values[found.rank - 1])
        self.frame_error: float = found.frame
        self._standardized = are_standardized(X)
        self._ridge_on = frozen if self.l2 > 0 and offset is not None else None
        kernel = DiagonalQuadratic(found.d, found.T, minimum=found.minimum, mu=found.mu, K=found.K,
                                   target_summary=target, frame=found.frame, uncertainty=found.uncertainty)
        super().__init__(kernel, rows=n, basis=found.basis, minimizer=found.minimizer)
        self.minimum_error, self.minimizer_error = found.minimum_error, found.minimizer_error

    def _seen_inputs(self, A):
        V = self.basis[:, :self.rank]
        return A if self.rank == self.shape[0] else V @ (V.T @ A)

    @property
    def conditioning(self) -> str:
        """A sentence on the rank and the condition number of X, with the remedy where they are bad."""
        said, n = describe_conditioning(self), self.shape[0]
        if self.rank < n and self.l2 == 0:
            said += (f". The {n - self.rank} directions that the data cannot see are left out: "
                     "that part of W1 never moves")
        frame = describe_frame(self, self.frame_error)
        return f"{said}. {frame}." if frame else f"{said}."


class MatrixFactorization(Problem):
    """l(W) = ||W + offset - Y||_F^2 / 2: mu = K = 1, l* = 0.

    Parameters
    ----------
    Y : (n, m) array_like
        The matrix to be factorized.
    offset : (n, m) array_like, optional
        A frozen matrix that W is added to.

    Examples
    --------
    >>> problem = MatrixFactorization([[3.0, 4.0]])
    >>> problem.value([[0.0, 0.0]]), problem.gradient([[0.0, 0.0]]).tolist()
    (12.5, [[-3.0, -4.0]])

    """

    minimizer: Array

    def __init__(self, Y: ArrayLike, *, offset: ArrayLike | None = None) -> None:
        Y = as_matrix("Y", Y)
        frozen = as_offset(offset, Y.shape)
        with np.errstate(over="ignore"):
            W_star = Y - frozen
        if not np.isfinite(W_star).all():
            raise ValueError("Y, offset: expected a difference within float64, got one beyond")
        # the difference rounds; Y itself does not
        error = 0.0 if offset is None else float(abs(W_star).max()) * U * np.sqrt(W_star.size)
        with single_threaded_blas():
            target = summarize(W_star)
        kernel = DiagonalQuadratic(np.ones(Y.shape[0]), W_star, target_summary=target, uncertainty=error)
        super().__init__(kernel, rows=Y.shape[0], basis=None, minimizer=kernel.minimizer)
        self.minimizer_error = error


def summarize(Y):
    """Return the least singular value, the Frobenius norm and the rank of the targets."""
    found = factorize(Y)
    if found.rank == 0:
        return 0.0, 0.0, 0
    norm = found.s[0] * np.linalg.norm(found.s / found.s[0])    # no square that overflows
    return float(found.s[-1]) if found.rank == min(Y.shape) else 0.0, float(norm), found.rank
