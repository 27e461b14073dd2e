"""The pseudo-Huber loss: its formula at residuals of any size, its constants, its limits, what it says of rounding."""

import pickle

import mpmath
import numpy as np
import pytest
from cases import EXPECTED

from lplfast import Network, PseudoHuberLoss, Run, SquaredLoss, check_loss, local_constants, train
from lplfast.descent.descent import Descent
from lplfast.losses.proof import norm
from lplfast.losses.pseudo_huber import PseudoHuber
from lplfast.rules.guaranteed import Sharp
from lplfast.spectral.certified import Certified

U = 2.0**-53


def kernel(residuals, X, *, delta=1.0, l2=0.1):
    """Return the compiled loss of an X with the minimizer 0 and these residuals there, in units of delta."""
    X = np.asarray(X)
    return PseudoHuber(X, residuals, np.zeros((X.shape[1], np.shape(residuals)[1])), delta=delta, mu=l2,
                       K=float(np.linalg.norm(X, 2) ** 2) * (1 + 8 * U) + l2, minimum=0.0, l2=l2)


def exact(residuals, X, W, *, delta, l2):
    """Return gap and gradient as they are defined, in the precision of mpmath."""
    x, w, delta = mpmath.matrix(X.tolist()), mpmath.matrix(W.tolist()), mpmath.mpf(delta)
    before = delta * mpmath.matrix(residuals.tolist())
    after = before + x * w

    def value(r):
        return delta**2 * (mpmath.sqrt(1 + (r / delta) ** 2) - 1)

    def slope(r):
        return r / mpmath.sqrt(1 + (r / delta) ** 2)

    gap = mpmath.fsum(value(b) - value(a) - slope(a) * (b - a) for a, b in zip(before, after, strict=True))
    gap += mpmath.mpf(l2) / 2 * mpmath.fsum(v * v for v in w)
    return gap, x.T * (after.apply(slope) - before.apply(slope)) + mpmath.mpf(l2) * w


@pytest.mark.parametrize("start", [0.0, 1e-10, -0.3, 1.0, -50.0, 1e8, -1e100])
def test_gap_and_gradient_have_their_digits_at_residuals_of_any_size(start):
    # one residual at a time, and almost no ridge that could hide it
    for change in (1e-150, 1e-10, -1e-3, 1.0, -1.0, 1e5, -1e8, 1e100, -1e100, 1e120, -2 * start or 3.0):
        with mpmath.workdps(600):
            residuals, X, W = np.array([[start]]), np.ones((1, 1)), np.array([[change]])
            l2 = 1e-320
            _, gap, G = kernel(residuals, X, delta=0.25, l2=l2).value_and_gradient(0.25 * W)
            true, slope = exact(residuals, X, 0.25 * W, delta=0.25, l2=l2)
        # some 25 operations, none of which cancels, and what is below float64
        assert abs(gap - true) <= 40 * U * true + 1e-320, (start, change)
        assert abs(G[0, 0] - slope[0]) <= 40 * U * abs(slope[0]) + 1e-320, (start, change)


def test_no_square_of_a_residual_overflows():
    # E of 1e100, X of 1e100: at residuals of 1e200 the loss is delta |r|
    _, gap, G = kernel([[0.5]], [[1e100]], delta=2.0).value_and_gradient(np.array([[1e100]]))
    slope = 2.0 - 2.0 * 0.5 / 1.25**0.5
    assert np.isclose(gap, slope * 1e200 + 0.05 * 1e200, rtol=1e-14)
    assert np.isclose(G[0, 0], slope * 1e100 + 0.1 * 1e100, rtol=1e-14)
    # beyond float64, it says so and does not come back as a small number
    with np.errstate(over="ignore"):
        for W in (1e155, 1e300):
            _, gap, _ = kernel([[0.5]], [[1e149]], delta=1e-9).value_and_gradient(np.array([[W]]))
            assert not np.isfinite(gap)


