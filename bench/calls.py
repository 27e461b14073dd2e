"""Whole calls: `train` against its loop, all columns against one, the import, and the memory of a run."""

import functools
import os
import pathlib
import subprocess
import sys

from lplfast import Network, SquaredLoss, train

from .agreement import check_certified
from .cases import Case
from .numpy_rival import GramDescent
from .rivals import follow
from .table import Row, Table
from .timing import Rounds, Work, interleaved

__all__ = ["tables"]

N, M, H = 20, 20, 1000
SHORT, LONG = 150, 3000
COMPARED = 50
WIDE = 1_000_000

STATUS = pathlib.Path("/proc/self/status")      # Linux tells there what a process held at most

OPTIONAL = ("dask", "jax", "joblib", "matplotlib", "netCDF4", "numba", "pandas", "sklearn", "torch", "tqdm", "xarray")


def tables(quick):
    """Two tables: times, and memory, which is not a time but has a ratio, too."""
    repeats = 3 if quick else 7
    case = Case.make(N, M, H)
    problem = SquaredLoss(case.X, case.Y)
    call = functools.partial(_training, problem, case)
    rows = [*_whole(case, call, repeats), *_every_step(case, problem, 3 * repeats)]
    for steps in (SHORT, LONG):
        # a few percent are looked for: more rounds
        times = interleaved({"all columns": Work(call(steps)), "gap alone": Work(call(steps, record=["gap"]))},
                            3 * repeats)
        rows.append(Row.excess(times, f"n={N} m={M} h={H}, {steps} steps", "all columns", "gap alone",
                               target="<= 1.05"))
    times, loaded = _imports(repeats)
    rows.append(Row.excess(times, "in a fresh process", "import lplfast", "import scipy.linalg", target="<= 1.3",
                           note=f"optional packages imported: {', '.join(loaded) or 'none'}"))
    yield Table("calls", "Whole calls", rows, notes=(
        "train: problem built before, a new Network each time, compression and history included. compressed before:\n"
        "the same without compression. loop: the same steps from compressed layers. NumPy: at full width. function,\n"
        "callback: a step size and a callback in Python at every step; callback that reads: its last gap. Their rows\n"
        "are what that adds to a step. Imports are timed in new processes, by time.perf_counter around the import."))

    if not STATUS.exists():
        return
    inputs, peak = _memory(WIDE)
    allowed = 3 * inputs + 64e6         # inputs, outputs and one copy of the layers are of one size
    row = Row(f"n={N} m={M} h={WIDE}", "peak", "allowed", peak / 1e6, allowed / 1e6, "peak memory / allowed",
              *3 * (peak / allowed,), "<= 1", f"layers {inputs / 1e6:.0f} MB")
    yield Table("memory", "Peak memory of a run in a fresh process, MB in place of us", [row], notes=(
        "peak: what the process came to hold beyond what it held before there were layers; allowed: the layers, those\n"
        "trained at full width, one copy more, and 64 MB."))


def _training(problem, case, steps, step_size="local", *, compressed=False, **options):
    def prepare():
        network = Network(case.W1, case.W2)     # it remembers its compression: a new one each time
        if compressed:
            network.stack()
        return lambda: train(problem, network, step_size, max_iter=steps, tol=0, **options)

    return prepare


def _whole(case, call, repeats):
    """Rows of whole calls, against the loop alone and against NumPy."""
    loop, what = case.compressed().run("certified", SHORT), f"n={N} m={M} h={H}, {SHORT} steps"
    check_certified(loop.history, follow(GramDescent, case), COMPARED)
    times = interleaved({"train": Work(call(SHORT)), "compressed before": Work(call(SHORT, compressed=True)),
                         "loop": loop.work._replace(units=1), "NumPy": _numpy(case, SHORT)}, repeats)
    yield Row.quotient(times, what, "train", "NumPy", target=">= 30")
    yield Row.excess(times, what, "compressed before", "loop", target="<= 1.3")
    yield Row.excess(times, what, "train", "loop")


def _numpy(case, steps):
    def prepare():
        rival = GramDescent(*case)

        def run():
            rival.advance(steps)
            rival.history  # noqa: B018 - an array a column, as ours

        return run

    return Work(prepare)


def _every_step(case, problem, repeats):
    """Rows of what Python in every step costs, in us a step more than the same steps without."""
    call = functools.partial(_training, problem, case, SHORT, compressed=True)
    eta = train(problem, Network(case.W1, case.W2), max_iter=1).history["step_size"][0]
    works = {"constant": call(eta), "function": call(lambda iterate: eta),
             "callback": call(eta, callback=lambda run: run.iterations < 0),
             "callback that reads": call(eta, callback=lambda run: run.history["gap"][-1] < 0)}
    times = interleaved({name: Work(prepare, SHORT) for name, prepare in works.items()}, repeats)
    what = f"n={N} m={M} h={H}, one of {SHORT} steps"
    for name, allowed in (("function", 3.0), ("callback", 15.0), ("callback that reads", 15.0)):
        yield Row.within(times.extra(name, "constant"), what, name, allowed)


def _imports(repeats):
    """Return the Rounds of both imports, and which optional packages ours has loaded."""
    code = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    names = ("lplfast", "scipy.linalg")
    rounds = [{name: float(_python(code.format(name))) for name in names} for _ in range(repeats + 1)][1:]
    loaded = _python(f"import sys, lplfast; print(*sorted({{*{OPTIONAL}}} & {{*sys.modules}}))").split()
    return Rounds({f"import {name}": [times[name] for times in rounds] for name in names}), loaded


def _memory(h):
    """Return the bytes of the layers of width h, and by how many a run with them raises the peak.

    VmHWM, since getrusage's maxrss starts at what the parent process held.
    """
    code = f"""
        import pathlib
        import numpy as np
        from lplfast import Network, SquaredLoss, train
        peak = lambda: 1024 * int(pathlib.Path("{STATUS}").read_text().split("VmHWM:")[1].split()[0])
        rng = np.random.default_rng(0)
        problem = SquaredLoss(rng.standard_normal(({N}, {N})), rng.standard_normal(({N}, {M})))
        train(problem, Network.gaussian({N}, 100, {M}, rng=0), max_iter=10)      # what only the first call needs
        before = peak()
        W1, W2 = rng.standard_normal(({N}, {h})), rng.standard_normal(({h}, {M}))
        W1 *= {h}**-0.25
        W2 *= {h}**-0.25
        run = train(problem, Network(W1, W2), max_iter={SHORT})
        outputs = run.network.W1, run.network.W2
        print(W1.nbytes + W2.nbytes, peak() - before)
    """
    found = _python("\n".join(line.strip() for line in code.splitlines()))
    return tuple(int(number) for number in found.split())


def _python(code):
    """Return what a new process prints; it may keep the bytecode of what it imports, as usual."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env=environment).stdout
