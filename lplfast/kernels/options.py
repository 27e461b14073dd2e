"""Numbers that a user hands over as options: a float or an int, or a clear error; and how options are called."""

import inspect
import math
import numbers
import operator

__all__ = ["as_count", "as_number", "signature"]


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
    if isinstance(value, bool) or (not isinstance(value, numbers.Real) and not _is_scalar_array(value)):
        raise TypeError(f"{name}: expected {expected}, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or (number < 0.0 and not signed) or (positive and number == 0.0):
        raise ValueError(f"{name}: expected {expected}, got {_short(value)}")
    return number


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
        raise TypeError(f"{name}: expected an integer >= {least}, got {value!r}")
    if not least <= count < 2**63:
        raise ValueError(f"{name}: expected an integer >= {least}, below 2^63, got {_short(value)}")
    return count


def signature(arguments):
    """Return the signature that these arguments have in a `def`: compiled classes cannot tell their own.

    Examples
    --------
    >>> signature("bound='rho', *, c1=0.5")
    <Signature (bound='rho', *, c1=0.5)>
    """
    return inspect.signature(eval(f"lambda {arguments}: None"))


def _is_scalar_array(value):
    """Whether `value` is a NumPy scalar or array of no dimension that holds a real number."""
    return getattr(value, "shape", None) == () and getattr(value.dtype, "kind", "") in "uif"


def _short(value):
    """Return a printable form: 10**400 has too many digits for a message."""
    return repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "an integer far beyond that"
