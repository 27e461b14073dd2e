"""Every loss with every rule, its constants against its Hessian, its gap at every size, its minimizer."""

import pickle
import threading

import mpmath
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from cases import CONVEX, NETWORKS, PROBLEMS, RULES
from scipy.sparse.linalg import LinearOperator, eigsh

from lplfast import (
    LogisticLoss,
    Network,
    SoftmaxLoss,
    guaranteed_rate,
    initial_bounds,
    local_constants,
    train,
)
from lplfast.steps import missing_for


def test_every_rule_runs_with_every_loss_but_where_the_library_says_why_not(capsys):
    ran, excluded = [], {}
    for name in PROBLEMS:
        problem, _ = PROBLEMS[name](np.random.default_rng(1), 5, 4)
        for h in (30, 3):       # 3 is below both sides: no rate is claimed
            network = NETWORKS["gaussian"](np.random.default_rng(2), 5, h, 4)
            for rule in RULES:
                chosen = RULES[rule](problem, network)[0]
                why = missing_for(chosen, problem, network)
                if why is not None:
                    excluded[name, rule] = why
                    continue
                run = train(problem, network, chosen, max_iter=40)
                ran.append((name, rule))
                assert run.violations == 0, (name, rule)
                assert run.status not in ("guarantee_failed", "overflow"), (name, rule)
                assert run.audit().passed
                if min(problem.kernel.shape) > h:
                    assert (run.history["mu_t"] == 0).all()
            bounds = initial_bounds(problem, network)
            at = local_constants(problem, network)
            assert bounds.alpha <= at.brackets["sigma_min_sq"][1] * (1 + 1e-9)
            assert bounds.K_upper(0.1) >= at.K_t(0.1) * (1 - 1e-9)
            assert guaranteed_rate(problem, network).rate <= 1
    # the rules of earlier papers are for the squared loss, and want more of it; contraction is for every squared loss
    earlier = {"arora", "du", *(name for name in RULES if name.startswith("xu-"))}
    assert {rule for _, rule in excluded} <= earlier | {"contraction"}
    assert {name for name, rule in excluded if rule == "contraction"} == set(CONVEX)
    assert {name for name, rule in excluded if rule in earlier} >= set(CONVEX)
    with capsys.disabled():
        print(f"\n{len(set(ran))} of {len(PROBLEMS) * len(RULES)} pairs of loss and rule ran, at two widths. Excluded:")
        for why in sorted(set(excluded.values())):
            pairs = sorted(f"{name} with {rule}" for (name, rule), said in excluded.items() if said == why)
            print(f"    {', '.join(pairs)}: needs {why}")


def labels(rng, kind, N, m):
    if kind is LogisticLoss:
        return rng.integers(0, 2, (N, m))
    return np.append(np.arange(m), rng.integers(0, m, N - m))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_the_hessian_stays_between_mu_and_K(kind, reduction):
    rng = np.random.default_rng(0)
    n, m, N = 6, 4, 50
    X, l2 = rng.standard_normal((N, n)), 1e-3
    problem = kind(X, labels(rng, kind, N, m), l2=l2, reduction=reduction)
    top = np.linalg.svd(X)[2][0]
    tie = np.outer(top, [1, 1, -1, -1]) * 1e3       # two outputs tie far from the others
    found = []
    for W in (np.zeros((n, m)), rng.standard_normal((n, m)), 1e4 * rng.standard_normal((n, m)), tie,
              np.array(problem.minimizer)):
        def product(v, W=W, h=1e-4):
            V = v.reshape(n, m)
            V = V / np.linalg.norm(V)
            return (problem.gradient(W + h * V) - problem.gradient(W - h * V)).ravel() / (2 * h) * np.linalg.norm(v)

        operator = LinearOperator((n * m, n * m), matvec=product, dtype=float)
        for which in ("SA", "LA"):
            _, V = eigsh(operator, k=1, which=which, v0=rng.standard_normal(n * m), tol=1e-9, ncv=24)
            found.append(V[:, 0] @ product(V[:, 0]))
    # gradients of size l2 |W| are known to u, and divided by h
    assert min(found) >= problem.mu - 1e-7
    assert max(found) <= problem.K * (1 + 1e-9)
    assert min(found) <= problem.mu * 1.001 + 1e-7
    # the logistic K is attained at W = 0; the softmax one only if all rows tie in two classes
    assert max(found) >= (0.999 if kind is LogisticLoss else 0.3) * problem.K


