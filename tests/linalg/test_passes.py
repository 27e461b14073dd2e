"""Sums over whole matrices (passes.pxd) against exact arithmetic, around every switch of their code."""

from fractions import Fraction

import numpy as np
import pytest
from units import close, exact_sum

U = 2.0**-53


# within lanes, chains of lanes, blocks of 4096, and all of their remainders
@pytest.mark.parametrize("size", [1, 7, 8, 9, 31, 32, 33, 63, 4095, 4096, 4097, 4103, 8195])
def test_sums(probe, size):
    rng = np.random.default_rng(size)
    x, y, z = rng.standard_normal((3, size))
    d, ones = rng.uniform(0.1, 3, size), np.ones(size)
    # of the differences, 3 u each, twice in a square
    units = probe.sum_error(size) + 8
    square = exact_sum(x, x)
    assert close(probe.square_sum(x), square[0], units, square[1])
    far = x - y
    exact = exact_sum(far, far)
    assert close(probe.distance_sq(x, y), exact[0], units, exact[1])
    moved, total = probe.move(x, 0.3, y)
    assert np.array_equal(moved, x - 0.3 * y)
    assert total == probe.square_sum(moved)
    g, total, x_sq, g_sq = probe.slope(d, x, y)
    assert np.array_equal(g, d * far)
    exact = exact_sum(g, far)
    assert close(total, exact[0], units, exact[1])
    assert close(x_sq, square[0], units, square[1])
    exact = exact_sum(g, g)
    assert close(g_sq, exact[0], units, exact[1])
    total, absolute = probe.fall(d, x, y, z)
    terms = (d * far) * ((x - z) + (y - z))
    exact = exact_sum(terms, ones)
    assert close(total, exact[0], units, exact[1])
    assert close(absolute, exact[1], units, exact[1])
    for weights in (d, None):
        found, h = probe.motion(x, y, z, weights), (0 * d if weights is None else d) * (y - x)
        for name, factors in {"moved_sq": (y - x, y - x), "slope": (z, y - x), "forms": (h, y - x),
                              "bent_sq": (h, h)}.items():
            exact = exact_sum(*factors)
            assert close(found[name], exact[0], units, exact[1]), name
            if name == "slope":
                assert close(found["absolute"], exact[1], units, exact[1])
    if size % 3 == 0:
        exact = exact_sum(np.repeat(d[:3], size // 3), x, x)
        assert close(probe.weighted_square(d[:3].copy(), x.reshape(3, -1)), exact[0], size + 3, exact[1])


@pytest.mark.parametrize("size", [64, 1024, 4096, 3 * 4096 + 512])
def test_sums_that_lose_all_that_they_can(probe, size):
    # 1 in every lane, and from then on a little less than half a unit in its last place, which is lost each time
    lost = np.sqrt(U) * (1 - 2.0**-20)
    x = np.full(size, lost)
    x[:8] = 1.0
    exact = 8 + (size - 8) * Fraction(lost) ** 2
    zero, ones = np.zeros(size), np.ones(size)
    worst = 0.0
    for found in (probe.square_sum(x), probe.distance_sq(x, zero), probe.move(x, 0.0, zero)[1],
                  probe.slope(ones, x, zero)[1], probe.slope(ones, x, zero)[2], probe.fall(ones, x, zero, zero)[0],
                  probe.fall(ones, x, zero, zero)[1], probe.motion(zero, x, x)["moved_sq"]):
        assert close(found, exact, probe.sum_error(size), exact)
        worst = max(worst, float((exact - Fraction(found)) / exact) / U)
    # and no allowance much smaller would do, in one block
    assert size > 4096 or worst > 0.95 * (size / 8 - 1)
    assert probe.sum_error(size) <= min(size, 4096) / 8 + size / 4096 + 16


@pytest.mark.parametrize("shape", [(1, 1), (3, 8), (5, 7), (7, 29), (40, 64)], ids=str)
def test_a_norm_of_absolute_values(probe, shape):
    n, k = shape
    A = np.random.default_rng(shape).standard_normal(shape)
    found, exact = probe.absolute_norm_sq(A), [[Fraction(abs(x)) for x in row] for row in A.tolist()]
    sums = [sum(column) for column in zip(*exact, strict=True)]
    largest = max(sum(x * y for x, y in zip(row, sums, strict=True)) for row in exact)
    assert close(found, largest, n + k, largest)
    assert np.linalg.norm(abs(A), 2) ** 2 <= found * (1 + 1e-12)
    # of rows with equal sums, and columns, it is that norm
    assert probe.absolute_norm_sq(np.where(A > 0, 1.0, -1.0)) == n * k
