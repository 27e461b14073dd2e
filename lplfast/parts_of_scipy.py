"""Parts of SciPy that are loaded when they are first needed: importing lplfast does not wait for them."""

import importlib
import os
import threading

__all__ = ["part_of_scipy"]

# Of a module that one thread is importing, a child that another forks has the lock, which nobody there gives back: it
# waits for ever once it needs the module. So a fork waits for the import.
_LOADING = threading.RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_LOADING.acquire, after_in_parent=_LOADING.release, after_in_child=_LOADING.release)


def part_of_scipy(name):
    """Return `scipy.<name>`."""
    with _LOADING:
        return importlib.import_module(f"scipy.{name}")
