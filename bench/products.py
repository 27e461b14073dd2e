"""The three matrix products that no step at the compressed width can do without: the limit."""

import math

import numpy as np

from .cases import Case
from .compiled import compiled
from .table import Row, Table
from .timing import SECONDS_PER_REPEAT, Work, interleaved

__all__ = ["flops", "products", "speed", "tables"]

# (n, m, h), steps, and how many times the bare products a step may take
TARGETS = [((4, 4, 64), 150, "<= 3.0"), ((4, 4, 64), 3000, "<= 1.6"),
           ((20, 20, 1000), 150, "<= 1.8"), ((20, 20, 1000), 3000, "<= 1.4"),
           ((100, 10, 10000), 150, "<= 1.8"), ((100, 10, 10000), 3000, "<= 1.4"),
           ((512, 512, 512), 200, "<= 1.35")]


def flops(n, m, k):
    """Return how many additions and multiplications the products take."""
    return 6 * n * m * k


def speed(size, microseconds):
    """Return the GFLOP/s at which they take so long for a network of this size (n, m, h), at the compressed width."""
    n, m, h = size
    return flops(n, m, min(h, n + m)) / microseconds / 1e3


def products(n, m, k):
    """Return the Work of `W1 @ W2`, `G @ W2.T` and `W1.T @ G` with layers of width k, one triple a unit.

    `scipy.linalg.cython_blas.dgemm`, which the kernels use, too, on arrays made before, called from Cython without the
    interpreter's lock. Compared with NumPy here.
    """
    rng = np.random.default_rng(0)
    W1, W2t, G = (rng.standard_normal(shape) for shape in ((n, k), (m, k), (n, m)))
    W, g1, g2t = (np.empty(shape) for shape in ((n, m), (n, k), (m, k)))
    bare = compiled().products
    bare(W1, W2t, G, W, g1, g2t, 1)
    for found, expected in ((W, W1 @ W2t.T), (g1, G @ W2t), (g2t, G.T @ W1)):
        if not np.allclose(found, expected):
            raise RuntimeError("dgemm did not write what it should")
    # enough of them that the call from Python costs nothing beside, at 100 GFLOP/s
    times = math.ceil(SECONDS_PER_REPEAT * 1e11 / flops(n, m, k))
    return Work(lambda: lambda: bare(W1, W2t, G, W, g1, g2t, times), times)


def tables(quick):
    """Time per iteration of the certified loop over that of the products, at the start and over a long run."""
    rows = []
    for (n, m, h), steps, target in TARGETS:
        if quick and n > 500:
            continue
        k = min(h, n + m)
        run = Case.make(n, m, h).compressed().run("certified", steps)
        times = interleaved({"lplfast": run.work, "bare": products(n, m, k)}, 3 if quick else 7)
        rows.append(Row.excess(times, f"n={n} m={m} h={h}, {steps} steps", "lplfast", "bare", target=target,
                               note=f"k={k}; {run.note}"))
    yield Table("bare", "The limit: three dgemm calls a step at the compressed width k", rows, notes=(
        "lplfast: the loop alone with all columns, certified, from compressed layers. bare: W1 W2, G W2.T, W1.T G by\n"
        "scipy.linalg.cython_blas.dgemm from Cython. lplfast has kernels of its own for products of up to some\n"
        "forty rows and columns, on some processors some hundred; bare has not."
        + ("\nQuick: without n=m=h=512." if quick else "")))
