"""Whatever numbers do to a run is a status with a sentence, never an error; and the input stays what it was."""

import numpy as np
import pytest

from lplfast import CustomLoss, Interrupted, MatrixFactorization, Network, SquaredLoss, local_constants, train
from lplfast.losses.problems import Problem
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.run.outcome import MESSAGES

OF_A_STEP = {"rate_bound", "step_size", "K_t", "K_t_sharp", "slack_descent", "slack_rate", "slack_drift"}
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
    "width-1": (IDENTITY, Network.gaussian(3, 1, 3, rng=0), {"tol": 0.0}, "stalled"),
    "narrow": (IDENTITY, Network.gaussian(3, 2, 3, rng=0), {"tol": 0.0}, "stalled"),
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
    assert run.status in ("max_iter", "stalled")
    assert run.violations == 0
    np.testing.assert_array_equal(run.history["mu_t"], 0.0)
    np.testing.assert_array_equal(run.history["rate_bound"][:-1], 1.0)


def test_every_status_is_tried_above_or_in_test_interrupt():
    assert {status for *_, status in RUNS.values()} | {"running", "interrupted"} == MESSAGES.keys()


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


@pytest.mark.parametrize("compress", [True, False])
def test_training_leaves_its_input_alone(compress):
    rng = np.random.default_rng(0)
    arrays = X, Y, W1, W2, offset = [rng.standard_normal(shape) for shape in ((7, 3), (7, 2), (3, 9), (9, 2), (3, 2))]
    before = [array.tobytes() for array in arrays]
    problem, network = SquaredLoss(X, Y, offset=offset), Network(W1, W2)
    minimizer = problem.minimizer.tobytes()
    run = train(problem, network, compress=compress, callback=lambda run: False)
    assert [array.tobytes() for array in arrays] == before
    assert problem.minimizer.tobytes() == minimizer
    np.testing.assert_array_equal(network.W1, W1)
    np.testing.assert_array_equal(network.W2, W2)
    # and the other way round: who changes an array afterwards changes neither the network nor the problem
    for array in arrays:
        array.fill(np.nan)
    again = train(problem, network, compress=compress)
    np.testing.assert_array_equal(again.history["gap"], run.history["gap"])


def _read_only(A):
    A = A.copy()
    A.flags.writeable = False
    return A


@pytest.mark.parametrize("layout", [
    _read_only, np.asfortranarray, lambda A: np.repeat(np.repeat(A, 2, axis=0), 3, axis=1)[::2, ::3],
    lambda A: A[::-1, ::-1].copy()[::-1, ::-1], lambda A: A.astype(">f8"), np.ndarray.tolist,
], ids=["read-only", "F", "strided", "reversed", "big-endian", "list"])
@pytest.mark.parametrize("shape", [(7, 3, 9, 2), (30, 20, 100, 20)], ids=str)
def test_the_layout_in_memory_changes_no_bit(shape, layout):
    N, n, h, m = shape
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((N, n), (N, m), (n, h), (h, m), (n, m))]
    X, Y, W1, W2, offset = map(layout, arrays)

    def run(X, Y, W1, W2, offset):
        return train(SquaredLoss(X, Y, offset=offset, l2=0.1), Network(W1, W2), max_iter=20)

    plain, other = run(*arrays), run(X, Y, W1, W2, offset)
    for column in plain.history.keys() - {"time"}:
        np.testing.assert_array_equal(other.history[column], plain.history[column])
    np.testing.assert_array_equal(other.network.W1, plain.network.W1)
    np.testing.assert_array_equal(other.network.W2, plain.network.W2)


