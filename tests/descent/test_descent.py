"""The loop: no number depends on where its chunks end, the same seed has the same bits, and work is counted."""


import numpy as np
import pytest
from cases import PROBLEMS, RULES, with_rule

from lplfast import Network, train
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS
from lplfast.spectral.certified import Certified


@pytest.mark.parametrize("rule", RULES)
def test_no_number_depends_on_where_chunks_end(rule):
    rng = np.random.default_rng(5)
    problem, _, network, rule, _ = with_rule(rule, rng, 6, 50, 4)
    stack = network.stack()
    histories, layers = [], []
    for chunk in (1, 7, 300):
        descent = Descent(problem.kernel, rule, Certified(), problem.to_kernel(stack))
        rows = np.empty((300, len(COLUMNS)))
        outcome = "running"
        while outcome == "running":
            outcome = descent.advance(rows[descent.filled: descent.filled + chunk], max_iter=120, tol=0.0)
        rows = rows[: descent.filled]
        rows[:, COLUMNS.index("time")] = 0.0
        histories.append(rows)
        layers.append(np.concatenate([descent.W1.ravel(), descent.W2.ravel()]))
    for other in (1, 2):
        assert np.array_equal(histories[0], histories[other])
        assert np.array_equal(layers[0], layers[other])


def test_same_seed_same_bits():
    runs = []
    for _ in range(2):
        problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 20, 20)
        runs.append(train(problem, Network.gaussian(20, 300, 20, rng=4), max_iter=100))
    for column in set(COLUMNS) - {"time"}:
        assert np.array_equal(runs[0].history[column], runs[1].history[column], equal_nan=True), column
    assert np.array_equal(runs[0].network.W1, runs[1].network.W1)


def test_work_is_counted():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    network = Network.gaussian(6, 30, 4, rng=1)
    run = train(problem, network, "local", max_iter=30, constants="exact")
    assert run.counters["loss_evaluations"] == run.counters["gradient_evaluations"] == run.iterations + 1
    # both layers, W, G, and two of the tangent kernel, at every iterate
    assert run.counters["eigenproblems"] == 6 * (run.iterations + 1)
    assert train(problem, network, "local", max_iter=30).counters["eigenproblems"] < 60
    run = train(problem, network, "armijo", max_iter=30)
    h, steps = run.history, run.iterations
    assert run.counters["loss_evaluations"] == 1 + 2 * steps + run.counters["backtracks"]
    for name in ("loss_evaluations", "gradient_evaluations", "eigenproblems", "backtracks"):
        assert (np.diff(h[name]) >= 0).all()
        assert h[name][-1] == run.counters[name]
