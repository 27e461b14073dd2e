"""Local constants at a network are as narrow at every scale as they are at one, and as wide as rounding wants them."""

import numpy as np
import pytest

from lplfast import MatrixFactorization, Network, local_constants


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 2, 4), (3, 8, 3)], ids=str)
@pytest.mark.parametrize("scale", [1e-120, 1e-90, 1e-70, 1.0, 1e70, 1e90, 1e120])
def test_constants_far_from_1_are_as_narrow_as_those_near_it(shape, scale):
    n, h, m = shape
    plain = Network.gaussian(n, h, m, rng=0)
    # only the layers scale: the product, and with it the loss and W_max, stay what they are
    network = Network(plain.W1 * scale, plain.W2 / scale)
    # the gradient is scale times G: its square must be a float64
    found = local_constants(MatrixFactorization(plain.product + 1e-3), network)
    lo, hi = found.brackets["sigma_max_sq"]
    s1, s2 = (np.linalg.norm(W, 2) for W in (plain.W1, plain.W2))
    truth = (s1 * scale) ** 2 + (s2 / scale) ** 2
    # numpy's own error is some units in the last place
    assert lo <= truth * (1 + 1e-14)
    assert hi >= truth * (1 - 1e-14)
    assert hi - lo <= 1e-11 * truth


@pytest.mark.parametrize("scale", [1e-75, 1e-60, 1.0, 1e60, 1e75])
def test_the_brackets_of_the_product_are_narrow_at_every_scale(scale):
    plain = Network.gaussian(3, 8, 3, rng=0)
    root = np.sqrt(scale)
    found = local_constants(MatrixFactorization(np.eye(3) * scale), Network(plain.W1 * root, plain.W2 * root))
    for name, matrix in {"sigma_max_W": plain.product, "G_max": plain.product - np.eye(3)}.items():
        lo, hi = found.brackets[name]
        truth = np.linalg.norm(matrix, 2) * scale
        assert lo <= truth * (1 + 1e-14)
        assert hi >= truth * (1 - 1e-14)
        assert hi - lo <= 1e-11 * truth, name


def test_what_rounding_may_do_is_allowed_for_at_every_scale():
    # a bracket is wider than the spacing of numbers for a reason: squares that underflow must not take it away
    def width(scale):
        layers = Network.gaussian(30, 5, 4, rng=0)
        found = local_constants(MatrixFactorization(np.eye(30, 4)), Network(layers.W1 * scale, layers.W2 * scale))
        lo, hi = found.brackets["sigma_max_sq"]
        return (hi - lo) / hi

    # powers of 2 scale without rounding: only the bound itself rounds, at 1e-16 beside some 1e-14
    assert np.allclose([width(2.0**-exponent) for exponent in (100, 250, 300, 400)], width(1.0), rtol=0.05, atol=0.0)
