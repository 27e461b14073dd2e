"""`check_loss` and a run find out what is false of a loss, and pass what is true."""

import itertools

import numpy as np
import pytest
from cases import EXPECTED, PROBLEMS

from lplfast import CustomLoss, LogisticLoss, MatrixFactorization, Network, SoftmaxLoss, SquaredLoss, check_loss, train

Y = np.array([[1.0, -2.0, 0.5], [0.3, 0.7, -1.0]])


def quadratic(W):
    return float(((W - Y) ** 2).sum()) / 2 + 7.0, W - Y


def loss(function=quadratic, **options):
    return CustomLoss(function, shape=(2, 3), **{"mu": 1.0, "K": 1.0, **options})


@pytest.mark.parametrize("name", PROBLEMS)
def test_true_losses_pass(name):
    for seed in range(3):
        problem, _ = PROBLEMS[name](np.random.default_rng(seed), 5, 3)
        report = check_loss(problem, rng=seed)
        assert report.passed, report
        assert "proves nothing" in repr(report)


def _declared(problem, *, mu=1.0, K=1.0, entry=None, by=1e-3):
    def function(W):
        gradient = problem.gradient(W)
        if entry is not None:
            gradient[entry] += by * np.linalg.norm(gradient)
        return problem.value(W), gradient

    return CustomLoss(function, shape=problem.shape, mu=problem.mu * mu, K=problem.K * K, minimum=problem.minimum,
                      minimizer=problem.minimizer)


def _sound(name):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    if name == "logistic":
        return LogisticLoss(X, rng.integers(0, 2, (40, 2)), l2=0.1)
    if name == "softmax":
        return SoftmaxLoss(X, np.append([0, 1, 2], rng.integers(0, 3, 37)), l2=0.1)
    return PROBLEMS[name](rng, 3, 2)[0]


@pytest.mark.parametrize("name", ["squared", "ridge", "condition-100", "logistic", "softmax"])
def test_false_declarations_are_found(name):
    problem = _sound(name)
    assert check_loss(_declared(problem)).passed
    for wrong, said in [({"K": 0.5}, "curvature <= K"), ({"mu": 2.0}, "curvature >= mu"),
                        *[({"entry": (i, j)}, "gradient") for i, j in np.ndindex(problem.shape)]]:
        report = check_loss(_declared(problem, **wrong))
        assert not report.passed, wrong
        assert any(said in problem for problem in report.problems), (wrong, report)
    assert "is not what it declares" in repr(report)


def test_one_wrong_entry_among_very_many_is_found():
    rng = np.random.default_rng(0)
    big = MatrixFactorization(rng.standard_normal((60, 50)))
    assert check_loss(_declared(big)).passed
    assert not check_loss(_declared(big, entry=(17, 3), by=0.01)).passed


def test_a_loss_that_is_not_finite_and_points_of_the_users_own():
    def infinite(W):
        return (np.inf if abs(W).max() > 1e4 else quadratic(W)[0]), W - Y

    # at a point of the user's own, not finite is a failure; far out, a true loss may overflow, and that is only said
    report = check_loss(loss(infinite), points=[np.full((2, 3), 2e4)])
    assert any("finite" in said for said in report.problems)
    report = check_loss(loss(infinite))
    assert report.passed
    assert any(claim.failed and not claim.refutes for claim in report.claims)

    def bent(W):        # steeper, around one place only
        extra = np.clip(0.5 - abs(W - 5.0), 0, None)
        return quadratic(W)[0] + 50 * float((extra**2).sum()), W - Y - 100 * extra * np.sign(W - 5.0)

    assert not check_loss(loss(bent, mu=0.5, K=2.0), points=[np.full((2, 3), 5.1)]).passed


def _scaled_quadratic(K, *, mu=1.0, declared=1.0, factor=1.0):
    def function(W):
        gradient = K * W
        gradient[1, 1] *= factor
        return K / 2 * float((W**2).sum()), gradient

    return CustomLoss(function, shape=(3, 2), mu=mu * K, K=declared * K, minimum=0.0)


@pytest.mark.parametrize("exponent", [-200, -100, -16, 0, 16, 100, 200])
def test_a_quadratic_of_any_curvature_passes_and_false_ones_do_not(exponent):
    K = 10.0**exponent
    assert check_loss(_scaled_quadratic(K)).passed
    for wrong, said in [({"declared": 0.99, "mu": 0.5}, "curvature <= K"),
                        ({"mu": 1.01, "declared": 1.1}, "curvature >= mu"),
                        ({"factor": 1.01, "mu": 0.5, "declared": 2.0}, "gradient")]:
        report = check_loss(_scaled_quadratic(K, **wrong))
        assert any(said in problem for problem in report.problems), (wrong, report)


