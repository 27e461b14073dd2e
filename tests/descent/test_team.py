"""One run on several threads: no bit of it depends on how many there are, and none of them is left over."""

import pathlib

import numpy as np
import pytest

from lplfast import Local, Majorizer, Network, SquaredLoss
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS
from lplfast.spectral.modes import spectral_from
from lplfast.steps import rule_from
from lplfast.threads import single_threaded_blas

# at which products are cut: odd, with more rows or more columns, and so many that each of two products is
SHAPES = [(301, 203, 289), (211, 404, 299), (67, 301, 801), (801, 301, 67)]
STEPS = 6


def history(problem, stack, rule, n_threads, constants="certified"):
    """Rows without their times, layers and counts after a few steps."""
    descent = Descent(problem.kernel, rule, spectral_from(constants), problem.to_kernel(stack), n_threads=n_threads)
    rows = np.full((STEPS, len(COLUMNS)), np.nan)
    with single_threaded_blas():
        assert descent.advance(rows, max_iter=STEPS, tol=-1.0) in ("running", "max_iter")
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


def tasks():
    """How many threads the process has, as far as the system tells."""
    folder = pathlib.Path("/proc/self/task")
    return len(list(folder.iterdir())) if folder.exists() else 0


# one for each 256 rows or columns, but two from where a product is cut (tiles.pyx, most_threads)
@pytest.mark.parametrize(("rows", "more"), [(20, 0), (300, 1), (600, 1), (800, 2)])
def test_a_run_has_the_threads_that_its_shape_pays_for(rows, more):
    n, rng, seen = 300 if rows > 20 else rows, np.random.default_rng(0), []
    problem = SquaredLoss(np.eye(n), rng.standard_normal((n, rows)))
    stack = rng.standard_normal((n + rows, n)) / 20
    before = tasks()
    history(problem, stack, rule_from(lambda iterate: seen.append(tasks()) or 1e-4), 4)
    assert max(seen) == before + more * (before > 0)     # they come with the first product that is cut


def test_no_thread_is_left_over():
    rng = np.random.default_rng(0)
    problem = SquaredLoss(np.eye(300), rng.standard_normal((300, 300)))
    stack = rng.standard_normal((600, 300)) / 20
    before = tasks()
    history(problem, stack, Local(), 4)
    assert tasks() == before
