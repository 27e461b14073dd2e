"""Allowances for rounding, one by one, against exact arithmetic: on matrices made to need them, or by the formulas of
docs/theory.md (sections 6, 7 and 9), from which every published end has to be on the safe side."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from lplfast import MatrixFactorization, Network, Sharp, train
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.losses.rowwise import Logistic
from lplfast.rules.formulas import K_t, K_t_sharp
from lplfast.spectral.certified import Certified

U = 2.0**-53
DRAWS = 400


@pytest.fixture(autouse=True)
def _digits():
    with mpmath.workdps(60):
        yield


def gamma(k):
    return k * mpmath.mpf(U) / (1 - k * mpmath.mpf(U))


def root(x):
    return mpmath.sqrt(mpmath.mpf(x))


def positive(x):
    return max(x, mpmath.mpf(0))


def sizes(rng, count, decades=3):
    return (10.0 ** rng.uniform(-decades, decades, count)).tolist()


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


# drift


def test_a_widened_bracket_is_outward_and_no_wider_than_some_units(probe):
    rng, useless = np.random.default_rng(0), 1e9
    for _ in range(DRAWS):
        (bound,) = sizes(rng, 1)
        # nearly all of it may be gone
        part = 1.0 - 10.0 ** rng.uniform(-6, 0)
        drift, path = part * bound, part * bound**0.5
        exact, s = mpmath.mpf(bound), root(bound)
        lo, hi = probe.widen({"bound": bound, "gram_drift": drift, "matrix_path": useless},
                             {"bound": bound, "gram_drift": drift, "matrix_path": useless})
        assert (exact - drift) * (1 - 4 * U) <= lo <= exact - drift
        assert exact + drift <= hi <= (exact + drift) * (1 + 5 * U)
        lo, hi = probe.widen({"bound": bound, "gram_drift": useless, "matrix_path": path},
                             {"bound": bound, "gram_drift": useless, "matrix_path": path})
        assert positive(s * (1 - 4 * U) - path) ** 2 * (1 - 8 * U) <= lo <= (s - path) ** 2
        assert (s + path) ** 2 <= hi <= (s + path) ** 2 * (1 + 12 * U)
    # the better of the two ways, and nothing below 0
    ends = {"bound": 4.0, "gram_drift": 0.5, "matrix_path": 1.0}, {"bound": 4.0, "gram_drift": 4.0, "matrix_path": 0.5}
    assert probe.widen(*ends) == pytest.approx((3.5, 6.25))
    assert probe.widen({"bound": 1.0, "gram_drift": 2.0, "matrix_path": 3.0}, ends[1])[0] == 0.0


def test_a_largest_value_has_moved_by_what_its_matrix_has(probe):
    rng = np.random.default_rng(1)
    for _ in range(DRAWS):
        bound, path, distance = sizes(rng, 3)
        path, distance = min(path, bound), 0.5 * distance
        end = {"bound": bound, "gram_drift": 0.0, "matrix_path": path}
        lo, hi = probe.largest_moved(end, end, distance)
        moved = mpmath.mpf(path) + distance
        assert positive(bound - moved * (1 + 4 * U)) * (1 - 4 * U) <= lo <= positive(bound - moved)
        assert bound + moved <= hi <= (bound + moved) * (1 + 8 * U)


def needed_drift(point, hi, other_max, size, A_norm, other_norm, g_norm, m, *, terms, norms):
    """Return what a step moves a layer and its Gram matrix by, at most, as section 6.1 has it, in exact arithmetic.

    `terms` are the units of a sum of m terms, `norms` those of a norm of `size` numbers.
    """
    eta, G_max, W_max = (mpmath.mpf(x) for x in (point.eta, point.bracket("G_max")[1], point.bracket("sigma_max_W")[1]))
    off = terms * mpmath.mpf(point.G_norm) * other_norm
    step = eta * min((1 + norms) * mpmath.mpf(g_norm), G_max * other_max + off)
    rounding = U * (mpmath.mpf(A_norm) + 2 * eta * g_norm) * (1 + norms)
    s, e = root(hi), step + rounding
    product = W_max * G_max + A_norm * off
    return e, min(2 * s * e + e * e,
                  2 * eta * product + step**2 + 2 * rounding * (s + step) + rounding**2)


@pytest.mark.parametrize("regime", ["all", "product-only", "gradient-only", "no-rounding"])
def test_drift_is_at_least_its_formula(probe, regime):
    rng = np.random.default_rng(2)
    for _ in range(DRAWS):
        m, size = int(rng.integers(1, 50)), int(rng.integers(1, 2000))
        eta, G_max, W_max, hi, other_max, A_norm, other_norm, g_norm, G_norm = sizes(rng, 9, decades=2)
        A_norm *= 10.0 ** rng.uniform(0, 12)
        G_norm, other_norm = G_norm * 1e3, other_norm * 1e3
        if regime != "all":
            # the sums and products alone, to their last bits: no term beside them has room
            A_norm, size = 0.0, 0
            if regime == "product-only":
                other_norm, g_norm = 0.0, 2 * G_max * other_max
            elif regime == "gradient-only":
                other_max = 1e200
            else:
                other_norm = 0.0
                g_norm = 0.0 if rng.random() < 0.1 else g_norm
        point = probe.Point(1, 1, 1, eta=eta, G_norm=G_norm, G_max=(0.0, G_max), sigma_max_W=(0.0, W_max))
        known = other_max, size, A_norm, other_norm, g_norm, m
        moved, e, layer = point.drift_layer({"lo": 0.0, "hi": hi}, *known)
        # by proof, gamma_m for a sum and half a unit for each term of a norm
        least = needed_drift(point, hi, *known, terms=gamma(m), norms=0.5 * size * U)
        most = needed_drift(point, hi, *known, terms=(m + 5) * U, norms=(size + 8) * U)
        for end in (layer["min_sq"]["lower"], layer["min_sq"]["upper"], layer["max_sq"]["lower"],
                    layer["max_sq"]["upper"]):
            assert least[0] <= end["matrix_path"] <= most[0] * (1 + 32 * U)
            assert least[1] <= end["gram_drift"] <= most[1] * (1 + 64 * U)
        assert e <= layer["max_sq"]["upper"]["matrix_path"]
        assert moved <= layer["max_sq"]["upper"]["gram_drift"]


def test_a_step_that_rounding_doubles(probe):
    # a step a little longer than half a unit in the last place of the layer: every entry moves by a whole one
    rng = np.random.default_rng(3)
    for _ in range(50):
        A = rng.uniform(1.0, 2.0, (1, 4))
        g = np.full((1, 4), U * (1 + 2.0**-10))
        moved = [Fraction(x) for x in ((A - g) - A).ravel().tolist()]
        new = [Fraction(x) for x in (A - g).ravel().tolist()]
        # G and W2 of one entry each: the gradient of W1 is exact
        norm = float(np.linalg.norm(g)) * (1 + 4 * U)
        point = probe.Point(1, 4, 1, eta=1.0, G_norm=norm, G_max=(norm, norm), sigma_max_W=(0.0, 1e9))
        most = {"lo": 0.0, "hi": float(np.linalg.norm(A)) ** 2 * (1 + 9 * U)}
        by, e, _ = point.drift_layer(most, 1.0, 4, float(np.linalg.norm(A)), 1.0, norm, 1)
        path = sum(x * x for x in moved)
        assert path > Fraction(1.9 * norm) ** 2
        assert path <= Fraction(e) ** 2
        assert abs(sum(x * x for x in new) - sum(Fraction(x) ** 2 for x in A.ravel().tolist())) <= Fraction(by)


def test_the_drift_of_the_imbalance_is_rounded_up():
    # integers: the gradients, 35 and 21, are exact
    problem, network = MatrixFactorization([[8.0]]), Network([[3.0]], [[5.0]])
    for eta in np.random.default_rng(11).uniform(1e-4, 1e-2, 40):
        drift = train(problem, network, float(eta), max_iter=1).history["drift"][1]
        exact = Fraction(float(eta)) ** 2 * (35**2 + 21**2)
        assert exact <= Fraction(drift) <= exact * Fraction(1 + 16 * U)


def test_the_drift_of_the_imbalance_counts_the_rounding_of_the_layers(probe):
    # a gradient so small that D would not move but for the rounding of the layers, which is half a unit each
    rng = np.random.default_rng(21)
    for _ in range(DRAWS):
        a, b = rng.uniform(1, 2, 2).tolist()
        G, eta = 10.0 ** rng.uniform(-16, -13), 1.0
        point = probe.Point(1, 1, 1, eta=eta, G_norm=G, G_max=(G, G), W1_norm=a, W2_norm=b, g1_norm=G * b * (1 + 2 * U),
                            g2_norm=G * a * (1 + 2 * U), sigma_max_W=(0.0, 4.0))
        point.memory = {"layer1": {"min_sq": tracked(0.0, a * a), "max_sq": tracked(a * a, a * a * (1 + 2 * U))},
                        "layer2": {"min_sq": tracked(0.0, b * b), "max_sq": tracked(b * b, b * b * (1 + 2 * U))},
                        "imbalance": {"found": 1.0, "bound": 1e9, "drift": 0.0}}
        point.drift(Certified())
        before = Fraction(a) ** 2 - Fraction(b) ** 2
        moved = Fraction(a - eta * (G * b)) ** 2 - Fraction(b - eta * (G * a)) ** 2 - before
        found = point.memory["imbalance"]["drift"]
        assert abs(moved) <= Fraction(found) <= 40 * U


# what is published


def tracked(lo, hi):
    return {"lower": {"bound": lo, "gram_drift": 0.0, "matrix_path": 0.0},
            "upper": {"bound": hi, "gram_drift": 0.0, "matrix_path": 0.0},
            "now": {"lo": lo, "hi": hi}}


def published(probe, rng, *, tiny=False, **values):
    """Return an iterate after `publish`, of random brackets, and those brackets by name."""
    scale = 1e-150 if tiny else 1.0
    of = {}
    for name in ("min1", "min2", "max1", "max2", "W", "G"):
        lo = sizes(rng, 1)[0]
        of[name] = (lo, lo * (1 + 10.0 ** rng.uniform(-16, 0)))
    eps_W, G_error = (10.0 ** rng.uniform(-17, -1) * of[name][0] for name in "WG")
    W_norm, G_norm = (of[name][1] * rng.choice([0.9, 1.0, 1.5]) for name in "WG")
    point = probe.Point(2, 3, 2, mu=0.3, K=1.7, eps_W=eps_W * scale, G_error=G_error, W_norm=W_norm * scale,
                        G_norm=G_norm, **values)
    point.memory = {"layer1": {"min_sq": tracked(*of["min1"]), "max_sq": tracked(*of["max1"])},
                    "layer2": {"min_sq": tracked(*of["min2"]), "max_sq": tracked(*of["max2"])},
                    "W_max": tracked(*of["W"]), "G_max": tracked(*of["G"])}
    point.publish(Certified())
    return point, of


def test_published_brackets_are_outward(probe):
    rng = np.random.default_rng(4)
    for _ in range(DRAWS):
        point, of = published(probe, rng)
        exact = {name: tuple(mpmath.mpf(x) for x in ends) for name, ends in of.items()}
        for side in ("min", "max"):
            lo, hi = point.bracket(f"sigma_{side}_sq")
            below, above = (exact[f"{side}1"][i] + exact[f"{side}2"][i] for i in (0, 1))
            assert below * (1 - 4 * U) <= lo <= below
            assert above <= hi <= above * (1 + 6 * U)
        lo, hi = point.bracket("sigma_max_W")
        below = positive(exact["W"][0] - point.eps_W)
        above = min(exact["W"][1], mpmath.mpf(point.W_norm)) + point.eps_W
        above = min(above, mpmath.sqrt(exact["max1"][1] * exact["max2"][1]))    # s_max(W1 W2) <= s_max(W1) s_max(W2)
        assert below * (1 - 4 * U) <= lo <= below
        assert above <= hi <= above * (1 + 24 * U)
        lo, hi = point.bracket("G_max")
        below = positive(exact["G"][0] - point.G_error)
        above = min(exact["G"][1] + point.G_error, mpmath.mpf(point.G_norm))
        assert below * (1 - 5 * U) <= lo <= below
        assert above <= hi <= above * (1 + 24 * U)
        # without a quadratic loss, the PL constant
        below = point.mu * (exact["min1"][0] + exact["min2"][0])
        assert below * (1 - 8 * U) <= point.bracket("nu")[0] <= below
        assert np.isnan(point.bracket("nu")[1])


def test_a_product_whose_square_underflows_is_below_that_of_the_layers(probe):
    rng = np.random.default_rng(5)
    for _ in range(100):
        point, of = published(probe, rng, tiny=True)
        above = root(of["max1"][1]) * root(of["max2"][1])
        assert above <= point.bracket("sigma_max_W")[1] <= above * (1 + 12 * U)


def test_bounds_on_the_tangent_kernel_that_have_drifted_are_outward(probe):
    rng, better = np.random.default_rng(6), 0
    for _ in range(DRAWS):
        lo, least, most, K, mu = sizes(rng, 5, decades=1)
        most, hi, drift = least + most, lo + sizes(rng, 1)[0], least * 10.0 ** rng.uniform(-8, 0.2)
        below, above = 10.0 ** rng.uniform(-6, 1), 10.0 ** rng.uniform(-1, 6)
        point = probe.Point(2, 3, 2, mu=mu, K=K, sigma_min_sq=(below, below), sigma_max_sq=(above, above),
                            hessian=[mu, K])
        point.memory = {"tangent": {"lo": lo, "hi": hi, "gram_drift": drift, "least": least, "most": most}}
        point.publish_tangent()
        drift, exact = mpmath.mpf(drift), mpmath.mpf(lo)
        low = max(mpmath.mpf(mu) * below, exact * positive(1 - drift / least))
        high = min(mpmath.mpf(K) * above, hi * (1 + drift / most), hi + K * drift)
        found = point.bracket("nu")
        # 1 - E / least may cancel: its units are those of 1
        assert max(mpmath.mpf(mu) * below * (1 - 4 * U), exact * (positive(1 - drift / least * (1 + 4 * U)) - 8 * U)
                   ) <= found[0] <= low
        assert high <= found[1] <= high * (1 + 12 * U)
        better += found[0] > mu * below
    assert 0.2 * DRAWS < better < DRAWS


# proofs by Cholesky


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


# quotients


def test_a_quotient_that_cancels_is_not_trusted(probe):
    # A.T x is computed from terms that cancel: what is left has no correct digit
    rng, wrong = np.random.default_rng(9), 0
    for _ in range(DRAWS):
        A, x = rng.uniform(1, 2, (3, 1)), rng.standard_normal(3)
        x[2] = -(A[0, 0] * x[0] + A[1, 0] * x[1]) / A[2, 0]
        lo, hi = probe.quotient(A, x)
        along = sum(Fraction(a) * Fraction(b) for a, b in zip(A.ravel().tolist(), x.tolist(), strict=True))
        truth = along**2 / sum(Fraction(b) ** 2 for b in x.tolist())
        assert Fraction(lo) <= truth <= Fraction(hi)
        wrong += not np.isclose(float(probe.matvec_t(A, x)[0]), float(along), rtol=0.01, atol=0.0)
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


def test_second_order_is_an_upper_bound(probe):
    rng = np.random.default_rng(10)
    for _ in range(DRAWS):
        B, d = rng.standard_normal((2, 3)), sizes(rng, 2)
        point = probe.Point(2, 4, 3, K=max(d), hessian=d, g1_norm=2.0, g2_norm=3.0, G_norm=1.5, G_max=(1.0, 1.25),
                            sigma_max_W=(0.0, rng.choice([2.0, 9.0])))
        without = point.second_order()
        truth = root(max(d)) * min(6, mpmath.mpf(1.25) * point.bracket("sigma_max_W")[1] * 1.5)
        assert truth <= without <= truth * (1 + 24 * U)
        point.B = B
        truth = mpmath.sqrt(mpmath.fsum(mpmath.mpf(d[i]) * mpmath.mpf(b) ** 2 for i in (0, 1) for b in B[i].tolist()))
        assert truth <= point.second_order() <= truth * (1 + 30 * U)
        # its square has underflowed
        point.B = B * 1e-150
        assert point.second_order() == without


# what a norm says, and layers of a run


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2)], ids=str)
def test_what_a_norm_alone_says_is_true_at_its_extremes(probe, shape):
    rng = np.random.default_rng(12)
    p = min(shape)
    for _ in range(DRAWS):
        c = float(rng.uniform(1, 2))
        # all singular values c: the greatest is as small as the norm allows, the least as large
        layer = probe.unknown_layer(c * np.eye(*shape))
        square = Fraction(c) ** 2
        assert Fraction(layer["max_sq"]["now"]["lo"]) <= square
        if shape[0] <= shape[1]:
            assert square <= Fraction(layer["min_sq"]["now"]["hi"]) <= square * (1 + Fraction(40 * U))
        else:
            assert layer["min_sq"]["now"]["hi"] == 0.0
        # one singular value that is not 0
        A = np.zeros(shape)
        A[0] = rng.uniform(1, 2, shape[1])
        square = sum(Fraction(x) ** 2 for x in A[0].tolist())
        assert square <= Fraction(probe.unknown_layer(A)["max_sq"]["now"]["hi"]) <= square * (1 + Fraction(60 * U))
        assert probe.unknown_layer(A)["max_sq"]["now"]["lo"] <= float(square) / p


def test_a_step_moves_the_product_and_the_kernel_by_both_layers(probe):
    rng = np.random.default_rng(13)
    for case in range(DRAWS):
        one, two, W, G, eta = sizes(rng, 5, decades=1)
        eps_W = 1e-16 if case % 2 else 0.0
        # norms of 0: nothing rounds, and what a step moves a layer by is eta ||G|| times the other one
        point = probe.Point(2, 3, 2, K=1.0, eta=eta, eps_W=eps_W, G_max=(0.0, G), sigma_max_W=(0.0, W), g1_norm=1e-300,
                            g2_norm=1e-300)
        point.g1_norm = point.g2_norm = 0.0 if case % 3 == 0 else 1e3
        point.memory = {"layer1": {"min_sq": tracked(0.0, one), "max_sq": tracked(one, one)},
                        "layer2": {"min_sq": tracked(0.0, two), "max_sq": tracked(two, two)},
                        "tangent": {"lo": 0.0, "hi": 0.0, "gram_drift": 0.5, "least": 0.0, "most": 0.0}}
        point.drift(Certified())
        first, second = (point.memory[layer]["max_sq"]["upper"] for layer in ("layer1", "layer2"))
        e1, e2 = mpmath.mpf(first["matrix_path"]), mpmath.mpf(second["matrix_path"])
        reach = e1 * root(two) + root(one) * e2 + e1 * e2 + eps_W
        # the paths here are a little more than what the step of the product is made of
        assert reach * (1 - 8 * U) <= point.product_step <= reach * (1 + 24 * U)
        moved = mpmath.mpf(first["gram_drift"]) + second["gram_drift"]
        assert moved * (1 - 8 * U) <= point.gram_step <= moved * (1 + 8 * U)
        assert 0.5 + moved * (1 - 4 * U) <= point.memory["tangent"]["gram_drift"] <= (0.5 + moved) * (1 + 8 * U)


def test_the_tangent_kernel_is_bracketed(probe):
    rng = np.random.default_rng(14)
    for n in (2, 3):
        for by_lapack in (False, True):
            for _ in range(5):
                W1, d = rng.standard_normal((n, n + 2)), rng.uniform(0.5, 2, n)
                p_lo, p_hi = np.sort(rng.uniform(0.1, 3, 2)).tolist()
                least, greatest = (float(x) for x in np.linalg.svd(W1)[1][[-1, 0]] ** 2)
                point = probe.Point(n, n + 2, 2, K=d.max(), mu=d.min(), hessian=d, W1=W1,
                                    W1_norm=float(np.linalg.norm(W1)), sigma_max_sq=(0.0, 1e9))
                point.memory = {
                    "layer1": {"min_sq": tracked(0.99 * least, 1.01 * least), "max_sq": tracked(greatest, greatest)},
                    "layer2": {"min_sq": tracked(p_lo, p_lo), "max_sq": tracked(p_hi, p_hi)}}
                point.renew_tangent(by_lapack, 1e-3)
                roots = mpmath.diag([root(x) for x in d.tolist()])
                exact = mpmath.matrix(W1.tolist())
                low, high = (mpmath.eigsy(roots * (exact * exact.T + p * mpmath.eye(n)) * roots, eigvals_only=True)
                             for p in (p_lo, p_hi))
                found = point.memory["tangent"]
                assert min(low) * (1 - 3e-3) <= found["lo"] <= min(low)
                assert max(high) <= found["hi"] <= max(high) * (1 + 3e-3)
                # what drift is compared with must not be too large
                base = mpmath.mpf(0.99 * least)
                assert (base + p_lo) * (1 - 4 * U) <= found["least"] <= base + p_lo
                assert (base + p_hi) * (1 - 4 * U) <= found["most"] <= base + p_hi


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


def cancelling(rng):
    """Return layers of one input and output whose product is some units of its terms: it rounds by all of itself."""
    k = int(rng.integers(2, 6))
    W1, W2 = rng.uniform(1, 2, (1, k)) * 1e4, rng.uniform(1, 2, (k, 1)) * 1e4
    W2[-1] = -(W1[0, :-1] @ W2[:-1, 0]) / W1[0, -1]
    return W1, W2


def test_what_is_known_at_the_stored_layers_is_true_of_them():
    # the product as computed is off by some units of 1e8, the target as near to it as that
    rng, off = np.random.default_rng(15), 0
    for _ in range(100):
        W1, W2 = cancelling(rng)
        exact = sum(Fraction(a) * Fraction(b) for a, b in zip(W1[0].tolist(), W2[:, 0].tolist(), strict=True))
        Y = float(exact) + rng.normal() * 1e-8
        descent = Descent(DiagonalQuadratic([2.0], [[Y]]), Sharp(), Certified(), np.concatenate([W1, W2.T]))
        at = descent.local()
        error = abs(Fraction(float((W1 @ W2)[0, 0])) - exact)
        assert 2 * error**2 <= Fraction(at["floor"])
        gap, G = (exact - Fraction(Y)) ** 2, 2 * abs(exact - Fraction(Y))
        assert gap <= Fraction(at["gap_above"])
        assert Fraction(at["G_max"][0]) <= G <= Fraction(at["G_max"][1])
        assert Fraction(at["G_norm"]) >= G
        assert Fraction(at["sigma_max_W"][0]) <= abs(exact) <= Fraction(at["sigma_max_W"][1])
        off += gap > 2 * Fraction(at["gap"])
    # in some of them what is computed is far too small: how many depends on the order of the sum
    assert off > 0


@pytest.mark.parametrize(("one", "two", "d", "far"), [
    (1e-170, 1e100, 1.0, 0.0), (1e-80, 1e-140, 1e140, 0.0), (1e-170, 1e-170, 1.0, 1e-170), (0.0, 1.0, 1.0, 2e-162),
    (1e-60, 1e-60, 1e-202, 1.0), (1e-160, 1e-161, 1.0, 1.0)])
def test_what_underflow_takes_is_allowed_for(one, two, d, far):
    # one input and one output: what the layers say is |W1|^2 + |W2|^2, once and for all
    for seed in range(20):
        rng = np.random.default_rng(seed)
        W1, W2 = one * rng.uniform(1, 2, (1, 3)), two * rng.uniform(1, 2, (3, 1))
        curvature, Y = d * rng.uniform(1, 2), float((W1 @ W2)[0, 0]) - far * rng.uniform(1, 2)
        stack = np.concatenate([W1, W2.T])
        at = Descent(DiagonalQuadratic([curvature], [[Y]]), Sharp(), Certified(), stack).local()
        first, second = ([Fraction(x) for x in W.ravel().tolist()] for W in (W1, W2))
        squares = sum(x * x for x in first + second)
        E = sum(x * y for x, y in zip(first, second, strict=True)) - Fraction(Y)
        slope, nu = Fraction(curvature) * abs(E), Fraction(curvature) * squares
        # the ends that a step or a rate is made of
        assert Fraction(at["sigma_min_sq"][0]) <= squares <= Fraction(at["sigma_max_sq"][1])
        assert Fraction(at["nu"][0]) <= nu <= Fraction(at["nu"][1])
        assert abs(E + Fraction(Y)) <= Fraction(at["sigma_max_W"][1])
        assert slope <= Fraction(at["G_max"][1])
        assert slope <= Fraction(at["G_norm"])
        assert slope * abs(E) / 2 <= Fraction(at["gap_above"])


def test_a_rate_is_true_where_rounding_is_as_large_as_the_gap():
    rng, certified = np.random.default_rng(16), 0
    for _ in range(200):
        W1, W2 = cancelling(rng)
        Y = float((W1 @ W2)[0, 0]) + rng.normal() * 10.0 ** rng.uniform(-8, -5)
        descent = Descent(DiagonalQuadratic([1.0], [[Y]]), Sharp(), Certified(), np.concatenate([W1, W2.T]))
        rows, gaps = np.empty((1, len(COLUMNS))), []
        for t in (0, 1):
            if t:
                descent.advance(rows, max_iter=1, tol=0.0)
            product = sum(Fraction(a) * Fraction(b) for a, b in zip(
                descent.W1[0].tolist(), descent.W2[:, 0].tolist(), strict=True))
            gaps.append((product - Fraction(Y)) ** 2 / 2)
        if descent.t == 1:
            rate = rows[0, COLUMNS.index("rate_bound")]
            # the rate is that of exact steps; the layers round to some units, which moves the product
            rounding = descent.last_row()[COLUMNS.index("rounding")]
            assert gaps[1] <= Fraction(rate) * gaps[0] + Fraction(rounding)
            certified += rate < 0.5
    assert certified > 5


def test_a_loss_in_a_rounded_frame_is_off_by_no_more_than_it_says():
    # the loss that is meant has d (1 + frame) in place of d, and sqrt(2 gap) is `uncertainty` where this one is least:
    # in one dimension nothing of what is allowed for is too much
    rng, within = np.random.default_rng(20), 1 + 100 * U
    for case in range(100):
        d, E = sizes(rng, 2, decades=1)
        frame, uncertainty = (10.0 ** rng.uniform(-8, -1, 2) * ((case % 3 != 0), (case % 3 != 1))).tolist()
        K = d * (1 + frame) * (1 + 4 * U)
        kernel = DiagonalQuadratic([d], [[0.0]], mu=d * (1 - frame) * (1 - 4 * U), K=K, frame=frame,
                                   uncertainty=uncertainty)
        at = Descent(kernel, Sharp(), Certified(), np.array([[E], [1.0]])).local()
        steep, flat = (root(d * (1 + sign * mpmath.mpf(frame))) for sign in (1, -1))
        gap, G = (steep * E + uncertainty) ** 2 / 2, steep * (steep * E + uncertainty)
        assert gap <= at["gap_above"] <= gap * within
        # the steepest slope that d and the frame allow is a little below what their bounds, multiplied, do
        assert G <= at["G_max"][1] <= G * (1 + frame) * within
        assert G <= at["G_norm"] <= G * (1 + frame) * within
        assert at["G_max"][0] <= flat * (flat * E - uncertainty)


@pytest.mark.parametrize("size", [1e-8, 1e-3, 0.05, 0.3, 1.0, 30.0])
def test_a_loss_of_rows_is_off_by_no_more_than_it_says(size):
    # at logits of 0 both probabilities are 1/2, and the divergence is log cosh(x E / 2)
    rng = np.random.default_rng(17)
    for N, n, m in ((1, 1, 1), (5, 3, 2), (300, 2, 1)):
        X, W = rng.standard_normal((N, n)), size * rng.standard_normal((n, m))
        uncertainty = 1e-9
        kernel = Logistic(X, np.zeros((N, m)), np.zeros((n, m)), mu=0.1, K=0.1 + np.linalg.norm(X, 2) ** 2 / 4,
                          minimum=0.0, l2=0.1, uncertainty=uncertainty)
        x, w = mpmath.matrix(X.tolist()), mpmath.matrix(W.tolist())
        half = x * w / 2
        ridge = mpmath.fsum(v * v for v in w)
        exact = mpmath.fsum(mpmath.log(mpmath.cosh(z)) for z in half) + mpmath.mpf(0.1) / 2 * ridge
        gradient = x.T * half.apply(mpmath.tanh) / 2 + mpmath.mpf(0.1) * w
        _, gap, G = kernel.value_and_gradient(W)
        # W = W I: the product is exact
        descent = Descent(kernel, Sharp(), Certified(), np.concatenate([W, np.eye(m)]))
        descent.local()
        told = uncertainty * (mpmath.sqrt(ridge) + uncertainty / 0.2)
        rounding = descent.gap_error - told
        assert rounding >= 0
        assert abs(gap - exact) <= rounding + 4 * U * told
        assert descent.gap_error >= told
        # it counts the worst case, at most so many units of what it adds up
        assert abs(gap - exact) <= 100 * U * exact
        assert mpmath.norm(mpmath.matrix(G.tolist()) - gradient) <= 60 * U * (mpmath.norm(gradient) + np.linalg.norm(W))


def test_published_smoothness_is_rounded_up():
    rng = np.random.default_rng(18)
    for _ in range(DRAWS):
        K, sigma_sq, sigma_W, gap, G_2, G_F, eta = sizes(rng, 7)
        e = {name: mpmath.mpf(x) for name, x in
             zip(("K", "s", "w", "gap", "two", "F", "eta"), (K, sigma_sq, sigma_W, gap, G_2, G_F, eta), strict=True)}
        g = mpmath.sqrt(2 * e["K"] * e["gap"])
        exact = (e["K"] * e["s"] + g + 3 * e["K"] * e["s"] * g * e["eta"]
                 + 6 * e["K"] ** 2 * e["w"] * e["gap"] * e["eta"] ** 2)
        assert exact <= K_t(K, sigma_sq, sigma_W, gap, eta) <= exact * (1 + 40 * U)
        exact = (e["K"] * e["s"] + e["two"] + e["K"] * e["s"] * e["two"] * e["eta"]
                 + e["K"] * e["w"] * e["two"] * e["F"] * e["eta"] ** 2 / 2)
        assert exact <= K_t_sharp(K, sigma_sq, sigma_W, G_2, G_F, eta) <= exact * (1 + 40 * U)
