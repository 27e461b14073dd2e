"""One BLAS thread while kernels run: results do not depend on how many there are, and runs share the cores."""

import contextlib
import threading

from threadpoolctl import ThreadpoolController

__all__ = ["single_threaded_blas"]

_lock = threading.Lock()
_users = 0
_limit = None
_controller = None


@contextlib.contextmanager
def single_threaded_blas():
    """Limit the process's BLAS to one thread while anybody is inside, and restore it when the last one leaves.

    The limit is process-wide, hence the count: two threads may enter and leave in any order.
    """
    global _users, _limit, _controller
    with _lock:
        if _users == 0:
            if _controller is None:
                _controller = ThreadpoolController().select(user_api="blas")
            _limit = _controller.limit(limits=1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limit.restore_original_limits()
                _limit = None
