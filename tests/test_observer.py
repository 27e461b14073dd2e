"""A trajectory of somebody else's: brackets that contain, checks that see what they should, a run like any other."""

import pickle

import numpy as np
import pytest

from lplfast import (
    CustomLoss,
    MatrixFactorization,
    Network,
    Observer,
    Problem,
    Run,
    SoftmaxLoss,
    SquaredLoss,
    local_constants,
    train,
)
from lplfast.descent.history import COLUMNS
from lplfast.losses.quadratic import DiagonalQuadratic

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 5))
PROBLEMS = {
    "factorization": MatrixFactorization(RNG.standard_normal((5, 4))),
    "squared": SquaredLoss(X, RNG.standard_normal((40, 4)), reduction="mean"),
    "null space": SquaredLoss(RNG.standard_normal((20, 3)) @ RNG.standard_normal((3, 5)), RNG.standard_normal((20, 4)),
                              reduction="mean"),
    "softmax": SoftmaxLoss(X, np.resize([0, 1, 2, 3], 40), l2=0.1, reduction="mean"),
}


def start(h=30, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((5, h)) / np.sqrt(h), rng.standard_normal((h, 4)) / np.sqrt(h)


def descent(problem, W1, W2, eta, dtype=float):
    """Gradient descent, as anybody writes it."""
    W1, W2, eta = W1.astype(dtype), W2.astype(dtype), dtype(eta)
    while True:
        G = problem.gradient(W1 @ W2).astype(dtype)
        W1, W2 = W1 - eta * G @ W2.T, W2 - eta * W1.T @ G
        yield W1, W2


def momentum(problem, W1, W2, eta):
    v1, v2 = np.zeros_like(W1), np.zeros_like(W2)
    while True:
        G = problem.gradient(W1 @ W2)
        v1, v2 = 0.8 * v1 + G @ W2.T, 0.8 * v2 + W1.T @ G
        W1, W2 = W1 - eta * v1, W2 - eta * v2
        yield W1, W2


def noisy(problem, W1, W2, eta):
    rng = np.random.default_rng(2)
    for V1, V2 in descent(problem, W1, W2, eta):
        V1 += 0.01 * rng.standard_normal(V1.shape)
        yield V1, V2


def jumping(problem, W1, W2, eta):
    """To anywhere, near and far."""
    rng = np.random.default_rng(3)
    while True:
        scale = 10.0 ** rng.uniform(-8, 1)
        W1, W2 = W1 + scale * rng.standard_normal(W1.shape), W2 + scale * rng.standard_normal(W2.shape)
        yield W1, W2
        W1, W2 = W1 / 2, W2 / 2


def followed(problem, loop, steps, eta=0.05, h=30):
    visited, taken = [start(h)], []
    observer = Observer(problem, Network(*visited[0]))
    for _, (W1, W2) in zip(range(steps), loop(problem, *visited[0], eta), strict=False):
        taken.append(observer.update(W1, W2, step_size=eta))
        visited.append((W1.copy(), W2.copy()))
    return observer, visited, taken


@pytest.mark.parametrize("loop", [descent, momentum, noisy, jumping], ids=lambda loop: loop.__name__)
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_constant_errs_to_its_side(name, loop):
    problem = PROBLEMS[name]
    # beyond the renewals in advance, so that brackets are carried
    observer, visited, taken = followed(problem, loop, 120)
    run = observer.run
    assert run.violations == 0
    assert run.iterations == 120
    # the first step of momentum is one of gradient descent
    assert sum(taken) == {"descent": 120, "momentum": 1}.get(loop.__name__, 0)
    assert run.checks["descent"]["steps"] == sum(taken)
    assert run.checks["pl"]["steps"] == 120
    for t in range(0, 121, 7):
        exact = local_constants(problem, Network(*visited[t]))
        found = {column: values[t] for column, values in run.history.items()}
        assert found["sigma_min_sq"] <= exact.brackets["sigma_min_sq"][1]
        assert found["mu_t"] <= problem.mu * exact.brackets["sigma_min_sq"][1]
        assert found["sigma_max_sq"] >= exact.brackets["sigma_max_sq"][0]
        assert found["sigma_max_W"] >= exact.brackets["sigma_max_W"][0]
        assert np.isclose(found["loss"], exact.loss, rtol=1e-10)
        assert np.isclose(found["grad_norm"], exact.grad_norm, rtol=1e-7, atol=1e-13)
        if exact.kernel_extremes is not None:
            # exact ends are known to rounding, outward
            assert found["nu_lo"] <= exact.kernel_extremes[0] * (1 + 1e-9) + 1e-12 * exact.kernel_extremes[1]
            assert found["nu_hi"] >= exact.kernel_extremes[1] * (1 - 1e-9)
        if np.isfinite(found["step_size"]):
            assert found["K_t"] >= exact.K_t(0.05) * (1 - 1e-9) or exact.brackets["G_max"][0] < 1e-12
    # they are of use, too: near, where the layers do not jump
    if loop is not jumping:
        exact = local_constants(problem, Network(*visited[-1]))
        assert run.history["sigma_max_sq"][-1] <= 1.3 * exact.sigma_max_sq


def test_the_history_is_that_of_the_loop_where_the_steps_are():
    problem, (W1, W2) = PROBLEMS["factorization"], start()
    run = train(problem, Network(W1, W2), 0.05, max_iter=60, compress=False, constants="exact", tol=0.0)
    own = followed(problem, descent, 60)[0].run
    for name in ("iteration", "loss", "gap", "grad_norm", "step_size", "slack_drift"):
        assert np.allclose(own.history[name], run.history[name], rtol=1e-7, atol=1e-12, equal_nan=True), name
    # wider brackets: longer constants, weaker rates
    steps = slice(0, 60)
    assert (own.history["K_t"][steps] >= run.history["K_t"][steps] * (1 - 1e-9)).all()
    assert (own.history["gap_bound"] >= run.history["gap"] * (1 - 1e-9)).all()
    assert tuple(own.history) == COLUMNS


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_a_step_is_known_as_one_in_the_precision_of_the_loop(dtype):
    problem = PROBLEMS["squared"]
    observer = Observer(problem, Network(*(W.astype(dtype) for W in start())))
    for _, (W1, W2) in zip(range(50), descent(problem, *start(), 0.05, dtype), strict=False):
        assert observer.update(W1, W2, step_size=0.05)
    assert observer.run.violations == 0
    # one unit of 30 moved by a thousandth of the step is seen
    (W1, W2), (V1, V2) = start(), next(descent(problem, *start(), 0.05))
    for moved, expected in ((0.0, True), (1e-3, False), (1.0, False)):
        observer = Observer(problem, Network(W1, W2))
        off = V1.copy()
        off[:, 0] += moved * (V1 - W1)[:, 1]
        assert observer.update(off, V2, step_size=0.05) is expected
        # another size is another step
        assert Observer(problem, Network(W1, W2)).update(V1, V2, step_size=0.05 * (1 + 1e-4)) is False
        assert Observer(problem, Network(W1, W2)).update(V1, V2) is False


def wrong(mu=1.0, K=1.0):
    Y = RNG.standard_normal((5, 4))
    return CustomLoss(lambda W: (0.5 * np.sum((W - Y) ** 2), W - Y), shape=(5, 4), mu=mu, K=K, minimum=0.0)


def test_a_loss_that_is_not_what_it_says_is_found_out():
    # mu too large: at any layers, whatever the loop. K too small: at gradient steps
    assert followed(wrong(mu=30.0, K=30.0), momentum, 20)[0].run.checks["pl"]["violations"] > 0
    run = followed(wrong(mu=0.01, K=0.01), descent, 20, eta=0.2)[0].run
    assert run.checks["descent"]["violations"] > 0
    assert "inequalities failed beyond rounding" in run.message
    assert run.violations > 0


def test_a_bound_on_the_gap_begins_anew_after_a_step_of_another_kind():
    problem, (W1, W2) = PROBLEMS["factorization"], start()
    observer, loop = Observer(problem, Network(W1, W2)), descent(problem, W1, W2, 0.05)
    for t in range(6):
        W1, W2 = next(loop)
        observer.update(W1, W2, step_size=None if t == 2 else 0.05)
    history = observer.run.history
    assert history["gap_bound"][3] == history["gap"][3]
    assert (history["gap_bound"][[1, 2, 4, 5]] > history["gap"][[1, 2, 4, 5]]).all()
    assert np.isnan(history["step_size"][[2, 6]]).all()
    assert observer.run.checks["descent"]["steps"] == 5
    assert "5 were gradient steps" in observer.run.verdict
    assert "5 of 6 steps" in observer.run.message


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_run_like_any_other(name, tmp_path):
    problem = PROBLEMS[name]
    observer, visited, _ = followed(problem, momentum, 12)
    run = observer.run
    assert run.status == "observed"
    # the layers themselves, also where the loop has them in another frame
    assert np.array_equal(run.network.W1, visited[-1][0])
    assert np.array_equal(run.network.W2, visited[-1][1])
    run.save(tmp_path / "run.npz")
    loaded = Run.load(tmp_path / "run.npz")
    assert str(loaded.audit()) == str(run.audit())
    assert np.array_equal(loaded.network.W1, run.network.W1)
    assert run.audit().passed
    assert run.plot().axes
    with pytest.raises(ValueError, match="the run was made with a function, observed"):
        train(problem, loaded)
    further = train(problem, loaded, "local", max_iter=40)
    assert further.iterations == 40
    assert further.violations == 0
    assert further.history["gap"][-1] <= run.history["gap"][-1]
    # what has been handed out does not change
    observer.update(*visited[0])
    assert run.iterations == 12
    assert observer.run.iterations == 13
    assert len(run.history["loss"]) == 13


@pytest.mark.parametrize("kind", ["Fortran", "big-endian", "strided", "read-only", "list"])
def test_layers_of_any_layout_have_the_same_bits(kind):
    def made(W):
        if kind == "strided":
            return np.repeat(np.repeat(W, 2, axis=0), 2, axis=1)[::2, ::2]
        if kind == "read-only":
            W = W.copy()
            W.flags.writeable = False
            return W
        kinds = {"Fortran": np.asfortranarray, "big-endian": lambda W: W.astype(">f8"), "list": np.ndarray.tolist}
        return kinds[kind](W)

    problem, (W1, W2) = PROBLEMS["squared"], start()
    one, two = Observer(problem, Network(W1, W2)), Observer(problem, Network(W1, W2))
    for _, (W1, W2) in zip(range(5), momentum(problem, *start(), 0.05), strict=False):
        one.update(W1, W2, step_size=0.05)
        two.update(made(W1), made(W2), step_size=0.05)
    for name in set(COLUMNS) - {"time"}:
        assert np.array_equal(one.run.history[name], two.run.history[name], equal_nan=True), name


def test_an_observer_goes_on_where_it_was_pickled():
    problem, loop = PROBLEMS["null space"], momentum
    one, visited, _ = followed(problem, loop, 20)
    two = followed(problem, loop, 8)[0]
    for t in range(9, 21):
        two = pickle.loads(pickle.dumps(two))
        two.update(*visited[t], step_size=0.05)
    for name in set(COLUMNS) - {"time"}:
        assert np.array_equal(one.run.history[name], two.run.history[name], equal_nan=True), name
    assert np.array_equal(one.run.network.W1, two.run.network.W1)


def test_hostile_updates_change_nothing():
    problem, (W1, W2) = PROBLEMS["squared"], start()
    observer = Observer(problem, Network(W1, W2))
    observer.update(W1 * 1.1, W2)
    before = observer.run
    for bad, error, said in ((W1[:, 1:], ValueError, r"W1: expected shape \(5, 30\), got \(5, 29\)"),
                             (W1.T, ValueError, r"W1: expected shape \(5, 30\), got \(30, 5\); torch.nn.Linear"),
                             (object(), TypeError, "W1: expected real numbers, got object"),
                             (W1[0], ValueError, "W1: expected 2 dimensions"),
                             (None, TypeError, "W1: expected an array"),
                             (np.full((5, 30), "a"), TypeError, "W1: expected real numbers"),
                             (np.where(W1 > 0, np.nan, W1), ValueError, "W1: expected finite numbers, got nan"),
                             (W1 * 1e200, OverflowError, "leaves float64 at these layers")):
        with pytest.raises(error, match=said):
            observer.update(bad, W2, step_size=0.1)
    with pytest.raises(ValueError, match="W2: expected finite numbers"):
        observer.update(W1, np.full_like(W2, np.inf))
    with pytest.raises(ValueError, match=r"W2: expected shape \(30, 4\), got \(4, 30\); torch"):
        observer.update(W1, W2.T)
    for step in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="step_size: expected a finite positive number"):
            observer.update(W1, W2, step_size=step)
    with pytest.raises(TypeError, match="step_size"):
        observer.update(W1, W2, step_size="local")
    after = observer.run
    assert after.iterations == 1
    for name in set(COLUMNS) - {"loss_evaluations", "gradient_evaluations"}:
        assert np.array_equal(after.history[name], before.history[name], equal_nan=True), name
    assert np.array_equal(after.network.W1, before.network.W1)
    assert observer.update(*next(descent(problem, W1 * 1.1, W2, 0.05)), step_size=0.05)
    with pytest.raises(TypeError, match="problem: expected a Problem"):
        Observer(None, Network(W1, W2))
    with pytest.raises(ValueError, match="network: expected 5 inputs and 4 outputs"):
        Observer(problem, Network.gaussian(3, 9, 4, rng=0))
    with pytest.raises(OverflowError, match="leaves float64 at this network"):
        Observer(problem, Network(W1 * 1e200, W2))


