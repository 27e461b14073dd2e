"""The rounding study in its short form, and what it must find when the brackets are broken on purpose."""

import numpy as np
import pytest

from bench.corners import random_problem
from bench.rounding import THEOREMS, study
from lplfast import CustomLoss, Network, SquaredLoss, local_constants, train


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_violated_beyond_rounding(seed):
    found = study(30_000, seed=1000 + seed, kinds=("quadratic",))
    assert found["violations"] == 0, found["failed"]
    assert "guarantee_failed" not in found["outcomes"]
    for name in THEOREMS:
        check = found["checks"][name, "quadratic", "anywhere"]
        # fast rules soon leave directions alone along which a step gains less than rounding
        assert check["uninformative"] < 0.02 * check["steps"], name


def test_narrowed_brackets_are_found_out():
    # 1 x 1 layers: the PL inequality is an equality there, and ten widths are beyond what rounding is allowed
    assert study(2_000, seed=0, kinds=("quadratic",), largest=1)["violations"] == 0
    assert study(2_000, seed=0, kinds=("quadratic",), largest=1, narrowed=10.0)["violations"] > 50


@pytest.mark.parametrize("power", [-200, -160, -100, 100, 160, 200, 300])
def test_beyond_the_scales_of_float64_there_is_a_message_and_no_table_of_nan(power):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((2, 8, 4))
    for which in ("X", "Y", "layers", "all"):
        factor = [10.0**power if which in (name, "all") else 1.0 for name in ("X", "Y", "layers")]
        try:
            problem = SquaredLoss(X * factor[0], Y * factor[1])
        except ValueError as error:
            assert "rescale" in str(error)      # noqa: PT017  (not every case raises)
            continue
        network = Network.gaussian(4, 9, 4, std=factor[2], rng=1)
        for step_size in ("local", "sharp", 0.1):
            run = train(problem, network, step_size, max_iter=20)
            assert run.violations == 0, (which, step_size, run)
            if run.status == "overflow":
                assert "Rescale" in run.message or "too long" in run.message
            else:
                assert np.isfinite(run.history["gap"]).all(), (which, step_size, run)
                assert np.isfinite(run.history["mu_t"]).all(), (which, step_size, run)
                assert np.isfinite(run.history["K_t"][:-1]).all(), (which, step_size, run)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_losses_of_rows_violate_nothing_beyond_rounding(seed):
    found = study(10_000, seed=2000 + seed, kinds=("rows",))
    assert found["violations"] == 0, found["failed"]
    assert "guarantee_failed" not in found["outcomes"]
    for name in THEOREMS:
        check = found["checks"][name, "rows", "anywhere"]
        # bounds of rounding over the rows count the worst case; they may not drown the check
        assert check["uninformative"] < 0.1 * check["steps"], name


def test_half_of_K_is_found_out():
    failed = 0
    for case in range(80):
        rng = np.random.default_rng([9, case])
        _, problem, network = random_problem(rng)
        K = problem.K / 2
        false = CustomLoss(lambda W, problem=problem: (problem.value(W), problem.gradient(W)), shape=problem.shape,
                           mu=min(problem.mu, K), K=K, minimum=problem.minimum, minimizer=problem.minimizer)
        at = local_constants(false, network)
        failed += at.K_t_sharp(0.0) > 0 and train(false, network, 3.0 / at.K_t_sharp(0.0),
                                                  max_iter=100).status == "guarantee_failed"
    assert failed >= 8
