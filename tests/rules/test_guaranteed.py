"""Rules with a guarantee: they are below their roots, take the safe ends of the constants, and the best of a bound."""

import mpmath
import numpy as np
import pytest

from lplfast import Contraction, Local, Sharp

pytestmark = pytest.mark.usefixtures("sixty_digits")

U = 2.0**-53


def constants(rng):
    """Return K, s_max(T)^2, s_max(W), a gap, ||G||_2 and ||G||_F as an iterate may have them, of any scale."""
    K, sigma_sq, gap = 10.0 ** rng.uniform(-6, 6, 3)
    G_2 = np.sqrt(2 * K * gap) * rng.uniform(0.1, 1)
    return K, sigma_sq, 0.5 * sigma_sq * rng.random(), gap, G_2, G_2 * rng.uniform(1, 4)


def test_steps_of_the_local_constants_are_below_their_roots(probe):
    rng = np.random.default_rng(1)
    for _ in range(2000):
        K, sigma_sq, sigma_W, gap, G_2, G_F = (mpmath.mpf(x) for x in constants(rng))
        g = mpmath.sqrt(2 * K * gap)
        eta = probe.local_step(K, sigma_sq, sigma_W, gap)
        product = eta * (K * sigma_sq + g + 3 * K * sigma_sq * g * eta + 6 * K**2 * sigma_W * gap * eta**2)
        # eta K_t(eta) grows at least as eta does, at most as its cube; the step is 48 u and some rounding too short
        assert 1 - 3 * 80 * U <= product <= 1
        eta = probe.sharp_step(K, sigma_sq, sigma_W, G_2, G_F)
        product = eta * (K * sigma_sq + G_2 + K * sigma_sq * G_2 * eta + K * sigma_W * G_2 * G_F * eta**2 / 2)
        assert 1 - 3 * 80 * U <= product <= 1


def test_rules_take_the_safe_ends(probe):
    rng = np.random.default_rng(2)
    for _ in range(50):
        K, sigma_sq, sigma_W, gap, G_2, G_F = constants(rng)
        point = probe.Point(2, 3, 2, K=K, mu=K / 2, gap=gap, gap_error=0.5 * gap, G_norm=G_F,
                            sigma_max_sq=(0.9 * sigma_sq, sigma_sq), sigma_max_W=(0.9 * sigma_W, sigma_W),
                            G_max=(0.9 * G_2, G_2), nu=(0.0, np.nan))
        # the gap may be as large as with its error
        above = gap * (1 + 24 * U) + 0.5 * gap
        assert point.choose(Local()) == pytest.approx(probe.local_step(K, sigma_sq, sigma_W, above), rel=1e-15)
        assert point.choose(Sharp()) == probe.sharp_step(K, sigma_sq, sigma_W, G_2, G_F)
        assert point.choose(Sharp(cap=1e-20)) == 1e-20
        assert point.choose(Local(cap=1e-20)) == 1e-20


def test_contraction_takes_the_best_of_its_bound(probe):
    rng, taken = np.random.default_rng(3), dict.fromkeys(["norm", "squares", "sharp"], 0)
    for _ in range(300):
        low, high = np.sort(10.0 ** rng.uniform(-2, 2, 2))
        gap, size, g = 10.0 ** rng.uniform(-8, 0), 10.0 ** rng.uniform(-3, 3), 10.0 ** rng.uniform(-3, 1)
        B = size * np.sqrt(gap) * rng.standard_normal((2, 2))
        hessian = np.array([0.5, 1.0])
        point = probe.Point(2, 3, 2, K=1.0, mu=0.5, gap=gap, G_norm=g, sigma_max_sq=(high, high), nu=(low, high),
                            sigma_max_W=(0.4 * high, 0.4 * high), G_max=(0.8 * g, 0.8 * g), hessian=hessian, B=B)
        eta = point.choose(Contraction())
        q = np.sqrt((hessian[:, np.newaxis] * B**2).sum() / (2 * gap))
        trials = np.append(np.geomspace(1e-6, 4, 4000) / high, eta)
        bent = 0.8 * g * (1 + high * trials) + 0.5 * 0.4 * high * 0.8 * g * g * trials**2
        gains = {
            "norm": 1 - (np.maximum(1 - trials * low, trials * high - 1) + q * trials**2) ** 2,
            "squares": np.min([trials * nu * (2 - trials * (nu + bent)) for nu in (low, high)], axis=0),
        }
        sharp = probe.sharp_step(1.0, high, 0.4 * high, 0.8 * g, g)
        K_t = high + 0.8 * g * (1 + high * sharp) + 0.5 * 0.4 * high * 0.8 * g * g * sharp**2
        gains["sharp"] = np.array([low * sharp * (2 - sharp * K_t) if eta == sharp else 0.0])
        own = max(gains, key=lambda name: gains[name][-1])
        taken[own] += 1
        # the step of the second form takes Gamma as given, though it grows with the step: some parts in 100 of its best
        best = max(max(found.max() for found in gains.values()), low * sharp * (2 - sharp * K_t))
        assert gains[own][-1] >= best * (1 - 5e-2)
    assert min(taken["norm"], taken["squares"]) > 30
