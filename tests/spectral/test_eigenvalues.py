"""Extreme eigenvalues by proof and by iteration: each allowance for rounding, on matrices made to need it
(docs/theory.md, section 7)."""

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from units import DRAWS, gamma

pytestmark = pytest.mark.usefixtures("sixty_digits")

U = 2.0**-53


def is_semidefinite(M, shift):
    """Whether M + shift I has no negative pivot, in exact arithmetic: M of floats, `shift` a number."""
    A = [[Fraction(float(x)) for x in row] for row in M]
    for i in range(len(A)):
        A[i][i] += Fraction(shift)
    for k in range(len(A)):
        if A[k][k] <= 0:
            return A[k][k] == 0 and not any(A[i][k] for i in range(k + 1, len(A)))
        for i in range(k + 1, len(A)):
            ratio = A[i][k] / A[k][k]
            for j in range(k + 1, len(A)):
                A[i][j] -= ratio * A[k][j]
    return True


def arrow(seed, p):
    """Return a nearly singular matrix whose columns are alike: their rounding adds up in the corner."""
    rng = np.random.default_rng(seed)
    d = rng.uniform(1, 4)
    h = d / np.sqrt(p - 1) * rng.uniform(0.7, 1.0)
    H = np.diag(np.full(p, d))
    H[-1, :-1] = H[:-1, -1] = h
    H[-1, -1] = (p - 1) * h * h / d
    return H


# seeds found by trying 20000
@pytest.mark.parametrize(("seed", "p"), [(12486, 2), (8041, 3), (15410, 5), (12477, 8), (7804, 12), (17825, 23)])
def test_completing_proves_no_more_than_it_may(probe, seed, p):
    H = arrow(seed, p)
    corner = H[-1, -1]
    for units in range(-20, 21):
        H[-1, -1] = corner * (1 + 2 * units * U)
        excess, _ = probe.cholesky_excess(1.0, H, 0.0)
        if excess < np.inf:
            break
    assert is_semidefinite(H, excess)
    # it has completed on a matrix that is not: what rounding of the diagonal allows would not do
    assert not is_semidefinite(H, 1.1 * U * H.diagonal().max())


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_excess_is_at_least_its_formula(probe, sign):
    rng = np.random.default_rng(7)
    for _ in range(200):
        p = int(rng.integers(1, 30))
        A = rng.standard_normal((p, p + 3)) * 10.0 ** rng.uniform(-3, 3, (p, 1))
        M = A @ A.T
        M = (M + M.T) / 2
        shift = (-0.1 if sign > 0 else 1.1) * np.linalg.eigvalsh(M)[-1]
        excess, stored = probe.cholesky_excess(sign, M, shift)
        diagonal = [mpmath.mpf(x) for x in stored.diagonal().tolist()]
        g = gamma(p + 3)
        needed = g / (1 - g) * mpmath.fsum(diagonal) + U * max(abs(x) for x in diagonal)
        assert needed <= excess <= needed * (1 + (3 * p + 24) * U)


def test_no_proof_where_there_is_none(probe):
    for p in (2, 23, 24, 40):
        M = np.diag(np.arange(1.0, p + 1))
        assert probe.cholesky_excess(1.0, M, 1.0 + 1e-9)[0] == np.inf
        assert probe.cholesky_excess(1.0, M, 1.0 - 1e-9)[0] < np.inf
        assert probe.cholesky_excess(-1.0, M, p - 1e-9)[0] == np.inf
        assert probe.cholesky_excess(-1.0, M, p + 1e-9)[0] < np.inf


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("p", [2, 7, 23, 24, 61, 300])
def test_where_a_factorization_stops_the_matrix_is_not_positive(probe, p, sign):
    rng = np.random.default_rng(p)
    A = rng.standard_normal((p, 2 * p))
    M = probe.gram(A)
    low, high = np.linalg.eigvalsh(M)[[0, -1]]
    for beyond in (1e-3, 0.1, 0.7):
        shift = low + beyond * (high - low) if sign > 0 else high - beyond * (high - low)
        # in double precision, and in single where there is one
        for allowed, off in ((0.0, 1e-10), (np.inf, 1e-4)):
            x = probe.breakdown(sign, M, shift, allowed)
            # with the part of other directions, which is smaller than what may be missing to the end
            assert sign * (x @ M @ x / (x @ x) - shift) <= 0.05 * (high - low)
            # and without it
            x -= 0.1 * np.sin(np.arange(p) + 1.0) / np.sqrt(p)
            assert sign * (x @ M @ x / (x @ x) - shift) <= off * high


