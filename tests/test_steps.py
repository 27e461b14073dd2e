"""The step rules one by one: printed formulas, what they need, searches that fail, and functions of the user's own."""

import copy
import pickle

import numpy as np
import pytest
from cases import EXPECTED, PROBLEMS, RULES, small_loss

from lplfast import (
    Armijo,
    Arora2018,
    BarzilaiBorwein,
    Constant,
    CustomLoss,
    Du2018,
    IterateView,
    Local,
    MatrixFactorization,
    Network,
    Rule,
    Run,
    Sharp,
    SoftmaxLoss,
    SquaredLoss,
    Xu2023,
    initial_bounds,
    local_constants,
    reference,
    train,
    train_many,
)
from lplfast.steps import NEEDS, missing_for, rule_from
from lplfast.steps import RULES as BY_NAME


def start(seed=0, n=5, h=40, m=4):
    """Return a factorization and layers near its solution, which every rule applies to."""
    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((n, m))
    return Y, MatrixFactorization(Y), small_loss(rng, Y, h)


def test_every_rule_is_immutable_and_makes_itself_again():
    for name, make in BY_NAME.items():
        rule = make()
        assert rule == pickle.loads(pickle.dumps(rule)) == copy.deepcopy(rule), name
        assert hash(rule) == hash(make())
        assert eval(repr(rule), {cls.__name__: cls for cls in type(rule).__mro__[:1]}) == rule
        assert set(rule.needs) <= set(NEEDS)
        assert rule_from(name) == rule
        for option in rule.options:
            with pytest.raises(AttributeError):
                setattr(rule, option, 1.0)


def test_the_printed_formulas_of_earlier_papers():
    Y, problem, network = start()
    E = np.linalg.norm(Y - network.product)
    s, norm = np.linalg.svd(Y, compute_uv=False), np.linalg.norm(Y)
    run = train(problem, network, Arora2018(), max_iter=3, tol=0.0)
    assert np.allclose(run.history["step_size"][:-1], (s[-1] - E) ** 3 / (6144 * 8 * norm**4), rtol=1e-11)
    for eps in (None, 0.3):
        run = train(problem, network, Du2018(eps=eps), max_iter=4, tol=0.0)
        expected = np.sqrt((norm / 2 if eps is None else eps) / 4) / (100 * np.arange(1, 5) * norm**1.5)
        assert np.allclose(run.history["step_size"][:-1], expected, rtol=1e-12)


@pytest.mark.parametrize("bound", ["rho", "rho-hat", "f", "f0"])
def test_xu2023_minimises_its_polynomial_below_eta_max(bound):
    _, problem, network = start()
    c1, c2 = 0.4, 1.7
    run = train(problem, network, Xu2023(bound, c1=c1, c2=c2), max_iter=2, tol=0.0)
    first, at = initial_bounds(problem, network, margins="xu2023"), local_constants(problem, network)
    g = np.sqrt(2 * at.gap)

    def polynomial(low, high, p, g):    # mu = K = 1
        return np.array([1, -2 * low, high**2 + 2 * p * g, 2 * high * p * g, p**2 * g**2])

    f = polynomial(c1 * first.alpha, c2 * first.beta, first.p2, g)
    chosen = {"rho": polynomial(at.sigma_min_sq, at.sigma_max_sq, at.sigma_max_W, at.G_norm),
              "rho-hat": polynomial(first.alpha, first.beta, first.p2, g)}.get(bound, f)
    eta = np.linspace(0, 1, 2_000_001)[1:]
    longest = [eta[np.polyval([f[4], f[3], f[2] + more, f[1]], eta) >= 0][0] for more in (
        4 * c2 * at.gap / (c2 - 1), 8 * c2 * first.beta * at.gap / ((1 - c1) * first.alpha))]
    best = eta[np.argmin(np.polyval(chosen[::-1], eta))]
    # to the grid
    assert abs(run.history["step_size"][0] - min(best, *longest)) <= 1e-6
    if bound == "f0":
        assert run.history["step_size"][1] == run.history["step_size"][0]


