"""Bad input to every public function is refused before any work, by a message that says what was expected."""

import io
import re

import numpy as np
import pytest
from cases import EXPECTED

from lplfast import (
    Constant,
    Local,
    LogisticLoss,
    MatrixFactorization,
    Network,
    Problem,
    Rule,
    Run,
    Sharp,
    SoftmaxLoss,
    SquaredLoss,
    local_constants,
    train,
    train_many,
)

HUGE = 10**400      # an int that no float64 holds
SCALAR = MatrixFactorization([[2.0]])
ONES = Network([[1.0]], [[1.0]])


def refused(call, *arguments, **options):
    with pytest.raises((TypeError, ValueError), match=EXPECTED):
        call(*arguments, **options)


NOT_A_MATRIX = [None, "x", 1.0, [1.0], [[]], [[np.nan]], [[np.inf]], [[1j]], [["1"]], [[[1.0]]]]
# no `None`: it has a meaning of its own to some options
NOT_A_NUMBER = ["x", "0.1", b"1", 1j, [0.1], [[1.0]], np.array([1.0, 2.0]), object(), np.nan, np.inf, -1, -1e-300, HUGE,
                True]
NOT_A_SIZE = [0, -1, 1.0, 1.5, "3", None, True, np.array([1, 2]), np.array(2.5), int]


@pytest.mark.parametrize("bad", NOT_A_MATRIX, ids=repr)
@pytest.mark.parametrize("call", [
    lambda bad: SquaredLoss(bad, [[1.0]]),
    lambda bad: LogisticLoss(bad, [[1.0]], l2=1.0),
    lambda bad: SoftmaxLoss(bad, [1], l2=1.0),
    lambda bad: MatrixFactorization(bad),
    lambda bad: SCALAR.value(bad),
    lambda bad: SCALAR.gap(bad),
    lambda bad: SCALAR.gradient(bad),
    lambda bad: Network(bad, [[1.0]]),
    lambda bad: Network([[1.0]], bad),
    lambda bad: Network.balanced(bad, 1),
], ids=["X", "X-logistic", "X-softmax", "Y", "value", "gap", "gradient", "W1", "W2", "W"])
def test_what_is_not_a_matrix(call, bad):
    refused(call, bad)


@pytest.mark.parametrize("bad", [None, "x", 1.0, [], [np.nan], [1j], [["1"]], [[[1.0]]]], ids=repr)
def test_what_is_not_targets(bad):
    refused(SquaredLoss, [[1.0]], bad)
    refused(LogisticLoss, [[1.0]], bad, l2=1.0)
    refused(SoftmaxLoss, [[1.0]], bad, l2=1.0)


@pytest.mark.parametrize("bad", [[-1, 0], [0.5, 1], [3, 3], [[1, 0]], [[0, 1, 2], [1, 1, 1]], ["a", 1]], ids=repr)
def test_what_is_not_binary_labels(bad):
    refused(LogisticLoss, np.eye(2), bad, l2=1.0)


@pytest.mark.parametrize("bad", [[0, 0.5], [0, 0], [1, 1], [0, 1, 2], ["a", 1], [[0.5, 0.4], [0.5, 0.5]],
                                 [[1.5, -0.5], [0.5, 0.5]]], ids=repr)
def test_what_is_not_classes(bad):
    refused(SoftmaxLoss, np.eye(2), bad, l2=1.0)


@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_options_of_losses_of_labels(kind):
    X, labels = np.eye(2), [0, 1]
    for options in ({"l2": 0.0}, {"reduction": "max"}, {"offset": [[1.0]]}, {"offset": "x"}):
        refused(kind, X, labels, **{"l2": 1.0, **options})
    with pytest.raises(TypeError, match=r"missing .*l2"):
        kind(X, labels)


def test_what_is_not_a_compiled_loss():
    refused(Problem, None)
    refused(Problem, SCALAR)
    refused(Problem, SCALAR.kernel, minimizer=[[1.0, 2.0]])


@pytest.mark.parametrize("call", [
    lambda: SquaredLoss([[1.0], [2.0]], [[1.0]]),
    lambda: SquaredLoss(np.zeros((3, 2)), np.ones(3)),
    lambda: SquaredLoss([[1e-200]], [[1.0]]),
    lambda: SquaredLoss([[1e200]], [[1.0]]),
    lambda: SquaredLoss([[1.0]], [[1.0]], reduction="max"),
    lambda: SquaredLoss([[1.0]], [[1.0]], reduction=None),
    lambda: SquaredLoss([[1.0]], [[1.0]], reduction=["sum"]),
    lambda: SquaredLoss([[1.0]], [[1.0]], offset=[[1.0, 2.0]]),
    lambda: SquaredLoss([[1.0]], [[1.0]], offset=1.0),
    lambda: SquaredLoss([[1.0]], [[1.0]], offset=[[np.nan]]),
    lambda: MatrixFactorization([[1.0]], offset=[[1.0], [2.0]]),
    lambda: MatrixFactorization([[1.0]], offset="x"),
    lambda: Network([[1.0, 2.0]], [[1.0]]),
    lambda: Network(np.ones((2, 3)), np.ones((2, 3))),
    lambda: Network.balanced(np.eye(3), 2),
], ids=lambda call: "")
def test_what_does_not_fit(call):
    refused(call)


