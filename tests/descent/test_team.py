"""One run on several threads: no bit of it depends on how many there are, and none of them is left over."""

import pathlib

import numpy as np
import pytest

from lplfast import Local, Majorizer, Network, SquaredLoss
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS
from lplfast.spectral.modes import spectral_from
from lplfast.threads import single_threaded_blas

# at which products are cut: odd, and with more rows or more columns
SHAPES = [(301, 203, 289), (211, 404, 299)]
STEPS = 6


def history(problem, stack, rule, n_threads, constants="certified"):
    """Rows without their times, layers and counts after a few steps."""
    descent = Descent(problem.kernel, rule, spectral_from(constants), problem.to_kernel(stack), n_threads=n_threads)
    rows = np.full((STEPS, len(COLUMNS)), np.nan)
    with single_threaded_blas():
        assert descent.advance(rows, max_iter=STEPS, tol=-1.0, budget=60.0) in ("running", "max_iter")
    timeless = np.array(COLUMNS) != "time"
    return [rows[:, timeless], descent.last_row()[timeless], descent.stack, np.array(list(descent.counters.values()))]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("rule", [Local(), Majorizer()], ids=repr)
def test_no_bit_depends_on_the_number_of_threads(shape, rule):
    n, k, m = shape
    rng = np.random.default_rng(shape)
    problem = SquaredLoss(rng.standard_normal((n, n)) / np.sqrt(n), rng.standard_normal((n, m)))
    stack = Network(rng.standard_normal((n, k)) / k**0.5, rng.standard_normal((k, m)) / k**0.5).stack()
    alone = history(problem, stack, rule, 1)
    for count in (2, 3):
        for found, expected in zip(history(problem, stack, rule, count), alone, strict=True):
            assert np.array_equal(found, expected, equal_nan=True), count


def test_no_thread_is_left_over():
    folder, rng = pathlib.Path("/proc/self/task"), np.random.default_rng(0)
    problem = SquaredLoss(np.eye(300), rng.standard_normal((300, 300)))
    stack = rng.standard_normal((600, 300)) / 20

    def tasks():
        return len(list(folder.iterdir())) if folder.exists() else 0

    before = tasks()
    history(problem, stack, Local(), 4)
    assert tasks() == before
