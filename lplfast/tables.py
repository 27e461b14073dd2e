"""Tables of numbers in files: .npy, or text."""

import os
import tokenize

import numpy as np

from .validation import as_matrix

__all__ = ["read_matrix"]


def read_matrix(path, *, vector_as_column=True):
    """Return the matrix in a .npy file, or in a text file of comma- or space-separated numbers.

    A first line that is not numbers is taken as a header.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError, TypeError
        If it holds no rectangular table of finite real numbers.

    """
    path = os.fsdecode(path)
    value = _read_npy(path) if path.endswith(".npy") else _read_text(path)
    return as_matrix(path, value, vector_as_column=vector_as_column)


def _read_npy(path):
    """Return the array in a .npy file, in memory; a header that promises more than the file holds allocates nothing."""
    try:
        # the errors of an ill-formed header are those of Python's own parser
        return np.array(np.lib.format.open_memmap(path, mode="r"))
    except (ValueError, EOFError, TypeError, KeyError, SyntaxError, tokenize.TokenError, OverflowError, MemoryError,
            RecursionError) as error:
        raise ValueError(f"{path}: expected a .npy file of numbers: {error}") from error


def _read_text(path):
    """Return the rows of numbers in a text file."""
    rows = []
    try:
        with open(path, encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                fields = _fields(line)
                if not line.strip() or line.lstrip().startswith("#"):
                    continue
                if "," in line and ";" in line:
                    raise ValueError(f"{path}, line {number}: expected decimal points, and one of comma and semicolon "
                                     "between numbers, got both")
                if not rows and number == 1 and not any(map(_is_number, fields)):
                    continue    # a header
                if not all(map(_is_number, fields)):
                    wrong = next(field for field in fields if not _is_number(field))
                    raise ValueError(f"{path}, line {number}: expected numbers, got {wrong!r}")
                if rows and len(fields) != len(rows[0]):
                    raise ValueError(f"{path}, line {number}: expected {len(rows[0])} numbers as in the first row, "
                                     f"got {len(fields)}")
                rows.append([float(field) for field in fields])
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected a text file of numbers or a .npy file: {error}") from None
    if not rows:
        raise ValueError(f"{path}: expected rows of numbers, found none")
    return rows


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
