"""Experiments for the tests, importable by workers."""

import os
import signal
import time

import numpy as np

from lplfast import MatrixFactorization, Network, plan

PROBLEM = MatrixFactorization(np.diag([3.0, 2.0, 1.0]))
GRID = {"rule": ["local", "sharp"], "width": [4, 20]}


def planned(rng, rule, width):
    return plan(PROBLEM, Network.gaussian(3, width, 3, rng=rng), rule, tol=1e-8)


def drawn(rng, size, shift=0.0):
    """Numbers, ragged arrays and text; one size fails."""
    if size == 2:
        raise ArithmeticError("two is refused")
    return {"mean": rng.random(size).mean() + shift, "size_again": size, "path": ("step", rng.random(size)),
            "table": (("row", "column"), rng.random((size, 2)), {"units": "m"}), "name": f"n{size}", "even": size == 4}


def fatal(flags, rng, size):
    """Numbers; the process that comes to one of the `flags`, files named by a size, takes it away and dies."""
    path = os.path.join(flags, str(size))
    if os.path.exists(path):
        os.unlink(path)
        os.kill(os.getpid(), signal.SIGKILL)
    return {"x": rng.random(3)}


def slow(rng, size):
    """Numbers that take a while: so that a kill comes in the middle."""
    time.sleep(0.004)
    return {"x": rng.random(size % 3 + 1), "of": size}
