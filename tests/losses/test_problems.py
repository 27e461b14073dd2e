"""Problems: constants, minima and frames of the squared loss, whatever the data."""

import numpy as np
import pytest
from cases import PROBLEMS, QUADRATIC
from scipy.optimize import minimize

from lplfast import Local, LogisticLoss, MatrixFactorization, Problem, SquaredLoss
from lplfast.descent.descent import Descent
from lplfast.spectral.exact import Exact


@pytest.mark.parametrize("name", PROBLEMS)
def test_minimum_is_that_of_a_solver(name):
    problem, twin = PROBLEMS[name](np.random.default_rng(0), 4, 3)
    found = minimize(lambda w: twin.value(w.reshape(4, 3)), np.zeros(12),
                     jac=lambda w: twin.gradient(w.reshape(4, 3)).ravel(), method="BFGS", options={"gtol": 1e-10})
    assert np.isclose(problem.minimum, found.fun, rtol=1e-10, atol=1e-12)
    assert np.isclose(problem.value(problem.minimizer), problem.minimum, rtol=1e-13, atol=1e-13)
    assert problem.gap(problem.minimizer) < 1e-25


@pytest.mark.parametrize("name", QUADRATIC)
def test_constants_are_the_extreme_curvatures(name):
    problem, _ = PROBLEMS[name](np.random.default_rng(0), 4, 3)
    basis = np.eye(4) if problem.basis is None else problem.basis
    # of a quadratic, gradient differences are the Hessian itself; column by column of one output
    hessian = np.column_stack([(problem.gradient(np.outer(v, [1, 0, 0])) - problem.gradient(np.zeros((4, 3))))[:, 0]
                               for v in basis.T])
    curvatures = np.linalg.eigvalsh(basis.T @ hessian)
    assert np.isclose(problem.K, curvatures[-1], rtol=1e-12)
    assert np.isclose(problem.mu, curvatures[0], rtol=1e-10)


@pytest.mark.parametrize(("rows", "columns", "rank"), [(30, 5, 5), (5, 5, 5), (3, 5, 3), (1, 4, 1), (6, 1, 1)])
def test_rank_and_condition_number(rows, columns, rank):
    X = np.random.default_rng(0).standard_normal((rows, columns))
    problem = SquaredLoss(X, np.ones(rows))
    assert problem.rank == rank
    s = np.linalg.svd(X, compute_uv=False)
    assert np.isclose(problem.condition_number, s[0] / s[rank - 1])
    assert ("left out" in problem.conditioning) == (rank < columns)
    ridge = SquaredLoss(X, np.ones(rows), l2=0.5)
    assert np.isclose(ridge.mu, 0.5 + (s[-1] ** 2 if rank == columns else 0.0))
    assert "left out" not in ridge.conditioning


def test_bad_conditioning_comes_with_its_remedy():
    X = np.diag([1.0, 1e-4])
    said = SquaredLoss(X, np.ones(2)).conditioning
    assert "condition number 1e+04" in said
    assert "standardize" in said
    assert "l2=" in said
    assert "standardize" not in SquaredLoss(np.eye(2), np.ones(2)).conditioning
    # a square of the condition number that leaves float64
    for far in (SquaredLoss, LogisticLoss):
        assert "condition number 1e+170; " in far([[1.0, 0.0], [0.0, 1e-170]], [0, 1], l2=1e-8).conditioning


def test_a_vector_is_one_column():
    X, y = np.random.default_rng(0).standard_normal((6, 3)), np.arange(6.0)
    one, other = SquaredLoss(X, y), SquaredLoss(X, y[:, np.newaxis])
    assert one.shape == (3, 1)
    assert np.array_equal(one.minimizer, other.minimizer)


def test_offset_shifts_the_argument():
    rng = np.random.default_rng(0)
    X, Y, W, frozen = (rng.standard_normal(shape) for shape in ((6, 3), (6, 2), (3, 2), (3, 2)))
    for options in ({}, {"l2": 0.3, "reduction": "mean"}):
        shifted, plain = SquaredLoss(X, Y, offset=frozen, **options), SquaredLoss(X, Y, **options)
        assert np.isclose(shifted.value(W), plain.value(W + frozen), rtol=1e-13)
        assert np.allclose(shifted.gradient(W), plain.gradient(W + frozen), rtol=1e-12)
    assert np.isclose(MatrixFactorization(W, offset=frozen).value(W), (frozen**2).sum() / 2)


def test_the_same_function_in_another_basis_is_another_problem():
    kernel = SquaredLoss([[1.0]], [[2.0]]).kernel
    first, second, again = (Problem(kernel, rows=2, basis=np.array(basis)) for basis in (
        [[1.0], [0.0]], [[0.0], [1.0]], [[1.0], [0.0]]))
    assert first.value([[2.0], [0.0]]) != second.value([[2.0], [0.0]])
    assert first.fingerprint != second.fingerprint
    assert first.fingerprint == again.fingerprint


@pytest.mark.parametrize("rows", [2, 6])
def test_a_stack_goes_to_the_loop_and_back_as_a_whole(rows):
    rng = np.random.default_rng(0)
    problem = SquaredLoss(rng.standard_normal((rows, 4)), rng.standard_normal((rows, 3)))
    stack = rng.standard_normal((4 + 3, 5))
    inside = problem.to_kernel(stack)
    assert inside.shape == (min(rows, 4) + 3, 5)
    assert np.array_equal(inside[-3:], stack[-3:])
    assert np.allclose(inside[:-3], problem.basis.T @ stack[:4], rtol=0.0, atol=1e-15)
    # the basis is orthonormal to a few u, and entries are of size 1
    assert np.allclose(problem.from_kernel(inside, stack[:4]), stack, rtol=0.0, atol=1e-14)
    descent = Descent(problem.kernel, Local(), Exact(), inside)
    assert np.array_equal(descent.stack, inside)
    assert np.array_equal(np.concatenate([descent.W1, descent.W2.T]), inside)


@pytest.mark.parametrize("shape", [(6, 5), (8, 5), (7, 0)])
def test_the_loop_refuses_a_stack_of_another_shape(shape):
    kernel = SquaredLoss(np.eye(4), np.ones((4, 3))).kernel
    with pytest.raises(ValueError, match=r"stack: expected a shape \(4 \+ 3, k\)"):
        Descent(kernel, Local(), Exact(), np.ones(shape))


def test_gradient_against_differences():
    rng = np.random.default_rng(2)
    for make in QUADRATIC.values():
        problem, twin = make(rng, 5, 3)
        W, direction = rng.standard_normal((2, 5, 3))
        # a quadratic: central differences are exact but for rounding, about u l / step
        measured = (problem.value(W + direction) - problem.value(W - direction)) / 2
        assert np.isclose(np.vdot(problem.gradient(W), direction), measured, rtol=1e-11)
        assert np.allclose(problem.gradient(W), twin.gradient(W), rtol=1e-10, atol=1e-11)
        assert np.isclose(problem.value(W), twin.value(W), rtol=1e-12)
        assert np.allclose(problem.gradient(problem.minimizer), 0, atol=1e-11)