def test_what_is_trained_is_the_loss_itself():
    rng = np.random.default_rng(0)
    X, Y, offset = rng.standard_normal((300, 5)), rng.standard_normal((300, 3)), rng.standard_normal((5, 3))
    Y[::17] *= 1e4
    for reduction, share in (("sum", 1.0), ("mean", 1 / 300)):
        problem = PseudoHuberLoss(X, Y, delta=0.7, l2=0.2, offset=offset, reduction=reduction)
        for size in (0.0, 1.0, 1e3):
            W = size * rng.standard_normal((5, 3))
            r = X @ (W + offset) - Y
            value = share * np.sum(0.49 * (np.sqrt(1 + (r / 0.7) ** 2) - 1)) + 0.1 * np.sum((W + offset) ** 2)
            gradient = share * X.T @ (r / np.sqrt(1 + (r / 0.7) ** 2)) + 0.2 * (W + offset)
            # both sides are sums of 900 terms, of which the largest are 7000 here
            assert np.isclose(problem.value(W), value, rtol=1e-12)
            assert np.allclose(problem.gradient(W), gradient, rtol=1e-11, atol=1e-10)


def test_a_large_delta_is_the_squared_loss_and_a_small_one_counts_residuals():
    rng = np.random.default_rng(1)
    X, Y, W = rng.standard_normal((30, 4)), rng.standard_normal((30, 2)), rng.standard_normal((4, 2))
    square = SquaredLoss(X, Y, l2=0.3)
    huge = PseudoHuberLoss(X, Y, delta=1e6, l2=0.3)
    # the next term of the series is r^2 / (4 delta^2) of the first
    assert np.allclose(huge.minimizer, square.minimizer, rtol=1e-9, atol=1e-10)
    assert np.isclose(huge.value(W), square.value(W), rtol=1e-9)
    tiny = PseudoHuberLoss(X, Y, delta=1e-9, l2=0.3)
    ridge = 0.15 * np.sum(W**2)
    assert np.isclose(tiny.value(W) - ridge, 1e-9 * np.sum(abs(X @ W - Y)), rtol=1e-6)


def test_K_is_attained_where_all_residuals_are_0_and_mu_far_out():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((30, 4))
    problem = PseudoHuberLoss(X, np.zeros((30, 2)), delta=0.5, l2=0.01)
    top, h = np.outer(np.linalg.svd(X)[2][0], [0.6, 0.8]), 1e-6
    curvature = np.vdot(top, problem.gradient(h * top)) / h
    assert np.isclose(curvature, problem.K, rtol=1e-9)
    far = 1e8 * rng.standard_normal((4, 2))
    curvature = np.vdot(top, problem.gradient(far + 1e3 * top) - problem.gradient(far - 1e3 * top)) / 2e3
    # gradients of size 1e6 are known to u, and divided by 1e3
    assert problem.mu * (1 - 1e-5) <= curvature <= problem.mu * 1.001
    assert check_loss(problem).passed


def test_an_outlier_moves_the_minimizer_by_a_bounded_pull():
    rng = np.random.default_rng(3)
    X, truth = rng.standard_normal((200, 3)), np.array([[1.0], [-2.0], [0.5]])
    Y, spoiled = X @ truth, X @ truth
    spoiled[7] += 1e6
    clean, robust, square = (PseudoHuberLoss(X, Y, delta=0.1, l2=1e-6), PseudoHuberLoss(X, spoiled, delta=0.1, l2=1e-6),
                             SquaredLoss(X, spoiled, l2=1e-6))
    # a pull of at most delta |x|, against a curvature of about 200
    assert np.linalg.norm(clean.minimizer - truth) < 1e-6
    assert np.linalg.norm(robust.minimizer - truth) < 0.1 * np.linalg.norm(X[7]) / 100
    assert np.linalg.norm(square.minimizer - truth) > 1e3


@pytest.mark.parametrize(("scale", "delta", "l2"), [(1.0, 1.0, 1.0), (1e4, 1e-3, 1e-8), (1.0, 1e-6, 1e-6),
                                                    (1e-3, 10.0, 1e-10), (1e3, 1e3, 1e-4)])