def test_what_a_rule_needs_is_named_before_the_loop():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((9, 4)), rng.standard_normal((9, 3))
    network = Network.gaussian(4, 30, 3, std=0.5, rng=1)
    softmax = SoftmaxLoss(X, rng.integers(0, 3, 9), l2=0.1)
    unknown = CustomLoss(lambda W: (0.5 * (W**2).sum(), W), shape=(4, 3), mu=1.0, K=1.0)
    far = MatrixFactorization(rng.standard_normal((4, 3)))
    for problem, rule, words in [
        (SquaredLoss(X, Y, l2=0.1), "xu-rho", "a squared loss without ridge"),
        (SquaredLoss(X, Y), "arora", "X.T X = I"),
        (far, "arora", "a margin p1"),
        (MatrixFactorization(np.zeros((4, 3))), "du", "targets that are not all zero"),
        (softmax, "contraction", "a squared loss"),
        (unknown, "polyak", "the minimum of the loss"),
        (unknown, "local", "a lower bound"),
    ]:
        with pytest.raises(ValueError, match=r"^step_size: .* needs .*" + words):
            train(problem, network, rule)
    vacuous = Network.balanced(5 * rng.standard_normal((4, 3)), 30)
    with pytest.raises(ValueError, match="alpha_0 > 0, got 0"):
        train(far, vacuous, "xu-f")


@pytest.mark.parametrize("bad", [
    lambda: Armijo(c=1.0), lambda: Armijo(shrink=1.0), lambda: Armijo(c=0.0), lambda: Xu2023("sigma"),
    lambda: Xu2023(c1=1.0), lambda: Xu2023(c2=1.0), lambda: Xu2023(["rho"]), lambda: Du2018(eps=-1.0),
    lambda: Constant(0.0), lambda: rule_from(-1.0), lambda: rule_from("fast"),
])
def test_bad_options_are_refused(bad):
    with pytest.raises(ValueError, match=EXPECTED):
        bad()


@pytest.mark.parametrize("bad", [lambda: rule_from(Local), lambda: rule_from(Rule()), lambda: rule_from(None),
                                 lambda: rule_from(True), lambda: Constant("1")])
def test_wrong_types_are_refused(bad):
    with pytest.raises(TypeError, match=EXPECTED):
        bad()


def test_exact_and_armijo_on_losses_that_are_not_quadratic():
    rng = np.random.default_rng(0)
    for name in ("logistic", "softmax", "custom"):
        problem, twin = PROBLEMS[name](rng, 6, 4)
        network = Network.gaussian(6, 30, 4, std=0.4, rng=1)
        run = train(problem, network, "exact", max_iter=3, tol=0.0, constants="exact")
        before = reference.local_constants(twin, network.W1, network.W2)
        eta = run.history["step_size"][0]

        def loss_after(eta, at=before, twin=twin):
            return twin.value(at["W"] - eta * at["tau"] + eta**2 * at["B"])

        # a minimum: higher on both sides
        assert loss_after(eta) < min(loss_after(0.99 * eta), loss_after(1.01 * eta))
        # and the first: the loss falls all the way
        assert (np.diff([loss_after(share * eta) for share in np.linspace(0, 1, 50)]) < 0).all()
        assert run.counters["loss_evaluations"] > run.iterations + 1
        run = train(problem, network, Armijo(c=0.3), max_iter=20, tol=0.0)
        h = run.history
        enough = h["loss"][:-1] - h["loss"][1:] >= 0.3 * h["step_size"][:-1] * h["grad_norm"][:-1] ** 2
        assert (enough | (h["gap"][:-1] < 1e-9 * h["gap"][0])).all()
        assert run.violations == 0