def test_the_K_of_a_softmax_is_attained_by_two_classes():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4))
    problem = SoftmaxLoss(X, labels(rng, SoftmaxLoss, 30, 2), l2=0.1)
    top = np.outer(np.linalg.svd(X)[2][0], [1, -1]) / np.sqrt(2)
    h = 1e-5
    curvature = np.vdot(top, problem.gradient(h * top) - problem.gradient(-h * top)) / (2 * h)
    assert np.isclose(curvature, problem.K, rtol=1e-8)


@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_the_gap_has_its_digits_at_every_size(kind):
    rng = np.random.default_rng(3)
    n, m, N, l2 = 2, 3, 6, 0.1
    X = rng.standard_normal((N, n))
    Y = labels(rng, kind, N, m)
    problem = kind(X, Y, l2=l2)
    W_star = np.array(problem.minimizer)
    targets = Y if kind is LogisticLoss else np.eye(m)[Y]
    with mpmath.workdps(60):
        exact = [[mpmath.mpf(float(x)) for x in row] for row in X]

        def partition(V):
            total = mpmath.mpf(0)
            for i in range(N):
                z = [mpmath.fsum(exact[i][a] * V[a][j] for a in range(n)) for j in range(m)]
                dual = mpmath.fsum(int(targets[i, j]) * z[j] for j in range(m))
                if kind is LogisticLoss:
                    total += mpmath.fsum(mpmath.log(1 + mpmath.exp(s)) for s in z) - dual
                else:
                    total += mpmath.log(mpmath.fsum(mpmath.exp(s) for s in z)) - dual
            ridge = mpmath.fsum(v * v for row in V for v in row)
            return total + mpmath.mpf(l2) / 2 * ridge

        def lift(W):
            return [[mpmath.mpf(float(w)) for w in row] for row in W]

        lowest = partition(lift(W_star))
        for size in (1e-9, 1e-6, 1e-3, 0.1, 1.0, 30.0, 1e3, 1e6):
            W = W_star + size * rng.standard_normal((n, m))
            truth = partition(lift(W)) - lowest
            # the linear term of a minimizer that is one only nearly, and rounding
            allowed = problem.kernel.uncertainty * np.linalg.norm(W - W_star) + 1e-13 * abs(float(truth))
            assert abs(problem.gap(W) - float(truth)) <= allowed, size
            assert problem.gap(W) >= 0


@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0, 1e5, 1e100])
def test_the_compiled_loss_is_the_plain_formula_at_extreme_logits(kind, scale):
    rng = np.random.default_rng(0)
    N, n, m = 300, 5, 4     # more than two blocks of rows
    X = rng.standard_normal((N, n))
    problem = kind(X, labels(rng, kind, N, m), l2=0.01, offset=rng.standard_normal((n, m)), reduction="mean")
    W = scale * rng.standard_normal((n, m))
    value, gradient = problem.value_and_gradient(W + problem._offset)
    assert np.isclose(problem.value(W), value, rtol=1e-12)
    # entries are sums over rows
    assert abs(problem.gradient(W) - gradient).max() <= 1e-13 * (scale + 1)


@pytest.mark.parametrize("name", CONVEX)
def test_the_bracket_of_the_minimum_is_true(name):
    problem, twin = CONVEX[name](np.random.default_rng(4), 6, 3)
    # the twin's own error is of the size of rounding in its gradient
    assert np.linalg.norm(problem.minimizer - twin.minimizer) <= problem.minimizer_error + 1e-12
    assert problem.lower_bound <= twin.minimum * (1 + 1e-13)
    assert problem.minimum >= twin.minimum * (1 - 1e-13)
    first = problem.gap(np.zeros(problem.shape))
    assert problem.minimum - problem.lower_bound <= 1e-14 * first


def test_what_is_less_than_the_uncertainty_is_not_called_converged():
    # X so large beside l2 that the gradient at the minimizer, and so l*, is known to few digits
    rng = np.random.default_rng(0)
    X = 1e4 * rng.standard_normal((40, 2)) @ np.diag([1, 1e-4])
    problem = LogisticLoss(X, labels(rng, LogisticLoss, 40, 1), l2=1e-4)
    # nearer than what the gradient there could tell, though far from the rounding floor
    near = problem.minimizer + np.array([[0.0], [problem.kernel.uncertainty / 100]])
    run = train(problem, Network.balanced(near, 5), tol=1e-3)
    assert 0 < run.history["gap"][0] <= run.history["floor"][0]
    assert run.status == "floor"
    assert not run.converged
    assert "known to" in run.message
    assert "raise tol" in run.message


