"""The lock of a store: one writer at a time, and none that outlives its process."""

import json
import os
import platform

try:
    import fcntl
except ImportError:     # Windows: which refuses a second writer of one file by itself, at the rename
    fcntl = None

__all__ = ["Lock"]


class Lock:
    """Context manager: the file says who writes, and the operating system lets go of it when that process ends.

    Raises
    ------
    BlockingIOError
        If somebody else has it.
    """

    def __init__(self, path):
        self.path, self.file = path, None

    def __enter__(self):
        self.file = open(self.path, "a+", encoding="utf-8")
        try:
            if fcntl is not None:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.file.truncate(0)
            self.file.write(json.dumps({"pid": os.getpid(), "host": platform.node()}))
            self.file.flush()
        except BlockingIOError:
            raise BlockingIOError(f"store: expected one writer, got {self._holder()}; wait for it, or use another "
                                  "name") from None
        except BaseException:
            self.file.close()
            raise
        return self

    def __exit__(self, *exc):
        self.file.truncate(0)
        self.file.close()

    def _holder(self):
        with self.file as file:
            file.seek(0)
            try:
                said = json.load(file)
                return f"pid {said['pid']} on host {said['host']}, which is writing to it"
            except (ValueError, KeyError, TypeError):
                return "another one that has just begun"
