"""A matrix in a .npy file, read some rows or columns at a time."""

import contextlib
import math
import os

import numpy as np

from .files import open_file
from .npy import read_header

__all__ = ["StoredMatrix"]


class StoredMatrix:
    """A matrix of real numbers in a .npy file, in C or Fortran order, that is never in memory as a whole.

    Nothing is mapped: a file that is cut off while it is read is an error, and not the end of the process; and memory
    that has been read counts as nobody's.

    Raises
    ------
    OSError
        If the file cannot be read, or is no regular file.
    ValueError
        If it holds no matrix of real numbers, all of them.

    """

    def __init__(self, path):
        self.path = os.path.abspath(os.fsdecode(path))
        with open_file(self.path) as file:
            found = os.fstat(file.fileno())
            try:
                descr, self.fortran, self.shape = read_header(file)
                self.dtype = np.dtype(descr)
            except (ValueError, TypeError, EOFError) as error:      # TypeError: a dtype that there is not
                raise ValueError(f"{self.path}: expected a .npy file of numbers: {error}") from error
            self.start = file.tell()
        if self.dtype.kind not in "buif" or len(self.shape) != 2 or 0 in self.shape:
            raise ValueError(f"{self.path}: expected a matrix of real numbers, got dtype {self.dtype} and shape "
                             f"{self.shape}")
        wanted = self.dtype.itemsize * math.prod(self.shape)
        if found.st_size - self.start != wanted:
            raise ValueError(f"{self.path}: expected {wanted} bytes of numbers, got {found.st_size - self.start}")
        self.stamp = found.st_size, found.st_mtime_ns

    @contextlib.contextmanager
    def opened(self):
        """Open the file; refuse it if it is not as it was, before it is read or after.

        Raises
        ------
        OSError
            If it cannot be read any more.
        ValueError
            If its size or its time of change is another one.

        """
        with open_file(self.path) as file:
            self._check(file)
            yield file
            self._check(file)

    def _check(self, file):
        found = os.fstat(file.fileno())
        if (found.st_size, found.st_mtime_ns) != self.stamp:
            raise ValueError(f"{self.path}: expected the file that the network was made of, got one that has changed "
                             "since; make the network anew")

    def read(self, file, axis, start, out):
        """Fill `out`, float64, with the slices start, start + 1 ... along an axis, that axis last."""
        across, along = self.shape[1 - axis], self.shape[axis]
        count = out.shape[1]
        if (axis == 0) != self.fortran:     # a slice is contiguous
            slices = self._numbers(file, start * across, count * across).reshape(count, across)
            with np.errstate(over="ignore"):
                out[:] = slices.T
            return
        for i in range(across):
            with np.errstate(over="ignore"):
                out[i] = self._numbers(file, i * along + start, count)

    def _numbers(self, file, start, count):
        numbers = np.empty(count, self.dtype)
        file.seek(self.start + start * self.dtype.itemsize)
        if file.readinto(memoryview(numbers.view(np.uint8))) != numbers.nbytes:
            raise ValueError(f"{self.path}: expected {numbers.nbytes} bytes more, got the end of the file")
        return numbers
