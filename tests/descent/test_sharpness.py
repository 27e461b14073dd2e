"""The greatest eigenvalue of the Hessian of L, against dense Hessians, and by Lanczos where they are large."""

import numpy as np
import pytest
import scipy.sparse.linalg
from cases import CONVEX, NETWORKS, PROBLEMS, QUADRATIC

from lplfast import MatrixFactorization, Network, SquaredLoss, train

STEPS = (0, 1, 5, 25)


def hessian_product(problem, network):
    """Return the map from a direction in both layers to the Hessian of L times it."""
    W1, W2 = network.W1, network.W2
    W, (n, h) = W1 @ W2, W1.shape
    G = problem.gradient(W)
    # the second derivative of l along V: exact for a quadratic, to some 1e-9 by central differences for others
    step = 1.0 if problem.kernel.quadratic else 1e-5

    def product(direction):
        U1, U2 = direction[:n * h].reshape(n, h), direction[n * h:].reshape(h, -1)
        V = U1 @ W2 + W1 @ U2
        size = step / max(np.linalg.norm(V), 1e-300)
        curved = (problem.gradient(W + size * V) - problem.gradient(W - size * V)) / (2 * size)
        return np.concatenate([(curved @ W2.T + G @ U2.T).ravel(), (W1.T @ curved + U1.T @ G).ravel()])

    return product, W1.size + W2.size


def sharpness(problem, network):
    """Return the greatest eigenvalue of the dense Hessian."""
    product, size = hessian_product(problem, network)
    return np.linalg.eigvalsh(np.array([product(row) for row in np.eye(size)]))[-1]


@pytest.mark.parametrize("constants", ["certified", "exact"])
@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_dense_hessians_are_bracketed(name, constants):
    rng = np.random.default_rng(7)
    tight = []
    for kind in ("gaussian", "rank-one", "one-zero"):
        for n, h, m in ((3, 2, 2), (2, 7, 3)):
            problem, _ = PROBLEMS[name](rng, n, m)
            network = NETWORKS[kind](rng, n, h, m)
            for steps in STEPS:
                run = train(problem, network, "sharp", max_iter=steps, tol=0.0, constants=constants)
                low, high = run.history["sharpness_lo"][-1], run.history["sharpness_hi"][-1]
                found = sharpness(problem, run.network)
                # the dense Hessian's own rounding; central differences
                off = 1e-13 if name in QUADRATIC else 1e-7
                off *= abs(found) + problem.K * run.history["sigma_max_sq"][-1]
                assert found <= high + off
                if name in CONVEX:
                    assert np.isnan(low)
                else:
                    assert low <= found + off
                    tight.append((found - low) / (high - low))
    if name in QUADRATIC:
        # the bracket is one of G on either side: it is met nearly, above more often than below
        assert min(tight) < 0.75
        assert max(tight) > 0.75


def test_the_bracket_is_met_by_scalars():
    # Hess L = [[w2^2, w1 w2 + G], [w1 w2 + G, w1^2]]: where w1 = w2 the top eigenvector is that of the kernel
    run = train(MatrixFactorization([[0.5]]), Network([[2.0]], [[2.0]]), 1e-9, max_iter=1)
    assert run.history["sharpness_hi"][0] == pytest.approx(8 + 3.5, rel=1e-12)
    run = train(MatrixFactorization([[9.0]]), Network([[2.0]], [[2.0]]), 1e-9, max_iter=1, constants="exact")
    assert run.history["sharpness_lo"][0] == pytest.approx(8 - 5, rel=1e-12)


@pytest.mark.parametrize("constants", ["certified", "exact"])
def test_larger_hessians_by_lanczos(constants):
    rng = np.random.default_rng(0)
    n, h, m = 20, 30, 20
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    X = (U * np.linspace(1, 0.3, n)) @ V.T
    problem = SquaredLoss(X, X @ rng.standard_normal((n, m)) / np.sqrt(n))
    for std in (0.01, h**-0.25):
        network = Network.gaussian(n, h, m, std=std, rng=rng)
        for steps in (0, 30, 300):
            run = train(problem, network, "local", max_iter=steps, tol=0.0, constants=constants)
            product, size = hessian_product(problem, run.network)
            found = scipy.sparse.linalg.eigsh(
                scipy.sparse.linalg.LinearOperator((size, size), matvec=product, dtype=float), k=1, which="LA",
                tol=1e-8, v0=np.ones(size), return_eigenvectors=False)[0]
            low, high = run.history["sharpness_lo"][-1], run.history["sharpness_hi"][-1]
            assert low <= found * (1 + 1e-8)
            # Lanczos's value is from below, to its tolerance
            assert found <= high * (1 + 1e-12)
    # near the minimum the brackets' own widths are left, for certified constants a few percent
    assert high - low <= 0.1 * high
