"""Whatever numbers do to a run is a status with a sentence, never an error."""

import numpy as np
import pytest

from lplfast import (
    CustomLoss,
    Interrupted,
    LogisticLoss,
    MatrixFactorization,
    Network,
    Run,
    Sharp,
    SquaredLoss,
    local_constants,
    train,
)
from lplfast.data import standardized
from lplfast.losses.problems import Problem
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.run.outcome import MESSAGES


class Leaping(Sharp):
    def choose(self, iterate):
        return 1e6


OF_A_STEP = {"rate_bound", "step_size", "K_t", "K_t_sharp", "K_t_step", "slack_descent", "slack_rate", "slack_drift"}

IDENTITY = MatrixFactorization(np.eye(3))

NETWORK = Network.gaussian(3, 8, 3, rng=0)


def _zeros(n, h, m):
    return Network(np.zeros((n, h)), np.zeros((h, m)))


def _scalar(a, b):
    return Network([[a]], [[b]])


def _lying(K):
    """Return a problem that declares a smoothness constant below its true one, 4."""
    kernel = DiagonalQuadratic([1.0, 4.0, 4.0], np.eye(3), mu=0.1, K=K)
    return Problem(kernel, rows=3, basis=None, minimizer=np.eye(3))


def _walled(W):
    """Return value and gradient of a loss that is 1-smooth up to 1.9, and not beyond."""
    w = W.item()
    beyond = max(w - 1.9, 0.0)
    return 0.5 * (w - 2.0)**2 + 500.0 * beyond**2, np.array([[w - 2.0 + 1000.0 * beyond]])


# name -> problem, network, options of train, the status
RUNS = {
    "plain": (IDENTITY, NETWORK, {}, "converged"),
    "zero-targets": (MatrixFactorization(np.zeros((3, 3))), NETWORK, {}, "converged"),
    "zero-targets-of-data": (SquaredLoss(np.eye(3), np.zeros(3)), Network.gaussian(3, 8, 1, rng=0), {}, "converged"),
    "all-zero": (MatrixFactorization(np.zeros((3, 3))), _zeros(3, 4, 3), {}, "converged"),
    "at-the-minimum": (IDENTITY, Network(np.eye(3), np.eye(3)), {}, "converged"),
    "layers-0": (IDENTITY, _zeros(3, 4, 3), {}, "saddle"),
    "scalar": (MatrixFactorization([[2.0]]), _scalar(1.0, 1.0), {}, "converged"),
    "wide": (IDENTITY, Network.gaussian(3, 500, 3, rng=0), {}, "converged"),
    "width-1": (IDENTITY, Network.gaussian(3, 1, 3, rng=0), {"tol": 0.0}, "floor"),
    "narrow": (IDENTITY, Network.gaussian(3, 2, 3, rng=0), {"tol": 0.0}, "floor"),
    "no-steps": (IDENTITY, NETWORK, {"max_iter": 0}, "max_iter"),
    "one-step": (IDENTITY, NETWORK, {"max_iter": 1}, "max_iter"),
    # tol times the first gap is 0 in float64
    "least-tol": (IDENTITY, NETWORK, {"max_iter": 5, "tol": 5e-324}, "max_iter"),
    # the quotient of a gap and the gap asked for is not a float64
    "tiny-tol": (IDENTITY, NETWORK, {"max_iter": 5, "tol": 1e-320}, "max_iter"),
    "no-time": (IDENTITY, NETWORK, {"max_time": 0}, "max_time"),
    "no-tol": (IDENTITY, NETWORK, {"tol": 0.0}, "floor"),
    # a gap of 1e188: products of two such numbers are no float64, and mu_t = 0 times such a product is NaN
    "far-away": (MatrixFactorization(np.ones((2, 2))), Network(np.full((2, 1), 1e47), np.full((1, 2), 1e47)),
                 {"max_iter": 5}, "max_iter"),
    "long-step": (IDENTITY, NETWORK, {"step_size": 5.0, "max_growth": 1e8}, "diverged"),
    "long-step-without-limit": (IDENTITY, NETWORK, {"step_size": 5.0}, "overflow"),
    # from a gap of 1e-27 to beyond 1e200: the bounds along the way stay numbers, and so does the quotient
    "longer-step": (MatrixFactorization([[1.0]]), _scalar(1.0, 1.0 + 1e-13), {"step_size": 1e60, "max_growth": 1e8},
                    "diverged"),
    "overflowing-step": (IDENTITY, NETWORK, {"step_size": 1e300}, "overflow"),
    "loss-overflows": (MatrixFactorization([[1e160]]), _scalar(1.0, 1.0), {}, "overflow"),
    # here the gradient of the layers is a number, the loss is not
    "loss-only-overflows": (MatrixFactorization([[1e160]]), _scalar(1e-100, 1e-100), {}, "overflow"),
    "product-overflows": (MatrixFactorization([[1.0]]), _scalar(1e200, 1e200), {}, "overflow"),
    # so long a column that its norm is no float64: compression would make NaN of it
    "norms-overflow": (MatrixFactorization([[1.0]]), Network(np.full((1, 1000), 1e307), np.full((1000, 1), 1e307)),
                       {}, "overflow"),
    # ||grad||^2 is 0 in float64: at a saddle, for all that the loop can see
    "gradient-underflows": (MatrixFactorization([[1.0]]), _scalar(1e-170, 1e-170), {}, "saddle"),
    # a subnormal, without digits to check an inequality with
    "gradient-subnormal": (MatrixFactorization([[1.0]]), _scalar(3e-162, 3e-162), {"step_size": 1e-3}, "stalled"),
    "callback": (IDENTITY, NETWORK, {"callback": lambda run: run.iterations == 3}, "stopped"),
    "wrong-K": (_lying(0.5), NETWORK, {"step_size": 0.05}, "guarantee_failed"),
}

