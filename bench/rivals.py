"""The rivals: one iteration with everything that is recorded, as others write it, at their width and at ours."""

import importlib
import importlib.util
import math
from typing import NamedTuple

import numpy as np

from lplfast import Network, reference

from .agreement import check_certified, check_exact
from .cases import Case
from .table import Row, Table
from .timing import Rounds, Work, interleaved, timed_once

__all__ = ["COMPILED", "RIVALS", "SIZES", "follow", "tables", "timed"]

# (n, m, h), our steps, those of a rival, and what is asked of us against which rival
SIZES = [((4, 4, 64), 150, 150, {}),
         ((20, 20, 1000), 150, 150, {"fastest": ">= 30"}),
         ((20, 20, 1000), 3000, 150, {"NumPy": ">= 40"}),
         ((20, 20, 100_000), 150, 5, {"fastest": ">= 2000"}),
         ((100, 10, 10_000), 150, 10, {}),
         ((100, 100, 200), 150, 20, {}),
         ((512, 512, 512), 150, 3, {"fastest": ">= 3"})]

# LAPACK at every step costs the same at every step: for larger n, as few of them as of a rival's.
LARGE = 50


class Rival(NamedTuple):
    """Where a class with `advance(steps, given)` and `history` is, what it requires, its width, and up to which n."""

    module: str
    name: str
    requires: str = "numpy"
    compressed: bool = False
    largest: float = math.inf

    @property
    def installed(self):
        """Whether it can run here."""
        return importlib.util.find_spec(self.requires) is not None

    def load(self):
        """Return the class."""
        return getattr(importlib.import_module(f"bench.{self.module}"), self.name)


RIVALS = {
    "NumPy": Rival("numpy_rival", "GramDescent"),
    "NumPy svd": Rival("numpy_rival", "SvdDescent"),
    "PyTorch": Rival("torch_rival", "TorchDescent", "torch"),
    "JAX": Rival("jax_rival", "JaxDescent", "jax"),
    "Numba": Rival("numba_rival", "NumbaDescent", "numba"),
    "NumPy, compressed": Rival("numpy_rival", "GramDescent", compressed=True),
    "JAX, compressed": Rival("jax_rival", "JaxDescent", "jax", compressed=True),
    "Numba, compressed": Rival("numba_rival", "NumbaDescent", "numba", compressed=True),
    "twin, compressed": Rival("rivals", "TwinDescent", compressed=True, largest=100),    # seconds a step beyond
}


# Those that compile before their first step.
COMPILED = ("JAX", "Numba")


class TwinDescent:
    """`lplfast.reference`: what every kernel is tested against."""

    def __init__(self, X, Y, W1, W2):
        self.loss, self.layers = reference.squared_loss(X, Y), (W1, W2)

    def advance(self, steps, given=None):
        """Take `steps` steps: the local ones, or the `given` ones."""
        choose = reference.RULES["local"]() if given is None else lambda at, t: given[t]
        self.rows = reference.descend(self.loss, *self.layers, choose, steps)[2][:steps]

    @property
    def history(self):
        """A dict of arrays, one number a step."""
        return {name: np.array([row[name] for row in self.rows]) for name in self.rows[0]}


def follow(rival, case):
    """Return the function `follow(steps, given)` of a rival on a case that `agreement` takes."""
    def run(steps, given):
        descent = rival(*case)
        descent.advance(steps, given)
        return descent.history

    return run


