"""The way back to wide layers that are never in memory as a whole."""

import functools

import numpy as np

from .linalg.compress import extend_factor, triangular_factor
from .linalg.peaks import peaks
from .network_bases import Factor, check_finite, digest, scale_for
from .once import once
from .threads import single_threaded_blas

__all__ = ["Streamed"]

# The part of a layer that may lie off what steps from the first layers reach: rounding leaves far less.
REACHED = 1e-7


class Streamed:
    """The way back to layers that are not in memory: they are read once more, and multiplied.

    Every step of gradient descent is `Z - eta Z S`: the wide layers are `Z_0 M` and the small ones `R_0 M` with one
    and the same (k, k) matrix M, found from the small ones. docs/theory.md, section 5, says how far this is off.
    """

    def __init__(self, source, start, scale, sums):
        self.source, self.start, self.scale, self.sums = source, start, scale, sums

    @classmethod
    def read(cls, source):
        """Return a stack of n + m columns that training at full width follows, and the basis that leads back.

        Raises
        ------
        ValueError
            If the width is less than n + m; if norms leave float64. What reading the source raises.

        """
        factor, peak, sums, width = None, 0.0, [], 0
        for at, piece in source.pieces():
            peak = max(peak, peaks(piece))
            sums.append((piece.shape[1], _checksum(piece)))
            width = at + piece.shape[1]
            if factor is None and width < len(piece):
                raise ValueError(f"layers: expected a width of at least n + m = {len(piece)}, got {width}; smaller "
                                 "ones are for Network(W1, W2)")
            factor = _extended_factor(factor, piece, 1.0)
        if factor is None:
            raise ValueError("layers: expected hidden units, got none")
        basis = cls(source, None, scale_for(peak), sums)
        if basis.scale != 1.0:
            factor = None
            for piece in basis._again():
                factor = _extended_factor(factor, piece, basis.scale)
        with np.errstate(over="ignore"):
            basis.start = factor / basis.scale
        if not np.isfinite(basis.start).all():
            raise ValueError("layers: expected columns of W1.T and W2 whose norms are float64 numbers, got some "
                             "beyond; rescale the layers")
        return basis.start, basis

    @property
    def width(self):
        """The hidden width h."""
        return sum(count for count, _ in self.sums)

    @once
    def origin(self):
        """A digest of the wide layers."""
        return digest("layers", self._again())

    def to_arrays(self, *, self_contained=True):
        """Return what this basis is made of; with all of it, the layers are read into memory."""
        if not self_contained:
            return {"origin": self.origin}
        return Factor(self.widen(self.start), self.scale).to_arrays()

    def __reduce__(self):
        return Streamed, (self.source, self.start, self.scale, self.sums)

    def pieces(self, small):
        """Yield where a piece of the layers at full width begins, and the piece; the next one has the same array.

        Raises
        ------
        ValueError
            If the source has changed; if no M leads to this stack.

        """
        M, at = None if np.array_equal(small, self.start) else self._steps(small).T.copy(), 0
        room = None
        for piece in self._again():
            if M is not None:
                room = np.empty_like(piece) if room is None or room.shape != piece.shape else room
                with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
                    piece = np.matmul(M, piece, out=room)
                check_finite(piece)
            yield at, piece
            at += piece.shape[1]

    def widen(self, small):
        """Return the stack of layers at full width."""
        wide = np.empty((len(small), self.width))
        for at, piece in self.pieces(small):
            wide[:, at:at + piece.shape[1]] = piece
        return wide

    def _again(self):
        """Yield the pieces, if they are those of the first time."""
        count = 0
        for count, (_, piece) in enumerate(self.source.pieces(), start=1):
            if count > len(self.sums) or self.sums[count - 1] != (piece.shape[1], _checksum(piece)):
                raise _changed()
            yield piece
        if count != len(self.sums):
            raise _changed()

    def _steps(self, small):
        """Return the M with R_0 M = R, that of least norm in units in which all columns of R_0 have length 1."""
        units = np.ldexp(1.0, np.frexp(np.linalg.norm(self.start, axis=1))[1])
        R, A = small.T, (self.start / units[:, np.newaxis]).T
        with single_threaded_blas():
            U, s, Vt = np.linalg.svd(A)
            kept = s > len(s) * 2.0**-52 * s[0]
            found = Vt[kept].T @ ((U[:, kept].T @ R) / s[kept, np.newaxis])
            off = np.linalg.norm(R - A @ found, axis=0)
        # compared with its whole layer: an output that is learned last is small, and no worse than the others
        layer = np.linalg.norm(R[:, :self.source.n]), np.linalg.norm(R[:, self.source.n:])
        if (off > REACHED * np.repeat(layer, (self.source.n, self.source.m))).any():
            raise ValueError("stack: expected one that gradient descent reaches from the layers that were read, got "
                             "one with other directions; read the layers into memory, by Network(W1, W2)")
        return found / units[:, np.newaxis]


def _extended_factor(factor, piece, scale):
    """Return the triangular factor of one piece more; the first one has none."""
    with single_threaded_blas():
        return triangular_factor(piece, scale) if factor is None else extend_factor(factor, piece, scale)


def _checksum(piece):
    """Return a number that another piece has another of: its bits, each word times an odd number of its place."""
    words = piece.view(np.uint64).reshape(-1)
    return int((words * _odd(words.size)).sum(dtype=np.uint64))


@functools.lru_cache(maxsize=4)
def _odd(count):
    return np.random.default_rng(0).integers(2**63, size=count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def _changed():
    return ValueError("layers: expected the ones that the network was made of, got others; a source of layers has to "
                      "return the same each time")
