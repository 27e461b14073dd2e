"""The columns of a table that a user hands over: what pandas calls them, and what in them is no number."""

import numpy as np

__all__ = ["columns_of", "numbers_of", "said_of_entries"]


def columns_of(value):
    """Return how to call the columns of a table, and their dtypes; of a pandas Series or array, one; else none."""
    if hasattr(value, "dtypes") and hasattr(value, "columns") and len(value.dtypes) == len(value.columns):
        return [f"column {label!r}" for label in value.columns], list(value.dtypes)
    if hasattr(value, "dtype") and not isinstance(value.dtype, np.dtype):
        return ["the series"], [value.dtype]
    return [], []


def numbers_of(value, array, kinds="buif"):
    """Return the numbers of a table whose columns have several such types, which NumPy alone takes for objects."""
    dtypes = columns_of(value)[1] if array.dtype == object else []
    if dtypes and all(getattr(dtype, "kind", "O") in kinds for dtype in dtypes):
        return value.to_numpy(dtype=np.float64, na_value=np.nan)
    return array


def said_of_entries(array, labels):
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
