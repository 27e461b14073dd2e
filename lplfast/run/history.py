"""The history of a run under way, of which a column is made when it is first read."""

import functools

__all__ = ["HistoryUnderWay"]

# in the place of a column that nobody has read
UNREAD = object()


class HistoryUnderWay(dict):
    """The columns of a history by name: a dict that makes a column when that is asked for.

    What looks at several columns makes all of them. The rows that they are made of are there until the run goes on:
    `make_whole` has to be called before that if anybody still has this, and makes a dict like any other of it.

    Parameters
    ----------
    recorder : Recorder
        The rows of the run.
    filled : int
        How many of them the compiled loop has filled.
    last : array
        All columns of the row after these.
    lock : RLock
        Held while columns are made, since several threads may read.
    """

    __slots__ = ("__weakref__", "_lock", "_rows")

    def __init__(self, recorder, filled, last, lock):
        super().__init__(dict.fromkeys(recorder.names, UNREAD))
        self._rows, self._lock = (recorder, filled, last), lock

    def __getitem__(self, name):
        column = super().__getitem__(name)
        if column is UNREAD:
            with self._lock:
                column = super().__getitem__(name)
                if column is UNREAD:        # and no other thread has made it in the meantime
                    recorder, filled, last = self._rows
                    column = self[name] = recorder.column(name, filled, last)
        return column

    def get(self, name, default=None):
        """Return a column, or the default where there is none."""
        try:
            return self[name]
        except KeyError:
            return default

    def make_whole(self):
        """Make all that has not been read; the others stay the arrays that they are."""
        with self._lock:
            if self._rows is not None:
                recorder, filled, last = self._rows
                for name, column in recorder.history(filled, last, ended=False).items():
                    if super().get(name) is UNREAD:
                        self[name] = column
                self._rows = None

    def __reduce_ex__(self, protocol):
        return dict, (dict(self),)


def _of_all(name):
    """Return the method of dict, for which all columns have to be there."""
    method = getattr(dict, name)

    @functools.wraps(method)
    def asked(self, *arguments, **options):
        self.make_whole()
        return method(self, *arguments, **options)

    return asked


# `__iter__`, since code in C that copies a dict does without these where that is dict's own
for _name in ("__eq__", "__iter__", "__ne__", "__or__", "__repr__", "__ror__", "copy", "items", "pop", "popitem",
              "setdefault", "values"):
    setattr(HistoryUnderWay, _name, _of_all(_name))
