"""What a rule needs of a problem and a network is named before the loop."""


import numpy as np
import pytest

from lplfast import CustomLoss, MatrixFactorization, Network, SoftmaxLoss, SquaredLoss, train


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


@pytest.mark.parametrize("rule", ["xu-rho", "xu-rho-hat", "xu-f", "xu-f0", "arora", "du"])
def test_an_overflowing_start_is_named_by_rules_that_look_at_it(rule):
    problem, network = MatrixFactorization(np.eye(2)), Network(1e150 * np.eye(2), 1e150 * np.eye(2))
    if rule == "du":    # looks at the targets alone
        assert train(problem, network, rule).status == "overflow"
        return
    with pytest.raises(ValueError, match=r"^step_size: .* needs a loss and a gradient within float64"):
        train(problem, network, rule)
