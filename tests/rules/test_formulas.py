"""K_t and K_t_sharp against 60 digits: rounded up."""

import mpmath
import numpy as np
import pytest
from units import DRAWS, sizes

from lplfast.rules.formulas import K_t, K_t_sharp

pytestmark = pytest.mark.usefixtures("sixty_digits")

U = 2.0**-53


def test_published_smoothness_is_rounded_up():
    rng = np.random.default_rng(18)
    for _ in range(DRAWS):
        K, sigma_sq, sigma_W, gap, G_2, G_F, eta = sizes(rng, 7)
        e = {name: mpmath.mpf(x) for name, x in
             zip(("K", "s", "w", "gap", "two", "F", "eta"), (K, sigma_sq, sigma_W, gap, G_2, G_F, eta), strict=True)}
        g = mpmath.sqrt(2 * e["K"] * e["gap"])
        exact = (e["K"] * e["s"] + g + 3 * e["K"] * e["s"] * g * e["eta"]
                 + 6 * e["K"] ** 2 * e["w"] * e["gap"] * e["eta"] ** 2)
        assert exact <= K_t(K, sigma_sq, sigma_W, gap, eta) <= exact * (1 + 40 * U)
        exact = (e["K"] * e["s"] + e["two"] + e["K"] * e["s"] * e["two"] * e["eta"]
                 + e["K"] * e["w"] * e["two"] * e["F"] * e["eta"] ** 2 / 2)
        assert exact <= K_t_sharp(K, sigma_sq, sigma_W, G_2, G_F, eta) <= exact * (1 + 40 * U)
