"""The compiled losses of rows: their gap at every size, their formula at every logit."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from cases import labels

from lplfast import LogisticLoss, SoftmaxLoss
from lplfast.losses.cross_entropy import Logistic


@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_the_gap_has_its_digits_at_every_size(kind):
    rng = np.random.default_rng(3)
    n, m, N, l2 = 2, 3, 6, 0.1
    X = rng.standard_normal((N, n))
    Y = labels(rng, kind, N, m)
    problem = kind(X, Y, l2=l2)
    W_star = np.array(problem.minimizer)
    targets = Y if kind is LogisticLoss else np.eye(m)[Y]
    with mpmath.workdps(60):
        exact = [[mpmath.mpf(float(x)) for x in row] for row in X]

        def partition(V):
            total = mpmath.mpf(0)
            for i in range(N):
                z = [mpmath.fsum(exact[i][a] * V[a][j] for a in range(n)) for j in range(m)]
                dual = mpmath.fsum(int(targets[i, j]) * z[j] for j in range(m))
                if kind is LogisticLoss:
                    total += mpmath.fsum(mpmath.log(1 + mpmath.exp(s)) for s in z) - dual
                else:
                    total += mpmath.log(mpmath.fsum(mpmath.exp(s) for s in z)) - dual
            ridge = mpmath.fsum(v * v for row in V for v in row)
            return total + mpmath.mpf(l2) / 2 * ridge

        def lift(W):
            return [[mpmath.mpf(float(w)) for w in row] for row in W]

        lowest = partition(lift(W_star))
        for size in (1e-9, 1e-6, 1e-3, 0.1, 1.0, 30.0, 1e3, 1e6):
            W = W_star + size * rng.standard_normal((n, m))
            truth = partition(lift(W)) - lowest
            # the linear term of a minimizer that is one only nearly, and rounding
            allowed = problem.kernel.uncertainty * np.linalg.norm(W - W_star) + 1e-13 * abs(float(truth))
            assert abs(problem.gap(W) - float(truth)) <= allowed, size
            assert problem.gap(W) >= 0


@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0, 1e5, 1e100])
def test_the_compiled_loss_is_the_plain_formula_at_extreme_logits(kind, scale):
    rng = np.random.default_rng(0)
    N, n, m = 300, 5, 4     # more than two blocks of rows
    X = rng.standard_normal((N, n))
    problem = kind(X, labels(rng, kind, N, m), l2=0.01, offset=rng.standard_normal((n, m)), reduction="mean")
    W = scale * rng.standard_normal((n, m))
    at = problem.at(W + problem._offset)
    assert np.isclose(problem.value(W), at.value, rtol=1e-12)
    # entries are sums over rows
    assert abs(problem.gradient(W) - at.gradient).max() <= 1e-13 * (scale + 1)


@pytest.mark.parametrize("size", [0.01, 0.3, 1.0])
def test_many_labels_of_a_row_are_summed_as_is_allowed_for(probe, size):
    # equal terms, of which a running sum rounds each by up to half a unit of all before: over 128 rows of 8000 in one
    # sum, more than 10 times what is allowed for
    N, m, l2 = 128, 8000, 1e-200
    loss = Logistic(np.ones((N, 1)), np.full((N, m), 0.37), np.zeros((1, m)), mu=l2, K=float(N), minimum=0.0, l2=l2)
    W = np.full((1, m), size)
    one = Logistic(np.ones((1, 1)), [[0.37]], [[0.0]], mu=l2, K=1.0, minimum=0.0, l2=l2)
    exact = N * m * Fraction(one.value_and_gradient(np.array([[size]]))[1])
    _, gap, _ = loss.value_and_gradient(W)
    # of sums alone: 128 rows and m labels, u each
    assert abs(Fraction(gap) - exact) <= (N + m + 64) * Fraction(1, 2**53) * exact
    assert (N + m + 64) * 2.0**-53 * gap <= probe.said(loss, W)["rounding"]
