"""How many cells make a group: so many that it takes a second."""

import math
import threading

__all__ = ["Groups", "Pace"]

SECONDS = 1.0

# What a worker may come to hold at most, whatever the pace.
LARGEST = 10_000

# Of a full group, the part that one has at least when few cells are left: a shard costs some milliseconds itself.
LEAST = 0.1

# Small groups say little of how long a cell takes: the next one is at most so many times the largest before.
GROWTH = 4


class Pace:
    """The size of the next group, from how long those before took. No result depends on it.

    Engines ask for several groups before they tell of the first. Cells come in random order, so their mean counts; of
    the newest groups most, since the first may have had files to load.

    Parameters
    ----------
    engine : Workers or Cluster
        `engine.workers()` is how many workers there are just then.
    """

    def __init__(self, engine):
        self.engine, self.largest = engine, 0
        self.cells = self.seconds = 0.0

    def next(self, left):
        """Return how many of the cells that are left make the next group: at the end, all workers have some."""
        full = min(SECONDS * self.cells / max(self.seconds, 1e-9), LARGEST)
        share = max(left / (2 * self.engine.workers()), LEAST * full)
        size = max(1, min(left, GROWTH * self.largest, int(full), math.ceil(share)))
        self.largest = max(self.largest, size)
        return size

    def took(self, cells, seconds):
        """Learn from a group that has ended."""
        self.cells, self.seconds = self.cells / 2 + cells, self.seconds / 2 + seconds


class Groups:
    """Iterator: cells, group by group. Threads may ask at the same time."""

    def __init__(self, cells, pace):
        self.cells, self.pace, self.at = cells, pace, 0
        self.lock = threading.Lock()

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            if self.at == len(self.cells):
                raise StopIteration
            begin = self.at
            self.at += self.pace.next(len(self.cells) - begin)
            return self.cells[begin:self.at]
