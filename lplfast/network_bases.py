"""The ways back from a compressed network to its full width: orthonormal bases, kept or made again.

Each has the `width` h, widens a small stack (n + m, k) to `(n + m, h)`, and says what it is made of: all of it, or its
`origin`, a digest, where that is as large as the wide layers and they are kept elsewhere. docs/theory.md, section 5.
"""

import hashlib

import numpy as np

from .interrupts import look_up
from .linalg.compress import columns_per_piece, orthonormal_rows, triangular_factor
from .linalg.peaks import peaks
from .once import once
from .threads import single_threaded_blas

__all__ = ["Absent", "Factor", "Haar", "Padding", "Rows", "check_finite", "compressed", "digest", "draw_normal",
           "scale_for"]

COLUMNS_PER_PRODUCT = 4096

# How many random numbers are drawn in one call, which no Ctrl-C ends.
NUMBERS_PER_DRAW = 2**22


def compressed(wide):
    """Return a stack of at most n + m columns that training at full width follows, and the basis that leads back.

    The stack itself, and no basis, where it is no wider than that, or its norms leave float64.
    """
    k, h = wide.shape
    if h <= k:
        return wide, None
    with single_threaded_blas():
        small = triangular_factor(wide, 1.0)
        # the squares of all entries: where that is far from over- and underflow, so is every one that counts
        if wide.size * 1e-280 < np.vdot(small, small) < 1e280:
            return small, Factor(wide, 1.0)
        scale = scale_for(peaks(wide))
        with np.errstate(over="ignore"):
            small = triangular_factor(wide, scale) / scale
    if not np.isfinite(small).all():
        return wide, None       # columns of norms beyond float64 stay spread out
    return small, Factor(wide, scale)


def scale_for(peak):
    """Return a power of two for entries up to `peak`, so that no norm over- or underflows."""
    # of subnormal numbers, the one that takes them to 1 may be beyond float64
    return 2.0 ** min(-np.frexp(peak)[1], 1000) if peak > 1e140 or 0 < peak < 1e-140 else 1.0


class Factor:
    """The orthonormal factor of a thin QR decomposition of `scale` times a wide stack.

    It would take as much room as the stack, so it is not kept but made again when it is needed: the same bits.
    """

    def __init__(self, wide, scale):
        self.wide, self.scale = wide, scale

    @once
    def origin(self):
        """A digest of the wide layers."""
        return digest("layers", pieces_of(self.wide))

    def to_arrays(self, *, self_contained=True):
        """Return what this basis is made of."""
        return {"basis": self.rows()} if self_contained else {"origin": self.origin}

    def __reduce__(self):
        return Factor, (self.wide, self.scale)

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

    @once
    def origin(self):
        """A digest of the rows."""
        return digest("rows", pieces_of(self.rows))

    def to_arrays(self, *, self_contained=True):
        """Return what this basis is made of."""
        return {"basis": self.rows} if self_contained else {"origin": self.origin}

    def __reduce__(self):
        return Rows, (self.rows,)

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

    def to_arrays(self, *, self_contained=True):
        """Return what this basis is made of."""
        return {"seed": self.seed}

    def widen(self, small):
        """Return the stack of layers at full width."""
        wide = draw_normal(np.random.default_rng(self.seed.tolist()), (small.shape[0], self.width))
        # Haar measure, for the triangular factor of a Factor has a positive diagonal
        return Factor(wide, 1.0).widen(small)


class Padding:
    """The first coordinates of a wide space: layers that are zero beyond their small width."""

    def __init__(self, width):
        self.width = width

    def to_arrays(self, *, self_contained=True):
        """Return what this basis is made of."""
        return {}

    def widen(self, small):
        """Return the stack of layers at full width."""
        wide = np.zeros((small.shape[0], self.width))
        wide[:, : small.shape[1]] = small
        return wide


class Absent:
    """A basis of which only the digest is here: what it is made of is kept elsewhere."""

    def __init__(self, width, origin):
        self.width, self.origin = width, origin

    def to_arrays(self, *, self_contained=True):
        """Return the digest; a ValueError where everything is asked for."""
        if self_contained:
            raise self._missing()
        return {"origin": self.origin}

    def widen(self, small):
        """Raise a ValueError that says what is needed to widen anything."""
        raise self._missing()

    def _missing(self):
        return ValueError(f"network: expected its wide layers, of width {self.width}, got a checkpoint, which leaves "
                          "them out; load it with Run.load(path, network=...), the network that the run began from. "
                          "Its product and what training needs are here without")


def digest(kind, pieces):
    """Return the SHA-256 of a matrix, in pieces of some columns, as four integers."""
    found = hashlib.sha256(kind.encode())
    for piece in pieces:
        look_up()
        found.update(f" {piece.shape}".encode())
        found.update(np.ascontiguousarray(piece, "<f8"))
    return np.frombuffer(found.digest(), "<i8").astype(np.int64)


def pieces_of(array):
    """Yield a matrix in such pieces."""
    step = columns_per_piece(len(array))
    for at in range(0, array.shape[1], step):
        yield array[:, at:at + step]


def draw_normal(rng, shape):
    """Return what `rng.standard_normal(shape)` does, drawn piece by piece."""
    numbers = np.empty(shape)
    flat = numbers.ravel()
    for at in range(0, flat.size, NUMBERS_PER_DRAW):
        look_up()
        rng.standard_normal(out=flat[at:at + NUMBERS_PER_DRAW])
    return numbers


def _product(small, rows, *, out):
    """Return small @ rows, block by block, so that `out` may be `rows`.

    Raises
    ------
    ValueError
        If a number leaves float64, as it does from no orthonormal rows but those of a file that somebody has changed.

    """
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        for at in range(0, rows.shape[1], COLUMNS_PER_PRODUCT):
            look_up()
            columns = slice(at, at + COLUMNS_PER_PRODUCT)
            out[:, columns] = block = small @ rows[:, columns]
            check_finite(block)
    return out


def check_finite(block):
    """Raise a ValueError where a wide layer has left float64."""
    if not np.isfinite(block).all():
        raise ValueError("network: expected wide layers within float64, got some beyond")
