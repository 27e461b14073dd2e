"""Logistic and softmax losses without a ridge: a minimizer that is proved to exist, or none."""

import pickle

import mpmath
import numpy as np
import pytest
from cases import EXPECTED, labels

from lplfast import LogisticLoss, Network, PseudoHuberLoss, SoftmaxLoss, check_loss, train
from lplfast.losses.concordance import near_minimizer, reach, strong_part

KINDS = [LogisticLoss, SoftmaxLoss]


def data(kind, rng, *, N=60, n=4, m=3, rank=None):
    X = rng.standard_normal((N, n))
    if rank:
        X = rng.standard_normal((N, rank)) @ rng.standard_normal((rank, n))
    return X, rng.integers(0, 2, (N, m)) if kind is LogisticLoss else labels(rng, kind, N, m)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", [None, 2])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_run_goes_to_the_minimizer_with_a_rate(kind, rank, reduction):
    rng = np.random.default_rng(0)
    X, Y = data(kind, rng, rank=rank)
    offset = 0.1 * rng.standard_normal((4, 3))
    problem = kind(X, Y, l2=0, reduction=reduction, offset=offset)
    assert problem.mu == 0
    assert problem.minimizer_error < 1e-12
    assert problem.minimum_error < 1e-13 * problem.minimum
    assert abs(problem.gradient(problem.minimizer)).max() <= 1e-13
    network = Network.gaussian(4, 50, 3, std=0.3, rng=0)
    run = train(problem, network, "majorizer", tol=1e-10)
    assert run.status == "converged"
    assert run.violations == 0
    assert (run.history["mu_t"] == 0).all()
    assert (run.history["nu_lo"] > 0).all()
    assert run.history["gap_bound"][-1] < 1e-2 * run.history["gap"][0]
    assert np.isclose(problem.value(run.network.product), problem.minimum, rtol=1e-9)
    # what the data do not see has not moved: rounding of 100 steps
    V = np.linalg.svd(X)[2][:rank].T if rank else np.eye(4)
    size = np.linalg.norm(network.W1) + np.linalg.norm(network.W2)
    moved = run.network.W1 - network.W1
    assert np.linalg.norm(moved - V @ (V.T @ moved)) <= 1e-13 * size
    if kind is SoftmaxLoss:
        assert abs((run.network.W2 - network.W2).sum(axis=1)).max() <= 1e-12 * size
        assert np.allclose(problem.minimizer.sum(axis=1), 0.0, atol=1e-13)
    if rank:
        assert np.allclose(problem.minimizer, V @ (V.T @ problem.minimizer), atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_limit_of_small_ridges(kind):
    X, Y = data(kind, np.random.default_rng(1))
    problem, near = kind(X, Y, l2=0.0), kind(X, Y, l2=1e-9)
    # the minimizer moves by l2 ||W*|| / d
    assert np.allclose(problem.minimizer, near.minimizer, atol=1e-7)
    assert near.minimum > problem.minimum
    assert abs(near.minimum - problem.minimum) < 1e-7
    assert check_loss(problem).passed
    copy = pickle.loads(pickle.dumps(problem))
    assert copy.fingerprint == problem.fingerprint
    assert copy.minimizer_error == problem.minimizer_error
    assert "without a ridge" in problem.conditioning


@pytest.mark.parametrize("kind", KINDS)
def test_labels_that_a_linear_map_separates_are_refused(kind):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4))
    Z = X @ rng.standard_normal((4, 3))
    Y = (Z > 0).astype(int) if kind is LogisticLoss else Z.argmax(axis=1)
    with pytest.raises(ValueError, match=f"^l2: {EXPECTED} > 0.*not certified: the classes may be separable"):
        kind(X, Y, l2=0)
    assert kind(X, Y, l2=1e-3).mu == 1e-3


def test_one_separable_column_of_many_is_enough():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    Y = rng.integers(0, 2, (60, 2))
    assert LogisticLoss(X, Y, l2=0).minimizer_error < 1e-12
    Y[:, 1] = X[:, 0] > 0
    with pytest.raises(ValueError, match="not certified"):
        LogisticLoss(X, Y, l2=0)


def test_data_without_anything_to_learn_and_losses_that_need_a_ridge_are_refused():
    with pytest.raises(ValueError, match=f"^X: {EXPECTED} a nonzero matrix"):
        LogisticLoss(np.zeros((4, 2)), [0, 1, 1, 0], l2=0)
    with pytest.raises(ValueError, match=f"^l2: {EXPECTED}"):
        PseudoHuberLoss(np.ones((4, 2)), np.ones((4, 1)), delta=1.0, l2=0)
    for bad in (-1.0, np.nan, None):
        with pytest.raises((TypeError, ValueError), match=f"^l2: {EXPECTED}"):
            SoftmaxLoss(np.ones((4, 2)), [0, 1, 1, 0], l2=bad)


