"""The grid of a study: named dimensions, labels, seeds; and its cells."""

import hashlib
import itertools
import json
import math
import operator
import struct
from typing import NamedTuple

import numpy as np

from ..validation import as_count, shown

__all__ = ["SEED", "Cell", "Grid"]

# The dimension that counts repetitions.
SEED = "seed"

# A kind of labels -> the types that it has; a dimension has labels of one kind.
KINDS = {"booleans": (bool,), "numbers": (int, float), "strings": (str,)}

KEY_BYTES = 16

# Cells of a study, of which each is an object here.
LARGEST = 10**7


class Cell(NamedTuple):
    """A cell: where it is in the grid, its key, and the arguments of the experiment."""

    place: int
    key: bytes
    parameters: dict

    def generator(self, entropy):
        """Return the generator of this cell, which its key and the entropy of the study make."""
        return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=struct.unpack("<4I", self.key)))


class Grid:
    """Dimensions with their labels, in the order given, and seeds.

    Parameters
    ----------
    dimensions : dict
        Name -> list of labels (bool, int, float, str), or dict of label -> object.
    seeds : int or sequence of ints
        How many repetitions, 0, 1, ..., or which.
    """

    def __init__(self, dimensions, seeds):
        if not isinstance(dimensions, dict):
            raise TypeError("grid: expected a dict of dimensions, name: list of labels or {label: object}, got "
                            f"{shown(dimensions)}")
        self.labels, self.objects, self._values = {}, {}, {}
        for name, values in dimensions.items():
            if not isinstance(name, str) or not name.isidentifier() or name in (SEED, "rng", "error"):
                raise ValueError("grid: expected names that are arguments of the experiment, other than 'rng', "
                                 f"'{SEED}' and 'error', got {shown(name)}")
            self.labels[name], self._values[name] = _dimension(name, values)
            if isinstance(values, dict):
                self.objects[name] = dict(zip(self.labels[name], self._values[name], strict=True))
        self.seeds = _seeds(seeds)
        if len(self) > LARGEST:
            raise ValueError(f"grid and seeds: expected at most {LARGEST} cells, got {shown(len(self))}")

    @property
    def dims(self):
        """The names of the dimensions, the seed last."""
        return (*self.labels, SEED)

    @property
    def shape(self):
        """The number of labels of each."""
        return (*(len(labels) for labels in self.labels.values()), len(self.seeds))

    def __len__(self):
        return math.prod(self.shape)

    def cells(self):
        """Return all cells by their place, the seed running fastest."""
        # canonical JSON of {dimension: label} and the seed: by the names' order, without spaces. 1 and 1.0 differ, as
        # they may for the experiment
        order, dims = sorted(self.labels), list(self.labels)
        texts = {name: [f"{json.dumps(name)}:{json.dumps(label)}" for label in labels]
                 for name, labels in self.labels.items()}
        cells = []
        for numbers in itertools.product(*(range(len(labels)) for labels in self.labels.values())):
            at = dict(zip(dims, numbers, strict=True))
            text = ",".join(texts[name][at[name]] for name in order)
            parameters = {name: self._values[name][number] for name, number in at.items()}
            for seed in self.seeds:
                key = hashlib.sha256(f"[{{{text}}},{seed}]".encode()).digest()[:KEY_BYTES]
                cells.append(Cell(len(cells), key, parameters))
        return cells


def _dimension(name, values):
    """Return the labels of a dimension, and what the experiment is given for each."""
    if isinstance(values, (str, bytes)) or not _is_list(values):
        raise TypeError(f"grid[{name!r}]: expected a list of labels, or a dict {{label: object}}, got {shown(values)}")
    labels = [_label(name, label) for label in values]
    if not labels:
        raise ValueError(f"grid[{name!r}]: expected at least one label, got none")
    kinds = {kind for kind, types in KINDS.items() for label in labels if type(label) in types}
    if len(kinds) > 1:
        raise TypeError(f"grid[{name!r}]: expected labels of one kind, got {' and '.join(sorted(kinds))}; use a dict "
                        "{label: object} for others")
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise ValueError(f"grid[{name!r}]: expected distinct labels, got {shown(twice)} more than once")
    return labels, list(values.values()) if isinstance(values, dict) else labels


def _label(name, label):
    """Return a label as Python has it."""
    if isinstance(label, np.generic):
        label = label.item()
    if type(label) not in (bool, int, float, str):
        raise TypeError(f"grid[{name!r}]: expected labels that are bool, int, float or str, got {shown(label)}; use a "
                        "dict {label: object} for others")
    if label != label or (type(label) is int and not -2**63 <= label < 2**63):
        raise ValueError(f"grid[{name!r}]: expected labels that are numbers below 2^63, and not NaN, got "
                         f"{shown(label)}")
    return label


def _is_list(value):
    return hasattr(type(value), "__iter__") and getattr(value, "shape", None) != ()


def _seeds(seeds):
    """Return the seeds as a sequence of ints."""
    if isinstance(seeds, str) or not _is_list(seeds):
        return range(as_count("seeds", seeds))
    found = []
    for seed in seeds:
        try:
            found.append(as_count("seeds", operator.index(seed), least=0))
        except TypeError:
            raise TypeError(f"seeds: expected a number of seeds, or a list of integers >= 0, got {shown(seed)} in "
                            "it") from None
    if not found or len(set(found)) < len(found):
        raise ValueError(f"seeds: expected distinct integers >= 0, at least one, got {shown(seeds)}")
    return found
