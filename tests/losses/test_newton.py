"""Minimizers of losses of labels: found to rounding, however bad the data, and as far off as is said."""

import time
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from cases import labels

from lplfast import LogisticLoss, Network, PseudoHuberLoss, SoftmaxLoss, train
from lplfast.losses.newton import newton
from lplfast.losses.proof import norm


def test_large_problems_are_solved_by_conjugate_gradients():
    rng = np.random.default_rng(0)
    problem = LogisticLoss(rng.standard_normal((20, 3100)), labels(rng, LogisticLoss, 20, 1), l2=1.0)
    # an output is a sum of 3100 products
    assert problem.minimum_error < 1e-11 * problem.minimum


def test_a_solution_ends_in_time_and_goes_on_where_it_was(monkeypatch):
    rng = np.random.default_rng(0)
    X, classes = rng.standard_normal((4000, 30)), rng.integers(0, 4, 4000)
    problem, whole = (SoftmaxLoss(X, classes, l2=1.0) for _ in range(2))
    monkeypatch.setattr("lplfast.losses.newton.CHEAP", 0.0)
    evaluated = []
    evaluate = SoftmaxLoss.at

    def slow(self, V):
        evaluated.append(V)
        if len(evaluated) == 2:
            time.sleep(0.2)
        return evaluate(self, V)

    monkeypatch.setattr(SoftmaxLoss, "at", slow)
    network = Network.gaussian(30, 8, 4, rng=0)
    with pytest.raises(TimeoutError, match=r"0.15 s have passed before the minimizer was found; .* goes on from there"):
        train(problem, network, "majorizer", max_time=0.15)
    run = train(problem, network, "majorizer", max_iter=3)
    # not from 0 again
    assert evaluated[2].any()
    assert np.array_equal(evaluated[2], evaluated[1])
    assert run.iterations == 3
    assert np.linalg.norm(problem.minimizer - whole.minimizer) <= 2 * problem.minimizer_error
    assert problem.solve() is None      # once is enough
    with pytest.raises(ValueError, match="max_time: expected"):
        SoftmaxLoss(X, classes, l2=2.0).solve(max_time=-1)


@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss, PseudoHuberLoss])
def test_no_matrix_is_looked_at_twice(kind, monkeypatch):
    rng, seen, look = np.random.default_rng(0), [], kind.at
    monkeypatch.setattr(kind, "at", lambda self, V: seen.append(V.tobytes()) or look(self, V))
    X, classes = rng.standard_normal((200, 5)), rng.integers(0, 2, 200)
    problem = kind(X, classes, l2=1.0, **({"delta": 1.0} if kind is PseudoHuberLoss else {}))
    problem.solve()
    assert len(seen) > 3
    assert len(set(seen)) == len(seen)
    # what its value may be off by is asked for apart
    assert problem.minimum_error < 1e-12 * problem.minimum


def test_a_solution_shows_its_progress(capsys):
    rng = np.random.default_rng(0)
    problem = SoftmaxLoss(rng.standard_normal((50, 3)), rng.integers(0, 3, 50), l2=1.0)
    problem.solve(progress=True)
    assert "minimizer: " in capsys.readouterr().err
    problem.solve(progress=True)
    assert not capsys.readouterr().err


@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss, PseudoHuberLoss])
def test_conjugate_gradients_find_what_factors_find(kind, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 12)) * 10.0 ** rng.uniform(-2, 2, 12)
    Y = X @ rng.standard_normal((12, 3)) + rng.standard_cauchy((300, 3))
    found = []
    for cheap in (1e9, 0.0):
        monkeypatch.setattr("lplfast.losses.newton.CHEAP", cheap)
        problem = (PseudoHuberLoss(X, Y, delta=1.0, l2=0.1) if kind is PseudoHuberLoss else
                   kind(X, (Y > 0) if kind is LogisticLoss else Y.argmax(1), l2=0.1))
        found.append(problem.minimizer)
    assert np.linalg.norm(found[0] - found[1]) <= 2 * problem.minimizer_error