def test_the_true_minimizer_is_within_what_is_said_of_it(scale, delta, l2):
    rng = np.random.default_rng(4)
    X, Y = scale * rng.standard_normal((8, 2)), rng.standard_normal((8, 1))
    Y[0] = 1e5
    problem = PseudoHuberLoss(X, Y, delta=delta, l2=l2)
    with mpmath.workdps(80):
        x, y, width = mpmath.matrix(X.tolist()), mpmath.matrix(Y.tolist()), mpmath.mpf(delta)
        V = mpmath.matrix(problem.minimizer.tolist())
        value, step = [], mpmath.inf
        while not value or mpmath.norm(step) > mpmath.mpf(10) ** -6 * problem.minimizer_error:
            r = x * V - y
            q = [mpmath.sqrt(1 + (entry / width) ** 2) for entry in r]
            value.append(width**2 * mpmath.fsum(root - 1 for root in q) + l2 * mpmath.fsum(v * v for v in V) / 2)
            gradient = x.T * mpmath.matrix([entry / root for entry, root in zip(r, q, strict=True)]) + l2 * V
            H = x.T * mpmath.diag([root**-3 for root in q]) * x + l2 * mpmath.eye(2)
            step = mpmath.lu_solve(H, gradient)
            V = V - step
        distance = mpmath.norm(mpmath.matrix(problem.minimizer.tolist()) - V)
    assert distance <= problem.minimizer_error
    assert value[0] - value[-1] <= problem.minimum_error
    assert abs(mpmath.mpf(problem.minimum) - value[-1]) <= problem.minimum_error
    # and it is small, whatever mu makes of it: residuals of 1 are known to some u, and slopes to u / delta of theirs
    assert problem.kernel.uncertainty < 1e-9 * np.linalg.norm(problem.at(np.zeros((2, 1))).gradient)


def far_out():
    """Return X, targets and a delta of 1e-5 of them, with a ridge that hardly bends the loss."""
    rng = np.random.default_rng(11)
    X = rng.standard_normal((24, 4))
    return X, 100 * rng.standard_normal((24, 3)), {"delta": 1e-3, "l2": 1e-8}


def test_a_delta_that_is_small_beside_all_residuals():
    X, Y, options = far_out()
    problem = PseudoHuberLoss(X, Y, **options)
    at = problem.at(problem.minimizer)
    assert np.linalg.norm(at.gradient) <= 2 * at.rounding
    # near enough least absolute deviations, which interpolate as many rows as there are columns
    inside = abs(X @ problem.minimizer - Y) < 100 * options["delta"]
    assert (inside.sum(axis=0) == 4).all()


def test_what_a_greater_delta_has_come_to_is_where_the_next_call_begins(monkeypatch):
    X, Y, options = far_out()
    whole, stopped = PseudoHuberLoss(X, Y, **options), PseudoHuberLoss(X, Y, **options)
    seen, calls, again = [], [], False

    def interrupted():
        calls.append(None)
        if again and len(calls) % 97 == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr("lplfast.losses.newton.look_up", interrupted)
    whole.solve()
    steps, again = len(calls), True
    calls.clear()
    for _ in range(100):
        try:
            stopped.solve()
            break
        except KeyboardInterrupt:
            seen.append(stopped._widened)
    assert 3 < len(seen) < 100
    assert any(delta is not None and options["delta"] < delta < 100 for delta in seen)
    assert len(calls) <= 2 * steps
    assert stopped.delta == options["delta"]
    assert np.allclose(stopped.minimizer, whole.minimizer, rtol=1e-9)


def test_no_scale_of_data_delta_or_ridge_breaks_the_solver():
    rng = np.random.default_rng(8)
    X, Y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    for scale in (1e-150, 1.0, 1e100):
        for targets, delta in ((1.0, 1e-100), (1.0, 1e-3), (1.0, 1e100), (1e120, 1e10), (1e-100, 1.0)):
            for l2 in (1e-320, 1.0, 1e300):
                if min(delta, targets) * scale > 1e140:
                    continue
                problem = PseudoHuberLoss(scale * X, targets * Y, delta=delta, l2=l2)
                start = norm(problem.at(np.zeros((3, 2))).gradient)
                assert np.isfinite(problem.minimum)
                # what the solver is left with where it gets nowhere, and rounding
                assert problem.kernel.uncertainty <= start * (1 + 1e-4)
                assert problem.minimizer_error >= 0