def test_work_is_counted():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    network = Network.gaussian(6, 30, 4, rng=1)
    run = train(problem, network, "local", max_iter=30, constants="exact")
    assert run.counters["loss_evaluations"] == run.counters["gradient_evaluations"] == run.iterations + 1
    # both layers, W, G, and two of the tangent kernel, at every iterate
    assert run.counters["eigenproblems"] == 6 * (run.iterations + 1)
    assert train(problem, network, "local", max_iter=30).counters["eigenproblems"] < 60
    run = train(problem, network, "armijo", max_iter=30)
    h, steps = run.history, run.iterations
    assert run.counters["loss_evaluations"] == 1 + 2 * steps + run.counters["backtracks"]
    for name in ("loss_evaluations", "gradient_evaluations", "eigenproblems", "backtracks"):
        assert (np.diff(h[name]) >= 0).all()
        assert h[name][-1] == run.counters[name]


def test_a_search_that_fails_says_why():
    # the function's value is trusted to 1e-13: no step can show more
    flat = CustomLoss(lambda W: (1e6 + 0.5 * (W**2).sum(), W), shape=(2, 2), mu=1.0, K=1.0, minimum=1e6)
    run = train(flat, Network.gaussian(2, 9, 2, std=1e-4, rng=0), "armijo", tol=0.0)
    assert run.status in ("stalled", "floor")
    assert "below the rounding of the loss" in run.message or "are known to" in run.message

    def wrong(W):   # points uphill
        return 0.5 * (W**2).sum(), -W

    lying = CustomLoss(wrong, shape=(2, 2), mu=1.0, K=1.0, minimum=0.0)
    run = train(lying, Network.gaussian(2, 9, 2, rng=0), "armijo")
    assert run.status == "stalled"
    assert "Armijo's condition" in run.message


# --- functions

def test_a_function_sees_what_the_loop_knows():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    network = Network.gaussian(6, 30, 4, rng=1)
    seen = []

    def choose(it):
        seen.append({name: getattr(it, name) for name in dir(IterateView)
                     if not name.startswith("_") and not callable(getattr(it, name))})
        assert it.K_t(0.0) >= it.K_t_sharp(0.0)
        return 0.9 / it.K_t_sharp(0.0) / 2

    run = train(problem, network, choose, max_iter=8, tol=0.0)
    assert run.iterations == 8
    assert run.violations == 0
    h = run.history
    for t, row in enumerate(seen):
        assert row["t"] == t
        for name in ("loss", "gap", "grad_norm", "sigma_min_sq", "sigma_max_sq", "sigma_max_W", "nu_lo", "nu_hi"):
            assert row[name] == h[name][t], name
        assert row["eta"] == (h["step_size"][t - 1] if t else 0.0)
        assert np.allclose(row["W1"] @ row["W2"], row["W"])
        assert np.allclose(row["g1"], row["G"] @ row["W2"].T)
        assert np.allclose(row["g2"], row["W1"].T @ row["G"])
        for side in ("g1", "g2"):
            assert np.array_equal(row[f"previous_{side}"], seen[t - 1][side] if t else np.zeros_like(row[side]))
        assert not row["memory"].any()


def test_the_iterate_is_gone_after_the_call_and_memory_stays():
    _, problem, network = start()
    kept = []

    def choose(it):
        kept.append(it)
        it.memory[3] += 1
        assert it.memory[3] == it.t + 1
        with pytest.raises(AttributeError):
            it.gap = 0.0
        return 0.01

    train(problem, network, choose, max_iter=5, tol=0.0)
    assert repr(kept[0]) == "<IterateView: gone>"
    with pytest.raises(RuntimeError, match="the iterate is gone"):
        kept[0].gap     # noqa: B018


def test_what_a_function_raises_arrives_with_the_run_so_far():
    _, problem, network = start()

    def choose(it):
        if it.t == 4:
            raise LookupError("mine")
        return 0.01

    with pytest.raises(LookupError, match="mine") as caught:
        train(problem, network, choose)
    assert isinstance(caught.value.run, Run)
    assert caught.value.run.iterations == 4
    with pytest.raises(TypeError, match="expected a number"):
        train(problem, network, lambda it: "0.1")


@pytest.mark.parametrize("eta", [0.0, -1.0, np.nan, np.inf])
def test_a_number_that_is_no_step_ends_the_run(eta):
    _, problem, network = start()
    run = train(problem, network, lambda it: eta if it.t == 2 else 0.01)
    assert run.status == "stalled"
    assert run.iterations == 2
    assert "not positive and finite" in run.message


