"""Networks without what the data do not see: what `project` leaves out, and that it stays out."""

import numpy as np
import pytest
from cases import EXPECTED, labels

from lplfast import (
    CustomLoss,
    LogisticLoss,
    MatrixFactorization,
    Network,
    PseudoHuberLoss,
    SoftmaxLoss,
    SquaredLoss,
    train,
)

N, n, m, RANK = 30, 5, 3, 3


def data(rng, rank):
    return rng.standard_normal((N, rank)) @ rng.standard_normal((rank, n)) if rank < n else rng.standard_normal((N, n))


def made(kind, rng, rank, **options):
    X = data(rng, rank)
    if kind is SquaredLoss:
        return X, kind(X, rng.standard_normal((N, m)), **options)
    if kind is PseudoHuberLoss:
        return X, kind(X, rng.standard_normal((N, m)), delta=0.5, **options)
    return X, kind(X, labels(rng, kind, N, m), **options)


@pytest.mark.parametrize("kind", [SquaredLoss, SoftmaxLoss, LogisticLoss, PseudoHuberLoss])
@pytest.mark.parametrize("rank", [RANK, n])
@pytest.mark.parametrize("h", [4, 60])
def test_it_is_the_nearest_and_stays_so(kind, rank, h):
    rng = np.random.default_rng(0)
    X, problem = made(kind, rng, rank, l2=0.01)
    network = Network.gaussian(n, h, m, std=h**-0.25, rng=1)
    found = problem.project(network)
    V = np.linalg.svd(X)[2][:rank].T
    W1 = V @ (V.T @ network.W1)
    W2 = network.W2 - network.W2.mean(axis=1, keepdims=True) * (kind is SoftmaxLoss)
    size = np.linalg.norm(network.W1) + np.linalg.norm(network.W2)
    # two orthogonal bases, and compression: some u of the layers
    assert np.allclose(found.W1, W1, rtol=0.0, atol=1e-14 * size)
    assert np.allclose(found.W2, W2, rtol=0.0, atol=1e-14 * size)
    if rank == n and kind is not SoftmaxLoss:
        assert found is network
    run = train(problem, found, "majorizer", max_iter=300, tol=0.0)
    assert run.violations == 0
    W1, W2 = run.network.W1, run.network.W2
    # each step rounds by some u of the layers
    assert np.linalg.norm(W1 - V @ (V.T @ W1)) <= 1e-13 * size
    if kind is SoftmaxLoss:
        assert abs(W2.sum(axis=1)).max() <= 1e-13 * size


def test_what_the_ridge_alone_sees_is_what_makes_a_softmax_slow():
    rng = np.random.default_rng(2)
    problem = SoftmaxLoss(rng.standard_normal((200, n)), rng.integers(0, m, 200), l2=1e-4)
    network = Network.gaussian(n, 60, m, std=60**-0.25, rng=1)
    as_it_is, projected = (train(problem, start, "majorizer", max_iter=300, tol=1e-8)
                           for start in (network, problem.project(network)))
    assert as_it_is.status == "max_iter"
    assert projected.converged
    assert projected.history["gap_bound"][-1] < projected.history["gap"][0] / 10


def test_of_a_loss_without_data_it_is_the_network():
    network = Network.gaussian(2, 3, 2, rng=0)
    function = CustomLoss(lambda W: ((W**2).sum() / 2, W), shape=(2, 2), mu=1.0, K=1.0, minimum=0.0)
    for problem in (MatrixFactorization(np.eye(2)), function):
        assert problem.project(network) is network


def test_without_a_ridge_nothing_else_is_lost():
    rng = np.random.default_rng(0)
    _, problem = made(SquaredLoss, rng, RANK)
    network = Network.gaussian(n, 40, m, rng=1)
    assert np.isclose(problem.gap(problem.project(network).product), problem.gap(network.product), rtol=1e-12)


def test_a_frozen_matrix_that_the_ridge_pulls_on_is_refused():
    rng = np.random.default_rng(0)
    network = Network.gaussian(n, 6, m, rng=0)
    offset = rng.standard_normal((n, m))
    for kind, rank in ((SoftmaxLoss, n), (LogisticLoss, RANK), (SquaredLoss, RANK)):
        with pytest.raises(ValueError, match=f"^offset: {EXPECTED}"):
            made(kind, rng, rank, l2=0.1, offset=offset)[1].project(network)
    _, problem = made(SoftmaxLoss, rng, n, l2=0.1, offset=offset - offset.mean(axis=1, keepdims=True))
    assert abs(problem.project(network).W2.sum(axis=1)).max() < 1e-14


@pytest.mark.parametrize("bad", [None, "network", np.ones((5, 3))])
def test_what_is_no_network_is_refused(bad):
    problem = made(SoftmaxLoss, np.random.default_rng(0), n, l2=0.1)[1]
    with pytest.raises(TypeError, match=f"^network: {EXPECTED}"):
        problem.project(bad)
    with pytest.raises(ValueError, match=f"^network: {EXPECTED}"):
        problem.project(Network.gaussian(4, 3, 3, rng=0))