@pytest.mark.parametrize("size", [1e-8, 1e-3, 1.0, 1e3])
def test_rounding_is_no_more_than_it_says(size):
    rng = np.random.default_rng(17)
    for N, n, m in ((1, 1, 1), (5, 3, 2), (300, 2, 1), (2, 1, 200)):
        X, W = rng.standard_normal((N, n)), size * rng.standard_normal((n, m))
        residuals = 3 * rng.standard_normal((N, m))
        compiled = kernel(residuals, X, delta=0.5)
        with mpmath.workdps(60):
            gap_true, G_true = exact(residuals, X, W, delta=0.5, l2=0.1)
            _, gap, G = compiled.value_and_gradient(W)
            # W = W I: the product is exact
            descent = Descent(compiled, Sharp(), Certified(), np.concatenate([W, np.eye(m)]))
            descent.local()
            assert abs(gap - gap_true) <= descent.gap_error
            assert abs(gap - gap_true) <= 100 * U * gap_true
            off = mpmath.norm(mpmath.matrix(G.tolist()) - G_true)
            assert off <= 60 * U * (mpmath.norm(G_true) + np.linalg.norm(X) * np.linalg.norm(X @ W))


def cancelling(rng):
    """Return X and a W of which the products are 1e8 times as large as their sums."""
    X = 10.0 ** rng.uniform(0, 2, (1, 2))
    w = rng.uniform(1, 2)
    return X, np.array([[w], [-w * X[0, 0] / X[0, 1] * (1 + 1e-8 * rng.uniform(1, 2))]])


def test_value_and_gradient_say_what_rounding_of_the_residuals_does(probe):
    rng, needed = np.random.default_rng(6), 0
    for _ in range(40):
        X, W = cancelling(rng)
        compiled = kernel(np.zeros((1, 1)), X, l2=1e-12)
        _, gap, G = compiled.value_and_gradient(W)
        said = probe.said(compiled, W)
        with mpmath.workdps(60):
            true, slope = exact(np.zeros((1, 1)), X, W, delta=1.0, l2=1e-12)
            off = mpmath.norm(mpmath.matrix(G.tolist()) - slope)
            needed += off > 100 * U * mpmath.norm(slope)
        assert abs(gap - true) <= said["rounding"] + 8 * U * true
        assert off <= said["gradient_error"]
    # not for what rounding does to small residuals alone
    assert needed > 10


def test_the_gradient_rounds_no_more_than_the_solution_is_told():
    rng, needed = np.random.default_rng(7), 0
    for _ in range(40):
        X, V = cancelling(rng)
        problem = PseudoHuberLoss(X, [[0.0]], delta=1.0, l2=1e-12)
        with mpmath.workdps(60):
            true = exact(np.zeros((1, 1)), X, V, delta=1.0, l2=1e-12)[1]
            off = mpmath.norm(mpmath.matrix(problem.at(V).gradient.tolist()) - true)
        assert off <= problem.at(V).rounding
        needed += off > 100 * U * mpmath.norm(true)
    # not for what rounding does to small residuals alone
    assert needed > 10


def test_residuals_that_are_stored_off_by_rounding_widen_the_gap(probe):
    # the loss that is meant has the residual x + blur / delta where this one has x
    W, blur, delta = np.array([[2.0]]), 1e-3, 0.5
    options = {"delta": delta, "mu": 0.1, "K": 1.2, "minimum": 0.0, "l2": 0.1}
    # where residuals grow from far on one side to the other, the divergence depends on them most
    x = -3.0
    stored = PseudoHuber([[1.0]], [[x]], [[0.0]], **options, blur=blur)
    meant = PseudoHuber([[1.0]], [[x + blur / delta]], [[0.0]], **options)
    off = abs(stored.value_and_gradient(W)[1] - meant.value_and_gradient(W)[1])
    # what `uncertainty` has of it, the second derivative times the change, to its first order
    local = blur * (1 + x * x) ** -1.5 * 2.0
    assert off <= probe.said(stored, W)["gap_error"] + local * (1 + blur)
    assert off > 5 * local
    assert probe.said(meant, W)["gap_error"] == 0.0