@pytest.mark.parametrize(("call", "name"), [
    # the largest singular value is beyond float64, though every entry is a number
    (lambda: SquaredLoss(np.full((3, 3), 1.7e308), np.ones(3)), "X"),
    (lambda: SquaredLoss([[1e-100]], [[1e300]]), "Y"),
    (lambda: LogisticLoss(np.full((3, 3), 1.7e308), [0, 1, 1], l2=1.0), "X"),
    (lambda: SoftmaxLoss([[1e200], [1.0]], [0, 1], l2=1.0), "X"),
    (lambda: SquaredLoss([[1.0], [1.0]], [[1e200], [-1e200]]), "Y"),
    (lambda: MatrixFactorization([[1.7e308]], offset=[[-1.7e308]]), "offset"),
    (lambda: Network.gaussian(2, 50, 2, std=1e308, rng=0), "std"),
], ids=["X", "Y/X", "X-logistic", "X-softmax", "minimum", "offset", "std"])
def test_data_whose_losses_overflow_are_refused_by_their_name(call, name):
    with pytest.raises(ValueError, match=f"{name}.*{EXPECTED}"):
        call()


@pytest.mark.parametrize("bad", NOT_A_NUMBER, ids=lambda bad: "10**400" if bad is HUGE else repr(bad)[:20])
@pytest.mark.parametrize("call", [
    lambda bad: SquaredLoss([[1.0]], [[1.0]], l2=bad),
    lambda bad: LogisticLoss([[1.0], [2.0]], [0, 1], l2=bad),
    lambda bad: SoftmaxLoss([[1.0], [2.0]], [0, 1], l2=bad),
    Constant,
    lambda bad: Local(cap=bad),
    lambda bad: Local(growth_from=bad),
    lambda bad: Sharp(cap=bad),
    lambda bad: train(SCALAR, ONES, bad),
    lambda bad: train(SCALAR, ONES, tol=bad),
], ids=["l2", "l2-logistic", "l2-softmax", "eta", "Local.cap", "growth_from", "Sharp.cap", "step_size", "tol"])
def test_what_is_not_a_number(call, bad):
    refused(call, bad)


@pytest.mark.parametrize("bad", ["x", "0.1", None, 1j, object(), np.nan, np.inf, -1, HUGE, [], [1, 2, 3], [1, -1],
                                 [[1, 2]], [[1], [1, 2]]], ids=lambda bad: repr(bad)[:12])
def test_what_is_not_a_deviation(bad):
    refused(Network.gaussian, 1, 2, 1, std=bad)


@pytest.mark.parametrize("bad", NOT_A_SIZE, ids=repr)
@pytest.mark.parametrize("call", [
    lambda bad: Network.gaussian(bad, 1, 1),
    lambda bad: Network.gaussian(1, bad, 1),
    lambda bad: Network.gaussian(1, 1, bad),
    lambda bad: Network.balanced([[1.0]], bad),
], ids=["n", "h", "m", "balanced"])
def test_what_is_not_a_size(call, bad):
    refused(call, bad)


@pytest.mark.parametrize("bad", ["x", -1, 1.5, object(), [-1]], ids=lambda bad: repr(bad)[:10])
def test_what_is_not_a_generator(bad):
    refused(Network.gaussian, 1, 1, 1, rng=bad)


@pytest.mark.parametrize("call", [train, local_constants])
@pytest.mark.parametrize(("problem", "network"), [
    (None, ONES), (SCALAR, None), ("x", ONES), (SCALAR, "x"), (ONES, SCALAR), (SquaredLoss, ONES), (SCALAR, Network),
    (SCALAR, (np.ones((1, 1)), np.ones((1, 1)))), (MatrixFactorization([[1.0, 2.0]]), ONES),
    (SquaredLoss([[1.0, 0.0]], [[1.0]]), ONES),
], ids=lambda value: getattr(value, "__name__", type(value).__name__))
def test_what_is_not_a_problem_or_a_network_for_it(call, problem, network):
    refused(call, problem, network)


