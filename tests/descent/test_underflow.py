"""What underflow takes from a run is no violation, and no convergence."""

import numpy as np
import pytest

from lplfast import MatrixFactorization, Network, SquaredLoss, train


def _scalar(a, b):
    return Network([[a]], [[b]])


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
