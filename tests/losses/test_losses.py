"""Every loss with every rule; and every loss is a value."""

import pickle

import numpy as np
import pytest
from cases import CONVEX, NETWORKS, PROBLEMS, RULES

from lplfast import guaranteed_rate, initial_bounds, local_constants, train
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


@pytest.mark.parametrize("name", ["logistic-offset", "softmax", "softmax-offset"])
def test_pickled_losses_are_the_same(name):
    problem, _ = PROBLEMS[name](np.random.default_rng(0), 4, 3)
    W = np.random.default_rng(1).standard_normal((4, 3))
    for other in (pickle.loads(pickle.dumps(problem)), problem):
        again = pickle.loads(pickle.dumps(other))
        assert again.shape == problem.shape
        assert again.gap(W) == problem.gap(W)
        assert again.fingerprint == problem.fingerprint
