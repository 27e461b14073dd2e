"""Where long work looks up: whether Ctrl-C was pressed, and whether the run that the work is for has been cancelled."""

import contextlib
import threading

__all__ = ["SECONDS_BETWEEN_LOOKS", "Cancelled", "cancellable", "look_up"]

# How long compiled code works before it looks up.
SECONDS_BETWEEN_LOOKS = 0.1

_thread = threading.local()


class Cancelled(BaseException):  # noqa: N818
    """The run that this thread works for has been cancelled; no `except Exception` may stop it."""


@contextlib.contextmanager
def cancellable(cancelled):
    """Let what this thread does inside look up by `cancelled()`, a function."""
    _thread.cancelled = cancelled
    try:
        yield
    finally:
        _thread.cancelled = None


def look_up():
    """Raise KeyboardInterrupt or Cancelled if there is a reason to stop.

    Signals are handled by the interpreter, in the main thread, wherever a function of Python is called: compiled code
    needs nothing but this call.
    """
    cancelled = getattr(_thread, "cancelled", None)
    if cancelled is not None and cancelled():
        raise Cancelled