def test_more_weights_than_an_eigenvalue_is_computed_for_are_refused_for_that(monkeypatch):
    X, Y = data(LogisticLoss, np.random.default_rng(0))
    monkeypatch.setattr("lplfast.losses.classification.LARGEST", 3)
    with pytest.raises(ValueError, match="eigenvalue problem of more than 3 rows"):
        LogisticLoss(X, Y, l2=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_curvature_at_the_minimizer_is_a_lower_bound_and_close(kind):
    rng = np.random.default_rng(5)
    X, Y = data(kind, rng, N=30, n=3)
    for l2 in (0.0, 1e-3):
        problem = kind(X, Y, l2=l2)
        P = problem._probabilities(X @ problem.minimizer)
        m = problem.shape[1]
        with mpmath.workdps(40):
            H = mpmath.zeros(3 * m)
            for x, p in zip(X, P, strict=True):
                p = [mpmath.mpf(float(q)) for q in p]
                for j in range(m):
                    for k in range(m):
                        c = p[j] * (1 - p[j]) if j == k else (0 if kind is LogisticLoss else -p[j] * p[k])
                        for a in range(3):
                            for b in range(3):
                                H[3 * j + a, 3 * k + b] += c * mpmath.mpf(float(x[a])) * mpmath.mpf(float(x[b]))
            values = sorted(mpmath.eigsy(H, eigvals_only=True))
        # of a softmax three are 0, for constant rows
        least = values[0 if kind is LogisticLoss else 3]
        assert least * (1 - 1e-9) <= problem.curvature_at_minimizer <= least


def test_the_distance_to_a_minimizer_is_that_of_the_loss_that_falls_slowest():
    # far out log(1 + exp(z)) is exp(z) nearly: exp(z) - (1 - k) z has curvature 1 and gradient k at 0, minimum at
    # log(1 - k), which is both bounds, met
    for kappa in (1e-12, 1e-6, 0.009, 0.011, 0.5, 0.999):
        with mpmath.workdps(40):
            k = mpmath.mpf(kappa)
            distance, above = -mpmath.log(1 - k), k + (1 - k) * mpmath.log(1 - k)
            found = near_minimizer(kappa, 1.0, 1.0)
            # kappa is raised by 1e-13 of itself
            assert distance <= found[0] <= distance * (1 + 1e-12 / (1 - kappa))
            assert above <= found[1] <= above * 1.01
    # in other units: a curvature of 4 that changes by 2 a unit of length
    assert near_minimizer(0.2, 4.0, 2.0)[0] == pytest.approx(-np.log1p(-0.1) / 2)
    assert near_minimizer(1.0, 0.0, 1.0) == (np.inf, np.inf)


@pytest.mark.parametrize("l2", [0.0, 1e-6, 1.0])
@pytest.mark.parametrize("gap", [1e-30, 1e-3, 1.0, 1e6])
def test_how_far_a_gap_reaches(l2, gap):
    for d, R in ((1.0, 1.0), (1e-6, 10.0), (100.0, 1e-3)):
        with mpmath.workdps(60):
            def grown(y, d=d, R=R):
                return d * (mpmath.exp(-R * y) + R * y - 1) / mpmath.mpf(R) ** 2 + l2 * y**2 / 2

            y = mpmath.mpf(reach(gap, d, R, l2))
            assert grown(y) >= gap >= grown(y * (1 - mpmath.mpf(10) ** -8))


def test_reaches_of_nothing_and_without_curvature():
    assert reach(0.0, 1.0, 1.0, 0.0) == 0.0
    assert reach(1.0, 0.0, 1.0, 0.0) == np.inf
    assert reach(np.inf, 1.0, 1.0, 0.0) == np.inf
    assert reach(1.0, 0.0, 1.0, 2.0) == pytest.approx(1.0)
    assert strong_part(1.0, 0.0, np.inf) == 0.0 == strong_part(0.0, 0.0, 1.0)


@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_how_well_a_minimizer_is_known_does_not_depend_on_units(kind):
    X = np.array([[1.0], [1.0], [1.3]])
    problem = kind(X, [0, 1, 0], l2=0.0)
    for unit in (1e100, 1e-100, 1e-150, 1e-154):
        scaled = kind(unit * X, [0, 1, 0], l2=0.0)
        assert scaled.minimizer_error * unit == pytest.approx(problem.minimizer_error, rel=0.2, abs=0.0)
        assert abs(scaled.minimizer * unit - problem.minimizer).max() < 2 * problem.minimizer_error


def test_bounds_on_rounding_that_leave_float64_are_a_refusal_and_no_warning():
    rng = np.random.default_rng(0)
    X, offset = 1e120 * rng.standard_normal((20, 3)), rng.standard_normal((3, 2))
    with pytest.raises(ValueError, match="l2: expected > 0 for these labels, got 0"):
        SoftmaxLoss(X, np.arange(20) % 2, l2=0.0, offset=offset)