# it fails at the fifth step
WALLED = (CustomLoss(_walled, shape=(1, 1), mu=1.0, K=1.0, minimizer=[[1902.0 / 1001.0]]), _scalar(0.5, 0.5), {},
          "guarantee_failed")

START_OVERFLOWS = ["loss-overflows", "loss-only-overflows", "product-overflows", "norms-overflow"]


@pytest.mark.parametrize("constants", ["certified", "exact"])
@pytest.mark.parametrize("name", RUNS)
def test_status(name, constants):
    problem, network, options, status = RUNS[name]
    run = train(problem, network, **options, constants=constants)
    assert run.status == status
    assert run.converged == (status == "converged")
    assert (run.violations > 0) == (status == "guarantee_failed")
    assert {len(column) for column in run.history.values()} == {run.iterations + 1}
    assert run.message[0].isupper()
    assert run.message.endswith(".")
    assert np.isfinite(run.network.W1).all()
    assert np.isfinite(run.network.W2).all()


@pytest.mark.parametrize("name", [*RUNS, "wrong-K-later"])
def test_one_iterate_in_so_many_is_kept_and_the_last_one(name, tmp_path):
    problem, network, options, status = RUNS.get(name, WALLED)
    run = train(problem, network, **options, record_every=3)
    assert run.status == status
    kept = np.append(np.arange(0, run.iterations, 3), run.iterations)
    assert np.array_equal(run.history["iteration"], kept)
    assert np.array_equal(run.to_xarray().iteration, kept)
    run.save(tmp_path / "run.npz")
    assert Run.load(tmp_path / "run.npz").history["gap"].tobytes() == run.history["gap"].tobytes()


