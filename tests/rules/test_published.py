"""The step sizes of earlier papers are the formulas printed there."""

import numpy as np
import pytest
from cases import start

from lplfast import Arora2018, Du2018, Network, SquaredLoss, Xu2023, initial_bounds, local_constants, train


def test_the_printed_formulas_of_earlier_papers():
    Y, problem, network = start()
    E = np.linalg.norm(Y - network.product)
    s, norm = np.linalg.svd(Y, compute_uv=False), np.linalg.norm(Y)
    run = train(problem, network, Arora2018(), max_iter=3, tol=0.0)
    assert np.allclose(run.history["step_size"][:-1], (s[-1] - E) ** 3 / (6144 * 8 * norm**4), rtol=1e-11)
    for eps in (None, 0.3):
        run = train(problem, network, Du2018(eps=eps), max_iter=4, tol=0.0)
        expected = np.sqrt((norm / 2 if eps is None else eps) / 4) / (100 * np.arange(1, 5) * norm**1.5)
        assert np.allclose(run.history["step_size"][:-1], expected, rtol=1e-12)


@pytest.mark.parametrize("size", [(4, 4), (10, 3), (3000, 60)])
def test_columns_that_are_orthonormal_to_rounding_are_that(size):
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.standard_normal(size))
    target = np.linalg.qr(rng.standard_normal((size[1], size[1])))[0]
    run = train(SquaredLoss(Q, Q @ target), Network.balanced(0.99 * target, 2 * size[1]), "arora", max_iter=2, tol=0.0)
    p1, norm = 1.0 - 0.01 * np.sqrt(size[1]), np.sqrt(size[1])
    assert np.allclose(run.history["step_size"][:-1], p1**3 / (6144 * 8 * norm**4), rtol=1e-9)


@pytest.mark.parametrize("bound", ["rho", "rho-hat", "f", "f0"])
def test_xu2023_minimises_its_polynomial_below_eta_max(bound):
    _, problem, network = start()
    c1, c2 = 0.4, 1.7
    run = train(problem, network, Xu2023(bound, c1=c1, c2=c2), max_iter=2, tol=0.0)
    first, at = initial_bounds(problem, network, margins="xu2023"), local_constants(problem, network)
    g = np.sqrt(2 * at.gap)

    def polynomial(low, high, p, g):    # mu = K = 1
        return np.array([1, -2 * low, high**2 + 2 * p * g, 2 * high * p * g, p**2 * g**2])

    f = polynomial(c1 * first.alpha, c2 * first.beta, first.p2, g)
    chosen = {"rho": polynomial(at.sigma_min_sq, at.sigma_max_sq, at.sigma_max_W, at.G_norm),
              "rho-hat": polynomial(first.alpha, first.beta, first.p2, g)}.get(bound, f)
    eta = np.linspace(0, 1, 2_000_001)[1:]
    longest = [eta[np.polyval([f[4], f[3], f[2] + more, f[1]], eta) >= 0][0] for more in (
        4 * c2 * at.gap / (c2 - 1), 8 * c2 * first.beta * at.gap / ((1 - c1) * first.alpha))]
    best = eta[np.argmin(np.polyval(chosen[::-1], eta))]
    # to the grid
    assert abs(run.history["step_size"][0] - min(best, *longest)) <= 1e-6
    if bound == "f0":
        assert run.history["step_size"][1] == run.history["step_size"][0]
