"""What is published of the brackets, and what a norm alone says, is outward, against exact arithmetic (docs/theory.md,
sections 6 and 7)."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from units import DRAWS, positive, root, sizes, tracked

from lplfast.spectral.certified import Certified

pytestmark = pytest.mark.usefixtures("sixty_digits")

U = 2.0**-53


def published(probe, rng, *, tiny=False, **values):
    """Return an iterate after `publish`, of random brackets, and those brackets by name."""
    scale = 1e-150 if tiny else 1.0
    of = {}
    for name in ("min1", "min2", "max1", "max2", "W", "G"):
        lo = sizes(rng, 1)[0]
        of[name] = (lo, lo * (1 + 10.0 ** rng.uniform(-16, 0)))
    eps_W, G_error = (10.0 ** rng.uniform(-17, -1) * of[name][0] for name in "WG")
    W_norm, G_norm = (of[name][1] * rng.choice([0.9, 1.0, 1.5]) for name in "WG")
    point = probe.Point(2, 3, 2, mu=0.3, K=1.7, eps_W=eps_W * scale, G_error=G_error, W_norm=W_norm * scale,
                        G_norm=G_norm, **values)
    point.memory = {"layer1": {"min_sq": tracked(*of["min1"]), "max_sq": tracked(*of["max1"])},
                    "layer2": {"min_sq": tracked(*of["min2"]), "max_sq": tracked(*of["max2"])},
                    "W_max": tracked(*of["W"]), "G_max": tracked(*of["G"])}
    point.publish(Certified())
    return point, of


def test_published_brackets_are_outward(probe):
    rng = np.random.default_rng(4)
    for _ in range(DRAWS):
        point, of = published(probe, rng)
        exact = {name: tuple(mpmath.mpf(x) for x in ends) for name, ends in of.items()}
        for side in ("min", "max"):
            lo, hi = point.bracket(f"sigma_{side}_sq")
            below, above = (exact[f"{side}1"][i] + exact[f"{side}2"][i] for i in (0, 1))
            assert below * (1 - 4 * U) <= lo <= below
            assert above <= hi <= above * (1 + 6 * U)
        lo, hi = point.bracket("sigma_max_W")
        below = positive(exact["W"][0] - point.eps_W)
        above = min(exact["W"][1], mpmath.mpf(point.W_norm)) + point.eps_W
        above = min(above, mpmath.sqrt(exact["max1"][1] * exact["max2"][1]))    # s_max(W1 W2) <= s_max(W1) s_max(W2)
        assert below * (1 - 4 * U) <= lo <= below
        assert above <= hi <= above * (1 + 24 * U)
        lo, hi = point.bracket("G_max")
        below = positive(exact["G"][0] - point.G_error)
        above = min(exact["G"][1] + point.G_error, mpmath.mpf(point.G_norm))
        assert below * (1 - 5 * U) <= lo <= below
        assert above <= hi <= above * (1 + 24 * U)
        # without a quadratic loss, the PL constant
        below = point.mu * (exact["min1"][0] + exact["min2"][0])
        assert below * (1 - 8 * U) <= point.bracket("nu")[0] <= below
        assert np.isnan(point.bracket("nu")[1])


def test_a_product_whose_square_underflows_is_below_that_of_the_layers(probe):
    rng = np.random.default_rng(5)
    for _ in range(100):
        point, of = published(probe, rng, tiny=True)
        above = root(of["max1"][1]) * root(of["max2"][1])
        assert above <= point.bracket("sigma_max_W")[1] <= above * (1 + 12 * U)


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2)], ids=str)
def test_what_a_norm_alone_says_is_true_at_its_extremes(probe, shape):
    rng = np.random.default_rng(12)
    p = min(shape)
    for _ in range(DRAWS):
        c = float(rng.uniform(1, 2))
        # all singular values c: the greatest is as small as the norm allows, the least as large
        layer = probe.unknown_layer(c * np.eye(*shape))
        square = Fraction(c) ** 2
        assert Fraction(layer["max_sq"]["now"]["lo"]) <= square
        if shape[0] <= shape[1]:
            assert square <= Fraction(layer["min_sq"]["now"]["hi"]) <= square * (1 + Fraction(40 * U))
        else:
            assert layer["min_sq"]["now"]["hi"] == 0.0
        # one singular value that is not 0
        A = np.zeros(shape)
        A[0] = rng.uniform(1, 2, shape[1])
        square = sum(Fraction(x) ** 2 for x in A[0].tolist())
        assert square <= Fraction(probe.unknown_layer(A)["max_sq"]["now"]["hi"]) <= square * (1 + Fraction(60 * U))
        assert probe.unknown_layer(A)["max_sq"]["now"]["lo"] <= float(square) / p