def test_solving_is_lazy_and_done_once_by_however_many_threads():
    rng = np.random.default_rng(0)
    problem = SoftmaxLoss(rng.standard_normal((60, 8)), labels(rng, SoftmaxLoss, 60, 5), l2=0.1)
    repr(problem)
    assert "_kernel" not in problem.__dict__
    found = []
    threads = [threading.Thread(target=lambda: found.append(problem.kernel)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(kernel) for kernel in found}) == 1


@pytest.mark.parametrize("name", ["logistic-offset", "softmax", "softmax-offset"])
def test_pickled_losses_are_the_same(name):
    problem, _ = PROBLEMS[name](np.random.default_rng(0), 4, 3)
    W = np.random.default_rng(1).standard_normal((4, 3))
    for other in (pickle.loads(pickle.dumps(problem)), problem):
        again = pickle.loads(pickle.dumps(other))
        assert again.shape == problem.shape
        assert again.gap(W) == problem.gap(W)
        assert again.fingerprint == problem.fingerprint


def test_large_problems_are_solved_by_conjugate_gradients():
    rng = np.random.default_rng(0)
    problem = LogisticLoss(rng.standard_normal((20, 3100)), labels(rng, LogisticLoss, 20, 1), l2=1.0)
    assert problem.minimum_error < 1e-12 * problem.minimum