def test_a_run_with_a_function_goes_on_with_the_function(tmp_path):
    _, problem, network = start()

    def choose(it):
        it.memory[0] += 0.001
        return 0.01 + it.memory[0]

    whole = train(problem, network, choose, max_iter=9, tol=0.0)
    train(problem, network, choose, max_iter=4, tol=0.0).save(tmp_path / "run.npz")
    part = Run.load(tmp_path / "run.npz")
    with pytest.raises(ValueError, match="made with a function"):
        train(problem, part, max_iter=9)
    on = train(problem, part, choose, max_iter=9)
    assert np.array_equal(on.history["step_size"], whole.history["step_size"], equal_nan=True)
    assert np.array_equal(on.network.W1, whole.network.W1)


def test_all_rules_of_the_registry_are_tried_by_the_tests():
    assert set(BY_NAME) <= set(RULES)
    _, problem, network = start()
    assert all(missing_for(make(), problem, network) is None for make in BY_NAME.values())


def test_a_function_that_failed_once_is_asked_again():
    _, problem, network = start()
    fails = [True]

    def choose(it):
        it.memory[0] += 1
        if it.t == 3 and fails[0]:
            fails[0] = False
            raise RuntimeError
        return 0.002 * it.memory[0]

    with pytest.raises(RuntimeError) as caught:
        train(problem, network, choose, max_iter=8, tol=0.0)
    run = train(problem, caught.value.run, choose, max_iter=8)
    assert np.allclose(run.history["step_size"][:-1], 0.002 * np.arange(1, 9))
    assert run.checks["pl"]["steps"] == 8


# --- classes in Python

class Scaled(Rule):
    def __init__(self, factor=0.5):
        self.factor = factor
        self._private = None

    def choose(self, iterate):
        if iterate.t == self._private:
            raise LookupError("mine")
        return self.factor / iterate.K_t_sharp(0.0)


class Halved(Sharp):
    def choose(self, iterate):
        return 0.5 / iterate.K_t_sharp(0.0)


def test_a_subclass_in_python_steps_as_the_same_function_does():
    _, problem, network = start()
    by_function = train(problem, network, lambda it: 0.5 / it.K_t_sharp(0.0), max_iter=50)
    by_many = train_many(problem, network, [Scaled(), Halved()], max_iter=50)
    alone = [train(problem, network, rule, max_iter=50) for rule in (Scaled(), Halved())]
    for run in (*alone, *by_many):
        for column in run.history.keys() - {"time"}:
            np.testing.assert_array_equal(run.history[column], by_function.history[column])


def test_a_subclass_in_python_is_a_value():
    assert repr(Scaled(0.3)) == "Scaled(factor=0.3)"
    assert repr(Halved(cap=2.0)) == "Halved(cap=2.0)"
    for rule in (Scaled(0.3), Halved(cap=2.0)):
        for again in (pickle.loads(pickle.dumps(rule)), copy.deepcopy(rule)):
            assert again == rule
            assert hash(again) == hash(rule)
    assert Scaled(0.3) != Scaled(0.4)


def test_a_run_with_a_subclass_goes_on_by_its_name(tmp_path):
    _, problem, network = start()
    whole = train(problem, network, Scaled(0.3), max_iter=9, tol=0.0)
    train(problem, network, Scaled(0.3), max_iter=4, tol=0.0).save(tmp_path / "run.npz")
    on = train(problem, Run.load(tmp_path / "run.npz"), max_iter=9)
    np.testing.assert_array_equal(on.history["step_size"], whole.history["step_size"])


def test_what_a_subclass_raises_arrives_with_the_run_so_far():
    _, problem, network = start()
    rule = Scaled()
    rule._private = 4
    with pytest.raises(LookupError, match="mine") as caught:
        train(problem, network, rule)
    assert caught.value.run.iterations == 4


