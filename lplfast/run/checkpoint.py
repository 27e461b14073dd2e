"""A file that a run under way is written to, without the wide layers that it began from: these do not change."""

import os
import time
import warnings

__all__ = ["Checkpoint"]


class Checkpoint:
    """A file that the run so far is written to every so many seconds."""

    def __init__(self, path, every):
        self.path, self.every = os.fspath(path), every
        self.due = None

    def begin(self, run):
        """Write the first time: a path that cannot be written is an error now, and not when there is much to lose."""
        run.save(self.path, self_contained=False)
        self.due = time.perf_counter() + self.every

    def save_if_due(self, driver):
        """Write the run so far if it is time."""
        if time.perf_counter() >= self.due:
            self.write(driver.result("running"))
            self.due = time.perf_counter() + self.every

    def write(self, run):
        """Write a run; a disk that is full for a while must not cost it."""
        try:
            run.save(self.path, self_contained=False)
        except OSError as error:
            warnings.warn(f"checkpoint: not written, what was there is kept: {error}", RuntimeWarning, stacklevel=5)
