"""Singular value decompositions: accurate column by column, the same bits on any number of threads, little memory."""

import tracemalloc

import mpmath
import numpy as np
import pytest
from precise import exactly, norm
from threadpoolctl import threadpool_limits

from lplfast import MatrixFactorization, Network, SquaredLoss
from lplfast.linalg.factorization import factorize, rank_and_null

U = 2.0**-53


def test_columns_keep_their_accuracy_in_every_factorization():
    rng = np.random.default_rng(0)
    for shape in [(6, 6), (9, 5), (5, 9)]:
        A = rng.standard_normal(shape) * 10.0 ** np.linspace(-18, 18, shape[1])
        found = factorize(A)
        rebuilt = (exactly(found.U) * exactly(np.diag(found.s))) * exactly(found.V).T
        with mpmath.workdps(60):
            off = rebuilt - exactly(A)
            for j in range(shape[1]):
                assert norm(off[:, j]) <= 50 * U * norm(exactly(A)[:, j])
        product = Network.balanced(A, 30).product
        assert (abs(product - A).max(axis=0) <= 100 * U * abs(A).max(axis=0)).all()
        V = np.hstack([found.V, found.null])
        assert np.allclose(V.T @ V, np.eye(shape[1]), rtol=0, atol=50 * U)
        assert np.allclose(found.U.T @ found.U, np.eye(found.rank), rtol=0, atol=50 * U)
    assert MatrixFactorization(A).kernel.target_summary[2] == min(shape)


@pytest.mark.parametrize("exponent", [70, 75, 80, 90])
def test_vectors_whose_squares_underflow_are_right_or_refused(exponent):
    # an entry of V is a / b
    a, b = 10.0 ** -exponent, 10.0 ** exponent
    X = np.array([[a, 0.0], [a, b]])
    if exponent > 75:
        for decomposed in (lambda: SquaredLoss(X, [[1.0], [2.0]]), lambda: Network.balanced(X, 2)):
            with pytest.raises(ValueError, match="X: expected rows and columns nearer to each other in size, got"):
                decomposed()
        return
    assert abs(SquaredLoss(X, [[1.0], [2.0]]).value([[3.0 / a], [1.0 / b]]) - 4.0) <= 1e-14
    assert abs(Network.balanced(X, 2).product[1, 0] - a) <= 1e-14 * a


def test_where_no_vector_is_that_small_sizes_do_not_matter():
    assert np.allclose(factorize(np.diag([1.0, 1e-300])).s, [1.0, 1e-300], rtol=1e-15, atol=0.0)


def test_factorization_of_nothing():
    found = factorize(np.zeros((3, 2)))
    assert (found.rank, found.s.size, found.V.shape, found.null.shape) == (0, 0, (2, 0), (2, 2))
    assert Network.balanced(np.zeros((3, 2)), 4).product.tolist() == [[0, 0]] * 3


def test_rank_and_null_space_are_had_without_singular_values():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 4))
    huge = np.c_[X, X[:, :1]]
    huge[0] *= 1e9
    for A in (X, X.T, np.c_[X, X[:, :2]], np.c_[X, np.zeros(6)] * 10.0 ** np.arange(5), huge, np.zeros((2, 3))):
        rank, null = rank_and_null(A)
        found = factorize(A)
        assert rank == found.rank
        assert np.array_equal(null, found.null)


def test_coefficients_are_not_mistaken_for_noise():
    """Of a column that is a sum of two nearly equal ones, in whatever units."""
    rng = np.random.default_rng(0)
    a, r = rng.standard_normal((2, 12))
    b = a + 1e-14 * r
    X = np.column_stack([a, b, 0.4 * a + 0.6 * b])
    found = factorize(X)
    assert found.rank == 2
    assert np.allclose(found.U * found.s @ found.V.T, X, rtol=0, atol=100 * U * abs(X).max())
    # a column 1e18 times smaller, nearly equal to the others: coefficients too large for I + C C.T
    b = a + 1e-6 * r
    X = np.column_stack([a, 1e-18 * b, 0.4 * a + 0.6 * b, 1e-18 * (a + 1e-6 * rng.standard_normal(12))])
    X[:, 2] = 0.4 * X[:, 0] + 0.6 * X[:, 1]
    found = factorize(X)
    off = abs(found.U * found.s @ found.V.T - X).max(axis=0)
    assert (off[[0, 2]] <= 100 * U * abs(X[:, [0, 2]]).max(axis=0)).all()
    assert np.allclose(found.V.T @ found.null, 0.0, rtol=0, atol=100 * U)


def test_wide_data_need_no_basis_of_what_they_do_not_see():
    X = np.random.default_rng(0).standard_normal((20, 2000))
    tracemalloc.start()
    problem = SquaredLoss(X, np.ones(20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problem.rank == 20
    assert peak < 50 * X.nbytes < 8 * 2000**2


def test_a_factorization_has_the_same_bits_with_more_threads():
    Y = np.random.default_rng(0).standard_normal((300, 200))
    with threadpool_limits(1):
        first = MatrixFactorization(Y).fingerprint
    with threadpool_limits(2):
        assert MatrixFactorization(Y).fingerprint == first
