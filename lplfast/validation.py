"""The border: what a user hands over becomes an array, a number or a generator of the right kind, or a clear error."""

import difflib
import math
import numbers
import operator

import numpy as np

from .table_columns import columns_of, numbers_of, said_of_entries

__all__ = ["HUGE", "as_array", "as_callable", "as_choice", "as_count", "as_double", "as_doubles", "as_flag",
           "as_fraction", "as_generator", "as_matrix", "as_number", "as_offset", "as_output", "as_reduction",
           "as_shape", "as_shaped", "shown"]

REDUCTIONS = ("sum", "mean")

# what passes for a number, and is none
NOT_NUMBERS = (bool, np.timedelta64, np.ma.MaskedArray)

# Numbers whose squares are float64 numbers, with room for sums of them.
HUGE = 1e150


def as_array(name, value):
    """Return `value` as NumPy takes it, of any dtype and shape; pandas' nullable floats are floats, not objects.

    Raises
    ------
    TypeError
        If it is None, sparse, or nothing that NumPy can make an array of.
    ValueError
        If it has masked entries.

    """
    if value is None:
        raise TypeError(f"{name}: expected an array, got None")
    for method in ("toarray", "todense"):
        if callable(getattr(value, method, None)):
            raise TypeError(f"{name}: expected a dense array, got a sparse one, {type(value).__name__}; "
                            f"call .{method}()")
    if isinstance(value, np.ma.MaskedArray) and value.dtype.names:
        raise TypeError(f"{name}: expected an array of numbers, got dtype {value.dtype}")
    if np.ma.is_masked(value):
        raise ValueError(f"{name}: expected no masked entries, got {np.ma.count_masked(value)}; fill them first")
    try:
        return numbers_of(value, np.asarray(value), kinds="f")
    except (TypeError, ValueError, RuntimeError) as error:      # RuntimeError: a tensor that wants its gradient
        raise TypeError(f"{name}: expected an array of numbers, got {type(value).__name__}: {error}") from error


def as_matrix(name, value, *, vector_as_column=False):
    """Return `value` as a finite, non-empty float64 matrix; the input itself where it already is one.

    Integers, booleans and other real floats are converted. Lists, DataFrames, pandas' nullable numbers and whatever has
    `__array__` are welcome. Text, categories and arrays of objects are not, even where the objects are numbers: what
    they mean as numbers is for the caller to say, and the message says how.

    Parameters
    ----------
    name : str
        What the error messages call it.
    value : array_like of shape (rows, columns)
        The matrix.
    vector_as_column : bool
        Whether shape (rows,) is taken as (rows, 1).

    Raises
    ------
    TypeError
        If it is not an array of real numbers; the message names the column.
    ValueError
        If it has another number of dimensions, is empty, masked, or holds NaN or inf.

    """
    array, (labels, dtypes) = as_array(name, value), columns_of(value)
    for label, dtype in zip(labels, dtypes, strict=True):
        if getattr(dtype, "name", None) == "category":
            raise TypeError(f"{name}: expected real numbers, got categories in {label}; call .astype(float) where its "
                            "numbers are meant, else encode or drop it")
    array = numbers_of(value, array)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name}: expected real numbers, got {said_of_entries(array, labels)}")
    if vector_as_column and array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2:
        expected = "1 or 2 dimensions" if vector_as_column else "2 dimensions"
        raise ValueError(f"{name}: expected {expected}, got shape {array.shape}")
    if 0 in array.shape:
        raise ValueError(f"{name}: expected at least one row and one column, got shape {array.shape}")
    with np.errstate(over="ignore"):
        # one memory layout, or the last bits of a result would depend on it
        array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0].tolist()
        where = f"[{row}, {column}]" + (f", {labels[column]}" if hasattr(value, "columns") else "")
        remedy = "; fill in or drop what is missing" if np.isnan(array[row, column]) else ""
        raise ValueError(f"{name}: expected finite numbers, got {array[row, column]} at {where}{remedy}")
    return array


def as_shaped(name, value, shape):
    """Return `value` as a matrix of this shape, or raise."""
    value = as_matrix(name, value)
    if value.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {value.shape}")
    return value


def as_doubles(name, value, dimensions=None):
    """Return `value` as compiled code reads it: float64, C-contiguous and aligned, of any values and size.

    Without a number of `dimensions`, of any.

    A typed memoryview of a structured array is a crash, and one of a misaligned array undefined.

    Raises
    ------
    TypeError, ValueError
        If it is not an array of real numbers; if it has another number of dimensions.

    """
    if (type(value) is np.ndarray and value.dtype == np.float64 and value.flags.carray
            and dimensions in (None, value.ndim)):
        return value        # at once: the loop asks at every call
    array = numbers_of(value, as_array(name, value))
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name}: expected real numbers, got "
                        f"{type(array.item()).__name__ if array.ndim == 0 else f'dtype {array.dtype}'}")
    if dimensions is not None and array.ndim != dimensions:
        raise ValueError(f"{name}: expected {dimensions} dimensions, got shape {array.shape}")
    with np.errstate(over="ignore"):
        return np.require(array, np.float64, ["C_CONTIGUOUS", "ALIGNED"])


