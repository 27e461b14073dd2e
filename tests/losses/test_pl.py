"""What a loss of rows knows better than mu of its PL constant at an iterate: never more than the truth."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lplfast import LogisticLoss, Network, PseudoHuberLoss, SoftmaxLoss, train
from lplfast.losses.cross_entropy import Logistic, Softmax

U = 2.0**-53


def loss(kind, logits, X, *, l2):
    X = np.asarray(X)
    K = float(np.linalg.norm(X, 2) ** 2) + l2
    return kind(X, logits, np.zeros((X.shape[1], np.shape(logits)[1])), mu=l2, K=K, minimum=0.0, l2=l2)


def truth(kind, logits, X, W, *, l2):
    """Return ||gradient||^2 / (2 gap) of the compiled loss with its minimizer at 0, in the precision of mpmath."""
    x, w = mpmath.matrix(X.tolist()), mpmath.matrix(W.tolist())
    z, d = mpmath.matrix(np.asarray(logits).tolist()), x * w
    change, total = mpmath.matrix(z.rows, z.cols), mpmath.mpf(0)
    for i in range(z.rows):
        for columns in [range(z.cols)] if kind is Softmax else [[j] for j in range(z.cols)]:
            # a label is the softmax of (0, z)
            before = [z[i, j] for j in columns] + [0] * (kind is Logistic)
            moved = [d[i, j] for j in columns] + [0] * (kind is Logistic)
            weights = [mpmath.exp(s) for s in before]
            P = [s / mpmath.fsum(weights) for s in weights]
            tilted = [q * mpmath.exp(s) for q, s in zip(P, moved, strict=True)]
            total += mpmath.log(mpmath.fsum(tilted)) - mpmath.fsum(q * s for q, s in zip(P, moved, strict=True))
            for j, q, s in zip(columns, P, tilted, strict=False):
                change[i, j] = s / mpmath.fsum(tilted) - q
    G = x.T * change + mpmath.mpf(l2) * w
    gap = total + mpmath.mpf(l2) / 2 * mpmath.fsum(v * v for v in w)
    return mpmath.fsum(g * g for g in G) / (2 * gap)


@pytest.mark.parametrize("kind", [Softmax, Logistic])
@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32), far=st.floats(-9, 2.5), spread=st.floats(-3, 1), ridge=st.floats(-12, 1),
       shift=st.floats(-3, 6))
def test_the_constant_is_below_the_truth(probe, kind, seed, far, spread, ridge, shift):
    rng = np.random.default_rng(seed)
    N, n, m = 6, 3, 3
    X, logits = rng.standard_normal((N, n)), 10.0**spread * rng.standard_normal((N, m))
    W = 10.0**far * rng.standard_normal((n, m))
    # what the ridge alone sees of a softmax
    W += 10.0 ** (far + shift) * rng.standard_normal((n, 1)) * (seed % 2)
    l2 = 10.0**ridge
    found = probe.said(loss(kind, logits, X, l2=l2), W)["pl"]
    if found == found:
        with mpmath.workdps(60):
            assert found <= truth(kind, logits, X, W, l2=l2)


@pytest.mark.parametrize("w", [1e-6, 1e-3, 0.009, 0.011, 0.1, 1.0, 10.0, 30.0])
def test_it_is_the_truth_where_the_curvature_falls_as_fast_as_it_may(probe, w):
    # far out the second derivative of log(1 + exp(z)) falls like exp(-z), but for a part 2 exp(-20); rounding is less
    W = np.array([[w]])
    kernel = Logistic([[1.0]], [[20.0]], [[0.0]], mu=1e-30, K=1.0, minimum=0.0, l2=1e-30)
    with mpmath.workdps(60):
        exact = truth(Logistic, [[20.0]], np.ones((1, 1)), W, l2=1e-30)
        assert exact * (1 - 1e-8) <= probe.said(kernel, W)["pl"] <= exact


@pytest.mark.parametrize("rho", [1e-300, 1e-12, 1e-3, 0.00999, 0.01, 0.02, 0.5, 3.0, 40.0, 800.0, 1e6])
def test_the_formula_is_rounded_down(probe, rho):
    for least, l2 in ((1.0, 0.0), (1.0, 1e-9), (1e-9, 1.0), (3.0, 0.7), (0.0, 0.7)):
        with mpmath.workdps(60):
            r, d, ridge = map(mpmath.mpf, (rho, least, l2))
            mean, late = (1 - mpmath.exp(-r)) / r, (r + mpmath.expm1(-r)) / r**2
            if rho < 1e-20:     # digits are lost even here
                mean, late = 1 - r / 2, mpmath.mpf(1) / 2 - r / 6
            exact = (d * mean + ridge) ** 2 / (2 * d * late + ridge)
            assert exact * (1 - 1e-12) <= probe.strong_part(least, l2, rho) <= exact


def test_what_rounds_in_the_logits_is_not_taken_for_curvature(probe):
    # two rows that are mirror images, far along (1, -1): with W along (1, 1) so is the gradient, and near the minimizer
    # the theorem is an equality; but the logits are differences of numbers of order 1e8
    rng = np.random.default_rng(0)
    above = 0
    for _ in range(40):
        a, b = 1e8 + 1e-5, -1e8 + rng.uniform(0.0, 1e-5)
        X, W = np.array([[a, b], [b, a]]), np.full((2, 1), rng.uniform(0.5, 1.0))
        logits = np.zeros((2, 1))
        with mpmath.workdps(60):
            exact = truth(Logistic, logits, X, W, l2=1e-30)
            assert probe.said(loss(Logistic, logits, X, l2=1e-30), W)["pl"] <= exact
            above += np.sum((X @ W) ** 2) / 4 / np.sum(W**2) > exact
    assert above > 5


@pytest.mark.parametrize("kind", [SoftmaxLoss, LogisticLoss])
def test_data_of_less_than_full_rank(probe, kind):
    # the ridge alone sees W outside the row space
    rng = np.random.default_rng(3)
    X = rng.standard_normal((30, 3)) @ rng.standard_normal((3, 5))
    Y = rng.integers(0, 2, (30, 2)) if kind is LogisticLoss else rng.integers(0, 3, 30)
    problem = kind(X, Y, l2=1e-5)
    outside = np.linalg.svd(X)[2][3:].T
    for along in (0.0, 1e-3, 1.0, 1e3):
        D = rng.standard_normal(problem.shape) + along * outside @ rng.standard_normal((2, problem.shape[1]))
        _, gap, G = problem.kernel.value_and_gradient(problem.minimizer + D)
        found = probe.said(problem.kernel, problem.minimizer + D)["pl"]
        assert 1e-5 < found <= np.sum(G**2) / (2 * gap)
    # and with nothing there it is that of what they see
    D = X.T @ rng.standard_normal((30, problem.shape[1]))
    D -= D.mean(axis=1, keepdims=True) * (kind is SoftmaxLoss)
    D *= 1e-6 / np.linalg.norm(D)
    _, gap, G = problem.kernel.value_and_gradient(problem.minimizer + D)
    assert probe.said(problem.kernel, problem.minimizer + D)["pl"] > 0.01


def test_a_loss_that_is_not_self_concordant_has_mu(probe):
    rng = np.random.default_rng(0)
    problem = PseudoHuberLoss(rng.standard_normal((9, 2)), rng.standard_normal((9, 2)), delta=0.5, l2=0.1)
    assert np.isnan(probe.said(problem.kernel, problem.minimizer + 1.0)["pl"])


@pytest.mark.parametrize("kind", [SoftmaxLoss, LogisticLoss])
def test_labels_that_do_not_separate_are_guaranteed_a_rate_that_the_ridge_does_not_give(kind):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5))
    Y = rng.integers(0, 2, (200, 1)) if kind is LogisticLoss else rng.integers(0, 3, 200)
    problem = kind(X, Y, l2=1e-6)
    network = Network.gaussian(5, 300, problem.shape[1], rng=1)
    if kind is SoftmaxLoss:     # constant rows, which the ridge alone sees, would take as long as it lets them
        network = Network(network.W1, network.W2 - network.W2.mean(axis=1, keepdims=True))
    run = train(problem, network, "majorizer", tol=1e-8)
    assert run.status == "converged"
    assert run.violations == 0
    # mu s_min(T)^2 would leave all of it
    assert run.history["gap_bound"][-1] < 0.05 * run.history["gap"][0]
    assert run.history["mu_t"][-1] < 1e-3 * run.history["nu_lo"][-1]
