"""The ways back from a compressed network to its full width: orthonormal bases, kept or made again.

Each has the `width` h, widens a small stack (n + m, k) to `(n + m, h)`, and says what it is made of. docs/theory.md,
section 5.
"""

import numpy as np

from .interrupts import look_up
from .linalg.compress import orthonormal_rows, triangular_factor
from .threads import single_threaded_blas

__all__ = ["Factor", "Haar", "Padding", "Rows", "draw_normal"]

COLUMNS_PER_PRODUCT = 4096

# How many random numbers are drawn in one call, which no Ctrl-C ends.
NUMBERS_PER_DRAW = 2**22


class Factor:
    """The orthonormal factor of a thin QR decomposition of `scale` times a wide stack.

    It would take as much room as the stack, so it is not kept but made again when it is needed: the same bits.
    """

    def __init__(self, wide, scale):
        self.wide, self.scale = wide, scale

    def to_arrays(self):
        """Return what this basis is made of."""
        return {"basis": self.rows()}

    @property
    def width(self):
        """The hidden width h."""
        return self.wide.shape[1]

    def rows(self):
        """Return the (n + m, h) matrix of orthonormal rows."""
        with single_threaded_blas():
            return orthonormal_rows(self.wide, self.scale)

    def widen(self, small):
        """Return the stack of layers at full width."""
        rows = self.rows()
        return _product(small, rows, out=rows)


class Rows:
    """An orthonormal basis, as the rows of a matrix."""

    def __init__(self, rows):
        self.rows = rows

    def to_arrays(self):
        """Return what this basis is made of."""
        return {"basis": self.rows}

    @property
    def width(self):
        """The hidden width h."""
        return self.rows.shape[1]

    def widen(self, small):
        """Return the stack of layers at full width."""
        return _product(small, self.rows, out=np.empty_like(self.rows))


class Haar:
    """A uniformly distributed orthonormal basis, drawn when it is needed and always the same."""

    def __init__(self, width, seed):
        self.width, self.seed = width, seed

    def to_arrays(self):
        """Return what this basis is made of."""
        return {"seed": self.seed}

    def widen(self, small):
        """Return the stack of layers at full width."""
        wide = draw_normal(np.random.default_rng(self.seed.tolist()), (small.shape[0], self.width))
        with single_threaded_blas():
            signs = np.sign(np.diag(triangular_factor(wide, 1.0)))
        # Haar measure: the triangular factor has a positive diagonal
        return Factor(wide, 1.0).widen(small * signs)


class Padding:
    """The first coordinates of a wide space: layers that are zero beyond their small width."""

    def __init__(self, width):
        self.width = width

    def to_arrays(self):
        """Return what this basis is made of."""
        return {}

    def widen(self, small):
        """Return the stack of layers at full width."""
        wide = np.zeros((small.shape[0], self.width))
        wide[:, : small.shape[1]] = small
        return wide


def draw_normal(rng, shape):
    """Return what `rng.standard_normal(shape)` does, drawn piece by piece."""
    numbers = np.empty(shape)
    flat = numbers.ravel()
    for at in range(0, flat.size, NUMBERS_PER_DRAW):
        look_up()
        rng.standard_normal(out=flat[at:at + NUMBERS_PER_DRAW])
    return numbers


def _product(small, rows, *, out):
    """Return small @ rows, block by block, so that `out` may be `rows`."""
    with single_threaded_blas():
        for at in range(0, rows.shape[1], COLUMNS_PER_PRODUCT):
            look_up()
            columns = slice(at, at + COLUMNS_PER_PRODUCT)
            out[:, columns] = small @ rows[:, columns]
    return out
