"""The kernels of compression are a thin QR decomposition."""

import numpy as np
import pytest

from lplfast.linalg.compress import orthonormal_rows, triangular_factor


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
    # both are those of a stack that is off by some u in each column, so they agree as far as it determines R
    assert np.allclose(R.T @ R, twin.T @ twin, rtol=0, atol=1e-15 * h * k)
    assert np.allclose(np.linalg.norm(R, axis=0), np.linalg.norm(stack, axis=1), rtol=1e-13)
    assert np.allclose(Q @ Q.T, np.eye(k), rtol=0, atol=1e-15 * h)
    assert np.allclose(R.T @ Q, stack, rtol=0, atol=1e-15 * h)
    assert np.array_equal(orthonormal_rows(stack / scale, scale), Q)
    unaligned = np.empty(stack.size + 1)[1:].reshape(stack.shape)
    unaligned[:] = stack / scale
    assert np.array_equal(orthonormal_rows(unaligned, scale), Q)
