"""What nobody should hand over, and good numbers and arrays in every disguise."""

import array
import datetime
import decimal
import fractions
import random
import tempfile
import types

import numpy as np

SHAPES = [(), (0,), (1,), (3,), (0, 0), (2, 0), (0, 3), (1, 1), (1, 2), (2, 2), (3, 2), (2, 3), (20, 2), (2, 3, 4),
          (1, 1, 1)]
STRUCTURES = ["f8,i4", [("a", "f8"), ("b", "O")], [("a", "f8", (2, 2))], [("a", [("b", "i4"), ("c", "S3")])]]
DTYPES = ["f8", ">f8", "f4", "f2", "g", "i1", "i8", "u8", ">i4", "?", "c16", "F", "S3", "U3", "O",
          "M8[s]", "m8[s]", "V8"]
FILLS = [0.0, 1.0, -1.0, 2.0, np.nan, np.inf, -np.inf, 1e308, -1e308, 1e-308, 5e-324, 1e150, 1e-160, 127.0]


class DeliberateError(Exception):
    """What objects of the fuzzer's own raise: the library passes it on."""


class Exploding:
    """Raises in every protocol that is asked of it."""

    def _explode(self, *arguments, **options):
        raise DeliberateError("asked")

    __array__ = __float__ = __int__ = __index__ = __len__ = __iter__ = __bool__ = __fspath__ = __call__ = _explode
    __eq__ = __lt__ = __getitem__ = __contains__ = __str__ = __complex__ = _explode
    __hash__ = None


class Lying:
    """Has the attributes of an array, and others than they seem."""

    shape, ndim, dtype, size, columns, dtypes = (2, 2), 2, np.dtype(float), 4, ["a"], ["b", "c"]

    def __array__(self, dtype=None, copy=None):
        return np.array([["x", None], [1, 2]], dtype=object)


class Backwards(np.ndarray):
    """A subclass of ndarray that says little of what its memory holds."""

    def __getitem__(self, index):
        return np.nan

    def __array_ufunc__(self, *arguments, **options):
        return NotImplemented


SCALARS = [
    None, True, False, 0, 1, 2, -1, 3, 2**31 - 1, 2**31, 2**62, 2**63, 2**64, 10**400, -10**400, 0.0, -0.0, 1.0, 0.5,
    -1.5, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1e-200, 1e200, 1j, complex("nan"), "", "x", "local", "all",
    "0.1", "é\0", b"", b"1", "certified", np.float32(0.1), np.float16("inf"), np.longdouble("1e4000"), np.int8(3),
    np.uint64(2**64 - 1),
    np.bool_(True), np.str_("local"), np.datetime64("NaT", "s"), np.timedelta64(1, "s"), np.ma.masked, np.complex64(1),
    decimal.Decimal("0.1"), decimal.Decimal("sNaN"), fractions.Fraction(1, 3), fractions.Fraction(10**400, 3),
    datetime.date(2020, 1, 1), Ellipsis, NotImplemented, slice(None), object, object(), int, len, types, np.ndarray,
    lambda *arguments: 0.1, lambda: None, Exploding(), Exploding, Lying(), DeliberateError("value")]
CONTAINERS = [
    list, tuple, dict, set, lambda: [None], lambda: [[]], lambda: [[], [1]], lambda: [[1, 2], [3]], lambda: ["a", 1],
    lambda: {"a": 1}, lambda: [0.1, 0.2], lambda: [[0.1, 0.2]], lambda: (i for i in range(3)), lambda: range(4),
    lambda: bytearray(16), lambda: memoryview(b"12345678"), lambda: array.array("d", [1.0, 2.0]), lambda: [Exploding()],
    lambda: [np.zeros(2), np.zeros(3)], lambda: frozenset([1.0]), lambda: [10**400], lambda: [[10**400]], lambda: [1j],
    lambda: [[np.nan]], lambda: np.random.default_rng(0), lambda: np.random.RandomState(0), lambda: np.dtype("f8")]


