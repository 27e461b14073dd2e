"""Functions of the user's own as rules: what they see, what they remember, and what becomes of their errors."""


import numpy as np
import pytest
from cases import PROBLEMS, start

from lplfast import IterateView, Network, Run, train


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


@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")  # NumPy 2.5 says so, and still does it
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


@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")  # NumPy 2.5 says so, and still does it
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
