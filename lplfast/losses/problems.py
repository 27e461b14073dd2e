"""Losses l(W) of a matrix, with their constants: what two linear layers are trained on."""

import functools
from typing import TYPE_CHECKING

import numpy as np

from ..annotations import Array, ArrayLike, Reduction
from ..linalg.factorization import factorize
from ..markup import number, table_html
from ..threads import single_threaded_blas
from ..validation import HUGE, as_count, as_matrix, as_number, as_offset, as_reduction, as_shaped
from .conditioning import are_standardized, describe_conditioning, describe_frame
from .least_squares import solve
from .loss import Loss, digest
from .low_rank import ByRank
from .quadratic import DiagonalQuadratic

if TYPE_CHECKING:   # it is above this
    from ..network import Network

__all__ = ["MatrixFactorization", "Problem", "SquaredLoss"]

U = float(np.finfo(float).eps) / 2


class Problem(ByRank):
    """A K-smooth, mu-strongly convex loss of an (n, m) matrix W, to be trained as `l(W1 @ W2)`.

    `Problem(kernel)` makes one of any compiled loss, your own included (docs/examples/cython_loss).

    Parameters
    ----------
    kernel : lplfast.losses.loss.Loss
        The compiled loss.
    rows : int, optional
        n, where it is not that of the compiled loss.
    basis : (n, r) array, optional
        Orthonormal columns, where the compiled loss is a function of `basis.T @ W`.
    minimizer : (n, m) array_like, optional
        Where the loss takes its minimum. Without it, bounds from the initialization have no margin to work with.

    Raises
    ------
    TypeError, ValueError
        If it is no compiled loss, or one that does not say its `options`; if the others do not fit it.

    Attributes
    ----------
    shape : (int, int)
        The shape (n, m) of W.
    mu, K : float
        Strong convexity and smoothness constants of l (on the range of `basis`).
    mu_kind : {"strong", "pl"}
        Whether mu is that, or a PL constant: `CustomLoss`.
    minimum : float
        l*, the least value of l over all (n, m) matrices; NaN if it is not known.
    minimizer : (n, m) array or None
        A matrix at which l takes it: the one of least norm, for a loss with a null space.
    minimizer_error, minimum_error : float
        The Frobenius norm of `minimizer - W*`, and `|minimum - l*|`, are at most these; 0 where both are exact, inf
        where nothing can be proved.
    lower_bound : float
        A number that l* is not below, `minimum - minimum_error`; NaN if none is known.
    kernel : lplfast.losses.loss.Loss
        The same loss as the compiled loop sees it: a function of `basis.T @ W`.
    basis : (n, r) array or None
        Orthonormal columns; None stands for the identity.

    Examples
    --------
    >>> problem = MatrixFactorization([[3.0, 0.0], [0.0, 1.0]])
    >>> problem.shape, problem.mu, problem.K, problem.minimum
    ((2, 2), 1.0, 1.0, 0.0)
    >>> problem.gap([[3.0, 0.0], [0.0, 0.0]])
    0.5

    """

    mu_kind: str = "strong"
    minimizer_error: float = 0.0
    minimum_error: float = 0.0

    def __init__(self, kernel: Loss, *, rows: int | None = None, basis: ArrayLike | None = None,
                 minimizer: ArrayLike | None = None) -> None:
        if not isinstance(kernel, Loss):
            raise TypeError(f"kernel: expected a compiled loss, got {type(kernel).__name__}")
        if type(kernel).options is Loss.options:
            raise TypeError("kernel: expected a loss whose class defines `options`, the arguments that make it again, "
                            f"by name, got {type(kernel).__name__}")
        rows = None if rows is None else as_count("rows", rows)
        if basis is not None:
            basis = _orthonormal(basis, kernel.n if rows is None else rows, kernel.n)
        elif rows not in (None, kernel.n):
            raise ValueError(f"rows: expected {kernel.n} as in the compiled loss, or a basis beside them, got {rows}")
        self.kernel = kernel
        self.basis: Array | None = basis
        self.shape: tuple[int, int] = (kernel.n if rows is None else rows, kernel.m)
        self.mu, self.K, self.minimum = kernel.mu, kernel.K, kernel.minimum
        self.minimizer: Array | None = None
        if minimizer is not None:
            self.minimizer = as_shaped("minimizer", minimizer, self.shape).copy()
            self.minimizer.flags.writeable = False

    @property
    def lower_bound(self) -> float:
        """A number that l* is not below, `minimum - minimum_error`; NaN if none is known."""
        return self.minimum - self.minimum_error

    def solve(self, *, max_time: float | None = None, progress: bool = False) -> None:
        """Solve for the minimizer now, where that takes work: of a squared or a custom loss it takes none.

        Parameters
        ----------
        max_time : float, optional
            Seconds at most.
        progress : bool
            Whether to show a progress bar (tqdm).

        Raises
        ------
        TimeoutError
            If `max_time` has passed; what has been found is kept, and the same call goes on from there.

        """
        if max_time is not None:
            as_number("max_time", max_time)

    def project(self, network: "Network") -> "Network":
        """Return the Network nearest to this one, of any width, without what the data do not see.

        What the data do not see of a network is moved by the ridge alone, where that is small hardly at all, and every
        rule is slow: W1 outside the row space of X of rank r < n, and for `SoftmaxLoss`, which does not see a number
        added to all outputs, the mean of the columns of W2. A network without these has none after any step, but for
        rounding (docs/theory.md, section 12). Of a squared loss with a ridge, mu stays that of all directions; without
        a ridge, W1 outside the row space never moves. Where the data see everything, or none are known, it is the
        network as it is.

        Raises
        ------
        TypeError, ValueError
            If it is no network of this shape; if the frozen `offset` has such a part, which the ridge acts on.

        Examples
        --------
        >>> from lplfast import Network, SoftmaxLoss
        >>> loss = SoftmaxLoss([[1.0], [-1.0]], [0, 1], l2=1.0)
        >>> loss.project(Network([[1.0]], [[3.0, 1.0]])).W2.tolist()
        [[1.0, -1.0]]
        """
        if not hasattr(network, "compressed_width"):
            raise TypeError(f"network: expected a Network, got {type(network).__name__}")
        n = self.shape[0]
        if (network.n, network.m) != self.shape:
            raise ValueError(f"network: expected inputs and outputs {self.shape}, got {(network.n, network.m)}")
        if self._ridge_on is not None:
            off = np.linalg.norm(self._ridge_on - self._seen(self._ridge_on)) / (np.linalg.norm(self._ridge_on) or 1.0)
            if off > 1e-12:
                raise ValueError("offset: expected a frozen matrix without what only the ridge sees, got one of which "
                                 f"that is the part {off:.1e}: project it likewise")
        W1, W2t = np.split(network.stack(), [n])
        seen = self._seen_inputs(W1), self._seen_outputs(W2t)
        return network if seen[0] is W1 and seen[1] is W2t else network.replace(np.concatenate(seen))

    _ridge_on = None    # the frozen matrix, where a ridge acts on it
    _on_demand = ("fingerprint",)       # attributes that are worked out when they are asked for

    def _seen_inputs(self, A):
        """Return the part of A, n rows, that is in what the data see: A itself, if that is all."""
        return A if self.sees_everything else self.basis @ (self.basis.T @ A)

    def _seen_outputs(self, A):
        """Return the part of A, m rows, that the data see: A itself, if that is all."""
        return A

    def constant_below(self, gap: float, stack: np.ndarray) -> float:
        """Return a mu that holds from layers `[W1; W2.T]` on while the gap is at most this: mu, or better."""
        return self.mu

    def _seen(self, W):
        """Return the part of an (n, m) matrix that the data see."""
        return self._seen_outputs(self._seen_inputs(W).T).T

    def value(self, W: ArrayLike) -> float:
        """Return l(W) for an (n, m) matrix; NaN or inf where it is beyond float64, and so do the next two."""
        return self._evaluate(W)[0]

    def gap(self, W: ArrayLike) -> float:
        """Return l(W) - l*, computed without cancellation."""
        return self._evaluate(W)[1]

    def gradient(self, W: ArrayLike) -> Array:
        """Return the (n, m) gradient of l at W."""
        gradient = self._evaluate(W)[2]
        with np.errstate(over="ignore", invalid="ignore"):
            return gradient if self.basis is None else self.basis @ gradient

    @functools.cached_property
    def fingerprint(self) -> str:
        """A digest of everything that the compiled loop knows of this problem: equal for equal problems alone."""
        return digest({"kernel": self.kernel.fingerprint, "basis": self.basis})

    @property
    def sees_everything(self) -> bool:
        """Whether l depends on all of W; where it does not, a part of W1 never moves."""
        return self.basis is None or self.basis.shape[1] == self.shape[0]

    def to_kernel(self, stack: Array) -> Array:
        """Return a stack `[W1; W2.T]`, or a W alone, as the compiled loss wants it: its n first rows by `basis.T`."""
        if self.basis is None:
            return stack
        n, r = self.basis.shape
        found = np.empty((len(stack) - n + r, stack.shape[1]))
        np.dot(self.basis.T, stack[:n], out=found[:r])
        found[r:] = stack[n:]
        return found

    def from_kernel(self, stack: Array, before: Array) -> Array:
        """Return the stack whose kernel form is `stack`; what l cannot see of W1 stays as it is in `before`, a W1."""
        if self.basis is None:
            return stack
        n, r = self.basis.shape
        found = np.empty((len(stack) - r + n, stack.shape[1]))
        if self.sees_everything:
            np.dot(self.basis, stack[:r], out=found[:n])
        else:
            found[:n] = before + self.basis @ (stack[:r] - self.basis.T @ before)
        found[n:] = stack[r:]
        return found

    def _evaluate(self, W):
        W = as_shaped("W", W, self.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            W = self.to_kernel(W)
        return self.kernel.value_and_gradient(W)

    def __getstate__(self):
        # what is worked out on demand stays behind, so that use makes no difference to a pickle, or to a digest of one
        return {name: value for name, value in sorted(vars(self).items()) if name not in self._on_demand}

    def _numbers(self):
        """Return what a table shows of this loss, name and number."""
        return {"mu": self.mu, "K": self.K, "K/mu": self.K / self.mu if self.mu > 0 else None, "l*": self.minimum}

    def _repr_html_(self) -> str:
        n, m = self.shape
        rows = [("shape of W", f"{n} x {m}"), *((name, number(value)) for name, value in self._numbers().items())]
        return table_html(type(self).__name__, rows, note=getattr(self, "conditioning", ""))

    def __repr__(self):
        return (f"{type(self).__name__}(shape={self.shape}, mu={self.mu:.4g}, K={self.K:.4g}, "
                f"minimum={self.minimum:.4g})")


def _orthonormal(basis, n, r):
    """Return an (n, r) basis with orthonormal columns, to rounding, or raise."""
    basis = as_shaped("basis", basis, (n, r))
    with np.errstate(over="ignore", invalid="ignore"):
        off = abs(basis.T @ basis - np.eye(r)).max()
    if not off < 1e-8:
        raise ValueError(f"basis: expected orthonormal columns, got products that are {off:.3g} away from that")
    return basis


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