@pytest.mark.parametrize("name", [name for name in RUNS if name not in START_OVERFLOWS])
def test_history_is_finite(name):
    problem, network, options, _ = RUNS[name]
    history = train(problem, network, **options).history
    # where the gradient is 0 there is no quotient by it; a bracket whose lower end is 0 has no relative width
    for column in history.keys() - {"slack_pl", "bracket_width"}:
        steps = history[column][:-1] if column in OF_A_STEP else history[column]
        assert np.isfinite(steps).all(), column
    assert not np.isinf(history["slack_pl"]).any()
    assert (history["gap"] >= 0).all()


@pytest.mark.parametrize("name", START_OVERFLOWS)
def test_an_overflow_at_the_start_says_so_and_claims_nothing_false(name):
    problem, network, *_ = RUNS[name]
    run = train(problem, network)
    assert run.iterations == 0
    assert "initial layers" in run.message
    # what is not known is NaN: a bound that was never computed is no bound
    assert not run.history["gap_bound"][0] < run.history["gap"][0]
    assert not run.history["sigma_max_sq"][0] < 1e-250
    with pytest.raises(OverflowError):
        local_constants(problem, network)


@pytest.mark.parametrize("n_h_m", [(3, 1, 3), (3, 2, 3), (2, 1, 5), (5, 3, 4), (4, 3, 9)])
@pytest.mark.parametrize("constants", ["certified", "exact"])
def test_a_width_below_both_dimensions_has_no_local_constant_and_no_rate(n_h_m, constants):
    n, _, m = n_h_m
    run = train(MatrixFactorization(np.eye(n, m)), Network.gaussian(*n_h_m, rng=0), max_iter=50, constants=constants)
    assert run.status in ("max_iter", "converged")
    assert run.violations == 0
    np.testing.assert_array_equal(run.history["mu_t"], 0.0)
    np.testing.assert_array_equal(run.history["rate_bound"][:-1], 1.0)


def test_every_status_is_tried_above_or_in_test_interrupt():
    # observed: test_observer.py
    assert {status for *_, status in RUNS.values()} | {"running", "interrupted", "observed"} == MESSAGES.keys()


def test_a_run_under_way_and_an_interrupted_one_have_a_sentence_too():
    def interrupt(run):
        assert run.status == "running"
        assert run.message.startswith("Under way after 1 iteration")
        assert run.message.endswith(".")
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        train(IDENTITY, NETWORK, callback=interrupt)
    assert caught.value.run.status == "interrupted"
    assert caught.value.run.message[0].isupper()
    assert caught.value.run.message.endswith(".")


@pytest.mark.parametrize("name", ["no-steps", "layers-0", "all-zero", "width-1", "long-step", "loss-overflows"])
def test_every_run_can_be_drawn_and_saved(tmp_path, name):
    problem, network, options, _ = RUNS[name]
    run = train(problem, network, **options)
    run.plot().savefig(tmp_path / "run.png")
    run.to_csv(tmp_path / "run.csv")
    run.save(tmp_path / "run.npz")
    loaded = type(run).load(tmp_path / "run.npz")
    assert (loaded.status, loaded.message, loaded.checks) == (run.status, run.message, run.checks)
    for column in run.history:
        np.testing.assert_array_equal(loaded.history[column], run.history[column])


def test_a_history_without_what_a_figure_needs_is_said():
    run = train(IDENTITY, NETWORK, record=["iteration", "gap", "gap_bound"])
    with pytest.raises(ValueError, match="expected the column 'rate_bound'"):
        run.plot()