def random_case(rng):
    """Return a problem with outliers and a network, of any scale, condition and shape; near the minimizer or not."""
    n, m, h = (round(12 ** rng.random()) for _ in range(3))
    N, scale = round(2 * 150 ** rng.random()), 10.0 ** rng.uniform(-3, 3)
    X = scale * rng.standard_normal((N, n)) * 10.0 ** -np.sort(rng.uniform(0, rng.uniform(0, 4), n))
    Y = rng.standard_normal((N, m)) * 10.0 ** rng.uniform(-2, 6, (N, 1))
    problem = PseudoHuberLoss(X, Y, delta=10.0 ** rng.uniform(-4, 4), l2=10.0 ** rng.uniform(-5, 1) * scale**2,
                              reduction=str(rng.choice(["sum", "mean"])))
    if rng.random() < 0.4:
        near = problem.minimizer + 10.0 ** rng.uniform(-12, 0) * rng.standard_normal((n, m))
        return problem, Network.balanced(near, max(h, min(n, m)))
    return problem, Network.gaussian(n, h, m, std=10.0 ** rng.uniform(-2, 1), rng=rng)


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_violated_beyond_rounding(seed):
    for case in range(60):
        rng = np.random.default_rng([seed, case])
        problem, network = random_case(rng)
        rule = str(rng.choice(["local", "sharp", "majorizer", "polyak", "bb", "constant"]))
        if rule == "constant":
            at = local_constants(problem, network)
            rule = 10.0 ** rng.uniform(-2, 0.5) / at.K_t_sharp(0.0) if at.K_t_sharp(0.0) > 0 else "sharp"
        run = train(problem, network, rule, max_iter=100, tol=0.0, constants=str(rng.choice(["certified", "exact"])))
        assert run.violations == 0, (case, problem, rule, run)
        assert run.status != "guarantee_failed", (case, problem, rule, run)


def test_pickled_saved_and_continued_to_the_same_bits(tmp_path):
    rng = np.random.default_rng(5)
    problem = PseudoHuberLoss(rng.standard_normal((20, 4)), rng.standard_normal((20, 3)), delta=0.3, l2=0.1)
    again = pickle.loads(pickle.dumps(problem))
    assert again.fingerprint == problem.fingerprint
    network = Network.gaussian(4, 30, 3, std=0.4, rng=0)
    whole, half = train(problem, network, max_iter=20), train(problem, network, max_iter=10)
    half.save(tmp_path / "run.npz")
    rest = train(again, Run.load(tmp_path / "run.npz"), max_iter=20)
    assert np.array_equal(rest.history["gap"], whole.history["gap"])
    assert np.array_equal(rest.network.W1, whole.network.W1)
    other = PseudoHuberLoss(problem._X, problem._targets, delta=0.31, l2=0.1)
    with pytest.raises(ValueError, match="problem: expected"):
        train(other, Run.load(tmp_path / "run.npz"), max_iter=20)


@pytest.mark.parametrize(("options", "words"), [
    ({"delta": 0.0}, "delta: expected"), ({"delta": -1.0}, "delta: expected"), ({"delta": np.nan}, "delta: expected"),
    ({"delta": 1e-200}, "rescale Y"), ({"delta": 1e200}, "rescale Y"), ({"l2": 0.0}, "l2: expected"),
    ({"Y": np.full((3, 1), 1e100), "delta": 1e-100}, "raise delta"),
    ({"Y": np.full((3, 1), 1e306), "delta": 1e-3}, "raise delta"),
    ({"X": np.full((3, 2), 1e100), "Y": np.full((3, 1), 1e60), "delta": 1e60}, "rescale X or Y"),
    ({"Y": np.ones((4, 1))}, "Y: expected 3 rows"),
    ({"X": np.full((3, 2), 1e200)}, "X: expected"), ({"reduction": "max"}, "reduction: expected"),
    ({"Y": np.full((3, 1), np.inf)}, "Y: expected finite")])
def test_bad_arguments_are_refused(options, words):
    arguments = {"X": np.ones((3, 2)), "Y": np.ones(3), "delta": 1.0, "l2": 1.0, **options}
    with pytest.raises(ValueError, match=EXPECTED) as caught:
        PseudoHuberLoss(arguments.pop("X"), arguments.pop("Y"), **arguments)
    assert words in str(caught.value)
