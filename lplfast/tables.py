"""Tables of numbers in files: .npy, or text."""

import os

from .delimited import read_delimited
from .files import open_file
from .npy import read_header, read_numbers
from .validation import as_flag, as_matrix

__all__ = ["read_matrix", "read_table"]


def read_matrix(path, *, vector_as_column=True, header=None, index=None):
    """Return the matrix in a .npy file, or in a text file of numbers between commas, semicolons, tabs or blanks.

    Lines that begin with # are comments, and a first line without any number holds names of columns: both are left
    out. What may be names or data is an error that says which option settles it: a first line of growing whole numbers
    from 0 on, or above other numbers; a first column that counts rows, or one without a name. Nothing in a file is
    executed or unpickled. A .npy file that asks for more than it holds is refused before it is given anything. A text
    takes up to 8 times its size while it is read, and 100 times that of its longest line.

    Parameters
    ----------
    path : path
        The file.
    vector_as_column : bool
        Whether a .npy file of one dimension is a column.
    header, index : bool, optional
        Whether the first line of a text holds names of columns, and its first column labels of rows, which are left
        out.

    Raises
    ------
    OSError
        If the file cannot be read, or is no regular file: a directory, a device, a FIFO.
    TypeError
        If an option is neither None nor a bool.
    ValueError
        If it holds no rectangular table of finite real numbers, or one that has to be asked about.

    """
    return read_table(path, vector_as_column=vector_as_column, header=header, index=index)[0]


def read_table(path, *, vector_as_column=True, header=None, index=None):
    """Return the matrix in a file, as `read_matrix` does, and whether a line "0" of its only column may be a name."""
    header, index = (None if flag is None else as_flag(name, flag) for name, flag in
                     (("header", header), ("index", index)))
    path, doubt = os.fsdecode(path), False
    with open_file(path) as file:
        if path.endswith(".npy"):
            value = _read_array(path, file)
        else:
            table = read_delimited(path, file, header=header, index=index)
            value, doubt = table.numbers, table.starts_with_zero and header is None
    return as_matrix(path, value, vector_as_column=vector_as_column), doubt


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
