"""A shard: what a group of cells has come to, as arrays: of ragged ones, values and shapes."""

import json
import zipfile
from typing import NamedTuple

import numpy as np

from ..files import open_file, replace_file
from ..run.stored import write_arrays
from .grid import KEY_BYTES

__all__ = ["Layout", "Shard", "Variable"]

FORMAT = 1

# What numpy.load may raise of a file that is damaged.
DAMAGE = (ValueError, EOFError, KeyError, TypeError, MemoryError, RuntimeError, zipfile.BadZipFile)


class Layout(NamedTuple):
    """Which cells have a variable, and in which shape; the columns of a history share one.

    Attributes
    ----------
    cells : array of ints
        By their number in the shard.
    shapes : array of ints of shape (cells, dims)
    """

    cells: np.ndarray
    shapes: np.ndarray


class Variable(NamedTuple):
    """A variable in some cells of a shard.

    Attributes
    ----------
    name : str
    dims : tuple of str
        Its own dimensions, beside those of the grid.
    attrs : dict
        Units and the like.
    layout : Layout
    values : array of one dimension
        Of all these cells, one after the other.
    """

    name: str
    dims: tuple
    attrs: dict
    layout: Layout
    values: np.ndarray

    def of(self, there):
        """Return the variable in some of its cells alone."""
        cells, shapes = self.layout
        kept = np.repeat(there, shapes.prod(axis=1))
        return self._replace(layout=Layout(cells[there], shapes[there]), values=self.values[kept])


class Shard:
    """What a group of cells has come to.

    Attributes
    ----------
    keys : list of bytes
        Of the cells.
    errors : list of str
        What went wrong in each; empty where nothing did.
    seconds : array
        How long each took.
    variables : list of Variable
        Two have the same name where cells have returned different things by it.
    maker : int
        Which of the makers of the store it is by.
    """

    def __init__(self, keys, errors, seconds, variables, maker=0):
        self.keys, self.errors, self.seconds, self.variables, self.maker = keys, errors, seconds, variables, maker

    def save(self, path):
        """Write it to a file, at once or not at all.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        layouts = list({id(variable.layout): variable.layout for variable in self.variables}.values())
        numbers = {id(layout): number for number, layout in enumerate(layouts)}
        about = {"format": FORMAT, "maker": self.maker, "errors": self.errors,
                 "variables": [{"name": variable.name, "dims": list(variable.dims), "attrs": variable.attrs,
                                "layout": numbers[id(variable.layout)]} for variable in self.variables]}
        text = json.dumps(about)
        arrays = {"about": np.array(text, dtype=f"<U{len(text)}"), "seconds": self.seconds,
                  "keys": np.frombuffer(b"".join(self.keys), np.uint8)}
        for i, layout in enumerate(layouts):
            arrays |= {f"cells-{i}": layout.cells, f"shapes-{i}": layout.shapes}
        for i, variable in enumerate(self.variables):
            arrays[f"values-{i}"] = variable.values
        replace_file(path, lambda file: write_arrays(file, arrays))

    @classmethod
    def load(cls, path):
        """Return the shard in a file. Nothing in it is executed.

        Raises
        ------
        OSError
            If it cannot be read.
        ValueError
            If it is damaged, or none.
        """
        with open_file(path) as file:
            try:
                with np.load(file, allow_pickle=False) as arrays:
                    return cls._from(json.loads(str(arrays["about"])), arrays)
            except DAMAGE as error:
                raise ValueError(f"{path}: expected a shard of a study, got something else or a damaged file: {error}. "
                                 "Remove it, and the same call computes its cells again") from None

    @classmethod
    def _from(cls, about, arrays):
        if about["format"] != FORMAT:
            raise ValueError(f"format: expected {FORMAT}, got {about['format']}")
        raw, seconds = arrays["keys"].tobytes(), arrays["seconds"]
        keys = [raw[at:at + KEY_BYTES] for at in range(0, len(raw), KEY_BYTES)]
        if not len(keys) == len(about["errors"]) == len(seconds):
            raise ValueError("expected as many errors and times as keys, got others")
        variables, layouts = [], {}
        for i, said in enumerate(about["variables"]):
            number, values = said["layout"], arrays[f"values-{i}"]
            if number not in layouts:
                layouts[number] = Layout(arrays[f"cells-{number}"], arrays[f"shapes-{number}"])
            _check_fits(said, layouts[number], values, len(keys))
            variables.append(Variable(said["name"], tuple(said["dims"]), said["attrs"], layouts[number], values))
        return cls(keys, about["errors"], seconds, variables, about["maker"])


def _check_fits(said, layout, values, count):
    cells, shapes = layout
    if not (cells.ndim == values.ndim == 1 and shapes.shape == (len(cells), len(said["dims"]))
            and ((cells >= 0) & (cells < count)).all() and (shapes >= 0).all()
            and int(shapes.prod(axis=1).sum()) == len(values)):
        raise ValueError(f"{said['name']}: expected values as its shapes say, got others")
