"""What a compiled loss says that it may be off by, against exact arithmetic (docs/theory.md, section 9)."""

import mpmath
import numpy as np
import pytest
from units import root, sizes

from lplfast import Sharp
from lplfast.descent.descent import Descent
from lplfast.losses.cross_entropy import Logistic
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.spectral.certified import Certified

pytestmark = pytest.mark.usefixtures("sixty_digits")

U = 2.0**-53


def test_a_loss_in_a_rounded_frame_is_off_by_no_more_than_it_says():
    # the loss that is meant has d (1 + frame) in place of d, and sqrt(2 gap) is `uncertainty` where this one is least:
    # in one dimension nothing of what is allowed for is too much
    rng, within = np.random.default_rng(20), 1 + 100 * U
    for case in range(100):
        d, E = sizes(rng, 2, decades=1)
        frame, uncertainty = (10.0 ** rng.uniform(-8, -1, 2) * ((case % 3 != 0), (case % 3 != 1))).tolist()
        K = d * (1 + frame) * (1 + 4 * U)
        kernel = DiagonalQuadratic([d], [[0.0]], mu=d * (1 - frame) * (1 - 4 * U), K=K, frame=frame,
                                   uncertainty=uncertainty)
        at = Descent(kernel, Sharp(), Certified(), np.array([[E], [1.0]])).local()
        steep, flat = (root(d * (1 + sign * mpmath.mpf(frame))) for sign in (1, -1))
        gap, G = (steep * E + uncertainty) ** 2 / 2, steep * (steep * E + uncertainty)
        assert gap <= at["gap_above"] <= gap * within
        # the steepest slope that d and the frame allow is a little below what their bounds, multiplied, do
        assert G <= at["G_max"][1] <= G * (1 + frame) * within
        assert G <= at["G_norm"] <= G * (1 + frame) * within
        assert at["G_max"][0] <= flat * (flat * E - uncertainty)


@pytest.mark.parametrize("size", [1e-8, 1e-3, 0.05, 0.3, 1.0, 30.0])
def test_a_loss_of_rows_is_off_by_no_more_than_it_says(size):
    # at logits of 0 both probabilities are 1/2, and the divergence is log cosh(x E / 2)
    rng = np.random.default_rng(17)
    for N, n, m in ((1, 1, 1), (5, 3, 2), (300, 2, 1)):
        X, W = rng.standard_normal((N, n)), size * rng.standard_normal((n, m))
        uncertainty = 1e-9
        kernel = Logistic(X, np.zeros((N, m)), np.zeros((n, m)), mu=0.1, K=0.1 + np.linalg.norm(X, 2) ** 2 / 4,
                          minimum=0.0, l2=0.1, uncertainty=uncertainty)
        x, w = mpmath.matrix(X.tolist()), mpmath.matrix(W.tolist())
        half = x * w / 2
        ridge = mpmath.fsum(v * v for v in w)
        exact = mpmath.fsum(mpmath.log(mpmath.cosh(z)) for z in half) + mpmath.mpf(0.1) / 2 * ridge
        gradient = x.T * half.apply(mpmath.tanh) / 2 + mpmath.mpf(0.1) * w
        _, gap, G = kernel.value_and_gradient(W)
        # W = W I: the product is exact
        descent = Descent(kernel, Sharp(), Certified(), np.concatenate([W, np.eye(m)]))
        descent.local()
        told = uncertainty * (mpmath.sqrt(ridge) + uncertainty / 0.2)
        rounding = descent.gap_error - told
        assert rounding >= 0
        assert abs(gap - exact) <= rounding + 4 * U * told
        assert descent.gap_error >= told
        # it counts the worst case, at most so many units of what it adds up
        assert abs(gap - exact) <= 100 * U * exact
        assert mpmath.norm(mpmath.matrix(G.tolist()) - gradient) <= 60 * U * (mpmath.norm(gradient) + np.linalg.norm(W))