def as_output(name, value, dimensions):
    """Return `value` as compiled code writes to it: `as_doubles` without a conversion, of any strides.

    Raises
    ------
    TypeError, ValueError
        If it is no writeable, aligned float64 array of so many dimensions.

    """
    array = np.asarray(value) if isinstance(value, np.ndarray) else None    # of a subclass, its memory
    if array is None or array.dtype != np.float64 or not array.dtype.isnative:
        raise TypeError(f"{name}: expected a float64 array to write to, got "
                        f"{type(value).__name__ if array is None else f'dtype {array.dtype}'}")
    if array.ndim != dimensions or not (array.flags.writeable and array.flags.aligned):
        raise ValueError(f"{name}: expected {dimensions} dimensions of writeable, aligned memory, "
                         f"got shape {array.shape}")
    return array


def as_offset(offset, shape):
    """Return the frozen matrix, zero where there is none."""
    if offset is None:
        return np.zeros(shape)
    offset = as_shaped("offset", offset, shape)
    if not abs(offset).max() < HUGE:
        raise ValueError("offset: expected numbers whose squares are float64 numbers, "
                         f"got up to {abs(offset).max():.3g}")
    return offset


def as_reduction(reduction):
    """Return "sum" or "mean", or raise."""
    return as_choice("reduction", reduction, REDUCTIONS)


def as_choice(name, value, choices):
    """Return `value` if it is one of the choices, all strings, or raise ValueError."""
    if not isinstance(value, str) or value not in choices:
        close = difflib.get_close_matches(value.lower(), choices, 1) if isinstance(value, str) else []
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {shown(value)}"
                         + (f"; did you mean {close[0]!r}?" if close else ""))
    return value


def as_callable(name, value):
    """Return `value` if it can be called, or raise TypeError."""
    if not callable(value):
        raise TypeError(f"{name}: expected a callable, got {shown(value)}")
    return value


def as_flag(name, value):
    """Return `value` as a bool, or raise TypeError: 0 and 1 are none."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected True or False, got {shown(value)}")
    return bool(value)


def as_number(name, value, *, positive=False, signed=False):
    """Return `value` as a finite float, >= 0 or positive, or of either sign.

    Raises
    ------
    TypeError
        If it is not a real number: strings and booleans are not.
    ValueError
        If it is negative, zero where it must be positive, NaN, or beyond float64.
    """
    expected = "a finite positive number" if positive else "a finite number" if signed else "a finite number >= 0"
    if not _is_number(value):
        raise TypeError(f"{name}: expected {expected}, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or (number < 0.0 and not signed) or (positive and number == 0.0):
        raise ValueError(f"{name}: expected {expected}, got {shown(value)}")
    return number


def as_double(name, value):
    """Return `value` as a float, NaN and infinities included; what is beyond float64 is infinite.

    Raises
    ------
    TypeError
        If it is not a real number: strings and booleans are not.
    """
    if type(value) is float:
        return value
    if not _is_number(value):
        raise TypeError(f"{name}: expected a number, got {shown(value)}")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def as_fraction(name, value):
    """Return `value` as a float between 0 and 1, both excluded.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is not between 0 and 1.
    """
    value = as_number(name, value, signed=True)
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name}: expected a number between 0 and 1, got {shown(value)}")
    return value


def as_count(name, value, *, least=1):
    """Return `value` as an int of at least `least`, and below 2^63.

    Raises
    ------
    TypeError
        If it is not an integer; 2.0 is not.
    ValueError
        If it is out of range.
    """
    try:
        count = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = None
    if count is None:
        raise TypeError(f"{name}: expected an integer >= {least}, got {shown(value)}")
    if not least <= count < 2**63:
        raise ValueError(f"{name}: expected an integer >= {least}, below 2^63, got {shown(value)}")
    return count


def as_shape(shape):
    """Return a pair of positive ints below 2^31, as compiled code counts rows and columns.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    try:
        n, m = shape
    except (TypeError, ValueError):
        raise TypeError(f"shape: expected a pair of positive integers, got {shown(shape)}") from None
    n, m = as_count("shape[0]", n), as_count("shape[1]", m)
    if max(n, m) >= 2**31:
        raise ValueError(f"shape: expected two positive integers below 2^31, got {(n, m)}")
    return n, m


def as_generator(rng):
    """Return a Generator."""
    if isinstance(rng, np.ndarray):
        rng = np.asarray(rng)       # of a matrix, NumPy would take rows for ever, until the stack is full
        if rng.dtype.kind not in "iu":
            raise TypeError(f"rng: expected a Generator, a seed or None, got {shown(rng)}")
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise TypeError(f"rng: expected a Generator, a seed or None, got {shown(rng)}: {error}") from None


def _is_number(value):
    """Whether this is a real number, or an array of no dimension that holds one: no boolean, duration, masked array."""
    if type(value) in (float, int):
        return True         # at once: the abstract class of the others takes longer
    if isinstance(value, NOT_NUMBERS):
        return False
    return isinstance(value, numbers.Real) or (
        getattr(value, "shape", None) == () and getattr(getattr(value, "dtype", None), "kind", "-") in "uif")


def shown(value):
    """Return what a message says of a value: 10**400 has too many digits for one, an array too many entries."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, int) and abs(value) >= 10**30:
        return "an integer far beyond that"
    if type(value) in (list, tuple):
        parts = [shown(part) for part in value[:4]] + ["..."] * (len(value) > 4)
        said = f"[{', '.join(parts)}]" if isinstance(value, list) else f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    else:
        said = repr(value)
    return said if len(said) <= 200 else f"{said[:200]}..."
