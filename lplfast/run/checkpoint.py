"""A file that a run under way is written to, without the wide layers that it began from: these do not change."""

import os
import time
import warnings

__all__ = ["Checkpoint"]


class Checkpoint:
    """A file that the run so far is written to every so many seconds, and at the end."""

    def __init__(self, path, every):
        self.path, self.every = os.fspath(path), every
        self.due = None         # before the first time and after the last

    def begin(self, driver):
        """Write the first time: a path that cannot be written is an error now, and not when there is much to lose."""
        driver.result("running").save(self.path, self_contained=False)
        self._wait()

    def save_if_due(self, driver):
        """Write the run so far if it is time."""
        if time.perf_counter() >= self.due:
            self._write(lambda: driver.result("running"), depth=4)
            self._wait()

    def finish(self, run):
        """Write a run that has ended, if the first time has come and this has not been begun before.

        Ctrl-C while a last file is written, which may take long, is meant for that: it is not begun again.
        """
        if self.due is not None:
            self.due = None
            self._write(lambda: run, depth=3)

    def _wait(self):
        self.due = time.perf_counter() + self.every

    def _write(self, make, depth):
        """Write what `make` returns; a disk or a memory that is full for a while must not cost the run.

        A warning points at the call of `train`, so many calls further up.
        """
        try:
            make().save(self.path, self_contained=False)
        except (OSError, MemoryError) as error:
            warnings.warn(f"checkpoint: not written, what was there is kept: {error or 'not enough memory'}",
                          RuntimeWarning, stacklevel=depth + 2)
