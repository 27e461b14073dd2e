"""The least value of a squared loss over products of a width, against alternating least squares."""

import numpy as np
import pytest
from cases import EXPECTED, QUADRATIC

from lplfast import LogisticLoss, MatrixFactorization, Network, SquaredLoss, train


def alternating(X, Y, h, *, l2=0.0, offset=None, rng):
    """Return the least value that alternating least squares finds from three starts."""
    n, m = X.shape[1], Y.shape[1]
    offset = np.zeros((n, m)) if offset is None else offset
    wide = np.concatenate([X, np.sqrt(l2) * np.eye(n)])
    target = np.concatenate([Y, np.zeros((n, m))]) - wide @ offset
    found = []
    for _ in range(3):
        W1 = rng.standard_normal((n, h))
        for _ in range(3000):
            W2 = np.linalg.lstsq(wide @ W1, target)[0]
            W1 = np.linalg.pinv(wide) @ target @ np.linalg.pinv(W2)
        found.append(((wide @ W1 @ W2 - target) ** 2).sum() / 2)
    return min(found)


@pytest.mark.parametrize("options", [{}, {"l2": 0.3}, {"l2": 0.3, "offset": True}, {"low_rank": True}], ids=str)
def test_nothing_of_that_rank_is_below(options):
    rng = np.random.default_rng(2)
    X, Y = rng.standard_normal((9, 4)), rng.standard_normal((9, 5))
    if options.get("low_rank"):
        X[:, 3] = X[:, 0] - X[:, 1]
    offset = rng.standard_normal((4, 5)) if options.get("offset") else None
    problem = SquaredLoss(X, Y, l2=options.get("l2", 0.0), offset=offset)
    for h in (1, 2, 3):
        best = alternating(X, Y, h, l2=options.get("l2", 0.0), offset=offset, rng=rng)
        assert problem.minimum_at_rank(h) == pytest.approx(best, rel=1e-10)
    assert problem.minimum_at_rank(4) == problem.minimum_at_rank(10**9) == problem.minimum


def test_a_diagonal_target_leaves_its_smallest_entries():
    problem = MatrixFactorization(np.diag([3.0, 2.0, 1.0]))
    assert [problem.minimum_at_rank(h) for h in (1, 2, 3)] == pytest.approx([(4 + 1) / 2, 1 / 2, 0.0], rel=1e-14)


@pytest.mark.parametrize("name", ["squared", "offset", "null-space-ridge", "duplicated-columns"])
def test_a_narrow_network_comes_down_to_it(name):
    problem, _ = QUADRATIC[name](np.random.default_rng(1), 5, 4)
    run = train(problem, Network.gaussian(5, 2, 4, std=0.3, rng=0), "majorizer", max_iter=20000, tol=0.0)
    # rounding of l(W) is relative to the whole of it
    assert run.history["loss"].min() >= problem.minimum_at_rank(2) * (1 - 1e-12)
    assert run.history["loss"][-1] <= problem.minimum_at_rank(2) * (1 + 1e-6)


def test_other_losses_and_widths_are_refused():
    with pytest.raises(ValueError, match=f"problem: {EXPECTED} a squared loss"):
        LogisticLoss([[1.0], [2.0]], [0, 1], l2=1.0).minimum_at_rank(1)
    for h in (0, -1, 1.5, None, "2"):
        with pytest.raises((TypeError, ValueError), match=f"h: {EXPECTED}"):
            MatrixFactorization([[1.0]]).minimum_at_rank(h)
