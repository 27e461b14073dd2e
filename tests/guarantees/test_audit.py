"""An audit says which inequalities held, and finds those that did not."""

import copy

import numpy as np
import pytest
from cases import PROBLEMS

from lplfast import MatrixFactorization, Network, Run, Sharp, train
from lplfast.guarantees.audit import audit


def test_a_run_that_breaks_what_its_start_promised_is_found_out():
    problem = MatrixFactorization(np.random.default_rng(0).standard_normal((4, 4)))
    run = train(problem, Network.gaussian(4, 300, 4, std=0.3, rng=0), Sharp(cap=1e-3), max_iter=50)
    assert run.audit().passed
    broken = dict(run.history, sigma_min_sq=0.5 * run.history["sigma_min_sq"])
    assert audit(run.checks, broken, run.guarantee).violations == run.iterations
    broken = dict(run.history, gap=np.full_like(run.history["gap"], run.history["gap"][0]))
    failed = {claim.name: claim.violations for claim in audit(run.checks, broken, run.guarantee).claims}
    assert failed["initial_rate"] > 0


def test_a_tight_bound_is_not_taken_for_exceeded():
    # n = m = 1: the guaranteed rates are equalities, and rounding of early steps is larger than late gaps
    for seed in range(100):
        rng = np.random.default_rng(seed)
        a, b = rng.uniform(0.5, 3, 2)
        problem = MatrixFactorization([[a * b * (1 + 10.0 ** rng.uniform(-9, -3))]])
        run = train(problem, Network([[a]], [[b]]), rng.uniform(0.01, 1) / (a * a + b * b), max_iter=3000, tol=1e-14)
        assert run.violations == 0, seed


@pytest.fixture(scope="module")
def run():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    return train(problem, Network.gaussian(6, 50, 4, std=0.4, rng=1), max_iter=200)


def test_audit_says_what_held_of_a_run_and_of_a_loaded_one(run, tmp_path):
    found = run.audit()
    assert found.passed
    assert {claim.name for claim in found.claims} == {"pl", "descent", "rate", "drift", "gap_bound", "initial",
                                                       "initial_rate"}
    for claim in found.claims:
        column = run.history.get(f"slack_{claim.name}")
        if column is not None:
            # the last iterate has no step, and is not checked
            assert claim.smallest == column[:-1].min()
            assert claim.at == column[:-1].argmin()
        assert claim.steps == run.iterations
    assert len({len(line) for line in str(found).splitlines()}) == 1
    run.save(tmp_path / "run.npz")
    assert Run.load(tmp_path / "run.npz").audit() == found


def test_audit_finds_a_bound_that_was_exceeded(run):
    broken = copy.deepcopy(run)
    broken.checks["gap_bound"]["violations"] = 1
    assert not broken.audit().passed
    broken = copy.deepcopy(run)
    broken.checks["pl"]["violations"] = 3
    assert broken.audit().violations == 3
    # a failed condition is not a failed theorem
    broken = copy.deepcopy(run)
    broken.checks["drift"]["violations"] = 3
    assert broken.audit().passed