def test_layers_in_their_own_frame_have_the_constants_of_that_of_the_loss():
    # the same loss in its own frame, in a frame that is orthogonal to rounding, and in one that is so to 1e-9 only
    d, target = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), RNG.standard_normal((5, 4))
    V = np.linalg.qr(RNG.standard_normal((5, 5)))[0]
    W1, W2 = start()
    plain = Observer(Problem(DiagonalQuadratic(d, target)), Network(W1, W2))
    turned = Observer(Problem(DiagonalQuadratic(d, target), basis=V), Network(V @ W1, W2))
    loose = V + 1e-9 * RNG.standard_normal((5, 5))
    off = Observer(Problem(DiagonalQuadratic(d, target), basis=loose), Network(V @ W1, W2))
    for _, (W1, W2) in zip(range(60), descent(Problem(DiagonalQuadratic(d, target)), *start(), 0.02), strict=False):
        assert plain.update(W1, W2, step_size=0.02)
        assert turned.update(V @ W1, W2, step_size=0.02)
        assert off.update(V @ W1, W2, step_size=0.02)
    for other, close in ((turned, 1e-10), (off, 1e-6)):
        assert other.run.violations == 0
        found, expected = other.run.history, plain.run.history
        for name in ("loss", "grad_norm", "sigma_min_sq", "sigma_max_sq", "nu_lo", "nu_hi", "sharpness_hi", "K_t"):
            # renewals fall on the same iterates, and the ends of brackets are rounded to 14 bits
            assert np.allclose(found[name], expected[name], rtol=2.5e-4, equal_nan=True), name
        assert np.allclose(found["loss"], expected["loss"], rtol=close, atol=close)
    with pytest.raises(ValueError, match=r"basis: expected shape \(5, 5\), got \(4, 4\)"):
        plain._descent.turn_by(np.eye(4))


@pytest.mark.parametrize("h", [1, 3, 4, 5, 9])
def test_narrow_layers(h):
    # fewer hidden units than inputs or outputs: s_min is 0 and stays so
    observer, visited, taken = followed(PROBLEMS["factorization"], descent, 30, h=h)
    assert all(taken)
    run = observer.run
    assert run.violations == 0
    exact = local_constants(PROBLEMS["factorization"], Network(*visited[-1]))
    assert run.history["sigma_min_sq"][-1] <= exact.brackets["sigma_min_sq"][1]
