"""Tables of numbers in files: .npy, or text."""

import array
import io
import os

import numpy as np

from .files import open_file
from .npy import read_header, read_numbers
from .validation import as_matrix

__all__ = ["read_matrix"]


def read_matrix(path, *, vector_as_column=True):
    """Return the matrix in a .npy file, or in a text file of comma- or space-separated numbers.

    A first line that is not numbers is taken as a header. Nothing in a file is executed or unpickled. A .npy file
    that asks for more than it holds is refused before it is given anything. A text takes up to 8 times its size while
    it is read, and 100 times that of its longest line.

    Raises
    ------
    OSError
        If the file cannot be read, or is no regular file: a directory, a device, a FIFO.
    ValueError
        If it holds no rectangular table of finite real numbers.

    """
    path = os.fsdecode(path)
    with open_file(path) as file:
        value = _read_array(path, file) if path.endswith(".npy") else _read_text(path, file)
    return as_matrix(path, value, vector_as_column=vector_as_column)


def _read_array(path, file):
    """Return the array of real numbers in a .npy file."""
    try:
        descr, fortran, shape = read_header(file)
        if descr[1] not in "biuf":
            raise ValueError(f"expected real numbers, got entries of dtype {descr}")
        numbers = read_numbers(file, descr, shape, os.fstat(file.fileno()).st_size - file.tell())
    except (ValueError, TypeError, EOFError) as error:      # TypeError: a dtype that there is not
        raise ValueError(f"{path}: expected a .npy file of numbers: {error}") from error
    return numbers.reshape(shape, order="F" if fortran else "C")


def _read_text(path, file):
    """Return the rows of numbers in a text file."""
    # flat, as lists of floats would take many times the file
    numbers, width = array.array("d"), 0
    try:
        with io.TextIOWrapper(file, encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                fields = _fields(line)
                if not line.strip() or line.lstrip().startswith("#"):
                    continue
                if "," in line and ";" in line:
                    raise ValueError(f"{path}, line {number}: expected decimal points, and one of comma and semicolon "
                                     "between numbers, got both")
                if not width and number == 1 and not any(map(_is_number, fields)):
                    continue    # a header
                if not all(map(_is_number, fields)):
                    wrong = next(field for field in fields if not _is_number(field))
                    raise ValueError(f"{path}, line {number}: expected numbers, got {wrong[:60]!r}")
                width = width or len(fields)
                if len(fields) != width:
                    raise ValueError(f"{path}, line {number}: expected {width} numbers as in the first row, "
                                     f"got {len(fields)}")
                numbers.extend(map(float, fields))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected a text file of numbers or a .npy file: {error}") from None
    if not width:
        raise ValueError(f"{path}: expected rows of numbers, found none")
    return np.frombuffer(numbers).reshape(-1, width)


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
