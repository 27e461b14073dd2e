"""How many cells make a group: so many that it takes a second."""

import math

__all__ = ["Pace"]

SECONDS = 1.0

# What a worker may come to hold at most, whatever the pace.
LARGEST = 10_000


class Pace:
    """The size of the next group, from how long those before took. No result depends on it."""

    def __init__(self, workers):
        self.workers, self.size = workers, 1

    def next(self, left):
        """Return how many of the cells that are left make the next group: at the end, all workers have some."""
        return max(1, min(self.size, math.ceil(left / (2 * self.workers))))

    def took(self, cells, seconds):
        """Learn from a group that has ended; a small one says little, so the next are at most 8 times as large."""
        ideal = SECONDS * cells / max(seconds, 1e-9)
        self.size = int(max(1.0, min(ideal, 8.0 * cells, LARGEST)))
