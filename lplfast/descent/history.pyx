"""The columns of the history, and how they leave its rows."""

import numpy as np

from ..validation import as_array, as_doubles

cdef Row NO_ROW
COLUMNS = tuple(NO_ROW)


def table_of(rows, last, columns):
    """Return np.vstack([rows, last])[:, columns].T, a new array.

    Raises
    ------
    TypeError, ValueError
        If these are no arrays that fit together.
    """
    rows, last = as_doubles("rows", rows, 2), as_doubles("last", last, 1)
    chosen = columns if type(columns) is np.ndarray else as_array("columns", columns)
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1 or not chosen.size:
        raise TypeError(f"columns: expected a list of integers, got {columns!r:.200}")
    cdef const double[:, ::1] read = rows
    cdef const double[::1] after = last
    cdef const Py_ssize_t[::1] wanted = chosen.astype(np.intp, copy=False)
    cdef Py_ssize_t count = read.shape[1], j
    if after.shape[0] != count:
        raise ValueError(f"last: expected {count} numbers, got {after.shape[0]}")
    for j in range(wanted.shape[0]):
        if not 0 <= wanted[j] < count:
            raise ValueError(f"columns: expected numbers from 0 to {count - 1}, got {columns!r:.200}")
    table = np.empty((wanted.shape[0], read.shape[0] + 1))
    copy(read, after, wanted, table)
    return table


cdef void copy(const double[:, ::1] rows, const double[::1] last, const Py_ssize_t[::1] wanted,
               double[:, ::1] table) noexcept:
    cdef Py_ssize_t block, i, j, end = rows.shape[0]
    with nogil:
        # a cache line of each at a time
        for block in range(0, end, 8):
            for j in range(wanted.shape[0]):
                for i in range(block, min(block + 8, end)):
                    table[j, i] = rows[i, wanted[j]]
        for j in range(wanted.shape[0]):
            table[j, end] = last[wanted[j]]