def test_a_narrow_network_is_told_what_its_width_can_reach():
    problem = SquaredLoss(np.diag([3.0, 2.0, 1.0]), np.diag([3.0, 2.0, 1.0]), l2=0.5)
    # the tail of H^(1/2) W*, by a grid of rank-1 matrices' best: alternating least squares
    rng, best = np.random.default_rng(0), np.inf
    d, W = np.diag([9.5, 4.5, 1.5]), problem.minimizer
    for _ in range(5):
        b = rng.standard_normal((1, 3))
        for _ in range(300):
            a = W @ b.T / (b @ b.T)
            b = np.linalg.solve(a.T @ d @ a, a.T @ d @ W)
        best = min(best, problem.gap(a @ b))
    network = Network.gaussian(3, 1, 3, rng=0)
    few, many = (train(problem, network, max_iter=steps) for steps in (30, 3000))
    for run in (few, many):
        assert f"no network of width 1, which is below min(n, m) = 3, has one below {best:.3g}" in run.message
        assert "Widen it" in run.message
    assert (few.status, many.status) == ("max_iter", "converged")
    # where the target has that rank, the width is no obstacle
    low = MatrixFactorization(np.outer([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]))
    assert "width" not in train(low, network, max_iter=10).message


def test_nothing_is_advised_that_has_been_done():
    # standardized and nearly collinear
    x = np.random.default_rng(0).standard_normal(50)
    X = standardized(np.c_[x, x + 1e-6 * np.random.default_rng(1).standard_normal(50)]).X
    for l2, ridge in ((0.0, "or add a ridge"), (1e-11, "or raise the ridge")):
        problem = SquaredLoss(X, np.arange(50.0), l2=l2)
        for said in (problem.conditioning, train(problem, Network.gaussian(2, 9, 1, rng=0), max_iter=9).message):
            assert "drop nearly collinear columns of X, " + ridge in said
            assert "standardize" not in said
    # the ridge alone is the reason
    problem = LogisticLoss(np.eye(2), [0, 1], l2=1e-6)
    for said in (problem.conditioning, train(problem, Network.gaussian(2, 9, 1, rng=0), max_iter=9).message):
        assert "raise the ridge" in said
        assert "collinear" not in said
    # of a loss whose minimum is not known, near it
    free = CustomLoss(lambda W: (float((W**2).sum()), 2 * W), shape=(2, 2), mu=2.0, K=2.0)
    for grad_tol, said in ((None, "grad_tol=1e-6"), (1e-200, "A grad_tol above 1e-200")):
        assert said in train(free, Network.gaussian(2, 9, 2, rng=0), "sharp", grad_tol=grad_tol, tol=0.0).message
    # of steps that are no longer than a loss allows which is what it declares, and of others
    lying = CustomLoss(lambda W: (W.item() if W > -1 else np.nan, 0 * W + 1), shape=(1, 1), mu=1e-3, K=1e-3)
    start = Network([[0.1]], [[-0.1]])
    for rule, said in (("sharp", "check_loss"), (1e6, "too long"), (Leaping(), "too long")):
        assert said in train(lying, start, rule).message


def test_a_forecast_knows_how_far_the_pace_may_fall():
    run = train(SquaredLoss(np.diag([1.0, 1e-3, 1e-6]), np.ones(3)), Network.gaussian(3, 9, 1, rng=0), max_iter=2000)
    assert "K/mu = 1e+12" in run.message
    assert "standardize" in run.message


def test_the_verdict_leaves_out_slacks_within_rounding():
    # of a function nobody knows what the width can reach, so that the run goes on until steps move nothing
    problem = CustomLoss(lambda W: (float(((W - np.eye(3)) ** 2).sum() / 2), W - np.eye(3)), shape=(3, 3), mu=1.0,
                         K=1.0, minimum=0.0)
    run = train(problem, Network.gaussian(3, 2, 3, rng=0), tol=0.0)
    assert run.checks["descent"]["uninformative"] > 10
    assert run.history["slack_descent"][:-1].min() < -1
    assert run.checks["descent"]["smallest"] > 0
    assert "within rounding, so that they show nothing:" in run.verdict
    assert "descent lemma at" in run.verdict


def test_estimates_are_compared_and_said_to_be_no_certificate():
    run = train(IDENTITY, NETWORK, constants="power", max_iter=20)
    assert run.verdict.startswith("The constants are estimates, so nothing is certified")
    assert "at every step (20)" in run.verdict
    assert run.violations == 0
