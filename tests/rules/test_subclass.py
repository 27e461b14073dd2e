"""Classes of the user's own as rules: they step, are values, and go on by their name."""

import copy
import pickle

import numpy as np
import pytest
from cases import start

from lplfast import BarzilaiBorwein, Constant, Local, Polyak, Rule, Run, Sharp, train, train_many
from lplfast.rules.registry import rule_again


class Scaled(Rule):
    def __init__(self, factor=0.5):
        self.factor = factor
        self._private = None

    def choose(self, iterate):
        if iterate.t == self._private:
            raise LookupError("mine")
        return self.factor / iterate.K_t_sharp(0.0)


class Counting(Scaled):
    def choose(self, iterate):
        iterate.memory[0] += 1
        return 1e-3 / iterate.memory[0]


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


KEPT = [np.bool_(False), np.int64(2), np.float32(0.5), np.str_("x"), (1, (2.0, [None])), {"a": {"b": (True,)}}, 10**30]
LOST = [np.arange(2000.0), {1: 2}, {(1, 2): 3}, {1}, {"tuple": 1}, np.timedelta64(5, "ns"), 1j, [[[[[[[[[1]]]]]]]]]]


@pytest.mark.parametrize("option", KEPT + LOST, ids=lambda option: repr(option)[:20])
def test_an_option_is_kept_as_it_is_or_asked_for_again(option, tmp_path):
    _, problem, network = start()
    whole = train(problem, network, Counting(option), max_iter=9, tol=0.0)
    part = train(problem, network, Counting(option), max_iter=4, tol=0.0)
    part.save(tmp_path / "run.npz")
    for run in (part, Run.load(tmp_path / "run.npz")):
        if any(option is lost for lost in LOST):
            with pytest.raises(ValueError, match="rule of the run again, whose option factor could not be"):
                train(problem, run, max_iter=9)
            on = train(problem, run, Counting(option), max_iter=9)
        else:
            on = train(problem, run, max_iter=9)
            assert rule_again(run.continuation.options["rule"]).factor == option
        # with the memory of the same rule
        np.testing.assert_array_equal(on.history["step_size"], whole.history["step_size"])
        assert on.facts == whole.facts


@pytest.mark.parametrize("own", [Constant(1e-3), BarzilaiBorwein(), Polyak()], ids=repr)
def test_a_class_of_the_name_of_another_rule_is_not_that_rule(own, tmp_path):
    def choose(self, iterate):
        return 1e-3 / (1 + iterate.t)**3

    namesake = type(type(own).__name__, (Rule,), {"__init__": lambda self, **options: vars(self).update(options),
                                                  "choose": choose})
    _, problem, network = start()
    for rule in (own, namesake(**own.options)):
        whole = train(problem, network, rule, max_iter=9, tol=0.0)
        part = train(problem, network, rule, max_iter=4, tol=0.0)
        part.save(tmp_path / "run.npz")
        for run in (part, Run.load(tmp_path / "run.npz")):
            on = train(problem, run, max_iter=9)
            np.testing.assert_array_equal(on.history["step_size"], whole.history["step_size"])
            # of a rule without a theorem, what is guaranteed is that of another
            assert (on.guarantee_from(5).rule == own) == (rule is own and type(own) is Constant)


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
