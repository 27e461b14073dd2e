"""A call, and how the one of a number is drawn."""

import dataclasses
from collections.abc import Callable

from .values import Draw

__all__ = ["Call", "call", "drawn"]


@dataclasses.dataclass
class Call:
    """A function and its arguments; the objects whose docstrings say what it may raise; whether a result has no NaN."""

    name: str
    function: Callable
    args: tuple
    options: dict
    documents: tuple
    finite: bool


def call(function, *args, documents=None, finite=False, **options):
    """Return a Call; what it may raise is said by the function itself, if by nothing else."""
    return Call("", function, args, options, (function,) if documents is None else documents, finite)


def drawn(seed, number, only=""):
    """Return the call of this number."""
    from . import kernels, targets
    draw = Draw(seed, number)
    every = {**targets.TARGETS, **kernels.TARGETS}
    names = [name for name in every if only in name]
    if not names:
        raise SystemExit(f"--only: expected a part of one of {', '.join(every)}, got {only!r}")
    name = draw.pick(names)
    made = every[name](draw)
    made.name = name
    return made
