"""The two layers, at any width: their compression to width at most n + m, and the way back."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.linalg

from .annotations import Array, ArrayLike, Deviation, FilePath, Rng
from .interrupts import look_up
from .layer_sources import LayerBlocks
from .linalg.compress import columns_per_piece
from .losses.problems import Problem
from .markup import table_html
from .network_balance import balanced, spectral
from .network_bases import compressed
from .network_draws import drawn, drawn_implicitly
from .network_files import large_layers, read_layers, write_layers
from .network_parts import put_together, taken_apart
from .network_stream import Streamed
from .network_torch import from_linear, to_linear
from .validation import as_doubles, as_matrix

__all__ = ["Network"]


class Network:
    """A two-layer linear network `x -> x W1 W2`, W1 of shape (n, h) and W2 of shape (h, m).

    Gradient descent on `l(W1 W2)` depends on the stack `Z = [W1.T, W2]` (h, n+m) through `Z.T Z` alone. With
    a thin QR decomposition `Z = Q R`, the network with layers `R[:, :n].T, R[:, n:]` of width
    `k = min(h, n+m)` follows the same trajectory exactly, and `Q` times its layers are the wide ones. So a
    step costs the same at every width; the wide layers are made when they are asked for.

    Parameters
    ----------
    W1 : (n, h) array_like
        First layer. Copied.
    W2 : (h, m) array_like
        Second layer. Copied.

    Raises
    ------
    TypeError, ValueError
        On anything but finite real matrices with a common width.

    Examples
    --------
    >>> network = Network([[1.0, 0.0, 2.0]], [[1.0], [5.0], [3.0]])
    >>> network.width, network.compressed_width, network.product.item()
    (3, 2, 7.0)

    """

    def __init__(self, W1: ArrayLike, W2: ArrayLike) -> None:
        W1, W2 = as_matrix("W1", W1), as_matrix("W2", W2)
        if W1.shape[1] != W2.shape[0]:
            turned = ""
            if W1.shape[0] == W2.shape[1]:
                turned = ("; Network(W1.T, W2.T) would fit, for layers that are kept as (outputs, inputs), as "
                          "torch.nn.Linear does; and so would Network(W2, W1), for layers that were swapped")
            raise ValueError("W1, W2: expected shapes (n, h) and (h, m) with one width h, "
                             f"got {W1.shape} and {W2.shape}{turned}")
        wide = np.empty((W1.shape[0] + W2.shape[1], W1.shape[1]))
        wide[: W1.shape[0]] = W1
        wide[W1.shape[0]:] = W2.T
        self._set(W1.shape[0], wide=wide)

    def _set(self, n, *, wide=None, small=None, basis=None):
        """Set the state: the stack `[W1; W2.T]` at full width, or a small one with the basis that widens it."""
        # the width, which never changes, by itself: `_small` and `_basis` do when a thread compresses
        self._width = basis.width if basis is not None else (small if wide is None else wide).shape[1]
        self._n, self._wide, self._small, self._basis = n, wide, small, basis
        return self

    @classmethod
    def gaussian(cls, n: int, h: int, m: int, *, std: Deviation = 1.0, rng: Rng = None) -> Self:
        """Return a network with independent normal entries.

        Parameters
        ----------
        n, h, m : int
            Inputs, width, outputs.
        std : float or pair of floats
            Standard deviation of the entries, of both layers or of each.
        rng : numpy.random.Generator, int or None
            Where the numbers come from.

        Raises
        ------
        TypeError, ValueError
            On bad arguments; if the numbers leave float64.
        MemoryError
            If layers so wide do not fit in memory: `gaussian_implicit` makes such networks.

        """
        return cls.__new__(cls)._set(**drawn(n, h, m, std, rng))

    @classmethod
    def gaussian_implicit(cls, n: int, h: int, m: int, *, std: Deviation = 1.0, rng: Rng = None) -> Self:
        """Return a network with independent normal entries, of any width, without the wide matrices.

        Everything that training depends on has exactly the distribution of `gaussian` (Bartlett's decomposition);
        asked for `.W1` or `.W2`, the network draws an independent orthonormal basis of that width.

        Parameters
        ----------
        n, h, m : int
            Inputs, width, outputs; h up to 2^63.
        std : float or pair of floats
            Standard deviation of the entries, of both layers or of each.
        rng : numpy.random.Generator, int or None
            Where the numbers come from; not the same numbers as those of `gaussian`.

        Raises
        ------
        TypeError, ValueError
            On bad arguments; if the numbers leave float64.
        MemoryError
            If not even a matrix of n + m rows and columns fits in memory.

        Examples
        --------
        >>> network = Network.gaussian_implicit(20, 10**12, 20, std=1e-6, rng=0)
        >>> network.width, network.compressed_width
        (1000000000000, 40)
        """
        return cls.__new__(cls)._set(**drawn_implicitly(n, h, m, std, rng))

    @classmethod
    def balanced(cls, W: ArrayLike, h: int) -> Self:
        """Return layers of width h with the product W and imbalance `W1.T W1 - W2 W2.T = 0`.

        `W1 = U sqrt(S)`, `W2 = sqrt(S) V.T` from the singular value decomposition of W, padded with zeros; singular
        values that count as 0 in W with its columns scaled to length 1 are left out. Every column of the product is
        that of W to rounding relative to itself.

        Raises
        ------
        ValueError
            If the rank of W is larger than h.

        Examples
        --------
        >>> network = Network.balanced([[3.0, 0.0], [0.0, 4.0]], 10**9)
        >>> bool(np.allclose(network.product, [[3, 0], [0, 4]]))
        True

        """
        return cls.__new__(cls)._set(**balanced(W, h))

    @classmethod
    def spectral(cls, problem: Problem, h: int, *, scale: float) -> Self:
        """Return layers of width h along the leading singular vectors of the gradient at W = 0.

        Their product is `-scale^2 G_h / ||G||_2`, G_h the best approximation of rank h of `problem.gradient(0)`, and
        they are balanced: where the loss falls fastest, as adapters of a frozen matrix, the problem's `offset`, are
        started.

        Parameters
        ----------
        problem : Problem
            The loss.
        h : int
            The width.
        scale : float
            The largest singular value of either layer.

        Raises
        ------
        TypeError, ValueError
            On bad arguments; if the gradient at W = 0 is zero or not finite.

        Examples
        --------
        >>> from lplfast import MatrixFactorization
        >>> Network.spectral(MatrixFactorization([[3.0, 0.0], [0.0, 1.0]]), 1, scale=0.5).product.round(12).tolist()
        [[0.25, 0.0], [0.0, 0.0]]

        """
        return cls.__new__(cls)._set(**spectral(problem, h, scale))

    @classmethod
    def from_files(cls, path1: FilePath, path2: FilePath) -> Self:
        """Return the network whose layers are in two files, .npy or text.

        Layers of up to 64 MB, and those in text files, are read into memory. Larger ones are read piece by piece, now
        and when they are needed again, so that a width is limited by the disk alone: the files have to stay as they
        are. `save_layers` writes the trained ones piece by piece, too; `W1` and `W2` take them into memory.

        Parameters
        ----------
        path1, path2 : path
            W1 of shape (n, h) and W2 of shape (h, m); real numbers of any dtype, in C or Fortran order.

        Raises
        ------
        OSError
            If a file cannot be read, or is no regular file.
        ValueError
            If one holds no matrix of finite real numbers, or they have no common width. Later, too, when the layers are
            needed again: if a file is no longer what it was.

        """
        source = large_layers(path1, path2)
        return cls(*read_layers(path1, path2)) if source is None else cls._streamed(source)

    @classmethod
    def from_torch(cls, first: Any, second: Any = None) -> Self:
        """Return the network `x -> second(first(x))` of two PyTorch layers.

        Parameters
        ----------
        first, second : torch.nn.Linear
            Layers without bias, n inputs to h units to m outputs, of any dtype, on any device. Their weights, (h, n)
            and (m, h), are transposed and copied.

        Raises
        ------
        TypeError, ValueError
            If these are no such layers, have a bias, or other widths than each other; on numbers that are not finite.

        """
        return cls(*from_linear(first, second))

    def to_torch(self) -> tuple[Any, Any]:
        """Return both layers as a pair of `torch.nn.Linear` without bias, float64, on the CPU: copies.

        `torch.nn.Sequential(*network.to_torch())` is the network. `.float()` of it rounds.

        Raises
        ------
        ImportError
            If PyTorch is not installed.

        """
        return to_linear(self.W1, self.W2)

    @classmethod
    def from_blocks(cls, blocks: Callable[[], Iterable[tuple[ArrayLike, ArrayLike]]], n: int, m: int) -> Self:
        """Return the network whose layers a function yields, some hidden units at a time, of any width.

        Parameters
        ----------
        blocks : callable
            `blocks()` returns an iterator over pairs of row blocks, `(A, B)` of shapes (b, n) and (b, m): for b hidden
            units, in their order, the rows of `W1.T` and of `W2`. Here, b may differ from pair to pair. It is called
            now, and again when wide layers are asked for, and has to yield the same ones each time. Between calls,
            `(n + m)^2` numbers and a checksum for every 4 MB are kept.
        n, m : int
            Inputs and outputs.

        Raises
        ------
        TypeError, ValueError
            On bad arguments; if the blocks are no finite real matrices of such shapes, or of less than n + m hidden
            units; if the norm of a row of a layer is beyond float64. Later, if other blocks are yielded than before.

        Examples
        --------
        >>> def blocks():
        ...     for i in range(3):
        ...         yield np.full((1000, 1), i), np.ones((1000, 2))
        >>> network = Network.from_blocks(blocks, 1, 2)
        >>> network.width, network.product.round(9)
        (3000, array([[3000., 3000.]]))

        """
        return cls._streamed(LayerBlocks(blocks, n, m))

    @classmethod
    def _streamed(cls, source):
        small, basis = Streamed.read(source)
        return cls.__new__(cls)._set(source.n, small=small, basis=basis)

    def save_layers(self, path1: FilePath, path2: FilePath) -> None:
        """Write the wide layers to two .npy files, each replaced at once or not at all, for `from_files`.

        Layers that are not in memory are read and written piece by piece. A name that does not end with .npy is given
        that ending. W1 (n, h) and W2 (h, m) are written as float64, in C order. Files that this network reads its
        layers from can be written to as well, but it cannot read them again then.

        Raises
        ------
        OSError
            If one cannot be written, or is no regular file.
        ValueError
            If both are one file; if they are to be made of layers that are read again, and have changed.

        """
        write_layers(path1, path2, self.n, self.width, self.m, self._pieces())

    def _pieces(self):
        """Yield the stack at full width, some columns at a time."""
        if isinstance(self._basis, Streamed) and self._wide is None:
            yield from self._basis.pieces(self._small)
            return
        wide, step = self.stack(compress=False), columns_per_piece(self.n + self.m)
        for at in range(0, self.width, step):
            look_up()
            yield at, wide[:, at:at + step]

    @property
    def n(self) -> int:
        """Number of inputs."""
        return self._n

    @property
    def m(self) -> int:
        """Number of outputs."""
        return self._any().shape[0] - self._n

    @property
    def width(self) -> int:
        """The hidden width h."""
        return self._width

    @property
    def compressed_width(self) -> int:
        """The width that training runs at, min(h, n + m)."""
        return min(self.width, self.n + self.m)

    @property
    def W1(self) -> Array:
        """The first layer (n, h), read-only."""
        return _read_only(self.stack(compress=False)[: self.n])

    @property
    def W2(self) -> Array:
        """The second layer (h, m), read-only."""
        return _read_only(self.stack(compress=False)[self.n:].T)

    @property
    def product(self) -> Array:
        """W1 @ W2, (n, m).

        Raises
        ------
        OverflowError
            If an entry is beyond float64.

        """
        stack = self._any()
        with np.errstate(over="ignore", invalid="ignore"):
            return _within_float64("product", stack[: self.n] @ stack[self.n:].T)

    def imbalance_eigenvalues(self) -> Array:
        """Return the eigenvalues of `D = W1.T W1 - W2 W2.T`, largest first, but for h - k zeros.

        Returns
        -------
        (k,) array
            With k = `compressed_width`. Every other eigenvalue of the (h, h) matrix D is 0: mind those zeros
            when counting the i-th largest. Right relative to the largest entry of `W1.T W1` and `W2 W2.T`.

        Raises
        ------
        OverflowError
            If one is beyond float64.

        """
        stack = self.stack()
        power = int(np.frexp(abs(stack).max())[1])
        scaled = np.ldexp(stack, -power)
        W1, W2t = scaled[: self.n], scaled[self.n:]
        values = scipy.linalg.eigvalsh(W1.T @ W1 - W2t.T @ W2t)[::-1]
        with np.errstate(over="ignore"):
            return _within_float64("imbalance_eigenvalues", np.ldexp(values, 2 * power))

    def stack(self, *, compress: bool = True) -> Array:
        """Return `[W1; W2.T]` of shape (n + m, k), at the compressed or at the full width; not to be written.

        Raises
        ------
        MemoryError
            If the full width does not fit in memory.

        """
        if compress:
            if self._small is None:
                self._compress()
            return self._small
        if self._wide is None:
            self._wide = self._small if self._basis is None else self._basis.widen(self._small)
        return self._wide

    def replace(self, stack: ArrayLike) -> "Network":
        """Return the network with another stack `[W1; W2.T]`, in the same coordinates that `stack()` gave.

        Raises
        ------
        TypeError, ValueError
            If it is no matrix of such a shape.

        """
        stack = as_doubles("stack", stack, 2)
        if stack.shape[0] != self.n + self.m or stack.shape[1] not in (self.width, self.compressed_width):
            raise ValueError(f"stack: expected {self.n + self.m} rows of {self.compressed_width} or of {self.width} "
                             f"numbers, got shape {stack.shape}")
        if stack.shape == (self.n + self.m, self.width):
            return Network.__new__(Network)._set(self.n, wide=stack)
        return Network.__new__(Network)._set(self.n, small=stack, basis=self._basis)

    def to_arrays(self, *, self_contained: bool = True) -> dict[str, npt.NDArray[Any]]:
        """Return everything this network is made of as a dict of arrays: what `from_arrays` takes.

        Parameters
        ----------
        self_contained : bool
            Whether a network that was compressed from wide layers takes along the basis that leads back to them, which
            is as large as they are; or only a digest of the layers that it is made of.

        Raises
        ------
        ValueError
            If it is to be self-contained, and was itself made without that basis.

        """
        # in this order: another thread that compresses sets the basis first
        small, basis = self._small, self._basis
        return taken_apart(self.n, self.width, self._wide if small is None else small, None if small is None else basis,
                           self_contained=self_contained)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, ArrayLike], *, initial: "Network | None" = None) -> Self:
        """Return the network that `to_arrays` has taken apart.

        Parameters
        ----------
        arrays : dict of arrays
            What `to_arrays` returned.
        initial : Network, optional
            The network that training began from, if the wide layers of arrays that lack them will be asked for.

        Raises
        ------
        TypeError, ValueError
            If these are no arrays of a network; if `initial` has other layers than those that they have a digest of.

        """
        return cls.__new__(cls)._set(**put_together(arrays, None if initial is None else initial._basis_of))

    def _basis_of(self, origin):
        """Return the basis, if it has this digest."""
        self.stack()
        if not np.array_equal(getattr(self._basis, "origin", None), origin):
            raise ValueError(f"network: expected the one that the run began from, to the last bit, got {self!r} with "
                             "other layers")
        return self._basis

    def __getstate__(self):
        # what use has made of the rest stays behind, so that it makes no difference to a pickle, or to a digest of one
        wide, small, basis = None, self._small, self._basis
        if basis is None or getattr(basis, "wide", None) is self._wide is not None:
            wide, small, basis = self._any() if basis is None else self._wide, None, None
        return {"_n": self._n, "_width": self._width, "_wide": wide, "_small": small, "_basis": basis}

    def _any(self):
        return self._wide if self._small is None else self._small

    def _compress(self):
        # the basis before `_small`, which other threads look at
        small, self._basis = compressed(self._wide)
        self._small = small

    def _repr_html_(self) -> str:
        return table_html(f"Network, x → x W1 W2: {self.n} → {self.width} → {self.m}",
                          [("W1", f"{self.n} x {self.width}"), ("W2", f"{self.width} x {self.m}"),
                           ("trained at width", self.compressed_width)])

    def __repr__(self):
        return f"Network(n={self.n}, h={self.width}, m={self.m})"


def _within_float64(name, found):
    """Return what was found, if it is finite."""
    if not np.isfinite(found).all():
        raise OverflowError(f"{name}: expected numbers within float64, got some beyond; rescale the layers")
    return found


def _read_only(array):
    view = array.view()
    view.flags.writeable = False
    return view
