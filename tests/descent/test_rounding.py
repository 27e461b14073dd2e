"""The rounding study in its short form, and what it must find when the brackets are broken on purpose."""

import numpy as np
import pytest

from bench.rounding import LAYERS, THEOREMS, random_layers, study
from lplfast import CustomLoss, LogisticLoss, Network, SoftmaxLoss, SquaredLoss, local_constants, train


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_violated_beyond_rounding(seed):
    found = study(30_000, seed=1000 + seed)
    assert found["violations"] == 0, found["failed"]
    assert "guarantee_failed" not in found["outcomes"]
    for name in THEOREMS:
        check = found["checks"][name, "anywhere"]
        # fast rules soon leave directions alone along which a step gains less than rounding
        assert check["uninformative"] < 0.02 * check["steps"], name


def test_narrowed_brackets_are_found_out():
    # 1 x 1 layers: the PL inequality is an equality there, and ten widths are beyond what rounding is allowed
    assert study(2_000, seed=0, largest=1)["violations"] == 0
    assert study(2_000, seed=0, largest=1, narrowed=10.0)["violations"] > 50


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


def random_labelled(rng):
    """Return a loss of labels and a network, of any scale, condition and shape; near the minimizer or anywhere."""
    n, h = (round(24**rng.random()) for _ in range(2))
    m, N = round(2 * 12 ** rng.random()), round(2 * 300 ** rng.random())
    scale = 10.0 ** rng.uniform(-3, 3)
    X = scale * rng.standard_normal((N, n)) * 10.0 ** -np.sort(rng.uniform(0, rng.uniform(0, 4), n))
    options = {"l2": 10.0 ** rng.uniform(-6, 1) * scale**2, "reduction": str(rng.choice(["sum", "mean"]))}
    if rng.random() < 0.5:
        options["offset"] = 10.0 ** rng.uniform(-2, 2) * rng.standard_normal((n, m))
    if rng.random() < 0.5:
        problem = LogisticLoss(X, rng.integers(0, 2, (N, m)), **options)
    else:
        problem = SoftmaxLoss(X, rng.dirichlet(np.full(m, 0.3), N), **options)
    if rng.random() < 0.4:
        near = problem.minimizer + 10.0 ** rng.uniform(-12, 0) * rng.standard_normal((n, m))
        return problem, Network.balanced(near, max(h, min(n, m)))
    size = 10.0 ** rng.uniform(-1, 1)
    W1, W2 = random_layers(rng, str(rng.choice(LAYERS)), n, h, m)
    return problem, Network(size * W1, size * W2)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_losses_of_labels_violate_nothing_beyond_rounding(seed):
    steps = uninformative = 0
    for case in range(80):
        rng = np.random.default_rng([seed, case])
        problem, network = random_labelled(rng)
        rule = str(rng.choice(["local", "sharp", "majorizer", "polyak", "constant"]))
        if rule == "constant":
            at = local_constants(problem, network)
            rule = 10.0 ** rng.uniform(-2, 0.5) / at.K_t_sharp(0.0) if at.K_t_sharp(0.0) > 0 else "sharp"
        run = train(problem, network, rule, max_iter=200, tol=0.0, constants=str(rng.choice(["certified", "exact"])))
        assert run.violations == 0, (case, problem, rule, run)
        assert run.status != "guarantee_failed"
        steps += run.checks["descent"]["steps"]
        uninformative += run.checks["descent"]["uninformative"]
    # bounds of rounding over the rows count the worst case; they may not drown the check
    assert uninformative < 0.1 * steps


def test_half_of_K_is_found_out():
    failed = 0
    for case in range(80):
        rng = np.random.default_rng([9, case])
        problem, network = random_labelled(rng)
        K = problem.K / 2
        false = CustomLoss(lambda W, problem=problem: (problem.value(W), problem.gradient(W)), shape=problem.shape,
                           mu=min(problem.mu, K), K=K, minimum=problem.minimum, minimizer=problem.minimizer)
        at = local_constants(false, network)
        failed += at.K_t_sharp(0.0) > 0 and train(false, network, 3.0 / at.K_t_sharp(0.0),
                                                  max_iter=100).status == "guarantee_failed"
    assert failed >= 8