def test_a_least_eigenvalue_below_the_excess_is_not_proved_to_be_positive(probe):
    # the matrix is exact: `F_sq` only says by how much it is not
    M = np.diag([1.0, 1e-15])
    (lo, hi), _ = probe.bracket(False, M, 2, 1e-30, [0.0, 1.0], 1e-3)
    assert lo <= 1e-15 - 5 * U
    assert 1e-15 <= hi <= 1.01e-15
    # and at a size at which something can be proved: less the excess, which is gamma_5 and a unit
    (lo, _), _ = probe.bracket(False, np.diag([1.0, 1e-12]), 2, 1e-30, [0.0, 1.0], 1e-3)
    assert 1e-12 * (1 - 2e-3) - 8 * U <= lo <= 1e-12 - 5 * U
    # a product of inner length q is off by q units of F^2 more
    (least, _), _ = probe.bracket(False, np.diag([1.0, 1e-12]), 100, 1.0, [0.0, 1.0], 1e-3)
    assert lo - 110 * U <= least <= lo - 100 * U


@pytest.mark.parametrize("greatest", [True, False])
@pytest.mark.parametrize("p", [2, 5, 24, 30])
def test_a_direction_that_is_the_wrong_eigenvector_is_perturbed(probe, greatest, p):
    # the iteration cannot leave an eigenvector: the shift is then on the wrong side of the extreme one
    values = np.arange(1.0, p + 1)
    wrong = np.eye(p)[0 if greatest else p - 1]
    found, direction = probe.bracket(greatest, np.diag(values), p, float(values.sum()), wrong, 1e-3)
    assert found is not None
    truth = values[-1] if greatest else values[0]
    assert found[0] <= truth <= found[1] <= found[0] * (1 + 2e-3)
    assert abs(direction[-1 if greatest else 0]) > 0.99 * np.linalg.norm(direction)


@pytest.mark.parametrize("q", [3, 40])
@pytest.mark.parametrize("greatest", [True, False])
def test_proved_brackets_contain_the_truth(probe, greatest, q):
    rng = np.random.default_rng(8)
    for p in (2, 3, q):
        for spread in (0.0, 1.0, 7.0):
            A = rng.standard_normal((min(p, q), q)) * 10.0 ** -rng.uniform(0, spread, (min(p, q), 1))
            M = probe.gram(A)
            found, _ = probe.bracket(greatest, M, q, float((A**2).sum()), np.cos(np.arange(float(len(A)))), 1e-3)
            exact = mpmath.matrix(A.tolist())
            if len(A) <= 3:
                values = mpmath.eigsy(exact * exact.T, eigvals_only=True)
                truth = max(values) if greatest else min(values)
            else:
                truth = mpmath.mpf(float(np.linalg.svd(A)[1][0 if greatest else -1])) ** 2
            assert found is not None
            assert found[0] <= truth <= found[1]
            if spread < 7.0 or greatest:
                assert found[1] - found[0] <= 2e-3 * truth


@pytest.mark.parametrize("greatest", [True, False])
def test_brackets_by_single_precision_contain_the_truth(probe, greatest):
    rng, used = np.random.default_rng(12), 0
    for n, k in ((32, 40), (50, 60), (64, 128), (100, 400)):
        for condition in (1.0, 1e2):
            A = rng.standard_normal((n, k)) * np.geomspace(1, condition**-0.5, n)[:, None]
            # right to some u
            truth = np.linalg.svd(A)[1][0 if greatest else -1] ** 2
            for part, B in itertools.product((1e-5, 1e-3, 1e-1), (A, A.T.copy())):
                (lo, hi), single = probe.bracket_within(greatest, B, part * truth, np.cos(np.arange(float(n))), 1e-3)
                assert lo <= truth * (1 + 1e-12)
                assert truth * (1 - 1e-12) <= hi
                # the slack, of a third try four times as much; what is allowed of the matrix, and of the factor
                assert hi - lo <= (4e-3 + 2.75 * part) * truth
                used += single
    assert 12 < used < 48


def test_single_precision_goes_by_the_entries_where_the_norm_says_too_much(probe):
    rng = np.random.default_rng(5)
    of_the_norm = 21 * 2.0**-24 + 4 * U
    for n, k in ((32, 64), (60, 200)):
        wide = rng.standard_normal((n, k))
        size = np.linalg.norm(wide) ** 2
        for A in (wide, wide.T.copy()):
            # 2/pi of the norm, and a little, as no two rows have the same sum
            part = max(abs(A) @ abs(A).sum(0)) / size
            assert 2 / np.pi < part < 0.85
            for asked, single in ((1.01, True), (1.01 * part, True), (0.99 * part, False), (0.59, False)):
                C, error, used = probe.gram_within(A, asked * of_the_norm * size)
                assert used == single
                if single:
                    assert error == pytest.approx(min(1.0, part if asked < 1 else 1.0) * of_the_norm * size, rel=1e-7)
                    assert np.linalg.norm(C - wide @ wide.T, 2) <= error <= asked * of_the_norm * size
    # of equal entries they say as much as the norm; of an identity far less, and nobody looks
    for B, asked, single in ((np.ones((40, 40)), 0.99, False), (np.eye(40), 0.5, False), (np.eye(40), 0.7, True)):
        assert probe.gram_within(B, asked * of_the_norm * np.linalg.norm(B) ** 2)[2] == single
    # of few rows or columns never, whatever is allowed
    for shape, single in (((31, 40), False), ((40, 31), False), ((40, 32), True), ((40, 40), True)):
        assert probe.gram_within(rng.standard_normal(shape), np.inf)[2] == single


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_excess_in_single_precision_is_at_least_its_formula(probe, sign):
    rng = np.random.default_rng(7)
    for p in (32, 40, 77):
        A = rng.standard_normal((p, p + 3))
        M = A @ A.T
        shift = (-0.1 if sign > 0 else 1.1) * np.linalg.eigvalsh(M)[-1]
        excess, stored = probe.cholesky_excess(sign, M, shift, np.inf)
        diagonal = [mpmath.mpf(x) for x in stored.diagonal().tolist()]
        _, units, size, _ = probe.single_factor(sign, M, shift)
        # by the factor itself, which is less than by its trace
        assert size < 0.6 * mpmath.fsum(diagonal)
        g = mpmath.mpf(units) * U / (1 - mpmath.mpf(units) * U)
        needed = g / (1 - g) * size + U * max(abs(x) for x in diagonal)
        assert needed <= excess <= needed * (1 + (3 * p + 24) * U)
        # with less allowed, in double precision
        assert probe.cholesky_excess(sign, M, shift, 0.99 * float(needed))[0] < 1e-6 * needed


