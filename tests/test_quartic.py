"""The roots that step sizes are, against 60 digits: first minimisers of quartics, and steps of the local constants."""

import mpmath
import numpy as np
import pytest
from cases import PROBLEMS

from lplfast import Armijo, Contraction, Local, MatrixFactorization, Network, Sharp, train

U = 2.0**-53


@pytest.fixture(autouse=True)
def _digits():
    with mpmath.workdps(60):
        yield


def derivative(q):
    """Return the derivative of the fall a eta - b0 (b eta^2 + c eta^3 + d eta^4), and where it turns."""
    a, b0, b, c, d = (mpmath.mpf(q[name]) for name in ("a", "b0", "b", "c", "d"))
    inner = 9 * c**2 - 24 * b * d
    turns = [(-3 * c + sign * mpmath.sqrt(inner)) / (12 * d) for sign in (-1, 1)] if d > 0 and inner > 0 else []
    return lambda x: a - b0 * x * (2 * b + x * (3 * c + 4 * d * x)), [x for x in turns if x > 0]


def first_root(q):
    """Return the first positive root of the derivative, by bisection of the first monotone piece that has one."""
    f, ends = derivative(q)
    low, high = mpmath.mpf(0), mpmath.mpf(1)
    for end in ends:
        if f(end) <= 0:
            high = end
            break
        low, high = end, 2 * end
    while f(high) > 0:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) > 0 else (low, middle)
    return high


def quartics(rng, count):
    """Yield quartics of every shape: one well or two, the first of either the deeper one, and without higher terms."""
    for i in range(count):
        b = float(rng.choice([1.0, 0.3, -0.5, 0.0]) * 10.0 ** rng.uniform(-2, 1))
        c, d = rng.normal() * 10.0 ** rng.uniform(-2, 1), 10.0 ** rng.uniform(-3, 1)
        if i % 5 == 0:
            b, c, d = abs(b) + 1.0, 0.0, 0.0
        if i % 5 == 1:
            # three real roots r < s < t of the derivative, which is 4 d (x - r)(x - s)(x - t) b0
            r, s, t = np.sort(10.0 ** rng.uniform(-1, 1, 3))
            a = 4 * d * r * s * t
            yield {"a": a, "b0": 1.0, "b": 2 * d * (r * s + s * t + r * t), "c": -4 * d * (r + s + t) / 3, "d": d}
            continue
        yield {"a": 10.0 ** rng.uniform(-3, 3), "b0": 10.0 ** rng.uniform(-3, 3), "b": b, "c": c, "d": d}


def test_the_first_minimiser_of_a_quartic(probe):
    rng, several = np.random.default_rng(0), 0
    for q in quartics(rng, 150):
        eta, exact = probe.first_minimiser(q), first_root(q)
        a, b0, b, c, d = (mpmath.mpf(q[name]) for name in ("a", "b0", "b", "c", "d"))
        # the coefficients round and the cubic is evaluated in float64: that moves a root by its units over its slope
        x = exact
        terms = 2 * abs(b) * x + 3 * abs(c) * x**2 + 4 * d * x**3 + a / b0
        slope = 2 * b + 6 * c * x + 12 * d * x**2
        assert abs(eta - exact) <= 16 * U * (terms / slope + exact), q
        fallen = a * eta - b0 * (b * eta**2 + c * mpmath.mpf(eta) ** 3 + d * mpmath.mpf(eta) ** 4)
        size = a * eta + b0 * (abs(b) * eta**2 + abs(c) * eta**3 + d * eta**4)
        assert abs(probe.quartic_fall(q, eta) - fallen) <= 8 * U * size
        f, turns = derivative(q)
        several += len(turns) == 2 and f(turns[0]) < 0 < f(turns[1])
    assert several > 15


@pytest.mark.parametrize("q", [
    {"a": 1e300, "b0": 1e-300, "b": 1.0, "c": 0.0, "d": 0.0}, {"a": 1e-300, "b0": 1e300, "b": 1.0, "c": 0.0, "d": 0.0},
    {"a": 1.0, "b0": 1.0, "b": -1e8, "c": 0.0, "d": 1.0}, {"a": 1.0, "b0": 1.0, "b": 1.0, "c": -1e-8, "d": 1e-16},
], ids=["long", "short", "far", "flat"])
def test_extreme_quartics(probe, q):
    scale = mpmath.mpf(q["a"]) / (2 * mpmath.mpf(q["b0"]))
    if not 1e-300 < scale < 1e300:
        # beyond float64, as the step is
        assert probe.first_minimiser(q) in (0.0, np.inf)
        return
    assert abs(probe.first_minimiser(q) - first_root(q)) <= 1e-14 * first_root(q)


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
    rng, own = np.random.default_rng(3), 0
    for _ in range(300):
        low, high = np.sort(10.0 ** rng.uniform(-2, 2, 2))
        gap, size = 10.0 ** rng.uniform(-8, 0), 10.0 ** rng.uniform(-3, 3)
        B = size * np.sqrt(gap) * rng.standard_normal((2, 2))
        hessian = np.array([0.5, 1.0])
        point = probe.Point(2, 3, 2, K=1.0, mu=0.5, gap=gap, G_norm=0.5, sigma_max_sq=(high, high), nu=(low, high),
                            sigma_max_W=(0.4 * high, 0.4 * high), G_max=(0.4, 0.4), hessian=hessian, B=B)
        eta = point.choose(Contraction())
        sharp = probe.sharp_step(1.0, high, 0.4 * high, 0.4, 0.5)
        q = np.sqrt((hessian[:, np.newaxis] * B**2).sum() / (2 * gap))
        trials = np.append(np.geomspace(1e-6, 4, 400) / high, eta)
        bound = np.maximum(1 - trials * low, trials * high - 1) + q * trials**2
        if eta != sharp:
            own += 1
            assert bound[-1] <= bound.min() * (1 + 1e-12)
            assert 1 - bound[-1] ** 2 > low * sharp * (2 - sharp * (high + 0.4)) * (1 - 1e-3) * 0.5
        else:
            best = 1 - bound.min() ** 2
            K_t = high + 0.4 + high * 0.4 * sharp + 0.5 * 0.4 * high * 0.4 * 0.5 * sharp**2
            assert best <= low * sharp * (2 - sharp * K_t) * (1 + 1e-9)
    assert 50 < own < 300


