"""The border: whatever the user hands over becomes a float64 matrix, or a clear error."""

import os

import numpy as np

__all__ = ["as_array", "as_matrix", "read_matrix"]


def as_array(name, value):
    """Return `value` as NumPy takes it, of any dtype and shape.

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
    if np.ma.is_masked(value):
        raise ValueError(f"{name}: expected no masked entries, got {np.ma.count_masked(value)}; fill them first")
    try:
        return np.asarray(value)
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
    array = as_array(name, value)
    labels, dtypes = _columns(value)
    for label, dtype in zip(labels, dtypes, strict=True):
        if getattr(dtype, "name", None) == "category":
            raise TypeError(f"{name}: expected real numbers, got categories in {label}; call .astype(float) where its "
                            "numbers are meant, else encode or drop it")
    if array.dtype == object and dtypes and all(getattr(dtype, "kind", "O") in "buif" for dtype in dtypes):
        # a table of several numeric types, which NumPy alone takes for objects
        array = value.to_numpy(dtype=np.float64, na_value=np.nan)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name}: expected real numbers, got {_not_numbers(array, labels)}")
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


def _columns(value):
    """Return how to call the columns of a table, and their dtypes; of a pandas Series or array, one; else none."""
    if hasattr(value, "dtypes") and hasattr(value, "columns"):
        return [f"column {label!r}" for label in value.columns], list(value.dtypes)
    if hasattr(value, "dtype") and not isinstance(value.dtype, np.dtype):
        return ["the series"], [value.dtype]
    return [], []


def _not_numbers(array, labels):
    """Say which column of an array of another dtype holds something else than real numbers, and what would help."""
    if array.dtype.kind not in "OUST" or array.ndim not in (1, 2):
        return f"dtype {array.dtype}"
    columns = array.T if array.ndim == 2 else [array]
    for j, column in enumerate(columns):
        where = labels[j] if j < len(labels) else f"column {j}" if array.ndim == 2 else "the vector"
        for i, entry in enumerate(column.tolist()):
            if isinstance(entry, (str, bytes)):
                remedy = "call .astype(float)" if _is_float(entry) else "encode the column as numbers, or drop it"
                return f"text in {where}, {entry[:40]!r} in row {i}; {remedy}"
            if entry is None or not _is_float(entry):
                return f"{type(entry).__name__} in {where}, {str(entry)[:40]} in row {i}; convert, fill in or drop it"
    return f"dtype {array.dtype}; as all entries are numbers, .astype(float) of the array makes them float64"


def _is_float(entry):
    """Whether float64 has a number for what this says or is."""
    try:
        float(entry)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def read_matrix(path, *, vector_as_column=True):
    """Return the matrix in a .npy file, or in a text file of comma- or space-separated numbers.

    A first line that is not numbers is taken as a header.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError, TypeError
        If it holds no rectangular table of finite real numbers.

    """
    path = os.fspath(path)
    if path.endswith(".npy"):
        try:
            with open(path, "rb") as file:
                value = np.lib.format.read_array(file, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path}: expected a .npy file of numbers: {error}") from error
    else:
        value = _read_text(path)
    return as_matrix(path, value, vector_as_column=vector_as_column)


def _read_text(path):
    """Return the rows of numbers in a text file."""
    rows = []
    try:
        with open(path, encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                fields = _fields(line)
                if not line.strip() or line.lstrip().startswith("#"):
                    continue
                if "," in line and ";" in line:
                    raise ValueError(f"{path}, line {number}: expected decimal points, and one of comma and semicolon "
                                     "between numbers, got both")
                if not rows and number == 1 and not any(map(_is_number, fields)):
                    continue    # a header
                if not all(map(_is_number, fields)):
                    wrong = next(field for field in fields if not _is_number(field))
                    raise ValueError(f"{path}, line {number}: expected numbers, got {wrong!r}")
                if rows and len(fields) != len(rows[0]):
                    raise ValueError(f"{path}, line {number}: expected {len(rows[0])} numbers as in the first row, "
                                     f"got {len(fields)}")
                rows.append([float(field) for field in fields])
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected a text file of numbers or a .npy file: {error}") from None
    if not rows:
        raise ValueError(f"{path}: expected rows of numbers, found none")
    return rows


def _fields(line):
    """Return the fields of a line: between semicolons, else commas, else blanks. Empty ones are fields too."""
    for delimiter in (";", ","):
        if delimiter in line:
            return [field.strip() for field in line.split(delimiter)]
    return line.split()


def _is_number(field):
    """Whether a field is a number as a data file has it: Python's 1_0 is not."""
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field
