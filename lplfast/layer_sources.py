"""Wide layers that are not in memory: two files, or what a function returns, read piece by piece.

A piece is some columns of the stack `[W1; W2.T]`, hidden units, as (k, columns) float64; as many as the compression
reads at once, so that no bit depends on where they come from. The array of a piece is that of the next one, too.
docs/theory.md, section 5.
"""

import numpy as np

from .interrupts import look_up
from .linalg.compress import columns_per_piece
from .stored_matrix import StoredMatrix
from .validation import as_callable, as_count, as_matrix

__all__ = ["LayerBlocks", "LayerFiles"]


class LayerFiles:
    """Layers in two .npy files, W1 (n, h) and W2 (h, m), which have to stay as they are.

    Raises
    ------
    OSError, ValueError
        As `StoredMatrix` does; if the layers have no common width.

    """

    def __init__(self, path1, path2):
        self.first, self.second = StoredMatrix(path1), StoredMatrix(path2)
        (self.n, h), (h2, self.m) = self.first.shape, self.second.shape
        if h != h2:
            raise ValueError(f"W1, W2: expected shapes (n, h) and (h, m) with one width h, got {self.first.shape} and "
                             f"{self.second.shape}")

    @property
    def width(self):
        """The hidden width h."""
        return self.first.shape[1]

    def pieces(self):
        """Yield where a piece begins, and the piece."""
        n, h, step = self.n, self.width, columns_per_piece(self.n + self.m)
        room = np.empty((n + self.m) * min(step, h))
        with self.first.opened() as first, self.second.opened() as second:
            for at in range(0, h, step):
                look_up()
                count = min(step, h - at)
                piece = room[:(n + self.m) * count].reshape(n + self.m, count)
                self.first.read(first, 1, at, piece[:n])
                self.second.read(second, 0, at, piece[n:])
                self._check(at, piece)
                yield at, piece

    def _check(self, at, piece):
        if not np.isfinite(piece).all():
            row, column = np.argwhere(~np.isfinite(piece))[0].tolist()
            path, place = ((self.first.path, (row, at + column)) if row < self.n else
                           (self.second.path, (at + column, row - self.n)))
            raise ValueError(f"{path}: expected finite numbers, got {piece[row, column]} at [{place[0]}, {place[1]}]")


class LayerBlocks:
    """Layers that a function makes: it is called whenever they are needed, and returns the same ones each time.

    Its blocks are `(rows of W1.T, rows of W2)`, (b, n) and (b, m): b hidden units, any number of them.

    Raises
    ------
    TypeError, ValueError
        On bad arguments.

    """

    def __init__(self, blocks, n, m):
        self.blocks, self.n, self.m = as_callable("blocks", blocks), as_count("n", n), as_count("m", m)

    def pieces(self):
        """Yield where a piece begins, and the piece."""
        k, at, filled, piece = self.n + self.m, 0, 0, None
        for first, second in self._checked():
            if piece is None:       # there are rows of n and of m numbers
                step = columns_per_piece(k)
                piece = np.empty((k, step))
            done = 0
            while done < len(first):
                count = min(step - filled, len(first) - done)
                piece[:self.n, filled:filled + count] = first[done:done + count].T
                piece[self.n:, filled:filled + count] = second[done:done + count].T
                done, filled = done + count, filled + count
                if filled == step:
                    yield at, piece
                    at, filled = at + step, 0
        if filled:
            yield at, np.ascontiguousarray(piece[:, :filled])

    def _checked(self):
        """Yield the blocks as pairs of matrices, checked."""
        found = self.blocks()
        if not hasattr(found, "__iter__"):
            raise TypeError("blocks: expected a function that returns an iterator of pairs, got one that returns "
                            f"{type(found).__name__}")
        for i, pair in enumerate(found):
            look_up()
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise TypeError(f"blocks: expected pairs of rows of W1.T and rows of W2, got {type(pair).__name__}")
            first, second = as_matrix(f"block {i} of W1.T", pair[0]), as_matrix(f"block {i} of W2", pair[1])
            if first.shape[1] != self.n or second.shape[1] != self.m or len(first) != len(second):
                turned = "; of W1, take the transpose" if first.shape == (self.n, len(second)) else ""
                raise ValueError(f"blocks: expected pairs of shapes (b, {self.n}) and (b, {self.m}), got {first.shape} "
                                 f"and {second.shape} in block {i}{turned}")
            yield first, second
