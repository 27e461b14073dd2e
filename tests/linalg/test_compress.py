"""The kernels of compression are a thin QR decomposition."""

import numpy as np
import pytest

from lplfast.linalg.compress import columns_per_piece, extend_factor, orthonormal_rows, triangular_factor


@pytest.mark.usefixtures("one_blas_thread")
@pytest.mark.parametrize("shape", [(1, 2), (2, 5000), (7, 1024), (7, 1025), (40, 1000), (40, 3000), (300, 1201),
                                   (300, 2000)], ids=str)
@pytest.mark.parametrize("scale", [1.0, 2.0**-500])
def test_the_kernels_are_a_thin_qr_decomposition(shape, scale):
    # around every switch: blocks of 1024 rows, or of four times the columns; panels of 8
    k, h = shape
    stack = np.random.default_rng(k).standard_normal((k, h))
    if k > 2:
        stack[1] = stack[0]     # of deficient rank
    R, Q = triangular_factor(stack / scale, scale).T, orthonormal_rows(stack / scale, scale)
    twin = np.linalg.qr(stack.T, "r")
    assert np.array_equal(R, np.triu(R))
    assert not np.signbit(np.diag(R)).any()
    # both are those of a stack that is off by some u in each column, so they agree as far as it determines R
    assert np.allclose(R.T @ R, twin.T @ twin, rtol=0, atol=1e-15 * h * k)
    assert np.allclose(np.linalg.norm(R, axis=0), np.linalg.norm(stack, axis=1), rtol=1e-13)
    assert np.allclose(Q @ Q.T, np.eye(k), rtol=0, atol=1e-15 * h)
    assert np.allclose(R.T @ Q, stack, rtol=0, atol=1e-15 * h)
    assert np.array_equal(orthonormal_rows(stack / scale, scale), Q)
    unaligned = np.empty(stack.size + 1)[1:].reshape(stack.shape)
    unaligned[:] = stack / scale
    assert np.array_equal(orthonormal_rows(unaligned, scale), Q)


def layers(kind, rng):
    """A stack (12, 5000) that compression may find hard."""
    stack = rng.standard_normal((12, 5000))
    if kind == "condition 1e12":
        U, _, Vt = np.linalg.svd(stack, full_matrices=False)
        return (U * np.logspace(0, -12, 12)) @ Vt
    if kind == "rank 5":
        return stack[:, :5] @ rng.standard_normal((5, 5000))
    if kind == "duplicated":
        stack[[3, 7, 8]] = stack[0]
    elif kind == "zero":
        stack[[0, 5, 11]] = 0.0
    elif kind == "scales":
        stack[:6] *= 1e-100
        stack[6:] *= 1e100
    elif kind == "nearly dependent":
        stack[3] = stack[0] + 0.2 * stack[3]    # of condition 14: about where reflectors begin
    elif kind == "scales apart":
        stack *= np.logspace(-100, 100, 12)[:, np.newaxis]
    elif kind == "dependent first":
        stack[7, :2000] = 0.0
    elif kind == "dependent in between":
        stack[3, 1024:2048] = 1e9 * stack[0, 1024:2048]
        stack[0, 1024:2048] *= 1e9
    elif kind == "one unit":
        stack[:, 1:] = 0.0
    return stack


@pytest.mark.usefixtures("one_blas_thread")
@pytest.mark.parametrize("kind", ["independent", "condition 1e12", "rank 5", "duplicated", "zero", "scales",
                                  "scales apart", "nearly dependent", "dependent first", "dependent in between",
                                  "one unit"])
def test_every_column_is_right_relative_to_itself(kind):
    stack = layers(kind, np.random.default_rng(0))
    R, Q = triangular_factor(stack, 1.0).T.astype(np.longdouble), orthonormal_rows(stack, 1.0).astype(np.longdouble)
    # 5 k (b + 2k + 8) (1 + h/b) u of docs/theory.md, section 5: 5 blocks of 1024 columns
    bound = 5 * 12 * (1024 + 24 + 8) * 6 * 2.0**-53
    lengths = np.linalg.norm(stack, axis=1)
    assert (np.sqrt(((R.T @ Q - stack) ** 2).sum(axis=1)) <= bound * lengths).all()
    assert (abs(np.sqrt((R**2).sum(axis=0)) - lengths) <= bound * lengths).all()
    assert np.linalg.norm((Q @ Q.T - np.eye(12)).astype(float)) <= np.sqrt(12) * bound
    # errors have either sign, and are far from adding up
    assert (np.sqrt(((R.T @ Q - stack) ** 2).sum(axis=1)) <= 1e-14 * lengths).all()


@pytest.mark.usefixtures("one_blas_thread")
@pytest.mark.parametrize("k", [3, 40, 300])
def test_pieces_have_the_bits_of_the_whole(k):
    piece = columns_per_piece(k)
    stack = np.random.default_rng(0).standard_normal((k, 2 * piece + 77))
    factor = triangular_factor(stack[:, :piece], 0.5)
    for at in (piece, 2 * piece):
        factor = extend_factor(factor, stack[:, at:at + piece], 0.5)
    assert np.array_equal(factor, triangular_factor(stack, 0.5))


@pytest.mark.usefixtures("one_blas_thread")
@pytest.mark.parametrize("shape", [(1, 2), (2, 5000), (7, 1025), (40, 1000), (40, 3000), (300, 3001)], ids=str)
def test_gram_matrices_and_reflectors_find_the_same(shape):
    # of a scaled stack, all blocks have reflectors; R and Q depend on the stack by its condition, here below 3
    stack = np.random.default_rng(0).standard_normal(shape)
    R, reflected = triangular_factor(stack, 1.0), triangular_factor(stack, 2.0) / 2
    lengths = np.linalg.norm(stack, axis=1)[:, np.newaxis]
    assert (abs(R - reflected) <= 1e-13 * lengths).all()
    assert np.allclose(orthonormal_rows(stack, 1.0), orthonormal_rows(stack, 2.0), rtol=0, atol=1e-13)
    if shape[0] > 1:
        # and they are not the same bits: the Gram matrix was taken
        assert not np.array_equal(R, reflected)


@pytest.mark.usefixtures("one_blas_thread")
@pytest.mark.parametrize("least", [0.05, 0.1, 0.13, 0.2])
def test_a_gram_matrix_is_taken_of_independent_columns_alone(least):
    # all columns have length 1, and the least singular value is `least`: reflectors from 1/8 down
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((900, 2)))[0]
    cosine = 1 - least**2
    stack = (Q @ [[1.0, cosine], [0.0, np.sqrt(1 - cosine**2)]]).T.copy()
    by_gram = not np.array_equal(triangular_factor(stack, 1.0), triangular_factor(stack, 2.0) / 2)
    assert by_gram == (least > 0.125)
