"""The step rules as values: made by name or by class, equal to what their options make again, and refused."""

import copy
import pickle

import pytest
from cases import EXPECTED, RULES, start

from lplfast import Armijo, Constant, Du2018, Local, Rule, Xu2023, train
from lplfast.steps import NEEDS, missing_for, rule_from
from lplfast.steps import RULES as BY_NAME


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


def test_all_rules_of_the_registry_are_tried_by_the_tests():
    assert set(BY_NAME) <= set(RULES)
    _, problem, network = start()
    assert all(missing_for(make(), problem, network) is None for make in BY_NAME.values())


@pytest.mark.parametrize(("name", "meant"), [
    ("xu_rho", "'xu-rho'"), ("Local", "'local'"), (" exact", "'exact'"), ("majoriser", "'majorizer'"), ("0.01", "0.01"),
])
def test_a_name_that_is_nearly_one_is_asked_back(name, meant):
    _, problem, network = start()
    with pytest.raises(ValueError, match=f"did you mean .*step_size={meant}\\?$"):
        train(problem, network, name)
