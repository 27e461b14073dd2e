"""Training leaves its input what it was, and no bit of it depends on the layout in memory or on a callback."""

import numpy as np
import pytest

from lplfast import MatrixFactorization, Network, SquaredLoss, train

IDENTITY = MatrixFactorization(np.eye(3))

NETWORK = Network.gaussian(3, 8, 3, rng=0)


@pytest.mark.parametrize("compress", [True, False])
def test_training_leaves_its_input_alone(compress):
    rng = np.random.default_rng(0)
    arrays = X, Y, W1, W2, offset = [rng.standard_normal(shape) for shape in ((7, 3), (7, 2), (3, 9), (9, 2), (3, 2))]
    before = [array.tobytes() for array in arrays]
    problem, network = SquaredLoss(X, Y, offset=offset), Network(W1, W2)
    minimizer = problem.minimizer.tobytes()
    run = train(problem, network, compress=compress, callback=lambda run: False)
    assert [array.tobytes() for array in arrays] == before
    assert problem.minimizer.tobytes() == minimizer
    np.testing.assert_array_equal(network.W1, W1)
    np.testing.assert_array_equal(network.W2, W2)
    # and the other way round: who changes an array afterwards changes neither the network nor the problem
    for array in arrays:
        array.fill(np.nan)
    again = train(problem, network, compress=compress)
    np.testing.assert_array_equal(again.history["gap"], run.history["gap"])


def _read_only(A):
    A = A.copy()
    A.flags.writeable = False
    return A


@pytest.mark.parametrize("layout", [
    _read_only, np.asfortranarray, lambda A: np.repeat(np.repeat(A, 2, axis=0), 3, axis=1)[::2, ::3],
    lambda A: A[::-1, ::-1].copy()[::-1, ::-1], lambda A: A.astype(">f8"), np.ndarray.tolist,
], ids=["read-only", "F", "strided", "reversed", "big-endian", "list"])
@pytest.mark.parametrize("shape", [(7, 3, 9, 2), (30, 20, 100, 20)], ids=str)
def test_the_layout_in_memory_changes_no_bit(shape, layout):
    N, n, h, m = shape
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((N, n), (N, m), (n, h), (h, m), (n, m))]
    X, Y, W1, W2, offset = map(layout, arrays)

    def run(X, Y, W1, W2, offset):
        return train(SquaredLoss(X, Y, offset=offset, l2=0.1), Network(W1, W2), max_iter=20)

    plain, other = run(*arrays), run(X, Y, W1, W2, offset)
    for column in plain.history.keys() - {"time"}:
        np.testing.assert_array_equal(other.history[column], plain.history[column])
    np.testing.assert_array_equal(other.network.W1, plain.network.W1)
    np.testing.assert_array_equal(other.network.W2, plain.network.W2)


def test_a_callback_cannot_change_the_run():
    def meddle(run):
        for column in run.history.values():
            column.fill(0.0)
        run.network.stack().fill(0.0)

    plain, other = train(IDENTITY, NETWORK), train(IDENTITY, NETWORK, callback=meddle)
    np.testing.assert_array_equal(other.history["gap"], plain.history["gap"])
    assert other.network.W1.any()
