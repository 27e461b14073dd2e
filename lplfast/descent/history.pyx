"""The columns of the history, and how they leave its rows."""

import numpy as np

cdef Row NO_ROW
COLUMNS = tuple(NO_ROW)


def copy_columns(const double[:, ::1] rows, columns, double[:, :] table):
    """table[:] = rows[:, columns].T"""
    cdef Py_ssize_t[::1] wanted = np.asarray(columns, dtype=np.intp)
    cdef Py_ssize_t block, i, j
    with nogil:
        # a cache line of each at a time
        for block in range(0, rows.shape[0], 8):
            for j in range(wanted.shape[0]):
                for i in range(block, min(block + 8, rows.shape[0])):
                    table[j, i] = rows[i, wanted[j]]
