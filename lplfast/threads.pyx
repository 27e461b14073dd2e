"""One BLAS thread while kernels run: results do not depend on how many there are, and runs share the cores.

Compiled, since a KeyboardInterrupt may come between any two steps of the interpreter, a limit set and remembered, say.
There is none between those here; where a function of threadpoolctl is called, one may come, and what was under way is
brought to its end first.
"""

import os
import threading

from threadpoolctl import ThreadpoolController

__all__ = ["single_threaded_blas"]

# Re-entrant: the garbage collector may run `__del__` in a thread that is just inside.
cdef object _lock = threading.RLock()
cdef set _inside = set()            # the id of everybody inside
cdef object _libraries = None       # BLAS libraries of the process, found at the first use
cdef object _before = None          # of each, the number of threads to be restored


cdef class single_threaded_blas:
    """Context manager: limit the process's BLAS to one thread while anybody is inside, restore it after the last one.

    The limit is process-wide, hence the count: two threads may enter and leave in any order. A child that is forked
    inside has the limits of before, and nobody inside.
    """

    def __enter__(self):
        try:
            _enter(self)
        except BaseException:
            _leave(self)
            raise

    def __exit__(self, *exc):
        try:
            _leave(self)
        except BaseException:   # an interrupt on the way: the rest of the way all the same
            _leave(self)
            raise

    def __del__(self):
        # an interrupt in the very moment of leaving a `with` skips its `__exit__`
        if id(self) in _inside:
            _leave(self)


cdef _enter(who):
    global _libraries, _before
    _lock.acquire()
    try:
        _inside.add(id(who))
        if _before is None:
            if _libraries is None:
                _libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            _before = [library.num_threads for library in _libraries]
            _limit([1] * len(_before))
    finally:
        _lock.release()


cdef _leave(who):
    _lock.acquire()
    try:
        _inside.discard(id(who))
        if not _inside:
            _restore()
    finally:
        _lock.release()


cdef _restore():
    global _before
    if _before is not None:
        _limit(_before)
        _before = None


cdef _limit(list counts):
    """Set the limit of each library from whatever thread this is.

    Of OpenBLAS, threadpoolctl 3.7 leaves it to the first thread that has set one, of all its copies at once, and
    ignores all others without a word; here threads are counted, so that they do not undo what another one needs.
    """
    release = next((library.clear_controlling_thread for library in _libraries
                    if hasattr(library, "clear_controlling_thread")), None)
    if release is not None:
        release(force=True)
    for library, count in zip(_libraries, counts):
        library.set_num_threads(count)
    if release is not None:
        release(force=True)


def _after_fork():
    """Leave in the child nothing that another thread of the parent holds."""
    global _lock
    _lock = threading.RLock()
    _inside.clear()
    _restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
