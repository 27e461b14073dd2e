"""Losses l(W) of a matrix, with their constants: what two linear layers are trained on."""

from typing import TYPE_CHECKING

import numpy as np

from ..annotations import Array, ArrayLike
from ..markup import number, table_html
from ..once import once
from ..validation import as_count, as_number, as_shaped
from .loss import Loss, digest
from .low_rank import ByRank

if TYPE_CHECKING:   # it is above this
    from ..network import Network

__all__ = ["Problem"]


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
        where nothing can be proved. A minimum or minimizer that is given, also by a `kernel`, is taken for exact; a
        Python function is trusted to 1e-13 of its value.
    lower_bound : float
        A number that l* is not below, `minimum - minimum_error`; NaN if none is known.
    kernel : lplfast.losses.loss.Loss
        The same loss as the compiled loop sees it: a function of `basis.T @ W`.
    basis : (n, r) array or None
        Orthonormal columns; None stands for the identity.

    Examples
    --------
    >>> from lplfast import MatrixFactorization
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

    @once
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
