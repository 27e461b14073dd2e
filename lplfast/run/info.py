"""What was run: the record that a run keeps of it."""

import collections.abc
import platform
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import scipy

from ..losses.problems import Problem
from ..network import Network
from ..versions import __version__
from .options import RunOptions

__all__ = ["RunInfo"]


# a Mapping compares itself
@dataclass(frozen=True, eq=False)
class RunInfo(collections.abc.Mapping[str, Any]):
    """What was run, for people and tables. A read-only mapping too: `run.facts["rule"]`, `dict(run.facts)`.

    Nothing that goes on with a run depends on it.

    Attributes
    ----------
    problem : str
        The repr of the problem.
    mu, K : float
        Its constants: l is K-smooth and satisfies the PL inequality with mu.
    minimum : float
        l*; NaN where it is not known.
    rule : str
        The repr of the step-size rule; of a run that has gone on with another, all of them and from which step.
    constants : str
        How singular values were found: `"certified"`, `"exact"` or `"power"`.
    tolerance : float
        To which part of themselves they were asked for.
    tol : float
        Converged when the gap is at most this part of the first, both less `unreached`.
    unreached : float
        The least gap of a network of this width: 0 if it reaches every W; NaN where it does not, and the loss is not
        squared.
    n, m : int
        Rows of W1 and columns of W2.
    width : int
        Columns of W1 and rows of W2.
    run_width : int
        The width of what was trained, which may be a compressed network.
    versions : dict
        Of lplfast, Python, NumPy and SciPy, by the names `lplfast`, `python`, `numpy`, `scipy`.
    """

    problem: str
    mu: float
    K: float
    minimum: float
    rule: str
    constants: str
    tolerance: float
    tol: float
    unreached: float
    n: int
    m: int
    width: int
    run_width: int
    versions: dict[str, str]

    @classmethod
    def of(cls, problem: Problem, network: Network, options: RunOptions, *, rule: str, run_width: int,
           unreached: float) -> Self:
        """Return what is known of a run on `problem` from `network`, made with `options`, under these versions."""
        return cls(problem=repr(problem), mu=problem.mu, K=problem.K, minimum=problem.minimum, rule=rule,
                   constants=options.spectral.mode, tolerance=options.spectral.tolerance, tol=options.tol,
                   unreached=unreached, n=network.n, m=network.m, width=network.width, run_width=run_width,
                   versions={"lplfast": __version__, "python": platform.python_version(), "numpy": np.__version__,
                             "scipy": scipy.__version__})

    def __getitem__(self, name: str) -> Any:
        if name not in NAMES:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


NAMES = tuple(field.name for field in fields(RunInfo))