def tables(quick):
    """Two tables: what compiling takes, while nothing is compiled yet; and each size, each rival, all interleaved.

    Nothing is timed before its history agrees with ours.
    """
    yield Table("compiling", "Before the first step: compilation, and a whole run of ours", list(_compiling()), notes=(
        "The first call less the second, in a process that has not compiled the rival before; JAX compiles again for\n"
        "other sizes and numbers of steps, Numba does not. Starting XLA or LLVM is part of it, their import is not."))
    rows = []
    for (n, m, h), steps, rival_steps, targets in SIZES:
        if quick and (steps > 150 or n > 500 or h > 10_000):
            continue
        rows += _one_size(n, m, h, steps, min(rival_steps, 5) if quick else rival_steps, targets, 3 if quick else 7)
    missing = [name for name, rival in RIVALS.items() if not rival.installed]
    notes = (
        "lplfast: the loop alone, certified, from compressed layers; compression, once a run, is a row of its own.\n"
        "exact: the same with LAPACK at every step. native: without compression, where there is any. A rival takes\n"
        "fewer steps, for they all cost the same; its set-up and compilation are not timed. float64, one thread, the\n"
        "same columns, equal to ours to 1e-8.")
    if missing:
        notes += f"\nNot installed, left out: {', '.join(missing)}."
    if quick:
        notes += "\nQuick: fewer sizes and steps."
    yield Table("rivals", "One iteration, everything that is recorded", rows, notes=notes)


def _compiling():
    """Rows of what the first call of a compiled rival takes beyond the second, beside our run of as many steps."""
    (n, m, h), steps, rival_steps, _ = SIZES[1]
    small = Case.make(n, m, h).compressed()
    ours = timed_once(small.run("certified", steps).work._replace(units=1))
    for name in COMPILED:
        if RIVALS[name].installed:
            first, second = (timed_once(timed(RIVALS[name].load(), small, rival_steps)._replace(units=1))
                             for _ in range(2))
            times = Rounds({"lplfast, a run": [ours], f"{name}, compiling": [first - second]})
            yield Row.quotient(times, f"n={n} m={m} k={n + m}, {steps} steps", *times.taken)


def _one_size(n, m, h, steps, rival_steps, targets, repeats):
    case = Case.make(n, m, h)
    small = case.compressed()
    certified = small.run("certified", steps)
    exact = small.run("exact", rival_steps if n > LARGE else 150)
    works = {"lplfast": certified.work, "exact": exact.work}
    if h > n + m:
        check_exact(exact.history, lambda steps, given: _native(case, steps), rival_steps)
        works["native"] = case.run("certified", steps).work
    for name, rival in RIVALS.items():
        if rival.installed and n <= rival.largest:
            descent, on = rival.load(), small if rival.compressed else case
            check_exact(exact.history, follow(descent, on), rival_steps)
            check_certified(certified.history, follow(descent, on), rival_steps)
            works[name] = timed(descent, on, rival_steps)
    if h > n + m:
        works["compression"] = Work(lambda: Network(case.W1, case.W2).stack)
    times = interleaved(works, repeats)

    what = f"n={n} m={m} h={h}, {steps} steps"
    fastest = min((name for name in works if name in RIVALS and not RIVALS[name].compressed), key=times.seconds)
    if "fastest" in targets:
        targets = {fastest: targets["fastest"]}
    for name in works:
        if name != "lplfast":
            note = "fastest at its own width" if name == fastest else certified.note if name == "exact" else ""
            yield Row.quotient(times, what, "lplfast", name, target=targets.get(name, ""), note=note)
    yield Row.quotient(times, what, "exact", fastest)


def _native(case, steps):
    """Return our exact history at full width.

    Its bound on s_max(W) contains the rounding of W1 W2, eps_W = h u ||W1||_F ||W2||_F, which grows with the width,
    beyond 1e-8 at h = 100000: here without it. Layers that wide keep their norms, to far less than is left to see.
    """
    run = case.run("exact", steps)
    eps_W = case.W1.shape[1] * 2.0**-53 * np.linalg.norm(case.W1) * np.linalg.norm(case.W2)
    return run.history | {"sigma_max_W": run.history["sigma_max_W"] - eps_W}


def timed(rival, case, steps):
    """Return the Work of a rival, its last evaluation counted as one more step."""
    def prepare():
        descent = rival(*case)
        return lambda: descent.advance(steps)

    return Work(prepare, steps + 1)
