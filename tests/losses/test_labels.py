"""Labels of every kind: which classes they are, and which are refused, with the remedy."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from lplfast import LogisticLoss, SoftmaxLoss


def test_labels_of_all_kinds():
    X = np.random.default_rng(0).standard_normal((4, 2))
    one = SoftmaxLoss(X, [0, 1, 2, 1], l2=0.1)
    other = SoftmaxLoss(X, np.eye(3)[[0, 1, 2, 1]], l2=0.1)
    assert one.shape == other.shape == (2, 3)
    assert np.array_equal(one.minimizer, other.minimizer)
    assert other.classes.tolist() == [0, 1, 2]
    plus, zero = LogisticLoss(X, [-1, 1, 1, -1], l2=0.1), LogisticLoss(X, [0, 1, 1, 0], l2=0.1)
    assert np.array_equal(plus.minimizer, zero.minimizer)


THREE = {
    "from 1": ([2, 1, 3, 1], [1, 2, 3]), "years": ([2000, 1990, 2010, 1990], [1990, 2000, 2010]),
    "negative": ([0, -7, 5, -7], [-7, 0, 5]), "whole floats": ([0.0, -2.0, 1e300, -2.0], [-2.0, 0.0, 1e300]),
    "beyond int64": ([2**70, 1, 2**80, 1], [1, 2**70, 2**80]), "column": ([[5], [4], [6], [4]], [4, 5, 6]),
    "strings": (["b", "a", "c", "a"], ["a", "b", "c"]), "str array": (np.array(["b", "a", "c", "a"]), ["a", "b", "c"]),
    "bytes": (np.array([b"b", b"a", b"c", b"a"]), [b"a", b"b", b"c"]),
    "objects": (np.array(["b", "a", "c", "a"], dtype=object), ["a", "b", "c"]),
    "categories": (pd.Categorical(["b", "a", "c", "a"], categories=["d", "c", "b", "a"]), ["a", "b", "c"]),
    "category series": (pd.Series(["b", "a", "c", "a"], dtype="category", index=[9, 7, 5, 3]), ["a", "b", "c"]),
    "integer categories": (pd.Series([20, 10, 30, 10], dtype="category"), [10, 20, 30]),
    "string series": (pd.Series(["b", "a", "c", "a"], dtype="string"), ["a", "b", "c"]),
    "nullable": (pd.Series([2, 1, 3, 1], dtype="Int64"), [1, 2, 3]),
    "frame": (pd.DataFrame({"species": ["b", "a", "c", "a"]}), ["a", "b", "c"]),
}


@pytest.mark.parametrize("name", THREE)
def test_classes_are_the_sorted_distinct_labels(name):
    given, classes = THREE[name]
    X = np.random.default_rng(0).standard_normal((4, 2))
    problem = SoftmaxLoss(X, given, l2=0.1)
    assert problem.classes.tolist() == classes
    assert problem.shape == (2, 3)
    assert np.array_equal(problem._targets, np.eye(3)[[1, 0, 2, 0]])
    assert pickle.loads(pickle.dumps(problem)).classes.tolist() == classes


@pytest.mark.parametrize(("given", "classes"), [
    ([1, -1, 1, -1], [-1, 1]), ([1, 0, 1, 0], [0, 1]), ([3, 1, 3, 1], [1, 3]),
    (["yes", "no", "yes", "no"], ["no", "yes"]),
    ([True, False, True, False], [False, True]), (pd.Categorical(["m", "f", "m", "f"]), ["f", "m"]),
    (pd.Series([1, 0, 1, 0], dtype="boolean"), [False, True]), ([[1.0], [0.0], [1.0], [0.0]], [0.0, 1.0]),
    (np.array([True, False, True, False], dtype=object), [False, True]),
], ids=str)
def test_two_classes_of_any_kind_for_the_logistic_loss(given, classes):
    problem = LogisticLoss(np.eye(4), given, l2=0.1)
    assert problem.classes.tolist() == classes
    assert problem._targets.tolist() == [[1.0], [0.0], [1.0], [0.0]]


def test_columns_of_binary_labels_share_their_classes():
    problem = LogisticLoss(np.eye(2), [["no", "no"], ["yes", "no"]], l2=0.1)
    assert problem.classes.tolist() == ["no", "yes"]
    # a column of one class has a minimizer all the same
    assert problem._targets.tolist() == [[0.0, 0.0], [1.0, 0.0]]


LONG = np.arange(21)

REFUSED = {
    "fractions": (LONG / 2, "expected classes, got 0.5 in row 1, which looks like a quantity: use SquaredLoss"),
    "counts": (LONG, "expected classes, got 21 distinct numbers among 21, .*: use SquaredLoss .* pass strings"),
    "one": (np.ones(21), "expected (at least two classes|two distinct labels), got 1.0 (in every row|everywhere)"),
    "zero": (np.zeros(21, int), "expected (at least two classes|two distinct labels), got 0 (in every row|everywhere)"),
    "nan": (np.append([np.nan], LONG[:20]), "expected a label in every row, got nan in row 0; drop"),
    "None": (["a", "b", None] * 7, "expected integers, strings or booleans as labels, got None in row 2; drop"),
    "NA": (pd.Series(["a", None, "b"] * 7, dtype="string"), "expected .*label.*, got (<NA>|nan) in row 1; drop"),
    "kinds": (["a", 1, "b"] * 7, "expected labels of one kind, got int and str; make them all strings"),
    "dates": (np.array(["2020-01-01"] * 21, dtype="M8[D]"), "expected integers, strings or booleans as labels"),
    "wide": ([-1, 2**63, 2**63 + 1] * 7, "expected integers that one type of NumPy's holds, got some from -1 to 922"),
    "beside floats": (np.array([2**53, 2**53 + 1, 5.0] * 7, dtype=object), "expected integers that one type of"),
    "sparse": (scipy.sparse.csr_matrix(np.eye(21)), "got a sparse one.*toarray"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("kind", [LogisticLoss, SoftmaxLoss])
def test_what_is_no_label_is_refused_with_the_remedy(kind, name):
    given, said = REFUSED[name]
    with pytest.raises((TypeError, ValueError), match=f"^{kind.targets_name}: {said}" if name != "sparse" else said):
        kind(np.eye(21), given, l2=1.0)


def test_a_missing_label_among_columns_is_found_in_its_row():
    with pytest.raises(TypeError, match=r"^Y: expected .* got None in row 1; drop"):
        LogisticLoss(np.eye(3), [["a", "b"], ["a", None], ["b", "b"]], l2=1.0)


def test_as_many_classes_as_there_may_be():
    # 20 numbers are classes however few rows there are; more where each has three rows; strings always
    assert SoftmaxLoss(np.eye(3), [3, 1, 2], l2=1.0).shape == (3, 3)
    assert SoftmaxLoss(np.eye(20), LONG[:20], l2=1.0).shape == (20, 20)
    assert SoftmaxLoss(np.ones((63, 1)), np.repeat(LONG, 3), l2=1.0).shape == (1, 21)
    assert SoftmaxLoss(np.eye(21), LONG.astype(str), l2=1.0).shape == (21, 21)


@pytest.mark.parametrize(("given", "said"), [
    ([-1, 0], "all -1 or 1, or all 0 or 1, got -1 and 0$"), ([-1, 0, 1], "all 0 or 1, got -1 and 0 and 1$"),
    ([0, 1, 2], "two distinct labels, got 3, 0, 1, 2; use SoftmaxLoss"),
    (["a", "b", "c"], "got 3, 'a', 'b', 'c'; use SoftmaxLoss"),
])
def test_what_is_not_two_classes(given, said):
    with pytest.raises(ValueError, match=f"^Y: expected .*{said}"):
        LogisticLoss(np.eye(len(given)), given, l2=1.0)


def test_probabilities_of_single_precision_are_welcome():
    rng = np.random.default_rng(0)
    X, P = rng.standard_normal((300, 2)), rng.dirichlet(np.ones(50), 300).astype(np.float32)
    assert abs(P.astype(float).sum(axis=1) - 1).max() > 1e-9       # more than float64 would be allowed
    for given in (P, P.astype(float), P.tolist(), pd.DataFrame(P)):
        problem = SoftmaxLoss(X, given, l2=0.1)
        assert abs(problem._targets.sum(axis=1) - 1).max() <= 50 * 2**-53
        assert problem.classes.tolist() == list(range(50))


@pytest.mark.parametrize(("given", "said"), [
    ([[0.5, 0.5], [0.7, 0.3 + 1e-6]], r"got a sum of 1\.000001 in row 1; divide each row by its sum"),
    ([[0.5, 0.5], [0.7, 0.3 - 2e-9]], r"got a sum of 0\.999999998 in row 1; divide"),
    (np.array([[0.5, 0.5], [0.7, 0.301]], np.float32), r"got a sum of 1\.0009999\d+ in row 1; divide"),
    ([[1, 1], [0, 1]], r"got a sum of 2\.0 in row 0; use LogisticLoss"),
    ([[1.5, -0.5], [0.5, 0.5]], r"got -0\.5 at \[0, 1\]"),
])
def test_what_is_no_distribution(given, said):
    with pytest.raises(ValueError, match=f"^labels: expected .*{said}"):
        SoftmaxLoss(np.eye(2), given, l2=1.0)
