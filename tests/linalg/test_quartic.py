"""First minimisers of quartics, against 60 digits."""

import mpmath
import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("sixty_digits")

U = 2.0**-53


def derivative(q):
    """Return the derivative of the fall a eta - b0 (b eta^2 + c eta^3 + d eta^4), and where it turns."""
    a, b0, b, c, d = (mpmath.mpf(q[name]) for name in ("a", "b0", "b", "c", "d"))
    inner = 9 * c**2 - 24 * b * d
    turns = [(-3 * c + sign * mpmath.sqrt(inner)) / (12 * d) for sign in (-1, 1)] if d > 0 and inner > 0 else []
    return lambda x: a - b0 * x * (2 * b + x * (3 * c + 4 * d * x)), [x for x in turns if x > 0]


def first_root(q):
    """Return the first positive root of the derivative, by bisection of the first monotone piece that has one."""
    f, ends = derivative(q)
    low, high = mpmath.mpf(0), mpmath.mpf(1)
    for end in ends:
        if f(end) <= 0:
            high = end
            break
        low, high = end, 2 * end
    while f(high) > 0:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) > 0 else (low, middle)
    return high


def quartics(rng, count):
    """Yield quartics of every shape: one well or two, the first of either the deeper one, and without higher terms."""
    for i in range(count):
        b = float(rng.choice([1.0, 0.3, -0.5, 0.0]) * 10.0 ** rng.uniform(-2, 1))
        c, d = rng.normal() * 10.0 ** rng.uniform(-2, 1), 10.0 ** rng.uniform(-3, 1)
        if i % 5 == 0:
            b, c, d = abs(b) + 1.0, 0.0, 0.0
        if i % 5 == 1:
            # three real roots r < s < t of the derivative, which is 4 d (x - r)(x - s)(x - t) b0
            r, s, t = np.sort(10.0 ** rng.uniform(-1, 1, 3))
            a = 4 * d * r * s * t
            yield {"a": a, "b0": 1.0, "b": 2 * d * (r * s + s * t + r * t), "c": -4 * d * (r + s + t) / 3, "d": d}
            continue
        yield {"a": 10.0 ** rng.uniform(-3, 3), "b0": 10.0 ** rng.uniform(-3, 3), "b": b, "c": c, "d": d}


def test_the_first_minimiser_of_a_quartic(probe):
    rng, several = np.random.default_rng(0), 0
    for q in quartics(rng, 150):
        eta, exact = probe.first_minimiser(q), first_root(q)
        a, b0, b, c, d = (mpmath.mpf(q[name]) for name in ("a", "b0", "b", "c", "d"))
        # the coefficients round and the cubic is evaluated in float64: that moves a root by its units over its slope
        x = exact
        terms = 2 * abs(b) * x + 3 * abs(c) * x**2 + 4 * d * x**3 + a / b0
        slope = 2 * b + 6 * c * x + 12 * d * x**2
        assert abs(eta - exact) <= 16 * U * (terms / slope + exact), q
        fallen = a * eta - b0 * (b * eta**2 + c * mpmath.mpf(eta) ** 3 + d * mpmath.mpf(eta) ** 4)
        size = a * eta + b0 * (abs(b) * eta**2 + abs(c) * eta**3 + d * eta**4)
        assert abs(probe.quartic_fall(q, eta) - fallen) <= 8 * U * size
        f, turns = derivative(q)
        several += len(turns) == 2 and f(turns[0]) < 0 < f(turns[1])
    assert several > 15


@pytest.mark.parametrize("q", [
    {"a": 1e300, "b0": 1e-300, "b": 1.0, "c": 0.0, "d": 0.0}, {"a": 1e-300, "b0": 1e300, "b": 1.0, "c": 0.0, "d": 0.0},
    {"a": 1.0, "b0": 1.0, "b": -1e8, "c": 0.0, "d": 1.0}, {"a": 1.0, "b0": 1.0, "b": 1.0, "c": -1e-8, "d": 1e-16},
], ids=["long", "short", "far", "flat"])
def test_extreme_quartics(probe, q):
    scale = mpmath.mpf(q["a"]) / (2 * mpmath.mpf(q["b0"]))
    if not 1e-300 < scale < 1e300:
        # beyond float64, as the step is
        assert probe.first_minimiser(q) in (0.0, np.inf)
        return
    assert abs(probe.first_minimiser(q) - first_root(q)) <= 1e-14 * first_root(q)
