"""What an experiment returned, as variables: name -> (dims, array, attrs)."""

from typing import NamedTuple

import numpy as np

from ..descent.history import COLUMNS
from ..guarantees.audit import theorems_failed
from ..run.columns import described
from ..run.execution import carry_out
from ..run.plan import Plan
from ..run.run import Run
from ..validation import shown

__all__ = ["ATTRS", "HISTORY", "LINE", "History", "variables_of"]

ATTRS = {name: described(name) for name in (*COLUMNS, "status", "iterations", "violations", "final_loss", "final_gap",
                                            "final_bound")}

# Under this name, which no variable can have, the columns of a history come in one piece.
HISTORY = ""

LINE = ("iteration",)

FINAL = {"gap": "final_gap", "gap_bound": "final_bound"}


def variables_of(result, taken, cancelled=None):
    """Return the variables of what an experiment returned: a plan is carried out first.

    Parameters
    ----------
    result : Plan, Run, Dataset or dict
    taken : collection of str
        The names of the grid's dimensions, and others that no variable may have.
    cancelled : callable, optional
        Whether to stop a plan under way, which then ends as "interrupted".

    Raises
    ------
    TypeError, ValueError
        If it is something else, or names do not fit.
    Exception
        Whatever carrying out a plan raises.
    """
    if isinstance(result, Plan):
        result = carry_out(result, cancelled=cancelled)
    if isinstance(result, Run):
        return _of_run(result)
    if isinstance(result, dict):
        said = {_name(name, taken): _parts(value) for name, value in result.items()}
        named = {dim for dims, _, _ in said.values() for dim in dims or ()}
        found = {name: _variable(name, *parts, taken, named) for name, parts in said.items()}
        _check_coordinates(found)
        return found
    if hasattr(result, "data_vars") and hasattr(result, "variables"):
        return {_name(name, taken): _variable(name, value.dims, value.values, dict(value.attrs), taken)
                for name, value in result.variables.items()}
    raise TypeError("experiment: expected it to return a Run, plan(...), or a dict of numbers and arrays, got "
                    f"{shown(result)}")


def _of_run(run):
    """Return how a run ended, and its history at the multiples of `record_every`.

    So iterations are common to all runs. Seconds are left out: no two runs take the same, and studies with the same
    numbers are to be equal.
    """
    every = run.continuation.options["record_every"]
    rows = run.iterations // every + 1
    estimated = run.facts.constants == "power"
    found = {"status": run.status, "iterations": run.iterations,
             "violations": 0 if estimated else theorems_failed(run.checks), "final_loss": run.continuation.loss}
    found |= {name: run.history[column][-1] for column, name in FINAL.items() if column in run.history}
    variables = {name: ((), np.asarray(value), ATTRS[name]) for name, value in found.items()}
    variables[HISTORY] = History(tuple(run.history), rows, every, run.history)
    return variables


class History(NamedTuple):
    """The history of a run: columns by name, of which the first `rows` count."""

    names: tuple
    rows: int
    every: int
    columns: dict

    def variables(self):
        """Return the variables that it stands for."""
        found = {name: (LINE, self.columns[name][:self.rows], ATTRS[name]) for name in self.kept()}
        found["iteration"] = LINE, self.iterations(), ATTRS["iteration"]
        return found

    def kept(self):
        """Return the names of the columns that are kept."""
        left_out = {"iteration", "time"} if len(self.names) == len(COLUMNS) else {"iteration"}
        return [name for name in self.names if name not in left_out]

    def iterations(self):
        """Return the iteration of each row."""
        return np.arange(0, self.rows * self.every, self.every)


def _name(name, taken):
    if not isinstance(name, str) or not name or name in taken:
        raise ValueError("experiment: expected a dict whose keys are names, other than those of the grid, 'seed' and "
                         f"'error', got {shown(name)}")
    return name


def _parts(value):
    """Return dims, array and attrs of what xarray takes: an array, (dims, array), (dims, array, attrs); or a DataArray.

    dims is None where they are not said.
    """
    if isinstance(value, tuple) and len(value) in (2, 3) and _are_dims(value[0]):
        dims, value, *rest = value
        return (dims,) if isinstance(dims, str) else tuple(dims), value, rest[0] if rest else {}
    if hasattr(value, "dims") and hasattr(value, "values"):
        return value.dims, value.values, dict(value.attrs)
    return None, value, {}


def _variable(name, dims, value, attrs, taken, named=()):
    """Return a variable, checked. Without dims, an array has its own, unless it is the coordinate of a `named` one."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: expected rows of one length, got {shown(value)}") from None
    if array.dtype.kind not in "biufcU":
        raise TypeError(f"{name}: expected numbers or text, integers below 2^63, got {shown(value)}")
    if array.dtype.kind == "u" and (array >= 2**63).any():
        raise ValueError(f"{name}: expected integers below 2^63, got {array.max()}")
    if dims is None:
        dims = (name,) if name in named and array.ndim == 1 else tuple(f"{name}_{axis}" for axis in range(array.ndim))
    if len(dims) != array.ndim or len(set(dims)) < len(dims) or set(dims) & set(taken):
        raise ValueError(f"{name}: expected {array.ndim} distinct dimensions, none of the grid's, got {shown(dims)}")
    if name in dims and (dims != (name,) or len(np.unique(array)) < array.size or (array != array).any()):
        raise ValueError(f"{name}: expected a coordinate of distinct values along its own dimension, none NaN, got "
                         "others")
    if not all(isinstance(said, (str, int, float)) for said in attrs.values()):
        raise TypeError(f"{name}: expected attributes that are text or numbers, got {shown(attrs)}")
    kind = {"b": np.bool_, "i": np.int64, "u": np.int64, "f": np.float64, "c": np.complex128}
    return dims, array.astype(kind.get(array.dtype.kind, array.dtype)), attrs


def _check_coordinates(variables):
    """Refuse variables that are not as long as a coordinate that comes with them."""
    lengths = {name: array.size for name, (dims, array, _) in variables.items() if dims == (name,)}
    for name, (dims, array, _) in variables.items():
        for dim, size in zip(dims, array.shape, strict=True):
            if lengths.get(dim, size) != size:
                raise ValueError(f"{name}: expected {lengths[dim]} values along {dim}, as that coordinate has, got "
                                 f"{size}")


def _are_dims(dims):
    return isinstance(dims, str) or (isinstance(dims, (tuple, list)) and all(isinstance(name, str) for name in dims))