def test_the_majorizer_takes_the_lower_of_its_two_bounds():
    longer = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        W1, W2, Y = rng.standard_normal((3, 5)), rng.standard_normal((5, 2)), rng.standard_normal((3, 2))
        problem, network = MatrixFactorization(Y), Network(W1, W2)
        eta, sharp = (train(problem, network, rule, max_iter=1, constants="exact").history["step_size"][0]
                      for rule in ("majorizer", "sharp"))
        G = W1 @ W2 - Y
        g1, g2 = G @ W2.T, W1.T @ G
        tau, B = g1 @ W2 + W1 @ g2, g1 @ g2
        # L - a eta + b eta^2 + c eta^3 + d eta^4, of which every eta is a bound
        quartic = np.array([0.5 * (B**2).sum(), -(tau * B).sum(), (G * B).sum() + 0.5 * (tau**2).sum(),
                            -(g1**2).sum() - (g2**2).sum(), 0.0])
        derivative = np.polyder(quartic)
        assert (np.polyval(derivative, np.linspace(0, 0.999 * eta, 500)) < 0).all()
        # a is the slope at 0; the coefficients are sums of ten products
        assert abs(np.polyval(derivative, eta)) <= 1e-12 * abs(derivative[-1])
        longer += np.polyval(quartic, eta) < np.polyval(quartic, sharp)
    assert longer == 10


def test_armijo_tries_twice_the_last_step_first():
    problem, network = MatrixFactorization(np.eye(2)), Network.gaussian(2, 6, 2, std=0.3, rng=0)
    steps = train(problem, network, Armijo(shrink=0.7), max_iter=30, tol=0.0).history["step_size"][:-1]
    backtracks = np.log(steps[1:] / steps[:-1] / 2) / np.log(0.7)
    assert np.allclose(backtracks, np.round(backtracks), atol=1e-9)
    assert backtracks.min() < 1.5


@pytest.mark.parametrize("name", ["squared", "softmax", "weighted"])
def test_what_a_loss_says_along_a_ray(probe, name):
    rng = np.random.default_rng(0)
    kernel = probe.Weighted([1.0, 2.0, 5.0, 0.5], 3) if name == "weighted" else PROBLEMS[name](rng, 4, 3)[0].kernel
    W, V, B = rng.standard_normal((3, *kernel.shape))
    value, _, G = kernel.value_and_gradient(W)
    tau = G + 0.1 * V      # <G, tau> > 0

    def at(eta):
        return kernel.value_and_gradient(W - eta * tau + eta**2 * B)

    for eta in (1e-3, 0.1, 2.0):
        said = probe.along(kernel, W, tau, B, eta)
        moved, _, gradient = at(eta)
        assert said["change"] == pytest.approx(moved - value, rel=1e-10)
        assert 0 < said["rounding"] < 1e-11 * (abs(moved) + abs(value))
        assert said["slope"] == pytest.approx(np.vdot(gradient, 2 * eta * B - tau), rel=1e-12)
        M = eta**2 * B - eta * tau
        assert said["upper"] == pytest.approx(np.vdot(G, M) + kernel.K / 2 * np.vdot(M, M), rel=1e-11)
        assert said["upper"] >= said["change"]
        assert said["work"] == (2, 1)
        # first minimisers: lower than all before them, and flat
        best = said["upper_minimiser"]
        grid = [probe.along(kernel, W, tau, B, x * best)["upper"] for x in (0.5, 0.9, 0.999, 1.0, 1.001)]
        assert grid[0] > grid[1] > grid[2] > grid[3] < grid[4]
        assert said["known"] == kernel.quadratic == (name != "softmax")
        if said["known"]:
            best = said["minimiser"]
            assert abs(probe.along(kernel, W, tau, B, best)["slope"]) < 1e-12 * np.vdot(G, tau)


def test_a_ray_whose_squares_underflow_has_no_minimiser(probe):
    kernel = probe.Weighted([1.0, 2.0], 1)
    W, tau, B = np.ones((2, 1)), np.full((2, 1), 1e-150), np.full((2, 1), 1e-150)
    said = probe.along(kernel, W, tau, B, 1.0)
    assert (said["upper"], said["upper_minimiser"], said["known"], said["minimiser"]) == (np.inf, 0.0, True, 0.0)
