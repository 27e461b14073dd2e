"""What a row's loss can grow by along a ray: a bound on the truth, and for labels of two values the truth."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lplfast import LogisticLoss, Network, SoftmaxLoss, train
from lplfast.losses.cross_entropy import Logistic, Softmax


def growth(kind, logits, X, W, tau, B, eta, *, l2):
    """Return what the loss exceeds its tangent at W by, at W - eta tau + eta^2 B, in the precision of mpmath."""
    x, w, t, b = (mpmath.matrix(M.tolist()) for M in (X, W, tau, B))
    eta = mpmath.mpf(eta)
    M = -eta * t + eta**2 * b
    z, u = mpmath.matrix(logits.tolist()) + x * w, x * M
    total = mpmath.mpf(0)
    for i in range(z.rows):
        rows = ([([z[i, j] for j in range(z.cols)], [u[i, j] for j in range(z.cols)])] if kind is Softmax else
                [([0, z[i, j]], [0, u[i, j]]) for j in range(z.cols)])
        for before, moved in rows:
            e = [mpmath.exp(s) for s in before]
            p = [s / mpmath.fsum(e) for s in e]
            mean = mpmath.fsum(q * d for q, d in zip(p, moved, strict=True))
            total += mpmath.log(mpmath.fsum(q * mpmath.exp(d) for q, d in zip(p, moved, strict=True))) - mean
    return total + mpmath.mpf(l2) / 2 * mpmath.fsum(s * s for s in M)


def loss(kind, logits, X, *, l2=1e-3):
    X = np.asarray(X)
    K = float(np.linalg.norm(X, 2) ** 2) / (2 if kind is Softmax else 4) + l2
    return kind(X, logits, np.zeros((X.shape[1], np.shape(logits)[1])), mu=l2, K=K * (1 + 1e-12), minimum=0.0, l2=l2)


@pytest.mark.parametrize("kind", [Softmax, Logistic])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), far=st.floats(-8, 1.5), spread=st.floats(-3, 2), turn=st.floats(-12, 0))
def test_no_row_grows_by_more(probe, kind, seed, far, spread, turn):
    rng = np.random.default_rng(seed)
    N, n, m = 5, 3, 4
    X, logits = rng.standard_normal((N, n)), 10.0**spread * rng.standard_normal((N, m))
    W, tau = rng.standard_normal((2, n, m))
    tau *= 10.0**far
    # some steps turn back nearly to where they began, where the variances of their parts cancel
    B = tau * (1 + 10.0**turn * rng.standard_normal((n, m)))
    kernel = loss(kind, logits, X)
    for eta in (0.3, 1.0, 1.0 + 1e-9, 2.0):
        with mpmath.workdps(60):
            exact = growth(kind, logits, X, W, tau, B, eta, l2=kernel.l2)
            found = probe.along(kernel, W, tau, B, eta)["growth"]
            assert exact <= found
            # of two values it is the truth; where the parts cancel, what rounding hides of them is left
            if kind is Logistic and eta != 1.0 + 1e-9 and turn > -1:
                assert found <= exact * (1 + 1e-9) + 1e-13 * (eta + eta**2) ** 2 * np.linalg.norm(tau) ** 2


def test_labels_that_nothing_separates_are_trained_with_a_certificate():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 8)) * np.linspace(0.3, 3, 8)
    for problem, m in ((SoftmaxLoss(X, rng.integers(0, 4, 300), l2=1.0), 4),
                       (LogisticLoss(X, rng.integers(0, 2, 300), l2=1.0), 1)):
        network = Network.gaussian(8, 400, m, std=400**-0.25, rng=0)
        local, majorizer = (train(problem, network, rule, max_iter=5000, tol=1e-6) for rule in ("local", "majorizer"))
        assert majorizer.converged
        assert majorizer.violations == 0
        assert majorizer.iterations < 0.35 * local.iterations
        # every step has a rate, and they come to something
        assert (majorizer.history["rate_bound"][:-1] < 1).all()
        assert majorizer.history["gap_bound"][-1] < 0.5 * majorizer.history["gap"][0]


def test_what_cancels_in_a_variance_is_allowed_for(probe):
    # a step that leads back to where it began, but for a part of 1e-9: its variance is what rounding leaves of terms
    # 1e18 times as large, or nothing
    rng, hidden = np.random.default_rng(0), 0
    for _ in range(60):
        W, tau = rng.standard_normal((2, 1, 4))
        kernel = loss(Softmax, rng.standard_normal((1, 4)), [[1.0]])
        with mpmath.workdps(60):
            eta = 1.0 + 1e-9
            exact = growth(Softmax, np.array(kernel.options["logits"]), np.ones((1, 1)), W, tau, tau, eta, l2=1e-3)
            found = probe.along(kernel, W, tau, tau, eta)["growth"]
        assert 0 < exact <= found
        hidden += found > 1e3 * exact
    assert hidden == 60


@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0])
def test_two_values_with_equal_probability_are_near_the_bound_by_the_range(probe, size):
    # log cosh(r/2), which is r^2/8 for a small range r
    kernel = loss(Softmax, np.zeros((1, 2)), [[1.0]], l2=1e-12)
    W, tau, B = np.zeros((1, 2)), np.array([[size, -size]]), np.zeros((1, 2))
    found = probe.along(kernel, W, tau, B, 1.0)["growth"]
    exact = np.log1p(2 * np.sinh(size / 2) ** 2)
    assert exact <= found <= exact * (1 + 1e-6)
