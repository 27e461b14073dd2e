"""Bounds on the extremes of the tangent kernel: found, drifted, and of second order (docs/theory.md, section 6)."""

import mpmath
import numpy as np
import pytest
from units import DRAWS, positive, root, sizes, tracked

from lplfast.threads import single_threaded_blas

pytestmark = pytest.mark.usefixtures("sixty_digits")

U = 2.0**-53


def test_bounds_on_the_tangent_kernel_that_have_drifted_are_outward(probe):
    rng, better = np.random.default_rng(6), 0
    for _ in range(DRAWS):
        lo, least, most, K, mu = sizes(rng, 5, decades=1)
        most, hi, drift = least + most, lo + sizes(rng, 1)[0], least * 10.0 ** rng.uniform(-8, 0.2)
        upper_drift = drift * rng.uniform(0.1, 10)
        below, above = 10.0 ** rng.uniform(-6, 1), 10.0 ** rng.uniform(-1, 6)
        point = probe.Point(2, 3, 2, mu=mu, K=K, sigma_min_sq=(below, below), sigma_max_sq=(above, above),
                            hessian=[mu, K])
        under = hi * rng.uniform(0.5, 1)
        point.memory = {"tangent": {"lo": lo, "hi": hi, "hi_from_below": under, "lower_drift": drift,
                                    "upper_drift": upper_drift, "least": least, "most": most}}
        point.publish_tangent()
        drift, exact, rise = mpmath.mpf(drift), mpmath.mpf(lo), mpmath.mpf(upper_drift)
        low = max(mpmath.mpf(mu) * below, exact * positive(1 - drift / least))
        high = min(mpmath.mpf(K) * above, hi * (1 + rise / most), hi + K * rise)
        found = point.bracket("nu")
        # 1 - E / least may cancel: its units are those of 1
        assert max(mpmath.mpf(mu) * below * (1 - 4 * U), exact * (positive(1 - drift / least * (1 + 4 * U)) - 8 * U)
                   ) <= found[0] <= low
        assert high <= found[1] <= high * (1 + 12 * U)
        low = max(mpmath.mpf(mu) * above, positive(under - K * rise))
        # under - K E may cancel: its units are those of both
        assert max(mpmath.mpf(mu) * above * (1 - 4 * U), positive(under * (1 - 4 * U) - K * rise * (1 + 8 * U))
                   ) <= point.nu_hi_from_below <= low
        better += found[0] > mu * below
    assert 0.2 * DRAWS < better < DRAWS


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
                    "layer2": {"min_sq": tracked(p_lo, p_lo), "max_sq": tracked(0.999 * p_hi, p_hi)}}
                point.renew_tangent(by_lapack, 1e-3)
                roots = mpmath.diag([root(x) for x in d.tolist()])
                exact = mpmath.matrix(W1.tolist())
                low, high = (mpmath.eigsy(roots * (exact * exact.T + p * mpmath.eye(n)) * roots, eigvals_only=True)
                             for p in (p_lo, p_hi))
                found = point.memory["tangent"]
                assert min(low) * (1 - 3e-3) <= found["lo"] <= min(low)
                assert max(high) <= found["hi"] <= max(high) * (1 + 3e-3)
                # whatever p is between its bounds
                lost = mpmath.mpf(d.max()) * (p_hi - mpmath.mpf(0.999 * p_hi))
                lower = mpmath.eigsy(roots * (exact * exact.T + mpmath.mpf(0.999 * p_hi) * mpmath.eye(n)) * roots,
                                     eigvals_only=True)
                assert max(high) * (1 - 3e-3) - lost <= found["hi_from_below"] <= max(lower)
                # what drift is compared with must not be too large
                base = mpmath.mpf(0.99 * least)
                assert (base + p_lo) * (1 - 4 * U) <= found["least"] <= base + p_lo
                assert (base + p_hi) * (1 - 4 * U) <= found["most"] <= base + p_hi


def test_a_product_in_single_precision_may_be_off_by_what_is_said(probe):
    # so many equal singular values that this shows beside the rounding of quotients and shifts, a part of 1.3e-4 each
    n, p, room, rng = 300, 1e-3, 1e-5, np.random.default_rng(3)
    W1, d = np.linalg.qr(rng.standard_normal((n, n)))[0], rng.uniform(0.5, 2, n)
    point = probe.Point(n, n, 2, K=d.max(), mu=d.min(), hessian=d, W1=W1, W1_norm=float(np.linalg.norm(W1)),
                        sigma_min_sq=(0.0, 0.0), sigma_max_sq=(0.0, 1e9))
    point.memory = {"layer1": {"min_sq": tracked(1.0 - 1e-9, 1.0), "max_sq": tracked(1.0, 1.0 + 1e-9)},
                    "layer2": {"min_sq": tracked(p, p), "max_sq": tracked(p, p)}}
    low, high = ((1.0 + p) * d.min(), (1.0 + p) * d.max())
    with single_threaded_blas():
        error = point.renew_tangent_from(np.eye(n), room)
        assert 20 * 2.0**-24 <= error / n <= 23 * 2.0**-24
        # as far off as it may be, in the direction in which a bound would be on the wrong side
        for off, end in ((error, "lo"), (-error, "hi")):
            point.renew_tangent_from((1.0 + off) * np.eye(n), room)
            point.publish_tangent()
            found = point.bracket("nu")
            assert (1.0 - 1e-3) * low <= found[0] <= low
            assert high <= found[1] <= (1.0 + 1e-3) * high
            # what has been found is beyond the truth, and what is published is not
            assert point.memory["tangent"][end] > low if end == "lo" else point.memory["tangent"][end] < high


def test_drift_after_a_product_in_single_precision(probe):
    # the greatest value is where W1 has its least: there, E is a hundredth of what it is added to
    p, drift, d = 1.0, 0.5, [1.0, 1e-6]
    W1 = np.diag([0.0, 100.0])
    point = probe.Point(2, 2, 2, K=1.0, mu=1e-6, hessian=d, W1=W1, W1_norm=100.0, sigma_min_sq=(0.0, 0.0),
                        sigma_max_sq=(0.0, 1e9))
    point.memory = {"layer1": {"min_sq": tracked(0.0, 0.0), "max_sq": tracked(1e4, 1e4)},
                    "layer2": {"min_sq": tracked(p, p), "max_sq": tracked(p, p)}}
    error = point.renew_tangent_from(W1 @ W1.T, 1e-6)
    assert error > 0.01
    for off in (-error, error):
        point.renew_tangent_from(W1 @ W1.T + off * np.eye(2), 1e-6)
        tangent = point.memory["tangent"]
        # W1 W1^T + p I has moved by `drift` in every direction
        point.memory = {"tangent": {**tangent, "lower_drift": error + drift, "upper_drift": error + drift}}
        point.publish_tangent()
        least, greatest = min((p - drift) * d[0], (1e4 + p - drift) * d[1]), max((p + drift) * d[0], (1e4 + p) * d[1])
        low, high = point.bracket("nu")
        assert 0.4 * least <= low <= least
        assert greatest <= high <= 1.1 * greatest
