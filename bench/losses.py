"""Softmax regression: a step with everything that is recorded, PyTorch's autograd, and the bare work."""

import importlib.util

import numpy as np

from lplfast import Majorizer, Network, Sharp, SoftmaxLoss

from .cases import OursRun
from .softmax_products import softmax_products
from .table import Row, Table
from .timing import Work, interleaved

__all__ = ["OVER_ROWS", "tables"]

ROWS, N, M, H = 1797, 64, 10, 10000
STEPS = 100
L2 = 1e-2

# Of the table over N: how many rows, the hidden width, and how many of our steps.
OVER_ROWS, WIDTH, FEW = (100, 316, 1000, 3162, 10_000, 31_623, 100_000), 1000, 20

HAS_TORCH = importlib.util.find_spec("torch") is not None


def tables(quick):
    """Two tables: a step at the size of scikit-learn's digits, and over the number of rows."""
    problem, network, rival = _regression(ROWS, H)
    run, looking = (OursRun(problem, network.stack(), rule, "certified", STEPS) for rule in (Sharp(), Majorizer()))
    k = network.compressed_width
    works = {"lplfast": run.work, "majorizer": looking.work, "bare": softmax_products(ROWS, N, M, k),
             "bare with a ray": softmax_products(ROWS, N, M, k, ray=True)} | _torch(rival, run)
    times = interleaved(works, 3 if quick else 7)
    what = f"softmax, N={ROWS} n={N} m={M} h={H}, {STEPS} steps"
    rows = [Row.excess(times, what, "lplfast", "bare", target="<= 1.5", note=run.note),
            Row.excess(times, what, "majorizer", "bare with a ray", target="<= 1.15", note=looking.note)]
    if "PyTorch" in works:
        rows.append(Row.quotient(times, what, "lplfast", "PyTorch", target=">= 10"))
        notes = "PyTorch: loss and gradients by autograd, all columns by torch.linalg, full width, one thread, eager."
    else:
        notes = "PyTorch is not installed, left out."
    yield Table("softmax", "Softmax regression: one step, all columns", rows, notes=(
        f"bare: the five products of a step at the compressed width {k}, and {ROWS * M} calls of exp; with a ray: the\n"
        f"four of the ray, too, with X twice as wide in place of once.\n{notes}"))

    rows = [row for rows in (OVER_ROWS[:3] if quick else OVER_ROWS) for row in _so_many(rows, 3 if quick else 5)]
    yield Table("over N", f"One iteration over N, the rows of X: softmax, n = {N}, m = {M}, h = {WIDTH}", rows, notes=(
        f"As above, {FEW} steps. A squared loss costs the same at any N: its data become n rows before the first step."
        + ("\nQuick: fewer sizes." if quick else "")))


def _so_many(rows, repeats):
    problem, network, rival = _regression(rows, WIDTH)
    run = OursRun(problem, network.stack(), Sharp(), "certified", FEW)
    works = {"lplfast": run.work, "bare": softmax_products(rows, N, M, network.compressed_width)} | _torch(rival, run)
    times = interleaved(works, 2 if rows > 30_000 else repeats)
    what, size = f"N={rows} n={N} m={M} h={WIDTH}", (rows, N, M, WIDTH)
    yield Row.excess(times, what, "lplfast", "bare", note=run.note, size=size)
    if "PyTorch" in works:
        yield Row.quotient(times, what, "lplfast", "PyTorch", size=size)


def _regression(rows, h):
    """Return a problem of so many rows, a network of width h, and the rival on them, None where there is no PyTorch."""
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((rows, N)), rng.integers(0, M, rows)
    network = Network.gaussian(N, h, M, std=h**-0.25, rng=1)
    rival = None
    if HAS_TORCH:
        from .torch_softmax import TorchSoftmax

        rival = TorchSoftmax(X, labels, L2, network)
    return SoftmaxLoss(X, labels, l2=L2), network, rival


def _torch(rival, run):
    """Return a dict of the rival's Work, once it has been found to do what ours does; empty where there is none."""
    if rival is None:
        return {}
    from .torch_softmax import STEPS, check_softmax

    check_softmax(rival, run.history)
    return {"PyTorch": Work(rival.prepare, STEPS + 1)}