def data_of(shape, scale):
    """Return X and labels of three classes that make trouble for Newton's method; where X > 0, of two."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 10) if shape == "wide" else (40, 5))
    X = {"duplicated": np.c_[X, X[:, :2]], "graded": X * 10.0 ** np.arange(-4, -4 + 2 * X.shape[1], 2)}.get(shape, X)
    classes = X[:, :3].argmax(axis=1) if shape == "separable" else labels(rng, SoftmaxLoss, len(X), 3)
    return scale * X, classes


@pytest.mark.parametrize("cheap", [1e9, 0.0], ids=["direct", "conjugate gradients first"])
@pytest.mark.parametrize("shape", ["plain", "separable", "wide", "duplicated", "graded"])
@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_minimizers_of_ill_conditioned_losses_are_found_to_rounding(kind, shape, cheap, monkeypatch):
    monkeypatch.setattr("lplfast.losses.newton.CHEAP", cheap)
    for scale in (1.0, 1e2, 1e4, 1e6):
        X, classes = data_of(shape, scale)
        for l2 in (1.0, 1e-4, 1e-8, 1e-10):
            problem = kind(X, classes > 0 if kind is LogisticLoss else classes, l2=l2)
            at = problem.at(np.array(problem.minimizer))
            # what is left of the gradient is not above the proved bound on its rounding
            assert np.linalg.norm(at.gradient) <= 2 * at.rounding, (scale, l2)


def test_rows_that_are_fitted_nearly_exactly_cost_no_digits():
    # next to 1e12 times what is left of the probabilities, rounding hides the ridge, and of the gradient what would
    # bring back rows that were fitted too well
    for seed in range(25):      # which of them are hard is decided by the last bits
        rng = np.random.default_rng(seed)
        X, classes = 1e6 * rng.standard_normal((15, 30)), np.append([0, 1, 2], rng.integers(0, 3, 12))
        problem = SoftmaxLoss(X, classes, l2=1e-10)
        at = problem.at(np.array(problem.minimizer))
        assert np.linalg.norm(at.gradient) <= 2 * at.rounding, seed


class Rounded:
    """||V||^2 / 2, of whose Hessian rounding has left one eigenvalue, of (1, 1); the other one is 1e-15, and not 1."""

    shape, blocks, K, work = (2, 1), 1, 1.0, 4.0

    def at(self, V):
        hessian = np.array([[[1.0, 1.0 - 1e-15], [1.0 - 1e-15, 1.0]]])
        return SimpleNamespace(V=V, value=np.vdot(V, V) / 2, gradient=V, rounding=1e-16, hessian=lambda: hessian)


def test_a_hessian_whose_directions_are_rounding_is_shifted():
    # along the other eigenvector a direction is 1e15 times too long: no step that is tried is short enough
    found = newton(Rounded(), np.array([[2.0], [1.0]]), project=lambda V: V)
    # a Hessian that is shifted is another: 100 steps with it leave 1e-10 of 2
    assert np.linalg.norm(found.gradient) < 1e-6


@pytest.mark.parametrize("large", [None, "CHEAP", "LARGEST"], ids=["direct", "preconditioned", "conjugate gradients"])
@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_no_scale_of_the_data_or_the_ridge_breaks_the_solver(kind, large, monkeypatch):
    if large:
        monkeypatch.setattr(f"lplfast.losses.newton.{large}", 1)
    X, classes = data_of("plain", 1.0)
    for scale in (1e-150, 1e20, 1e147):
        for l2 in (1e-100, 1.0) if large else (1e-320, 1e-100, 1.0, 1e300):
            problem = kind(scale * X, classes > 0 if kind is LogisticLoss else classes, l2=l2)
            start = norm(problem.at(np.zeros(problem.shape)).gradient)
            assert np.isfinite(problem.minimum)
            # what the solver is left with where it gets nowhere, and rounding
            assert problem.kernel.uncertainty <= start * (1 + 1e-5)
            assert problem.minimizer_error >= 0


@pytest.mark.parametrize(("shape", "scale", "l2"), [
    ("plain", 1.0, 1.0), ("plain", 1.0, 0.1), ("plain", 1e4, 1e-8), ("plain", 1e6, 1e-10),
    ("separable", 1e4, 1e-6), ("wide", 1e2, 1e-8),
    ("duplicated", 1e4, 1e-8), ("graded", 1.0, 1e-8)])
@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_the_true_minimizer_is_within_what_is_said_of_it(kind, shape, scale, l2):
    mpmath = pytest.importorskip("mpmath")
    X, classes = data_of(shape, scale)
    X, classes = X[:8, -3:], np.append([0, 1, 2], classes[3:8])
    problem = kind(X, classes > 0 if kind is LogisticLoss else classes, l2=l2)
    N, n, m = len(X), 3, problem.shape[1]
    with mpmath.workdps(100):
        rows = mpmath.matrix(X.tolist())

        def value_gradient_hessian(V):
            value, gradient, H = mpmath.mpf(0), mpmath.mpf(l2) * V, mpmath.mpf(l2) * mpmath.eye(n * m)
            for i in range(N):
                z = [mpmath.fsum(rows[i, a] * V[a * m + j] for a in range(n)) for j in range(m)]
                E = [mpmath.exp(s) for s in z]
                total = mpmath.fsum(E) + (1 if m == 1 else 0)
                p, target = [e / total for e in E], int(classes[i] > 0) if m == 1 else int(classes[i])
                value += mpmath.log(total) - (target * z[0] if m == 1 else z[target])
                for j in range(m):
                    residual = p[j] - (target if m == 1 else int(j == target))
                    for a in range(n):
                        gradient[a * m + j] += rows[i, a] * residual
                        for k in range(m):
                            weight = p[j] * (int(j == k) - p[k])
                            for b in range(n):
                                H[a * m + j, b * m + k] += weight * rows[i, a] * rows[i, b]
            return value + mpmath.mpf(l2) / 2 * mpmath.fsum(v * v for v in V), gradient, H

        V = mpmath.matrix([float(v) for v in np.array(problem.minimizer).ravel()])
        value, gradient, H = value_gradient_hessian(V)
        found = value
        # with 100 digits the plain method does, to a gradient that says the distance to 6 digits of what is claimed
        while mpmath.norm(gradient) > l2 * problem.minimizer_error * mpmath.mpf(10) ** -6:
            step, t = mpmath.lu_solve(H, gradient), mpmath.mpf(1)
            while value_gradient_hessian(V - t * step)[0] > value - t / 10 * (gradient.T * step)[0]:
                t /= 2
            V = V - t * step
            value, gradient, H = value_gradient_hessian(V)
        true = np.array([float(v) for v in V]).reshape(n, m)
        assert np.linalg.norm(problem.minimizer - true) <= problem.minimizer_error
        assert found - value <= problem.minimum_error
        # with the rounding of the number itself
        assert abs(mpmath.mpf(problem.minimum) - value) <= problem.minimum_error


def test_a_loss_that_nearly_has_no_minimizer_is_trained_all_the_same():
    X, classes = data_of("plain", 1e4)
    problem = SoftmaxLoss(X, classes, l2=1e-8)
    run = train(problem, Network.gaussian(5, 20, 3, std=1e-3, rng=0), max_iter=20)
    assert run.violations == 0
    assert run.history["loss"][-1] < run.history["loss"][0]


def test_the_minimizer_is_as_far_off_as_rounding_in_its_gradient_says():
    # with a large ridge the distance is the gradient over mu; Newton's method ends where that is no more than rounding,
    # so the gradient as computed says too little in many cases
    beyond = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X, Y, l2 = rng.standard_normal((4, 2)), np.array([0.0, 1.0, *rng.integers(0, 2, 2)]), 8.0
        problem = LogisticLoss(X, Y, l2=l2)
        found = np.array(problem.minimizer)
        with mpmath.workdps(40):
            x, y, w = (mpmath.matrix(part.tolist()) for part in (X, Y, found))
            for _ in range(4):      # Newton's method, from 1e-16
                p = (x * w).apply(lambda z: 1 / (1 + mpmath.exp(-z)))
                tilt = mpmath.diag([q * (1 - q) for q in p])
                w -= mpmath.lu_solve(x.T * tilt * x + l2 * mpmath.eye(2), x.T * (p - y) + l2 * w)
            distance = mpmath.norm(w - mpmath.matrix(found.tolist()))
        assert distance <= problem.minimizer_error
        computed = np.linalg.norm(problem.at(found).gradient)
        beyond += distance > (1 + 1e-6) * computed / problem.mu
    assert beyond >= 3
