"""The layers of a network in two files."""

import itertools
import os

import numpy as np

from .files import replace_file
from .layer_sources import LayerFiles
from .tables import read_matrix

__all__ = ["large_layers", "read_layers", "write_layers"]

# Files of up to so many bytes together are read into memory.
SMALL_FILES = 2**26


def large_layers(path1, path2):
    """Return where layers come from that are read piece by piece, or None for those that are read into memory."""
    names = [os.fsdecode(path) for path in (path1, path2)]
    if not all(name.endswith(".npy") and os.path.isfile(name) for name in names):
        return None     # what cannot be read at all, reading it says
    if sum(map(os.path.getsize, names)) <= SMALL_FILES:
        return None
    source = LayerFiles(*names)
    return source if source.width > source.n + source.m else None


def read_layers(path1, path2):
    """Return both layers, in memory."""
    return [read_matrix(path, vector_as_column=False) for path in (path1, path2)]


def write_layers(path1, path2, n, h, m, pieces):
    """Write layers that come as pieces of the stack `[W1; W2.T]`, some columns at a time, each file at once or not.

    Raises
    ------
    ValueError
        If both files are one.
    """
    def write(first, second):
        for file, shape in ((first, (n, h)), (second, (h, m))):
            np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
        start = first.tell()
        for at, piece in pieces:
            for i in range(n):
                first.seek(start + 8 * (i * h + at))
                first.write(np.ascontiguousarray(piece[i], "<f8"))
            second.write(np.ascontiguousarray(piece[n:].T, "<f8"))

    names = [os.fsdecode(path).removesuffix(".npy") + ".npy" for path in (path1, path2)]
    if os.path.realpath(names[0]) == os.path.realpath(names[1]):
        raise ValueError(f"path2: expected another file than path1, got {names[1]} twice")
    # the first piece before a file is made: what cannot be read is no error of writing
    pieces = itertools.chain([next(pieces)], pieces)
    # both are whole before one of them is in its place
    replace_file(names[0], lambda first: replace_file(names[1], lambda second: write(first, second)))