@pytest.mark.parametrize("tall", [False, True])
def test_a_quotient_that_cancels_is_not_trusted(probe, tall):
    # A.T x, or A x, is computed from terms that cancel: what is left has no correct digit
    rng, wrong = np.random.default_rng(9), 0
    for _ in range(DRAWS):
        a, x = rng.uniform(1, 2, 3), rng.standard_normal(3)
        x[2] = -(a[0] * x[0] + a[1] * x[1]) / a[2]
        A = np.tile(a, (4, 1)) if tall else np.tile(a[:, None], (1, 4))
        lo, hi = probe.quotient(A, x)
        along = sum(Fraction(a) * Fraction(b) for a, b in zip(a.tolist(), x.tolist(), strict=True))
        truth = 4 * along**2 / sum(Fraction(b) ** 2 for b in x.tolist())
        assert Fraction(lo) <= truth <= Fraction(hi)
        computed = (probe.matvec if tall else probe.matvec_t)(A, x)[0]
        wrong += not np.isclose(float(computed), float(along), rtol=0.01, atol=0.0)
    assert wrong > 0.1 * DRAWS


@pytest.mark.parametrize("p", [2, 9, 30])
def test_iterations_find_extreme_eigenvalues_from_inside(probe, p):
    rng = np.random.default_rng(p)
    Q, _ = np.linalg.qr(rng.standard_normal((p, p)))
    values = np.array([1.0, *np.linspace(2.0, 3.0, p - 2), 4.0])
    M = (Q * values) @ Q.T
    M = np.ascontiguousarray((M + M.T) / 2)
    low, high = np.linalg.eigvalsh(M)[[0, -1]]
    start = np.cos(np.arange(float(p)))
    room = 20 * p * U
    # until an iteration changes it by a tenth of that: with ratios of 3/4 and 1/2, less is left than what was wanted
    for found, truth in ((probe.rayleigh_cg(1.0, M, start, 1e-6)[0], high),
                         (probe.iterate_power(M, start, 1e-6), high)):
        assert truth * (1 - 1e-6) <= found <= truth * (1 + room)
    for found, truth in ((probe.rayleigh_cg(-1.0, M, start, 1e-6)[0], low),
                         (probe.iterate_inverse(M, start, 1e-6), low)):
        assert truth * (1 - room) <= found <= truth * (1 + 1e-6)
    assert probe.iterate_inverse(M - 2.0 * np.eye(p), start, 1e-6) == np.inf


def test_proofs_add_up_their_errors(probe):
    # the ends are the shift, what the factorization may have missed, and q units of F^2 for the product
    def coarse(x, sign):
        high = (x * (1 + sign * 1.3e-4)) * 549755813889.0
        return high - (high - x * (1 + sign * 1.3e-4))

    p, q, F_sq = 20, 50, 10.0
    M = np.diag(np.linspace(1.0, 2.0, p))
    for greatest, sign, at in ((True, 1, p - 1), (False, -1, 0)):
        start = np.eye(p)[at]
        found, _ = probe.bracket(greatest, M, q, F_sq, start, 1e-3)
        shift = coarse(M[at, at] * (1 + sign * 0.75e-3), sign)
        excess, _ = probe.cholesky_excess(-float(sign), M, shift)
        outside = sign * (Fraction(found[greatest]) - Fraction(shift)) - Fraction(excess)
        # but for the two additions, of numbers of order 2
        assert (q + 4) * U * F_sq - 8 * U <= outside <= (q + 4) * U * F_sq + 8 * U
        assert excess > 50 * U
    # the quotient of a solve is off by 4 p u F^2 and more
    (_, hi), _ = probe.bracket(False, np.diag([1.0, 1e-15]), 2, 1.0, [0.0, 1.0], 1e-3)
    assert 1e-15 + 4 * 2 * U <= hi <= 1e-15 * 1.001 + 40 * U
