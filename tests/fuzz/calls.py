"""A call, and how the one of a number is drawn."""

import dataclasses
from collections.abc import Callable

from .values import Draw

__all__ = ["Call", "call", "drawn"]


@dataclasses.dataclass
class Call:
    """A function and its arguments, and what is known of its result.

    `documents` are the objects whose docstrings say what it may raise; `finite`, whether a result has no NaN; `right`,
    if it is not None, whether one is right.
    """

    name: str
    function: Callable
    args: tuple
    options: dict
    documents: tuple
    finite: bool
    right: Callable | None


def call(function, *args, documents=None, finite=False, right=None, **options):
    """Return a Call; what it may raise is said by the function itself, if by nothing else."""
    return Call("", function, args, options, (function,) if documents is None else documents, finite, right)


def drawn(seed, number, only=""):
    """Return the call of this number."""
    from . import kernels, results, targets
    draw = Draw(seed, number)
    every = {**targets.TARGETS, **results.TARGETS, **kernels.TARGETS}
    names = [name for name in every if only in name]
    if not names:
        raise SystemExit(f"--only: expected a part of one of {', '.join(every)}, got {only!r}")
    name = draw.pick(names)
    made = every[name](draw)
    made.name = name
    return made
