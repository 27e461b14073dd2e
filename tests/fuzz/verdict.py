"""What a call may do: return what it says, raise what it documents, and leave its arguments as they were."""

import inspect
import re

import numpy as np

from .values import DeliberateError

# of the library, "name: expected ..., got ..."; of Python, what a signature says of a call
CLEAR = re.compile(r"expected|unexpected keyword|positional argument|required keyword|takes no (keyword )?arguments|"
                   r"multiple values|at least|the loss or its gradient|cannot pickle|needs|embedded null|not supported "
                   r"between|not callable")
NAMED = re.compile(r"^(\w+(?:, \w+)*)$")


def documented(*parts):
    """Return the names of the exceptions in the sections Raises of these docstrings."""
    found = set()
    for part in parts:
        section = re.search(r"Raises\n-+\n(.*?)(\n\w[\w ]*\n-+\n|\Z)", inspect.getdoc(part) or "", flags=re.DOTALL)
        for line in section[1].splitlines() if section else ():
            if not line.startswith(" ") and NAMED.match(line.strip()):
                found.update(line.strip().split(", "))
    return found


def objection(error, allowed):
    """Return what is wrong with an exception, or None."""
    names = {base.__name__ for base in type(error).__mro__}
    others = allowed - {"TypeError", "ValueError", "Exception", "BaseException"}
    if isinstance(error, DeliberateError) or names & others:
        return None
    # exactly these: a LinAlgError is a ValueError too
    if type(error) not in (TypeError, ValueError):
        return f"raised {type(error).__name__}: {error}"
    return None if CLEAR.search(str(error)) else f"said nothing of what was expected: {type(error).__name__}: {error}"


def memory(value, depth=0, path="argument"):
    """Return the bytes of every array in a value, by the way to it."""
    if isinstance(value, np.ma.MaskedArray):
        return {**memory(value.data, depth, path), **memory(np.ma.getmaskarray(value), depth, f"{path}.mask")}
    if isinstance(value, np.ndarray):
        plain = value.view(np.ndarray)
        return {path: (str(plain.dtype), plain.shape, plain.strides, plain.flags.writeable, plain.tobytes())}
    if depth > 4:
        return {}
    if isinstance(value, bytearray | list | tuple | dict):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        found = {path: repr(value)} if isinstance(value, bytearray) else {f"{path}.length": len(value)}
        if len(value) < 100:
            for name, part in inside:
                found.update(memory(part, depth + 1, f"{path}[{name!r}]"))
        return found
    found = {}
    if type(value).__module__.startswith("lplfast."):
        for name, part in (getattr(value, "__dict__", None) or {}).items():
            found.update(memory(part, depth + 1, f"{path}.{name}"))
    return found


def changed(before, after):
    """Return which arrays are others than before; what is computed at its first use may come and go."""
    return [path for path, kept in before.items() if path in after and after[path] != kept]


def nan_in(value, depth=0):
    """Whether there is a NaN among the numbers of a result."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f" and bool(np.isnan(value).any())
    if isinstance(value, float):
        return value != value
    if isinstance(value, list | tuple) and depth < 3:
        return any(nan_in(part, depth + 1) for part in value)
    return False