# a, K of f(a w): as anybody writes them, which overflows far out, or has lost all digits but a few near 0
TRUE_LOSSES = {
    "log-cosh": (lambda z: (np.log(np.cosh(z)), np.tanh(z)), 1.0),
    "pseudo-Huber": (lambda z: (np.sqrt(1 + z**2) - 1, z / np.sqrt(1 + z**2)), 1.0),
    "logistic": (lambda z: (np.log(1 + np.exp(z)), 1 / (1 + np.exp(-z))), 0.25),
}


@pytest.mark.parametrize("scale", [1e-60, 1.0, 1e60])
@pytest.mark.parametrize("steepness", [1e-5, 1.0, 1e5])
@pytest.mark.parametrize("name", TRUE_LOSSES)
def test_a_true_loss_that_overflows_or_cancels_passes(name, steepness, scale):
    function, K = TRUE_LOSSES[name]

    def value_and_gradient(W):
        value, slope = function(steepness * W)
        return scale * float(value.sum()), scale * steepness * slope

    report = check_loss(CustomLoss(value_and_gradient, shape=(3, 2), mu=0.0, K=scale * steepness**2 * K,
                                   lower_bound=0.0))
    assert report.passed, report


def test_a_true_loss_that_overflows_beside_where_it_is_looked_at_passes():
    def cosh(W):
        with np.errstate(over="ignore", invalid="ignore"):
            return float(2 * np.cosh(W).sum()), 2 * np.sinh(W)

    problem = CustomLoss(cosh, shape=(2, 2), mu=2.0, minimum=8.0, concordance=1.0,
                         hessian_form=lambda W, V: float((2 * np.cosh(W) * V * V).sum()))
    for rng in range(10):       # which of them come close enough to where float64 ends is chance
        assert check_loss(problem, rng=rng).passed


@pytest.mark.parametrize(("X", "Y", "l2"), [
    (1e-100, 1e-80, 1.0), (1.0, 1e-320, 0.0), (1e-100, 1e100, 0.0), (1e-150, 1e100, 0.0)])
def test_a_minimizer_of_any_size_refutes_nothing(X, Y, l2):
    problem = SquaredLoss(X * np.eye(2), [[Y], [Y]], l2=l2)
    assert check_loss(problem, points=[problem.minimizer]).passed
    assert any("curvature <= K" in said for said in check_loss(_declared(problem, mu=0.5, K=0.9)).problems)


@pytest.mark.parametrize(("arguments", "options"), [
    ((None,), {}), ((quadratic,), {}), ((loss(),), {"points": [[[1.0]]]}),
    ((loss(),), {"points": itertools.repeat(1.0)}), ((loss(),), {"rng": "x"})],
    ids=["none", "a function", "points", "no end of points", "rng"])
def test_bad_arguments_of_the_check(arguments, options):
    with pytest.raises((TypeError, ValueError), match=EXPECTED):
        check_loss(*arguments, **options)


def test_a_false_K_fails_in_training():
    run = train(_declared(_sound("logistic"), K=0.05), Network.gaussian(3, 30, 2, std=0.3, rng=0), "sharp")
    assert run.status == "guarantee_failed"
    assert "check its gradient and its K" in run.message


def test_a_wrong_minimum_is_found_out():
    def square(W):
        return float((W**2).sum()), 2 * W

    network = Network.gaussian(4, 20, 4, std=0.3, rng=0)
    high = CustomLoss(square, shape=(4, 4), mu=2.0, K=2.0, minimum=0.1)
    run = train(high, network)
    assert run.status == "guarantee_failed"
    assert "below its minimum" in run.message
    assert not check_loss(high).passed
    low = CustomLoss(square, shape=(4, 4), mu=2.0, K=2.0, minimum=-1.0)
    assert "not what it declares" in train(low, network).message
    assert not check_loss(low).passed
    with pytest.raises(ValueError, match="minimum: expected at most the loss at the minimizer"):
        CustomLoss(square, shape=(2, 2), mu=2.0, K=2.0, minimum=0.5, minimizer=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="minimum: expected one beside the minimizer where mu = 0"):
        CustomLoss(square, shape=(2, 2), mu=0.0, K=2.0, minimizer=np.ones((2, 2)))
