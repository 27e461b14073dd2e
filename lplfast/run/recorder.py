"""The history of a run under way."""

import functools

import numpy as np

from ..descent.history import COLUMNS, table_of

__all__ = ["Recorder"]

# Rows that the compiled loop fills before they are taken over, column by column.
ROWS = 4096

NUMBERS = {name: number for number, name in enumerate(COLUMNS)}


@functools.lru_cache
def _numbers_of(names):
    """Return which columns of a row these are, as an array."""
    return np.array([NUMBERS[name] for name in names])


class Recorder:
    """Rows of a run, of which some columns are kept.

    An exception may come at any line, and memory may run out at any time: no row is lost, doubled or half there. Rows
    are taken over by one assignment, of `count`; columns have room for all rows that are not taken over, and one more.

    Parameters
    ----------
    names : list of str
        The columns that are kept.
    most : int
        How many rows there will be at most.
    before : dict of arrays
        The columns of the rows before the first one, by the same names; empty for a new run.
    """

    def __init__(self, names, most, before):
        self.names, self.numbers = names, _numbers_of(tuple(names))
        self.rows = np.empty((min(ROWS, most), len(COLUMNS)))
        self.kept = [before[name] for name in names] if before else [np.empty(0)] * len(names)
        self.count = self.before = len(self.kept[0])
        if self.count:
            self._make_room(self.count + len(self.rows) + 1)

    def room(self, filled):
        """Return rows to fill, after the `filled` ones that are there since the beginning of this run."""
        waiting = self._waiting(filled)
        if waiting == len(self.rows):
            self._take_over(waiting)
            waiting = 0
        return self.rows[waiting:]

    def history(self, filled, last, ended):
        """Return the columns by name, with one more row, `last`, an array of all columns.

        Those of a run that has `ended` take the place of what is kept, one after the other, so that the memory for a
        second history is not needed.
        """
        waiting, history = self._waiting(filled), {}
        if self.count == 0:     # a short run, whose columns are copied at once
            return dict(zip(self.names, table_of(self.rows[:waiting], last, self.numbers), strict=True))
        for j, name in enumerate(self.names):
            try:
                column = self.column(name, filled, last)
            except MemoryError:
                if not ended:
                    raise
                column = self._completed(self.kept[j][:self.count + waiting + 1], name, waiting, last)
            history[name] = column
            if ended:
                self.kept[j] = column
        return history

    def column(self, name, filled, last):
        """Return one of these columns, a new array."""
        waiting = self._waiting(filled)
        column = np.empty(self.count + waiting + 1)
        if self.count:
            column[:self.count] = self.kept[self.names.index(name)][:self.count]
        return self._completed(column, name, waiting, last)

    def _completed(self, column, name, waiting, last):
        """Return a column with the rows that have not been taken over, and the last one."""
        number = NUMBERS[name]
        column[self.count:-1] = self.rows[:waiting, number]
        column[-1] = last[number]
        return column

    def _waiting(self, filled):
        """Return how many rows have not been taken over."""
        return self.before + filled - self.count

    def _take_over(self, waiting):
        self._make_room(self.count + waiting + len(self.rows) + 1)
        for column, number in zip(self.kept, self.numbers, strict=True):
            column[self.count:self.count + waiting] = self.rows[:waiting, number]
        self.count += waiting

    def _make_room(self, least):
        """Give every column room for so many rows."""
        for j, column in enumerate(self.kept):
            if len(column) < least:
                grown = np.empty(max(least, 3 * least // 2))
                grown[:self.count] = column[:self.count]
                self.kept[j] = grown