BAD_OPTIONS = {
    "step_size": [0, 0.0, Local, Rule(), ["local"], "Local", ""],
    "max_iter": [-1, 1.0, True, None, "3", np.inf, np.nan, np.array([3]), np.array(2.5), HUGE],
    "tol": ["x"],
    "max_time": ["1", np.nan, -1, True, [1], HUGE, 1j],
    "constants": ["x", "", 1, b"exact", ["exact"]],
    "record": [5, [], ["x"], "gap", [1], [["gap"]], ["gap", None]],
    "record_every": [0, -1, 1.5, True, "1", HUGE],
    "callback": [1, "print", [print]],
    "compress": [0, 1, "no", [True]],
    "checkpoint": [1, 1.5, ["run.npz"]],
    "checkpoint_every": [0, 0.0, "1", None],
    "callback_every": [0, -1, 1.5, None, True, "1"],
}


@pytest.mark.parametrize(("name", "bad"), [(name, bad) for name, values in BAD_OPTIONS.items() for bad in values],
                         ids=lambda part: part if isinstance(part, str) else repr(part)[:20])
def test_bad_options_of_train_are_refused_before_any_work(name, bad):
    class Untouched(Network):
        def stack(self, **options):
            raise AssertionError("train has begun to work")

    refused(train, SCALAR, Untouched([[1.0]], [[1.0]]), **{name: bad})


@pytest.mark.parametrize("bad", [*(bad for bad in NOT_A_SIZE if bad is not None)], ids=repr)
def test_what_is_not_a_number_of_threads(bad):
    refused(train_many, SCALAR, ONES, n_threads=bad)
    refused(train, SCALAR, ONES, n_threads=bad)


@pytest.mark.parametrize("bad", ["x", None, [0.1], 1j, np.array([0.1, 0.2]), -1.0, np.nan], ids=repr)
@pytest.mark.parametrize("name", ["K_t", "K_t_sharp"])
def test_smoothness_of_a_step_that_is_none(name, bad):
    refused(getattr(local_constants(SCALAR, ONES), name), bad)


def test_layers_from_bad_files(tmp_path):
    good, bad, flat = (tmp_path / name for name in ("good.npy", "bad.csv", "flat.npy"))
    np.save(good, [[1.0, 2.0]])
    np.save(flat, [1.0, 2.0])
    bad.write_text("1\nx\n")
    for paths, named in [((good, bad), r"bad\.csv, line 2"), ((bad, good), r"bad\.csv, line 2"),
                         ((flat, good), r"flat\.npy"), ((good, flat), r"flat\.npy"), ((good, good), "W1, W2")]:
        with pytest.raises(ValueError, match=f"{named}: expected"):
            Network.from_files(*paths)


def _saved(folder, **changes):
    """Return the bytes of a saved run, with some of its arrays replaced or, by None, removed."""
    train(SCALAR, ONES).save(folder / "whole.npz")
    with np.load(folder / "whole.npz") as file:
        arrays = {**file, **changes}
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    return buffer.getvalue()


def _npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _flip(content):
    """Flip a bit in the middle of an array."""
    at = content.index(b"history/gap.npy") + 150
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]


BROKEN_RUNS = {
    "empty": lambda folder: b"",
    "text": lambda folder: b"status,message\n",
    "zip": lambda folder: b"PK\x03\x04 and no zip file",
    "half": lambda folder: _saved(folder)[:3000],
    "bit-flipped": lambda folder: _flip(_saved(folder)),
    "array": lambda folder: _npy(np.ones(3)),
    "no-about": lambda folder: _saved(folder, about=None),
    "about-no-json": lambda folder: _saved(folder, about=np.array("{")),
    "about-list": lambda folder: _saved(folder, about=np.array("[1]")),
    "about-empty": lambda folder: _saved(folder, about=np.array("{}")),
    "no-state": lambda folder: _saved(folder, **{"continuation/state": None}),
    "about-other": lambda folder: _saved(folder, about=np.array('{"colour": "red"}')),
    "no-network": lambda folder: _saved(folder, **{"network/n": None, "network/wide": None}),
    "another-part": lambda folder: _saved(folder, **{"parts/colour": np.ones(1)}),
}


@pytest.mark.parametrize("broken", BROKEN_RUNS)
def test_a_file_that_is_no_run_is_named(tmp_path, broken):
    path = tmp_path / "broken.npz"
    path.write_bytes(BROKEN_RUNS[broken](tmp_path))
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: expected"):
        Run.load(path)


def test_a_path_that_is_none_and_a_file_that_is_missing(tmp_path):
    refused(Run.load, None)
    with pytest.raises(FileNotFoundError, match=r"missing\.npz"):
        Run.load(tmp_path / "missing.npz")