def test_a_callback_cannot_change_the_run():
    def meddle(run):
        for column in run.history.values():
            column.fill(0.0)
        run.network.stack().fill(0.0)

    plain, other = train(IDENTITY, NETWORK), train(IDENTITY, NETWORK, callback=meddle)
    np.testing.assert_array_equal(other.history["gap"], plain.history["gap"])
    assert other.network.W1.any()


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
    with pytest.raises(ValueError, match="expected the column 'step_size'"):
        run.plot()


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 2, 4), (3, 8, 3)], ids=str)
@pytest.mark.parametrize("scale", [1e-120, 1e-90, 1e-70, 1.0, 1e70, 1e90, 1e120])
def test_constants_far_from_1_are_as_narrow_as_those_near_it(shape, scale):
    n, h, m = shape
    plain = Network.gaussian(n, h, m, rng=0)
    # only the layers scale: the product, and with it the loss and W_max, stay what they are
    network = Network(plain.W1 * scale, plain.W2 / scale)
    # the gradient is scale times G: its square must be a float64
    found = local_constants(MatrixFactorization(plain.product + 1e-3), network)
    lo, hi = found.brackets["sigma_max_sq"]
    s1, s2 = (np.linalg.norm(W, 2) for W in (plain.W1, plain.W2))
    truth = (s1 * scale) ** 2 + (s2 / scale) ** 2
    # numpy's own error is some units in the last place
    assert lo <= truth * (1 + 1e-14)
    assert hi >= truth * (1 - 1e-14)
    assert hi - lo <= 1e-11 * truth


@pytest.mark.parametrize("scale", [1e-75, 1e-60, 1.0, 1e60, 1e75])
def test_the_brackets_of_the_product_are_narrow_at_every_scale(scale):
    plain = Network.gaussian(3, 8, 3, rng=0)
    root = np.sqrt(scale)
    found = local_constants(MatrixFactorization(np.eye(3) * scale), Network(plain.W1 * root, plain.W2 * root))
    for name, matrix in {"sigma_max_W": plain.product, "G_max": plain.product - np.eye(3)}.items():
        lo, hi = found.brackets[name]
        truth = np.linalg.norm(matrix, 2) * scale
        assert lo <= truth * (1 + 1e-14)
        assert hi >= truth * (1 - 1e-14)
        assert hi - lo <= 1e-11 * truth, name


def test_what_rounding_may_do_is_allowed_for_at_every_scale():
    # a bracket is wider than the spacing of numbers for a reason: squares that underflow must not take it away
    def width(scale):
        layers = Network.gaussian(30, 5, 4, rng=0)
        found = local_constants(MatrixFactorization(np.eye(30, 4)), Network(layers.W1 * scale, layers.W2 * scale))
        lo, hi = found.brackets["sigma_max_sq"]
        return (hi - lo) / hi

    # powers of 2 scale without rounding: only the bound itself rounds, at 1e-16 beside some 1e-14
    assert np.allclose([width(2.0**-exponent) for exponent in (100, 250, 300, 400)], width(1.0), rtol=0.05, atol=0.0)


# -- what underflow may do

@pytest.mark.parametrize("constants", ["certified", "exact"])
@pytest.mark.parametrize(("target", "first", "second"), [
    (1e30, 1e-165, 1e-165), (1e60, 1e-160, 1e-160), (1e60, 1e-175, 1e-175), (1e75, 3e-163, 1e-170),
    (1e-60, 1e-167, 1e-76), (1e84, 1e-154, 1e-155), (1e-160, 1e-80, 1e-80), (1e-170, 1e10, 1e-170),
    (1e-170, 1e-85, 2e-85),
])
def test_products_that_underflow_are_no_violation(target, first, second, constants):
    run = train(MatrixFactorization([[target]]), _scalar(first, second), constants=constants, max_iter=2000)
    assert run.status != "guarantee_failed"
    assert run.violations == 0
    # a gap that has underflowed to 0 is not convergence
    assert (run.status == "converged") == (abs(run.network.product.item() - target) < 1e-4 * target)


def test_no_scale_makes_an_honest_loss_fail():
    rng = np.random.default_rng(0)
    tried = 0
    for _ in range(120):
        n, h, m = rng.integers(1, 4, 3)
        scales = 10.0 ** rng.uniform([-170, -170, -140, -140], [150, 150, 140, 140])
        Y, W1, W2 = (rng.standard_normal(shape) for shape in ((n, m), (n, h), (h, m)))
        network = Network(W1 * scales[0], W2 * scales[1])
        problem = (MatrixFactorization(Y * scales[2]) if rng.random() < 0.7 else
                   SquaredLoss(np.diag(10.0 ** rng.uniform(-3, 0, n)) * scales[3],
                               Y * min(scales[2], 1e140 / scales[3])))
        for rule in ("sharp", "majorizer", "contraction", "polyak", float(10.0 ** rng.uniform(-170, 150))):
            run = train(problem, network, rule, max_iter=30, constants=str(rng.choice(["certified", "exact"])))
            failed = {name: check["violations"] for name, check in run.checks.items()
                      if name != "drift" and check["violations"]}
            assert run.status != "guarantee_failed"
            assert not failed, (n, h, m, scales, rule)
            # no comparison with NaN passes for one
            assert not np.isnan(run.history["rounding"]).any()
            assert all(check["smallest"] is None or np.isfinite(check["smallest"])
                       for check in run.checks.values())
            tried += run.iterations
    assert tried > 2000


