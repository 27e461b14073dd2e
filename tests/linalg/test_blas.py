"""Products and Cholesky factors (blas.pxd) against exact arithmetic, around every switch of their code."""

import numpy as np
import pytest
from units import close, exact_sum

U = 2.0**-53

# fused, in loops up to 1000 multiplications, beyond by BLAS, but from a million on fused again on some processors;
# lanes of 8, the last of which may overlap
SHAPES = [(1, 1, 1), (2, 7, 3), (3, 8, 9), (5, 9, 17), (9, 9, 3), (9, 3, 8), (10, 10, 10), (2, 70, 11),
          (23, 30, 24), (24, 30, 23), (50, 52, 51), (52, 300, 40), (80, 81, 82), (99, 103, 101),
          (128, 250, 130), (200, 150, 160)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["nt", "nn", "tn"])
def test_products(probe, kind, shape):
    n, k, m = shape
    rng = np.random.default_rng(shape)
    A, B, start = rng.standard_normal((n, k)), rng.standard_normal((k, m)), rng.standard_normal((n, m))
    ours = np.ascontiguousarray(A.T if kind == "tn" else A), np.ascontiguousarray(B.T if kind == "nt" else B)
    # gamma_k of the absolute values, whatever the order
    allowed = (k + 2) * U * (abs(A) @ abs(B))
    assert (abs(probe.product(kind, *ours) - A @ B) <= 2 * allowed).all()
    if kind != "nn":
        assert (abs(probe.product(kind, *ours, start) - (start + A @ B)) <= 2 * allowed + 3 * U * abs(start)).all()


@pytest.mark.parametrize("p", [1, 2, 7, 8, 9, 16, 23, 24, 25, 40])
def test_symmetric_matrices(probe, p):
    rng = np.random.default_rng(p)
    A, x = rng.standard_normal((p, p + 9)), rng.standard_normal(p)
    M = A @ A.T
    M = (M + M.T) / 2
    allowed = 2 * (p + 11) * U * (abs(A) @ abs(A).T)
    assert (abs(probe.gram(A) - A @ A.T) <= allowed).all()
    assert (abs(probe.gram(np.ascontiguousarray(A.T), True) - A @ A.T) <= allowed).all()
    assert (abs(probe.symmetric_times(M, x) - M @ x) <= 2 * (p + 2) * U * (abs(M) @ abs(x))).all()
    L = probe.cholesky(M)
    assert np.array_equal(L, np.tril(L))
    assert (L.diagonal() > 0).all()
    # (p + 3) u of |L||L.T|, and twice p u for the product here
    assert (abs(L @ L.T - M) <= (3 * p + 6) * U * (abs(L) @ abs(L).T)).all()
    # the backward error of the solve: gamma_(3p + 1) |L||L.T||x|
    y = probe.cholesky_solve(M, x)
    assert (abs(M @ y - x) <= (5 * p + 6) * U * (abs(L) @ abs(L).T) @ abs(y)).all()
    M[-1, -1] = -1.0
    assert probe.cholesky(M) is None


@pytest.mark.parametrize("size", [1, 3, 4, 5, 23, 24, 100])
def test_dot(probe, size):
    x, y = np.random.default_rng(size).standard_normal((2, size))
    exact, absolute = exact_sum(x, y)
    assert close(probe.dot(x, y), exact, size + 1, absolute)
