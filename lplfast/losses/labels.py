"""The border for labels: sorted distinct classes, and which of them each row has."""

import numbers

import numpy as np

from ..validation import as_array, as_matrix

__all__ = ["as_binary", "as_codes", "as_distributions", "indicators"]

# More distinct numbers than this, and fewer than three rows to each, are not classes.
MANY = 20


def as_codes(name, labels):
    """Return the sorted distinct labels, and for each label its place among them.

    A label is an integer, a whole float, a boolean or a string. pandas' Series and categories of these are welcome; of
    categories, those that occur are classes, in the order of their values. More than 20 distinct numbers with fewer
    than three rows to each on average are taken for quantities, not for classes; strings never are.

    Parameters
    ----------
    name : str
        What the error messages call them.
    labels : array_like
        The labels, of any shape.

    Returns
    -------
    classes : (m,) array
        The distinct labels, in order.
    codes : int array of the shape of `labels`
        `classes[codes]` are the labels.

    Raises
    ------
    TypeError
        If they are no labels, or of kinds that cannot be sorted together.
    ValueError
        If there are none, if one is missing, if they look like quantities, or if no array can tell them apart.

    """
    array = as_array(name, labels)
    if array.size == 0 or array.ndim == 0:
        raise ValueError(f"{name}: expected one label a row, got shape {array.shape}")
    if array.dtype.kind in "US" and not isinstance(labels, np.ndarray):
        array = np.asarray(labels, dtype=object)        # NumPy makes strings of numbers beside them
    if array.dtype.kind == "f" and not isinstance(labels, np.ndarray) and np.abs(array).max() >= 2.0**53:
        array = np.asarray(labels, dtype=object)        # and floats of integers that no type of its holds together
    if array.dtype.kind in "OT":
        classes, codes = _codes_of_objects(name, array)
    elif array.dtype.kind in "biufUS":
        if array.dtype.kind == "f":
            _refuse_fractions(name, array)
        classes, codes = np.unique(array, return_inverse=True)
    else:
        raise TypeError(f"{name}: expected integers, strings or booleans as labels, got dtype {array.dtype}")
    if classes.dtype.kind in "iuf" and len(classes) > max(MANY, array.size / 3):
        raise ValueError(f"{name}: expected classes, got {len(classes)} distinct numbers among {array.size}, which "
                         "look like quantities: use SquaredLoss for these, or put them into bins (numpy.digitize); if "
                         "they are classes, pass strings")
    return classes, codes.reshape(array.shape)


def _codes_of_objects(name, array):
    """Return the sorted distinct objects in an array, as an array, and the place of each."""
    entries = array.ravel().tolist()
    for at, entry in enumerate(entries):
        row = at * len(array) // array.size
        if isinstance(entry, numbers.Real) and not isinstance(entry, numbers.Integral):
            _refuse_fractions(name, np.array([float(entry)]), row)
        elif not isinstance(entry, (str, bytes, numbers.Integral, np.bool_)):
            raise TypeError(f"{name}: expected integers, strings or booleans as labels, got {str(entry)[:40]} in row "
                            f"{row}; drop the rows without a label")
    distinct = set(entries)
    try:
        distinct = sorted(distinct)
    except TypeError:
        kinds = " and ".join(sorted({type(entry).__name__ for entry in distinct}))
        raise TypeError(f"{name}: expected labels of one kind, got {kinds}; make them all strings") from None
    place, classes = {label: code for code, label in enumerate(distinct)}, np.array(distinct)
    if len(np.unique(classes)) < len(distinct):
        raise ValueError(f"{name}: expected integers that one type of NumPy's holds, got some from {distinct[0]} to "
                         f"{distinct[-1]}; make them strings")
    return classes, np.array([place[entry] for entry in entries])


def _refuse_fractions(name, array, row=0):
    """Raise for floats that are not whole."""
    whole = np.isfinite(array) & (array == np.floor(array))
    if whole.all():
        return
    at = np.argwhere(~whole)[0].tolist()
    value, row = float(array[tuple(at)]), row + at[0]
    if np.isnan(value):
        raise ValueError(f"{name}: expected a label in every row, got nan in row {row}; drop the rows without one")
    raise ValueError(f"{name}: expected classes, got {value!r} in row {row}, which looks like a quantity: use "
                     "SquaredLoss for these, or put them into bins (numpy.digitize)")


def indicators(codes, m):
    """Return codes 0 to m - 1, one a row, as rows of the identity."""
    rows = np.zeros((codes.size, m))
    rows[np.arange(codes.size), codes.ravel()] = 1.0
    return rows


def as_distributions(labels):
    """Return a distribution over the classes for each row, and the classes.

    Probabilities of two or more classes, one row each, are scaled to sum 1, and their classes are 0 to m - 1; all else
    are labels (`as_codes`).

    Raises
    ------
    TypeError, ValueError
        If they are neither; if there is only one class.

    """
    array = as_array("labels", labels)
    if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):
        classes, codes = as_codes("labels", labels)
        if len(classes) < 2:
            raise ValueError(f"labels: expected at least two classes, got {classes.tolist()[0]!r} in every row")
        return indicators(codes, len(classes)), classes
    P = as_matrix("labels", labels)
    if P.min() < 0:
        row, column = np.argwhere(P < 0)[0].tolist()
        raise ValueError("labels: expected probabilities, >= 0 and of sum 1 in each row, got "
                         f"{float(P[row, column])!r} at [{row}, {column}]")
    sums = P.sum(axis=1)
    # numbers that float32 has are taken to come from it: as many roundings as classes, and some in each number
    single = bool((P <= 2).all() and (P.astype(np.float32) == P).all())
    allowed = (P.shape[1] + 8) * float(np.finfo(np.float32).eps) if single else 1e-9
    off = abs(sums - 1)
    if not off.max() <= allowed:
        row = int(np.argmax(off))
        remedy = ("use LogisticLoss for labels of which a row may have several" if np.isin(P, (0.0, 1.0)).all()
                  else "divide each row by its sum")
        raise ValueError("labels: expected one label a row, or probabilities of sum 1, got a sum of "
                         f"{float(sums[row])!r} in row {row}; {remedy}")
    return P / sums[:, np.newaxis], np.arange(P.shape[1])


def as_binary(Y):
    """Return binary labels as a matrix of 0 and 1, and the two classes; 1 stands for the second.

    All columns share the two classes; a column may have only one of them.

    Raises
    ------
    TypeError, ValueError
        If they are no labels, or not of two classes.

    """
    array = as_array("Y", Y)
    if array.ndim not in (1, 2):
        raise ValueError(f"Y: expected 1 or 2 dimensions, got shape {array.shape}")
    classes, codes = as_codes("Y", Y)
    found = classes.tolist()
    if classes.dtype.kind in "if" and set(found) <= {-1, 0, 1} and {-1, 0} <= set(found):
        raise ValueError(f"Y: expected labels that are all -1 or 1, or all 0 or 1, got {' and '.join(map(str, found))}")
    if len(found) == 1:
        raise ValueError(f"Y: expected two distinct labels, got {found[0]!r} everywhere")
    if len(found) > 2:
        shown = ", ".join(map(repr, found[:5])) + (", ..." if len(found) > 5 else "")
        raise ValueError(f"Y: expected two distinct labels, got {len(found)}, {shown}; use SoftmaxLoss for one "
                         "of several classes a row")
    return codes.reshape(len(codes), -1).astype(np.float64), classes