def test_a_subclass_that_does_not_choose_is_refused():
    class Idle(Rule):
        pass

    class Other(Local):
        pass

    class Needy(Scaled):
        needs = ("luck",)

    _, problem, network = start()
    with pytest.raises(TypeError, match=r"expected a rule that chooses, got Idle\(\).* choose\(self, iterate\)"):
        train(problem, network, Idle())
    with pytest.raises(ValueError, match=r"needs: expected names among .* got \['luck'\]"):
        train(problem, network, Needy())
    assert train(problem, network, Other(), max_iter=3).iterations == 3


@pytest.mark.parametrize("change", [
    lambda memory: setattr(memory.flags, "writeable", False), lambda memory: setattr(memory, "shape", (2, 4)),
    lambda memory: setattr(memory, "dtype", ">f8"),
], ids=["read-only", "reshaped", "reinterpreted"])
def test_the_view_is_gone_whatever_was_done_to_its_memory(change):
    _, problem, network = start()
    kept = []

    def choose(it):
        kept.append(it)
        change(it.memory)
        return 0.01

    assert train(problem, network, choose, max_iter=3, tol=0.0).iterations == 3
    for view in kept:
        with pytest.raises(RuntimeError, match="the iterate is gone"):
            view.W1     # noqa: B018


def test_a_memory_of_another_size_is_an_error():
    _, problem, network = start()
    kept = []

    def choose(it):
        kept.append(it)
        it.memory.dtype = np.int8
        return 0.01

    with pytest.raises(ValueError, match="memory: expected 8 numbers, got 64"):
        train(problem, network, choose)
    assert repr(kept[0]) == "<IterateView: gone>"


@pytest.mark.parametrize(("name", "meant"), [
    ("xu_rho", "'xu-rho'"), ("Local", "'local'"), (" exact", "'exact'"), ("majoriser", "'majorizer'"), ("0.01", "0.01"),
])
def test_a_name_that_is_nearly_one_is_asked_back(name, meant):
    _, problem, network = start()
    with pytest.raises(ValueError, match=f"did you mean .*step_size={meant}\\?$"):
        train(problem, network, name)


def test_barzilai_borwein_divides_by_the_curvature_it_has_met():
    problem, twin = PROBLEMS["squared"](np.random.default_rng(3), 6, 4)
    network = Network.gaussian(6, 40, 4, std=0.4, rng=4)
    run = train(problem, network, BarzilaiBorwein(initial=1e-3), max_iter=4, tol=0.0)
    assert run.history["step_size"][0] == 1e-3
    layers, x, gradients = [network.W1, network.W2], [], []
    for eta in run.history["step_size"][:3]:
        G = twin.gradient(layers[0] @ layers[1])
        step = [G @ layers[1].T, layers[0].T @ G]
        x.append(np.concatenate([layer.ravel() for layer in layers]))
        gradients.append(np.concatenate([one.ravel() for one in step]))
        layers = [layer - eta * one for layer, one in zip(layers, step, strict=True)]
    for t in (1, 2):
        s, y = x[t] - x[t - 1], gradients[t] - gradients[t - 1]
        # s is a difference of layers that have hardly moved: some u 1e4
        assert np.isclose(run.history["step_size"][t], s @ s / (s @ y), rtol=1e-9)


def test_barzilai_borwein_takes_the_sharp_step_where_the_curvature_is_negative():
    # a saddle nearby: the gradient grows along the step
    problem = MatrixFactorization([[1.0]])
    network = Network([[1e-3]], [[1e-3]])
    run, sharp = (train(problem, network, rule, max_iter=3, tol=0.0) for rule in ("bb", "sharp"))
    assert (np.diff(run.history["grad_norm"]) > 0).all()
    assert np.array_equal(run.history["step_size"], sharp.history["step_size"], equal_nan=True)


def test_barzilai_borwein_is_faster_than_the_local_step():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    network = Network.gaussian(6, 40, 4, std=0.4, rng=1)
    runs = [train(problem, network, rule, max_iter=10_000, tol=1e-8) for rule in ("bb", "local")]
    assert all(run.converged and run.violations == 0 for run in runs)
    assert 2 * runs[0].iterations < runs[1].iterations, [run.iterations for run in runs]
