"""What the loop allows for rounding and underflow, at an iterate and in a step, against exact arithmetic
(docs/theory.md, sections 6, 7 and 9)."""

from fractions import Fraction

import numpy as np
import pytest

from lplfast import Contraction, ExactLineSearch, Sharp
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.spectral.certified import Certified


def cancelling(rng):
    """Return layers of one input and output whose product is some units of its terms: it rounds by all of itself."""
    k = int(rng.integers(2, 6))
    W1, W2 = rng.uniform(1, 2, (1, k)) * 1e4, rng.uniform(1, 2, (k, 1)) * 1e4
    W2[-1] = -(W1[0, :-1] @ W2[:-1, 0]) / W1[0, -1]
    return W1, W2


def test_what_is_known_at_the_stored_layers_is_true_of_them():
    # the product as computed is off by some units of 1e8, the target as near to it as that
    rng, off = np.random.default_rng(15), 0
    for _ in range(100):
        W1, W2 = cancelling(rng)
        exact = sum(Fraction(a) * Fraction(b) for a, b in zip(W1[0].tolist(), W2[:, 0].tolist(), strict=True))
        Y = float(exact) + rng.normal() * 1e-8
        descent = Descent(DiagonalQuadratic([2.0], [[Y]]), Sharp(), Certified(), np.concatenate([W1, W2.T]))
        at = descent.local()
        error = abs(Fraction(float((W1 @ W2)[0, 0])) - exact)
        assert 2 * error**2 <= Fraction(at["floor"])
        gap, G = (exact - Fraction(Y)) ** 2, 2 * abs(exact - Fraction(Y))
        assert gap <= Fraction(at["gap_above"])
        assert Fraction(at["G_max"][0]) <= G <= Fraction(at["G_max"][1])
        assert Fraction(at["G_norm"]) >= G
        assert Fraction(at["sigma_max_W"][0]) <= abs(exact) <= Fraction(at["sigma_max_W"][1])
        off += gap > 2 * Fraction(at["gap"])
    # in some of them what is computed is far too small: how many depends on the order of the sum
    assert off > 0


@pytest.mark.parametrize(("one", "two", "d", "far"), [
    (1e-170, 1e100, 1.0, 0.0), (1e-80, 1e-140, 1e140, 0.0), (1e-170, 1e-170, 1.0, 1e-170), (0.0, 1.0, 1.0, 2e-162),
    (1e-60, 1e-60, 1e-202, 1.0), (1e-160, 1e-161, 1.0, 1.0)])
def test_what_underflow_takes_is_allowed_for(one, two, d, far):
    # one input and one output: what the layers say is |W1|^2 + |W2|^2, once and for all
    for seed in range(20):
        rng = np.random.default_rng(seed)
        W1, W2 = one * rng.uniform(1, 2, (1, 3)), two * rng.uniform(1, 2, (3, 1))
        curvature, Y = d * rng.uniform(1, 2), float((W1 @ W2)[0, 0]) - far * rng.uniform(1, 2)
        stack = np.concatenate([W1, W2.T])
        at = Descent(DiagonalQuadratic([curvature], [[Y]]), Sharp(), Certified(), stack).local()
        first, second = ([Fraction(x) for x in W.ravel().tolist()] for W in (W1, W2))
        squares = sum(x * x for x in first + second)
        E = sum(x * y for x, y in zip(first, second, strict=True)) - Fraction(Y)
        slope, nu = Fraction(curvature) * abs(E), Fraction(curvature) * squares
        # the ends that a step or a rate is made of
        assert Fraction(at["sigma_min_sq"][0]) <= squares <= Fraction(at["sigma_max_sq"][1])
        assert Fraction(at["nu"][0]) <= nu <= Fraction(at["nu"][1])
        assert abs(E + Fraction(Y)) <= Fraction(at["sigma_max_W"][1])
        assert slope <= Fraction(at["G_max"][1])
        assert slope <= Fraction(at["G_norm"])
        assert slope * abs(E) / 2 <= Fraction(at["gap_above"])


def test_a_rate_is_true_where_rounding_is_as_large_as_the_gap():
    rng, certified = np.random.default_rng(16), 0
    for _ in range(200):
        W1, W2 = cancelling(rng)
        Y = float((W1 @ W2)[0, 0]) + rng.normal() * 10.0 ** rng.uniform(-8, -5)
        descent = Descent(DiagonalQuadratic([1.0], [[Y]]), Sharp(), Certified(), np.concatenate([W1, W2.T]))
        rows, gaps = np.empty((1, len(COLUMNS))), []
        for t in (0, 1):
            if t:
                descent.advance(rows, max_iter=1, tol=0.0)
            product = sum(Fraction(a) * Fraction(b) for a, b in zip(
                descent.W1[0].tolist(), descent.W2[:, 0].tolist(), strict=True))
            gaps.append((product - Fraction(Y)) ** 2 / 2)
        if descent.t == 1:
            rate = rows[0, COLUMNS.index("rate_bound")]
            # the rate is that of exact steps; the layers round to some units, which moves the product
            rounding = descent.last_row()[COLUMNS.index("rounding")]
            assert gaps[1] <= Fraction(rate) * gaps[0] + Fraction(rounding)
            certified += rate < 0.5
    assert certified > 5


@pytest.mark.parametrize("rule", [Sharp, Contraction, ExactLineSearch])
def test_a_rate_and_the_bound_on_the_gap_are_rounded_up(rule):
    # one input and one output, far apart: steps contract by all but some units of 1
    rng = np.random.default_rng(17)
    for _ in range(300):
        one, two, Y = rng.standard_normal(3) * [10.0 ** rng.uniform(0, 2), 1.0, 1.0]
        descent = Descent(DiagonalQuadratic([1.0], [[Y]]), rule(), Certified(), np.array([[one], [two]]))
        rows = np.empty((1, len(COLUMNS)))
        for t in range(3):
            a, b = Fraction(descent.W1.item()), Fraction(descent.W2.item())
            G = a * b - Fraction(Y)
            bound = Fraction(descent.last_row()[COLUMNS.index("gap_bound")])
            descent.advance(rows, max_iter=t + 1, tol=0.0)
            if descent.t <= t:
                break
            eta, rate = (Fraction(rows[0, COLUMNS.index(name)]) for name in ("step_size", "rate_bound"))
            # what is known beforehand is of the exact step, what the step shows of the one that was taken
            taken = Fraction(descent.W1.item()) * Fraction(descent.W2.item()), (a - eta * G * b) * (b - eta * G * a)
            assert min((W - Fraction(Y)) ** 2 for W in taken) <= rate * G**2
            assert bound * rate <= Fraction(descent.last_row()[COLUMNS.index("gap_bound")]) <= bound