# -- growth and gradients

def test_a_catapult_comes_back():
    # the gap grows by 3e9 in between; plain NumPy is at 5e-17 by t = 80
    problem, network = MatrixFactorization([[0.0]]), Network([[2.0, 0.0]], [[1e-5], [0.0]])
    run = train(problem, network, 0.75, max_iter=200)
    assert run.status == "converged"
    assert run.history["gap"].max() > 1e9 * run.history["gap"][0]
    assert run.history["gap"][-1] < 5e-17
    assert run.violations == 0
    assert train(problem, network, 0.75, max_iter=200, max_growth=1e8).status == "diverged"


@pytest.mark.parametrize("width", [10**9, 10**12])
def test_a_catapult_grows_with_the_width(width):
    problem, network = MatrixFactorization(np.diag([3.0, 2.0, 1.0])), Network.gaussian_implicit(3, width, 3, rng=1)
    run = train(problem, network, 3.0 / local_constants(problem, network).sigma_max_sq, max_iter=500)
    assert run.converged
    assert run.history["gap"].max() > 0.01 * width * run.history["gap"][0]


@pytest.mark.parametrize("eta", [2.0, 3.0, 10.0, 1e3])
def test_a_hopeless_run_ends_soon(eta):
    run = train(MatrixFactorization([[1.0]]), _scalar(1.0, 1.2), eta, max_iter=10**6)
    assert run.status == "overflow"
    assert run.iterations <= 10
    assert run.message.startswith("Diverged after")
    assert "use step_size='local'" in run.message
    # the logarithm of the gap triples with each step, in the end
    growth = np.diff(np.log(run.history["gap"]))
    assert growth[-1] / growth[-2] > 2.5


def test_a_gradient_tolerance_needs_no_minimum():
    def function(W):
        return float(((W - 1) ** 2).sum() / 2), W - 1

    problem, network = CustomLoss(function, shape=(2, 2), mu=1.0, K=1.0), Network.gaussian(2, 4, 2, rng=0)
    run = train(problem, network, "sharp")
    assert run.status == "stalled"
    assert "grad_tol" in run.message
    run = train(problem, network, "sharp", grad_tol=1e-6)
    assert run.status == "converged"
    assert "grad_tol=1e-06" in run.message
    norms = run.history["grad_norm"] / run.history["grad_norm"][0]
    assert norms[-1] <= 1e-6 < norms[-2]
    # nor does a known one stand in its way
    known = train(IDENTITY, NETWORK, tol=0.0, grad_tol=1e-3)
    assert known.status == "converged"
    assert "as grad_tol=1e-03 asks" in known.message
    # which criterion: here it is the gap
    assert "grad_tol" not in train(IDENTITY, NETWORK, grad_tol=1e-12).message
    # a continued run keeps it, and what it is relative to
    part = train(problem, train(problem, network, "sharp", grad_tol=1e-6, max_iter=20), max_iter=1000)
    assert part.iterations == run.iterations
    # a saddle is no convergence
    assert train(IDENTITY, _zeros(3, 4, 3), grad_tol=0.5).status == "saddle"


# -- what is said

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
        assert f"no network of that width has a gap below {best:.3g}" in run.message
        assert "raise max_iter" not in run.message
    assert "there it is" in many.message
    # where the target has that rank, the width is no obstacle
    low = MatrixFactorization(np.outer([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]))
    assert "width" not in train(low, network, max_iter=10).message


def test_a_forecast_knows_how_far_the_pace_may_fall():
    run = train(SquaredLoss(np.diag([1.0, 1e-3, 1e-6]), np.ones(3)), Network.gaussian(3, 9, 1, rng=0), max_iter=2000)
    assert "K/mu = 1e+12" in run.message
    assert "Standardize" in run.message


def test_the_verdict_leaves_out_slacks_within_rounding():
    run = train(IDENTITY, Network.gaussian(3, 2, 3, rng=0), tol=0.0)
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
