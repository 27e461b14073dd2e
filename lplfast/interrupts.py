"""Where long work looks up: whether Ctrl-C was pressed, and whether the run that the work is for has been cancelled."""

import threading

__all__ = ["SECONDS_BETWEEN_LOOKS", "Cancelled", "cancellable", "look_up"]

# How long compiled code works before it looks up.
SECONDS_BETWEEN_LOOKS = 0.1

_thread = threading.local()


class Cancelled(BaseException):
    """The run that this thread works for has been cancelled; no `except Exception` may stop it."""


class cancellable:
    """Context manager: let what this thread does inside look up by `cancelled()`, too, a function.

    A class, since a generator of contextlib sets an attribute of the exception that leaves it, which not all allow.
    """

    def __init__(self, cancelled):
        self.cancelled, self.around = cancelled, None

    def __enter__(self):
        self.around = getattr(_thread, "cancelled", None)
        _thread.cancelled = self._either

    def __exit__(self, *exc):
        _thread.cancelled = self.around

    def _either(self):
        return self.cancelled() or (self.around is not None and self.around())


def look_up():
    """Raise KeyboardInterrupt or Cancelled if there is a reason to stop.

    Signals are handled by the interpreter, in the main thread, wherever a function of Python is called: compiled code
    needs nothing but this call.
    """
    cancelled = getattr(_thread, "cancelled", None)
    if cancelled is not None and cancelled():
        raise Cancelled
