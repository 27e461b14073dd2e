"""Arrays in NumPy's format, read without its reader: no header is evaluated, nothing is larger than the file."""

import math
import re

import numpy as np

__all__ = ["read_header", "read_numbers"]

MAGIC = b"\x93NUMPY"

# NumPy's own limit
LONGEST_HEADER = 10_000

# the three items of a header, in whatever order
ITEMS = (re.compile(rb"'descr': ?'([<>|][A-Za-z]\d{1,10})'"), re.compile(rb"'fortran_order': ?(True|False)"),
         re.compile(rb"'shape': ?\(([\d, L]{0,80})\)"))

# How many bytes are read at once.
PIECE = 2**24


def read_header(stream):
    """Return what an array says of itself, and leave the stream where its numbers begin.

    Returns
    -------
    descr : str
        Its dtype, as NumPy writes it: `"<f8"`.
    fortran : bool
        Whether columns are contiguous.
    shape : tuple of int

    Raises
    ------
    ValueError
        If it is not the header of an array whose entries are of one simple type; Python objects have another dtype.

    """
    start = stream.read(len(MAGIC) + 2)
    if not start.startswith(MAGIC) or start[len(MAGIC):-1] not in (b"\1", b"\2", b"\3"):
        raise ValueError("expected an array as NumPy writes it, got something else")
    length = int.from_bytes(stream.read(2 if start[-2] == 1 else 4), "little")
    rest = stream.read(min(length, LONGEST_HEADER))
    found = []
    for item in ITEMS:
        before, *values = item.split(rest, maxsplit=1)
        rest = before + b"".join(values[1:])
        found += values[:1]
    if len(found) < len(ITEMS) or rest.translate(None, b"{}, \n") or length > LONGEST_HEADER:
        raise ValueError("expected an array as NumPy writes it, of entries of one simple type, got another header")
    descr, fortran, shape = found
    lengths = shape.replace(b" ", b"").replace(b"L", b"").split(b",")
    return descr.decode("ascii"), fortran == b"True", tuple(int(length) for length in lengths if length)


def read_numbers(stream, descr, shape, left):
    """Return the numbers that follow a header, one dimension; of `left` bytes, all have to be theirs.

    Raises
    ------
    ValueError
        If there are fewer bytes, or more.

    """
    dtype = np.dtype(descr)
    wanted = dtype.itemsize * math.prod(shape)
    if left != wanted:
        raise ValueError(f"expected {wanted} bytes, got {left}")
    content = np.empty(wanted, np.uint8)
    for at in range(0, wanted, PIECE):
        content[at:at + PIECE] = np.frombuffer(stream.read(min(PIECE, wanted - at)), np.uint8)
    return content.view(dtype)