class Draw:
    """Where everything random in one call comes from."""

    def __init__(self, seed, number):
        self.random = random.Random(f"{seed} {number}")
        self.rng = np.random.default_rng([seed, number])
        # most calls are nearly good ones, or nothing behind the border would be reached
        self.wicked = self.random.choice([0.0, 0.0, 0.15, 0.15, 0.5, 1.0])

    def pick(self, values):
        return self.random.choice(list(values))

    def chance(self, probability):
        return self.random.random() < probability

    def some(self, value):
        """Return a good value, or once in a while another."""
        return self.bad() if self.chance(self.wicked) else value

    def options(self, **good):
        """Return some of these keyword arguments, each made by its function."""
        return {name: self.some(make()) for name, make in good.items() if self.chance(0.35)}

    def no_function(self):
        """Return what is no function: what is raised in one is the user's own."""
        value = self.bad()
        return None if callable(value) else value

    def bad(self):
        """Return what is hardly ever meant."""
        kind = self.random.random()
        if kind < 0.45:
            return self.pick(SCALARS)
        return self.pick(CONTAINERS)() if kind < 0.6 else self.array()

    def array(self):
        """Return an array of any kind."""
        shape = self.pick(SHAPES)
        numbers = np.full(shape, self.pick(FILLS)) if self.chance(0.5) else self.rng.standard_normal(shape)
        if numbers.size and self.chance(0.3):
            numbers.flat[self.random.randrange(numbers.size)] = self.pick(FILLS)
        if self.chance(0.15):
            return self.disguised(np.zeros(shape, self.pick(STRUCTURES)))
        dtype = np.dtype(self.pick(DTYPES))
        with np.errstate(all="ignore"):
            if dtype.kind in "Mm":
                numbers = np.nan_to_num(numbers, posinf=9, neginf=9).clip(-9, 9).astype("i8")
            made = numbers.astype("S8").astype(dtype) if dtype.kind == "V" else _cast(numbers, dtype)
        return self.disguised(made)

    def matrix(self, rows, columns):
        """Return a good matrix, of any layout, seldom near the ends of float64."""
        made = self.rng.standard_normal((rows, columns))
        if self.chance(0.25):
            made *= 10.0 ** self.pick([-300, -160, -80, -8, 8, 80, 148, 200, 307])
        elif self.chance(0.2):
            made = np.round(made)
        elif self.chance(0.1):
            made[:] = made[0]
        return self.disguised(made) if self.chance(0.5) else made

    def disguised(self, made):
        """Return the same numbers as memory may hold them."""
        return self.pick(LAYOUTS)(made)

    def number(self):
        return self.pick([0.0, 1.0, 0.5, 0.1, 1e-3, 2.0, 1e-12, 1e6, 1e-200, 1e200, 7, np.float32(0.25)])

    def size(self):
        return self.pick([1, 1, 2, 2, 3, 4, 6])


def _cast(numbers, dtype):
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return numbers.astype(dtype)


def _read_only(made):
    made = np.asarray(made)
    made.flags.writeable = False
    return made


def _misaligned(made):
    if made.dtype.hasobject:
        return made
    memory = np.zeros(made.nbytes + 1, np.uint8)[1:]
    memory[:] = np.frombuffer(made.tobytes(), np.uint8)
    return memory.view(made.dtype).reshape(made.shape) if made.size else made


def _strided(made):
    wide = np.repeat(made, 2, axis=-1) if made.ndim else made
    return wide[..., ::2] if made.ndim else wide


def _mapped(made):
    if made.dtype.hasobject or not made.size:
        return made
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, dtype=made.dtype, shape=made.shape or (1,))
    mapped[...] = made
    return mapped


LAYOUTS = [
    lambda made: made, np.asfortranarray, _read_only, _misaligned, _strided, _mapped,
    lambda made: made[::-1] if made.ndim else made,
    lambda made: made.view(Backwards), np.ma.asarray, lambda made: made.tolist(),
    lambda made: np.ma.array(made, mask=np.arange(made.size).reshape(made.shape) == 0),
    lambda made: np.asmatrix(made) if made.ndim == 2 and not made.dtype.names else made,
    lambda made: np.broadcast_to(made[:1], made.shape) if made.ndim and made.size else made]
