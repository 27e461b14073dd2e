"""The columns of the history, and how they leave its rows."""

import numpy as np

from ..validation import as_array, as_doubles, as_output

cdef Row NO_ROW
COLUMNS = tuple(NO_ROW)


def copy_columns(rows, columns, table):
    """table[:] = rows[:, columns].T

    Raises
    ------
    TypeError, ValueError
        If these are no arrays that fit together.
    """
    rows, table, chosen = as_doubles("rows", rows, 2), as_output("table", table, 2), as_array("columns", columns)
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1 or not chosen.size:
        raise TypeError(f"columns: expected a list of integers, got {columns!r:.200}")
    if table.shape != (chosen.size, rows.shape[0]):
        raise ValueError(f"table: expected shape {(chosen.size, rows.shape[0])}, got {table.shape}")
    cdef const Py_ssize_t[::1] wanted = chosen.astype(np.intp)
    cdef Py_ssize_t count = rows.shape[1], j
    for j in range(wanted.shape[0]):
        if not 0 <= wanted[j] < count:
            raise ValueError(f"columns: expected numbers from 0 to {count - 1}, got {columns!r:.200}")
    copy(rows, wanted, table)


cdef void copy(const double[:, ::1] rows, const Py_ssize_t[::1] wanted, double[:, :] table) noexcept:
    cdef Py_ssize_t block, i, j
    with nogil:
        # a cache line of each at a time
        for block in range(0, rows.shape[0], 8):
            for j in range(wanted.shape[0]):
                for i in range(block, min(block + 8, rows.shape[0])):
                    table[j, i] = rows[i, wanted[j]]
