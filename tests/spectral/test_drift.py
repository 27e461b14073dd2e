"""What a step moves the singular values by, at most: every widened bracket is outward, by the formulas of
docs/theory.md, section 6."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from units import DRAWS, gamma, positive, root, sizes, tracked

from lplfast.spectral.certified import Certified

pytestmark = pytest.mark.usefixtures("sixty_digits")

U = 2.0**-53


def test_a_widened_bracket_is_outward_and_no_wider_than_some_units(probe):
    rng, useless = np.random.default_rng(0), 1e9
    for _ in range(DRAWS):
        (bound,) = sizes(rng, 1)
        # nearly all of it may be gone
        part = 1.0 - 10.0 ** rng.uniform(-6, 0)
        drift, path = part * bound, part * bound**0.5
        exact, s = mpmath.mpf(bound), root(bound)
        lo, hi = probe.widen({"bound": bound, "gram_drift": drift, "matrix_path": useless},
                             {"bound": bound, "gram_drift": drift, "matrix_path": useless})
        assert (exact - drift) * (1 - 4 * U) <= lo <= exact - drift
        assert exact + drift <= hi <= (exact + drift) * (1 + 5 * U)
        lo, hi = probe.widen({"bound": bound, "gram_drift": useless, "matrix_path": path},
                             {"bound": bound, "gram_drift": useless, "matrix_path": path})
        assert positive(s * (1 - 4 * U) - path) ** 2 * (1 - 8 * U) <= lo <= (s - path) ** 2
        assert (s + path) ** 2 <= hi <= (s + path) ** 2 * (1 + 12 * U)
    # the better of the two ways, and nothing below 0
    ends = {"bound": 4.0, "gram_drift": 0.5, "matrix_path": 1.0}, {"bound": 4.0, "gram_drift": 4.0, "matrix_path": 0.5}
    assert probe.widen(*ends) == pytest.approx((3.5, 6.25))
    assert probe.widen({"bound": 1.0, "gram_drift": 2.0, "matrix_path": 3.0}, ends[1])[0] == 0.0


def test_a_largest_value_has_moved_by_what_its_matrix_has(probe):
    rng = np.random.default_rng(1)
    for _ in range(DRAWS):
        bound, path, distance = sizes(rng, 3)
        path, distance = min(path, bound), 0.5 * distance
        end = {"bound": bound, "gram_drift": 0.0, "matrix_path": path}
        lo, hi = probe.largest_moved(end, end, distance)
        moved = mpmath.mpf(path) + distance
        assert positive(bound - moved * (1 + 4 * U)) * (1 - 4 * U) <= lo <= positive(bound - moved)
        assert bound + moved <= hi <= (bound + moved) * (1 + 8 * U)


def needed_drift(point, hi, other_max, size, A_norm, other_norm, g_norm, m, *, terms, norms):
    """Return what a step moves a layer and its Gram matrix by, at most, as section 6.1 has it, in exact arithmetic.

    `terms` are the units of a sum of m terms, `norms` those of a norm of `size` numbers.
    """
    eta, G_max, W_max = (mpmath.mpf(x) for x in (point.eta, point.bracket("G_max")[1], point.bracket("sigma_max_W")[1]))
    off = terms * mpmath.mpf(point.G_norm) * other_norm
    step = eta * min((1 + norms) * mpmath.mpf(g_norm), G_max * other_max + off)
    rounding = U * (mpmath.mpf(A_norm) + 2 * eta * g_norm) * (1 + norms)
    s, e = root(hi), step + rounding
    product = W_max * G_max + A_norm * off
    return e, min(2 * s * e + e * e,
                  2 * eta * product + step**2 + 2 * rounding * (s + step) + rounding**2)


@pytest.mark.parametrize("regime", ["all", "product-only", "gradient-only", "no-rounding"])
def test_drift_is_at_least_its_formula(probe, regime):
    rng = np.random.default_rng(2)
    for _ in range(DRAWS):
        m, size = int(rng.integers(1, 50)), int(rng.integers(1, 2000))
        eta, G_max, W_max, hi, other_max, A_norm, other_norm, g_norm, G_norm = sizes(rng, 9, decades=2)
        A_norm *= 10.0 ** rng.uniform(0, 12)
        G_norm, other_norm = G_norm * 1e3, other_norm * 1e3
        if regime != "all":
            # the sums and products alone, to their last bits: no term beside them has room
            A_norm, size = 0.0, 0
            if regime == "product-only":
                other_norm, g_norm = 0.0, 2 * G_max * other_max
            elif regime == "gradient-only":
                other_max = 1e200
            else:
                other_norm = 0.0
                g_norm = 0.0 if rng.random() < 0.1 else g_norm
        point = probe.Point(1, 1, 1, eta=eta, G_norm=G_norm, G_max=(0.0, G_max), sigma_max_W=(0.0, W_max))
        known = other_max, size, A_norm, other_norm, g_norm, m
        moved, e, layer = point.drift_layer({"lo": 0.0, "hi": hi}, *known)
        # by proof, gamma_m for a sum and half a unit for each term of a norm
        least = needed_drift(point, hi, *known, terms=gamma(m), norms=0.5 * size * U)
        most = needed_drift(point, hi, *known, terms=(m + 5) * U, norms=(size + 8) * U)
        for end in (layer["min_sq"]["lower"], layer["min_sq"]["upper"], layer["max_sq"]["lower"],
                    layer["max_sq"]["upper"]):
            assert least[0] <= end["matrix_path"] <= most[0] * (1 + 32 * U)
            assert least[1] <= end["gram_drift"] <= most[1] * (1 + 64 * U)
        assert e <= layer["max_sq"]["upper"]["matrix_path"]
        assert moved <= layer["max_sq"]["upper"]["gram_drift"]


def test_a_step_that_rounding_doubles(probe):
    # a step a little longer than half a unit in the last place of the layer: every entry moves by a whole one
    rng = np.random.default_rng(3)
    for _ in range(50):
        A = rng.uniform(1.0, 2.0, (1, 4))
        g = np.full((1, 4), U * (1 + 2.0**-10))
        moved = [Fraction(x) for x in ((A - g) - A).ravel().tolist()]
        new = [Fraction(x) for x in (A - g).ravel().tolist()]
        # G and W2 of one entry each: the gradient of W1 is exact
        norm = float(np.linalg.norm(g)) * (1 + 4 * U)
        point = probe.Point(1, 4, 1, eta=1.0, G_norm=norm, G_max=(norm, norm), sigma_max_W=(0.0, 1e9))
        most = {"lo": 0.0, "hi": float(np.linalg.norm(A)) ** 2 * (1 + 9 * U)}
        by, e, _ = point.drift_layer(most, 1.0, 4, float(np.linalg.norm(A)), 1.0, norm, 1)
        path = sum(x * x for x in moved)
        assert path > Fraction(1.9 * norm) ** 2
        assert path <= Fraction(e) ** 2
        assert abs(sum(x * x for x in new) - sum(Fraction(x) ** 2 for x in A.ravel().tolist())) <= Fraction(by)


def test_a_step_moves_the_product_and_the_kernel_by_both_layers(probe):
    rng = np.random.default_rng(13)
    for case in range(DRAWS):
        one, two, W, G, eta = sizes(rng, 5, decades=1)
        eps_W = 1e-16 if case % 2 else 0.0
        # norms of 0: nothing rounds, and what a step moves a layer by is eta ||G|| times the other one
        point = probe.Point(2, 3, 2, K=1.0, eta=eta, eps_W=eps_W, G_max=(0.0, G), sigma_max_W=(0.0, W), g1_norm=1e-300,
                            g2_norm=1e-300)
        point.g1_norm = point.g2_norm = 0.0 if case % 3 == 0 else 1e3
        point.memory = {"layer1": {"min_sq": tracked(0.0, one), "max_sq": tracked(one, one)},
                        "layer2": {"min_sq": tracked(0.0, two), "max_sq": tracked(two, two)},
                        "tangent": {"lo": 0.0, "hi": 0.0, "hi_from_below": 0.0, "lower_drift": 0.5,
                                    "upper_drift": 0.25, "least": 0.0, "most": 0.0}}
        point.drift(Certified())
        first, second = (point.memory[layer]["max_sq"]["upper"] for layer in ("layer1", "layer2"))
        e1, e2 = mpmath.mpf(first["matrix_path"]), mpmath.mpf(second["matrix_path"])
        reach = e1 * root(two) + root(one) * e2 + e1 * e2 + eps_W
        # the paths here are a little more than what the step of the product is made of
        assert reach * (1 - 8 * U) <= point.product_step <= reach * (1 + 24 * U)
        moved = mpmath.mpf(first["gram_drift"]) + second["gram_drift"]
        assert moved * (1 - 8 * U) <= point.gram_step <= moved * (1 + 8 * U)
        for side, before in (("lower_drift", 0.5), ("upper_drift", 0.25)):
            assert before + moved * (1 - 4 * U) <= point.memory["tangent"][side] <= (before + moved) * (1 + 8 * U)