def data_of(shape, scale):
    """Return X and labels of three classes that make trouble for Newton's method; where X > 0, of two."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 10) if shape == "wide" else (40, 5))
    X = {"duplicated": np.c_[X, X[:, :2]], "graded": X * 10.0 ** np.arange(-4, -4 + 2 * X.shape[1], 2)}.get(shape, X)
    classes = X[:, :3].argmax(axis=1) if shape == "separable" else labels(rng, SoftmaxLoss, len(X), 3)
    return scale * X, classes


@pytest.mark.parametrize("shape", ["plain", "separable", "wide", "duplicated", "graded"])
@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_minimizers_of_ill_conditioned_losses_are_found_to_rounding(kind, shape):
    for scale in (1.0, 1e2, 1e4, 1e6):
        X, classes = data_of(shape, scale)
        for l2 in (1.0, 1e-4, 1e-8, 1e-10):
            problem = kind(X, classes > 0 if kind is LogisticLoss else classes, l2=l2)
            V = np.array(problem.minimizer)
            # what is left of the gradient is not above the proved bound on its rounding
            assert np.linalg.norm(problem.value_and_gradient(V)[1]) <= 2 * problem._gradient_rounding(V), (scale, l2)


@pytest.mark.parametrize("large", [False, True], ids=["direct", "conjugate gradients"])
@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_no_scale_of_the_data_or_the_ridge_breaks_the_solver(kind, large, monkeypatch):
    if large:
        monkeypatch.setattr("lplfast.losses.newton.LARGEST", 1)
    X, classes = data_of("plain", 1.0)
    for scale in (1e-150, 1e20, 1e147):
        for l2 in (1e-100, 1.0) if large else (1e-320, 1e-100, 1.0, 1e300):
            problem = kind(scale * X, classes > 0 if kind is LogisticLoss else classes, l2=l2)
            start = np.linalg.norm(problem.value_and_gradient(np.zeros(problem.shape))[1])
            assert np.isfinite(problem.minimum)
            assert problem.kernel.uncertainty <= start * (1 + 1e-6)
            assert problem.minimizer_error >= 0


@pytest.mark.parametrize(("shape", "scale", "l2"), [
    ("plain", 1e4, 1e-8), ("plain", 1e6, 1e-10), ("separable", 1e4, 1e-6), ("wide", 1e2, 1e-8),
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
        assert abs(float(found - value)) <= problem.minimum_error


def test_a_loss_that_nearly_has_no_minimizer_is_trained_all_the_same():
    X, classes = data_of("plain", 1e4)
    problem = SoftmaxLoss(X, classes, l2=1e-8)
    run = train(problem, Network.gaussian(5, 20, 3, std=1e-3, rng=0), max_iter=20)
    assert run.violations == 0
    assert run.history["loss"][-1] < run.history["loss"][0]


def test_labels_of_all_kinds():
    X = np.random.default_rng(0).standard_normal((4, 2))
    one = SoftmaxLoss(X, [0, 1, 2, 1], l2=0.1)
    other = SoftmaxLoss(X, np.eye(3)[[0, 1, 2, 1]], l2=0.1)
    assert one.shape == other.shape == (2, 3)
    assert np.array_equal(one.minimizer, other.minimizer)
    assert other.classes.tolist() == [0, 1, 2]
    plus, zero = LogisticLoss(X, [-1, 1, 1, -1], l2=0.1), LogisticLoss(X, [0, 1, 1, 0], l2=0.1)
    assert np.array_equal(plus.minimizer, zero.minimizer)


THREE = {
    "from 1": ([2, 1, 3, 1], [1, 2, 3]), "years": ([2000, 1990, 2010, 1990], [1990, 2000, 2010]),
    "negative": ([0, -7, 5, -7], [-7, 0, 5]), "whole floats": ([0.0, -2.0, 1e300, -2.0], [-2.0, 0.0, 1e300]),
    "beyond int64": ([2**70, 1, 2**80, 1], [1, 2**70, 2**80]), "column": ([[5], [4], [6], [4]], [4, 5, 6]),
    "strings": (["b", "a", "c", "a"], ["a", "b", "c"]), "str array": (np.array(["b", "a", "c", "a"]), ["a", "b", "c"]),
    "bytes": (np.array([b"b", b"a", b"c", b"a"]), [b"a", b"b", b"c"]),
    "objects": (np.array(["b", "a", "c", "a"], dtype=object), ["a", "b", "c"]),
    "categories": (pd.Categorical(["b", "a", "c", "a"], categories=["d", "c", "b", "a"]), ["a", "b", "c"]),
    "category series": (pd.Series(["b", "a", "c", "a"], dtype="category", index=[9, 7, 5, 3]), ["a", "b", "c"]),
    "integer categories": (pd.Series([20, 10, 30, 10], dtype="category"), [10, 20, 30]),
    "string series": (pd.Series(["b", "a", "c", "a"], dtype="string"), ["a", "b", "c"]),
    "nullable": (pd.Series([2, 1, 3, 1], dtype="Int64"), [1, 2, 3]),
    "frame": (pd.DataFrame({"species": ["b", "a", "c", "a"]}), ["a", "b", "c"]),
}


@pytest.mark.parametrize("name", THREE)
def test_classes_are_the_sorted_distinct_labels(name):
    given, classes = THREE[name]
    X = np.random.default_rng(0).standard_normal((4, 2))
    problem = SoftmaxLoss(X, given, l2=0.1)
    assert problem.classes.tolist() == classes
    assert problem.shape == (2, 3)
    assert np.array_equal(problem._targets, np.eye(3)[[1, 0, 2, 0]])
    assert pickle.loads(pickle.dumps(problem)).classes.tolist() == classes


@pytest.mark.parametrize(("given", "classes"), [
    ([1, -1, 1, -1], [-1, 1]), ([1, 0, 1, 0], [0, 1]), ([3, 1, 3, 1], [1, 3]),
    (["yes", "no", "yes", "no"], ["no", "yes"]),
    ([True, False, True, False], [False, True]), (pd.Categorical(["m", "f", "m", "f"]), ["f", "m"]),
    (pd.Series([1, 0, 1, 0], dtype="boolean"), [False, True]), ([[1.0], [0.0], [1.0], [0.0]], [0.0, 1.0]),
    (np.array([True, False, True, False], dtype=object), [False, True]),
], ids=str)
def test_two_classes_of_any_kind_for_the_logistic_loss(given, classes):
    problem = LogisticLoss(np.eye(4), given, l2=0.1)
    assert problem.classes.tolist() == classes
    assert problem._targets.tolist() == [[1.0], [0.0], [1.0], [0.0]]


def test_columns_of_binary_labels_share_their_classes():
    problem = LogisticLoss(np.eye(2), [["no", "no"], ["yes", "no"]], l2=0.1)
    assert problem.classes.tolist() == ["no", "yes"]
    # a column of one class has a minimizer all the same
    assert problem._targets.tolist() == [[0.0, 0.0], [1.0, 0.0]]


LONG = np.arange(21)
REFUSED = {
    "fractions": (LONG / 2, "expected classes, got 0.5 in row 1, which looks like a quantity: use SquaredLoss"),
    "counts": (LONG, "expected classes, got 21 distinct numbers among 21, .*: use SquaredLoss .* pass strings"),
    "one": (np.ones(21), "expected (at least two classes|two distinct labels), got 1.0 (in every row|everywhere)"),
    "zero": (np.zeros(21, int), "expected (at least two classes|two distinct labels), got 0 (in every row|everywhere)"),
    "nan": (np.append([np.nan], LONG[:20]), "expected a label in every row, got nan in row 0; drop"),
    "None": (["a", "b", None] * 7, "expected integers, strings or booleans as labels, got None in row 2; drop"),
    "NA": (pd.Series(["a", None, "b"] * 7, dtype="string"), "expected .*label.*, got (<NA>|nan) in row 1; drop"),
    "kinds": (["a", 1, "b"] * 7, "expected labels of one kind, got int and str; make them all strings"),
    "dates": (np.array(["2020-01-01"] * 21, dtype="M8[D]"), "expected integers, strings or booleans as labels"),
    "sparse": (scipy.sparse.csr_matrix(np.eye(21)), "got a sparse one.*toarray"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_what_is_no_label_is_refused_with_the_remedy(kind, name):
    given, said = REFUSED[name]
    with pytest.raises((TypeError, ValueError), match=f"^{kind.targets_name}: {said}" if name != "sparse" else said):
        kind(np.eye(21), given, l2=1.0)


def test_a_missing_label_among_columns_is_found_in_its_row():
    with pytest.raises(TypeError, match=r"^Y: expected .* got None in row 1; drop"):
        LogisticLoss(np.eye(3), [["a", "b"], ["a", None], ["b", "b"]], l2=1.0)


def test_as_many_classes_as_there_may_be():
    # 20 numbers are classes however few rows there are; more where each has three rows; strings always
    assert SoftmaxLoss(np.eye(3), [3, 1, 2], l2=1.0).shape == (3, 3)
    assert SoftmaxLoss(np.eye(20), LONG[:20], l2=1.0).shape == (20, 20)
    assert SoftmaxLoss(np.ones((63, 1)), np.repeat(LONG, 3), l2=1.0).shape == (1, 21)
    assert SoftmaxLoss(np.eye(21), LONG.astype(str), l2=1.0).shape == (21, 21)


@pytest.mark.parametrize(("given", "said"), [
    ([-1, 0], "all -1 or 1, or all 0 or 1, got -1 and 0$"), ([-1, 0, 1], "all 0 or 1, got -1 and 0 and 1$"),
    ([0, 1, 2], "two distinct labels, got 3, 0, 1, 2; use SoftmaxLoss"),
    (["a", "b", "c"], "got 3, 'a', 'b', 'c'; use SoftmaxLoss"),
])
def test_what_is_not_two_classes(given, said):
    with pytest.raises(ValueError, match=f"^Y: expected .*{said}"):
        LogisticLoss(np.eye(len(given)), given, l2=1.0)


def test_probabilities_of_single_precision_are_welcome():
    rng = np.random.default_rng(0)
    X, P = rng.standard_normal((300, 2)), rng.dirichlet(np.ones(50), 300).astype(np.float32)
    assert abs(P.astype(float).sum(axis=1) - 1).max() > 1e-9       # more than float64 would be allowed
    for given in (P, P.astype(float), P.tolist(), pd.DataFrame(P)):
        problem = SoftmaxLoss(X, given, l2=0.1)
        assert abs(problem._targets.sum(axis=1) - 1).max() <= 50 * 2**-53
        assert problem.classes.tolist() == list(range(50))


@pytest.mark.parametrize(("given", "said"), [
    ([[0.5, 0.5], [0.7, 0.3 + 1e-6]], r"got a sum of 1\.000001 in row 1; divide each row by its sum"),
    ([[0.5, 0.5], [0.7, 0.3 - 2e-9]], r"got a sum of 0\.999999998 in row 1; divide"),
    (np.array([[0.5, 0.5], [0.7, 0.301]], np.float32), r"got a sum of 1\.0009999\d+ in row 1; divide"),
    ([[1, 1], [0, 1]], r"got a sum of 2\.0 in row 0; use LogisticLoss"),
    ([[1.5, -0.5], [0.5, 0.5]], r"got -0\.5 at \[0, 1\]"),
])
def test_what_is_no_distribution(given, said):
    with pytest.raises(ValueError, match=f"^labels: expected .*{said}"):
        SoftmaxLoss(np.eye(2), given, l2=1.0)


def test_an_adapter_trains_what_a_frozen_matrix_leaves():
    rng = np.random.default_rng(0)
    X, frozen = rng.standard_normal((80, 6)), rng.standard_normal((6, 3))
    problem = SoftmaxLoss(X, labels(rng, SoftmaxLoss, 80, 3), l2=1.0, reduction="mean", offset=frozen)
    plain = SoftmaxLoss(X, problem._targets, l2=1.0, reduction="mean")
    assert np.allclose(problem.minimizer + frozen, plain.minimizer, atol=1e-12)
    run = train(problem, Network.gaussian(6, 2, 3, std=0.3, rng=1), "majorizer", max_iter=300)      # rank 2 of 3
    assert run.violations == 0
    assert run.history["loss"][-1] < run.history["loss"][0]
    assert (run.history["mu_t"] == 0).all()


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
        computed = np.linalg.norm(problem.value_and_gradient(found)[1])
        beyond += distance > (1 + 1e-6) * computed / problem.mu
    assert beyond >= 3
