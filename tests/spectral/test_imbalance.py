"""The bound on s_min that falls with the drift of the imbalance, against what is true."""

from fractions import Fraction

import numpy as np
import pytest
from precise import truth
from units import DRAWS, tracked

from lplfast import Local, MatrixFactorization, Network, train
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.spectral.certified import Certified

U = 2.0**-53


def test_the_drift_of_the_imbalance_is_rounded_up():
    # integers: the gradients, 35 and 21, are exact
    problem, network = MatrixFactorization([[8.0]]), Network([[3.0]], [[5.0]])
    for eta in np.random.default_rng(11).uniform(1e-4, 1e-2, 40):
        drift = train(problem, network, float(eta), max_iter=1).history["drift"][1]
        exact = Fraction(float(eta)) ** 2 * (35**2 + 21**2)
        assert exact <= Fraction(drift) <= exact * Fraction(1 + 16 * U)


def test_the_drift_of_the_imbalance_counts_the_rounding_of_the_layers(probe):
    # a gradient so small that D would not move but for the rounding of the layers, which is half a unit each
    rng = np.random.default_rng(21)
    for _ in range(DRAWS):
        a, b = rng.uniform(1, 2, 2).tolist()
        G, eta = 10.0 ** rng.uniform(-16, -13), 1.0
        point = probe.Point(1, 1, 1, eta=eta, G_norm=G, G_max=(G, G), W1_norm=a, W2_norm=b, g1_norm=G * b * (1 + 2 * U),
                            g2_norm=G * a * (1 + 2 * U), sigma_max_W=(0.0, 4.0))
        point.memory = {"layer1": {"min_sq": tracked(0.0, a * a), "max_sq": tracked(a * a, a * a * (1 + 2 * U))},
                        "layer2": {"min_sq": tracked(0.0, b * b), "max_sq": tracked(b * b, b * b * (1 + 2 * U))},
                        "imbalance": {"found": 1.0, "bound": 1e9, "drift": 0.0}}
        point.drift(Certified())
        before = Fraction(a) ** 2 - Fraction(b) ** 2
        moved = Fraction(a - eta * (G * b)) ** 2 - Fraction(b - eta * (G * a)) ** 2 - before
        found = point.memory["imbalance"]["drift"]
        assert abs(moved) <= Fraction(found) <= 40 * U


def test_the_imbalance_bounds_what_the_bracket_does_not():
    # one pair of units is long, and moves the layers by 1e-5 a step; s_min is made of squares of 9e-8, and the
    # imbalance moves by 1e-10 only
    W1, W2 = np.zeros((2, 4)), np.zeros((4, 2))
    W1[0, 0], W2[0, 0], W1[1, 1], W2[2, 1] = 1.2, 1.0, 3e-4, 3e-4
    kernel = DiagonalQuadratic([1.0, 1.0], np.diag([2.2, 0.0]))
    descent = Descent(kernel, Local(cap=1e-5), Certified(), np.concatenate([W1, W2.T]))
    row, lower, drift = np.empty((1, len(COLUMNS))), [], []
    for t in range(1, 201):
        at = dict(zip(COLUMNS, descent.last_row(), strict=True))
        lower.append(at["sigma_min_sq"])
        drift.append(at["drift"])
        if t % 20 == 1:
            assert lower[-1] <= truth(descent.W1, descent.W2)[0]
        descent.advance(row, max_iter=t, tol=0.0)
    # computed at t = 1. Rounding may take, of D and in every step, some 20 u of the squares of the long units: 1e-12
    bound, lower = 9e-8 - (np.array(drift) - drift[1])[1:], np.array(lower)[1:]
    assert (lower >= bound - 1e-12).all()
    assert (lower <= bound).sum() > 100     # the others are the bracket's, in the steps after it was computed
    assert bound[-1] < 0.9 * 9e-8       # or the drift would not show
    assert descent.counters["eigenproblems"] == 1
    assert descent.counters["renewals"] < 60


def test_no_eigenproblem_is_solved_where_the_diagonal_says_that_there_is_no_bound():
    # square layers: D has to be definite to bound anything, and is diagonal here
    for second, bound in ((1e-5, 9e-8 - 1e-10), (4e-4, 0.0)):
        W1, W2 = np.diag([1.2, 3e-4]), np.diag([1.0, second])
        for ours, kernel in (((W1, W2), DiagonalQuadratic([1.0, 1.0], np.diag([2.2, 0.0]))),
                             # and the other way round: D is negative
                             ((W2, W1), DiagonalQuadratic([1.0, 1.0], np.diag([2.2, 0.0])))):
            descent = Descent(kernel, Local(cap=1e-5), Certified(), np.concatenate([ours[0], ours[1].T]))
            descent.advance(np.empty((20, len(COLUMNS))), max_iter=20, tol=0.0)
            assert descent.counters["eigenproblems"] == (bound > 0.0)
            found = dict(zip(COLUMNS, descent.last_row(), strict=True))["sigma_min_sq"]
            assert 0.9 * bound <= found <= truth(descent.W1, descent.W2)[0]


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("shape", [(2, 3, 2), (3, 5, 3), (10, 19, 10)], ids=str)
def test_the_imbalance_claims_nothing_that_rounding_has_made(shape, scale):
    # layers of rank one but for 1e-9: s_min^2 is 1e-18, and the eigenvalues of D that would bound it are rounding
    n, h, m = shape
    for seed in range(10 if n < 10 else 1):
        rng = np.random.default_rng(seed)
        W1 = scale * (np.outer(rng.standard_normal(n), rng.standard_normal(h)) + 1e-9 * rng.standard_normal((n, h)))
        W2 = scale * (np.outer(rng.standard_normal(h), rng.standard_normal(m)) + 1e-9 * rng.standard_normal((h, m)))
        kernel = DiagonalQuadratic(np.ones(n), W1 @ W2 + scale**2 * rng.standard_normal((n, m)))
        descent = Descent(kernel, Local(cap=1e-9 / scale**2), Certified(), np.concatenate([W1, W2.T]))
        row = np.empty((1, len(COLUMNS)))
        for t in range(1, 4):
            descent.advance(row, max_iter=t, tol=0.0)
            assert descent.last_row()[COLUMNS.index("sigma_min_sq")] <= truth(descent.W1, descent.W2)[0]
        assert descent.counters["eigenproblems"] > 0
