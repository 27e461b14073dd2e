"""Gram matrices and Cholesky factors in single precision: how far they may be off (docs/theory.md, section 6.2)."""

import numpy as np
import pytest

from lplfast.threads import single_threaded_blas

U = 2.0**-53


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (16, 256), (37, 300), (64, 128), (33, 1000)], ids=str)
@pytest.mark.parametrize("scale", [1e-130, 1.0, 1e130])
def test_a_gram_matrix_is_as_close_as_is_said(probe, shape, scale):
    rng = np.random.default_rng(shape)
    A = scale * rng.standard_normal(shape) * 10.0 ** rng.uniform(-3, 0, shape)
    found, units = probe.single_gram(A)
    # of more rows than columns, to the same bits
    turned, of_turned = probe.single_gram(A.T.copy())
    assert np.array_equal(turned, found)
    assert of_turned == units
    A /= scale
    # the product here is in double precision: of another k u
    off = abs(found / scale / scale - A @ A.T)
    assert (off <= (units + 4 * shape[1]) * U * (abs(A) @ abs(A).T) + 1e-30).all()


def test_what_is_said_of_a_gram_matrix_is_not_far_from_what_may_be(probe):
    # of ones and a little every factor rounds down by one part in 2^24, and so does most of what is added up
    A = np.full((40, 256), 1 + 0.99 * 2.0**-24)
    found, units = probe.single_gram(A)
    off = abs(found / (A @ A.T) - 1).max()
    assert 0.05 * units * U <= off <= units * U


@pytest.mark.parametrize("n", [32, 47, 64, 150])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_factor_is_not_completed_where_it_would_prove_what_is_wrong(probe, n, sign):
    rng = np.random.default_rng(n)
    for condition in (1.0, 1e2, 1e4):
        A = rng.standard_normal((n, n + 9)) * np.geomspace(1, condition**-0.5, n)[:, None]
        M = A @ A.T
        values = np.linalg.eigvalsh(M)
        extreme = values[0] if sign > 0 else values[-1]
        diagonal = sign * (M.diagonal() - extreme)
        units = probe.single_factor(sign, M, extreme)[1]
        allowed = units * U * diagonal.sum()
        # beyond what rounding may do nothing is proved, and well before the extreme everything is
        assert not probe.single_factor(sign, M, extreme + sign * 1.01 * allowed)[0]
        assert probe.single_factor(sign, M, extreme - sign * allowed)[0]
        # nor beyond what the factor itself says: less, where it completes
        for part in (-1.0, -0.3, -0.1, -0.03, 0.0, 0.01, 0.03, 0.1, 0.3):
            completes, _, norm, _ = probe.single_factor(sign, M, extreme + sign * part * allowed)
            assert not completes or 1.01 * units * U * norm >= part * allowed
            assert not completes or norm <= 4 * diagonal.sum()


def test_what_a_factor_is_multiplied_with_is_an_upper_bound(probe):
    rng = np.random.default_rng(4)
    for n in (32, 45, 130):
        A = rng.standard_normal((n, 2 * n))
        M = A @ A.T
        shift = 1.01 * np.linalg.eigvalsh(M)[-1]
        completes, units, norm, factor = probe.single_factor(-1.0, M, shift)
        size = -(-n // 16) * 16
        R = np.triu(np.concatenate(factor[:size * size].reshape(-1, size, 16), axis=1))[:n, :n].astype(float)
        R *= np.sqrt((shift - M[0, 0]) / R[0, 0]**2)
        truth = np.linalg.norm(abs(R), 2) ** 2
        assert completes
        assert truth <= norm <= 2 * truth
        # by the trace it would be several times as much
        assert norm <= np.trace(shift * np.eye(n) - M) / 3
        assert (abs(R.T @ R - (shift * np.eye(n) - M)) <= (units + 2**29) * U * (abs(R).T @ abs(R))).all()


def test_a_factor_of_what_is_not_positive_or_no_number(probe):
    for n in (32, 50):
        for at in (0, 9, n - 1):
            for bad in (0.0, -1.0, np.nan, np.inf):
                M = np.eye(n)
                M[at, at] = bad
                assert not probe.single_factor(1.0, M, 0.0)[0] or bad == np.inf


@pytest.mark.parametrize("shape", [(290, 280), (333, 201)], ids=str)
def test_the_bits_are_those_of_one_thread(probe, shape):
    A = np.random.default_rng(shape).standard_normal(shape)
    with single_threaded_blas():
        alone, _ = probe.single_gram(A)
        for count in (1, 2, 3, 5):
            with probe.Team(count):
                assert np.array_equal(probe.single_gram(A)[0], alone), count


@pytest.mark.parametrize("n", [320, 333, 370])
def test_the_bits_of_a_factor_are_those_of_one_thread(probe, n):
    A = np.random.default_rng(n).standard_normal((n, n + 40))
    M = A @ A.T
    # one that completes, and one that breaks down on the way
    for shift in (0.0, 0.05 * np.linalg.eigvalsh(M)[-1]):
        alone = probe.single_factor(1.0, M, shift)
        assert alone[0] == (shift == 0.0)
        for count in (1, 2, 3, 5):
            with probe.Team(count):
                found = probe.single_factor(1.0, M, shift)
                assert found[:3] == alone[:3]
                assert np.array_equal(found[3], alone[3], equal_nan=True), count
