"""The border: what becomes a matrix, what is refused, and that the refusal says where the trouble is."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from lplfast.validation import as_matrix

TABLE = np.array([[1.0, -2.5], [0.1, 1e300], [3.0, 5e-324]])


class HasArray:
    """Nothing but `__array__`, as tensors of other libraries have it."""

    def __init__(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.value, dtype=dtype)


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i8", "u8", "f2", "f4", "f8", ">f8", ">i4", "longdouble"])
def test_real_dtypes_convert_exactly(dtype):
    # 0 and 1 for booleans; 65504 and 2**-24 are float16's extremes, 2**53 the last exact integer of float64
    numbers = {"?": [0, 1], "i1": [-128, 127], "u1": [0, 255], "f2": [65504, 2.0**-24]}.get(dtype, [1, 2**24])
    if dtype in ("i8", "u8"):
        numbers = [1, 2**53]
    matrix = as_matrix("A", np.array([numbers], dtype=dtype))
    assert matrix.dtype == np.dtype(np.float64)
    assert matrix.dtype.isnative
    assert matrix.tolist() == [[float(number) for number in numbers]]


@pytest.mark.parametrize("wrap", [
    np.ndarray.tolist, tuple, pd.DataFrame, HasArray, np.ma.array, np.asfortranarray,
    lambda A: [list(row) for row in A], lambda A: list(A), lambda A: memoryview(A),
    lambda A: pd.DataFrame(A, columns=["b", "a"], index=[7, 5, 7]),
    lambda A: pd.DataFrame(A, dtype="Float64"),
    lambda A: A[::-1][::-1], lambda A: np.repeat(np.repeat(A, 2, axis=0), 3, axis=1)[::2, ::3],
    lambda A: np.ascontiguousarray(A.T).T, lambda A: np.frombuffer(A.tobytes()).reshape(A.shape),
], ids=["list", "tuple", "DataFrame", "__array__", "unmasked", "F", "lists", "rows", "memoryview", "labelled",
        "Float64", "reversed", "strided", "transposed", "read-only"])
def test_every_container_gives_the_same_matrix(wrap):
    matrix = as_matrix("A", wrap(TABLE))
    assert type(matrix) is np.ndarray
    np.testing.assert_array_equal(matrix, TABLE)


def test_a_float64_matrix_is_not_copied():
    assert as_matrix("A", TABLE) is TABLE


@pytest.mark.parametrize("frame", [
    pd.DataFrame({"count": [1, 2], "size": [0.5, 1.5]}),
    # pandas makes dtype object of bool beside numbers, and of nullable integers beside floats
    pd.DataFrame({"flag": [True, False], "size": [0.5, 1.5]}),
    pd.DataFrame({"count": pd.array([1, 2], dtype="Int64"), "size": [0.5, 1.5]}),
    pd.DataFrame({"count": pd.array([1, 2], dtype="Int64"), "flag": pd.array([True, False], dtype="boolean")}),
    pd.DataFrame({"size": pd.array([0.5, 1.5], dtype="Float32"), "flag": [True, False]}),
], ids=["int-float", "bool-float", "Int64-float", "Int64-boolean", "Float32-bool"])
def test_frames_of_several_numeric_dtypes(frame):
    np.testing.assert_array_equal(as_matrix("A", frame), frame.to_numpy(dtype=float))


@pytest.mark.parametrize("vector", [np.arange(3), [0, 1, 2], pd.Series([0, 1, 2]),
                                    pd.Series([0, 1, 2], dtype="Int64"), pd.array([0, 1, 2], dtype="Float64")],
                         ids=["array", "list", "Series", "Int64", "Float64"])
def test_a_vector_is_a_column_only_where_asked(vector):
    assert as_matrix("y", vector, vector_as_column=True).tolist() == [[0.0], [1.0], [2.0]]
    with pytest.raises(ValueError, match=r"y: expected 2 dimensions, got shape \(3,\)"):
        as_matrix("y", vector)


@pytest.mark.parametrize("value", [
    None, "1 2", b"1 2", [["1", "2"]], 1j, [[1j]], [[None]], [[1.0, 2.0], [3.0]], [[object()]], {}, {"a": 1}, len,
    [[10**400]], np.array([[1.0]], dtype=object), np.array([["2020-01-01"]], dtype="M8[D]"),
    np.zeros((2, 2), dtype=[("a", float)]), pd.DataFrame({"a": ["x", "y"]}), (x for x in [1.0]),
], ids=lambda value: type(value).__name__)
def test_what_is_not_real_numbers_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"^A: expected"):
        as_matrix("A", value)


class RequiresGrad:
    """As torch's tensors refuse to be read."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Use tensor.detach().numpy() instead.")


@pytest.mark.parametrize(("value", "said"), [
    (scipy.sparse.csr_matrix(np.eye(2)), "A: expected a dense array, got a sparse one, csr_matrix; call .toarray()"),
    (scipy.sparse.coo_array(np.eye(2)), "A: expected a dense array, got a sparse one, coo_array; call .toarray()"),
    (pd.DataFrame({"size": [1.5, 2.0], "city": ["Rome", "Oslo"]}),
     "A: expected real numbers, got text in column 'city', 'Rome' in row 0; encode the column as numbers, or drop it"),
    (pd.DataFrame({"size": ["1.5", "2.0"], "count": [1, 2]}),
     "A: expected real numbers, got text in column 'size', '1.5' in row 0; call .astype(float)"),
    (pd.DataFrame({"size": ["1.5", "2.0"], "count": [1, 2]}, dtype="string"),
     "A: expected real numbers, got text in column 'size', '1.5' in row 0; call .astype(float)"),
    (pd.DataFrame({7: [1.0, 2.0], 8: pd.Categorical([1, 2])}),
     "A: expected real numbers, got categories in column 8; call .astype(float) where its numbers are meant"),
    (pd.DataFrame({"size": [1.0, 2.0], "when": pd.to_datetime(["2020-01-01", "2020-01-02"])}),
     "A: expected real numbers, got Timestamp in column 'when', 2020-01-01 00:00:00 in row 0; convert"),
    (pd.DataFrame({"size": [1.0, 2.0], "flag": [True, None]}),
     "A: expected real numbers, got NoneType in column 'flag', None in row 1; convert, fill in or drop it"),
    (pd.DataFrame({"size": [1.0, 2.0], "count": pd.array([3, None], dtype="Int64")}),
     "A: expected finite numbers, got nan at [1, 1], column 'count'; fill in or drop what is missing"),
    (np.array([[1.0, "red"], [2.0, "blue"]], dtype=object),
     "A: expected real numbers, got text in column 1, 'red' in row 0; encode"),
    (np.array([["1", "2"]]), "A: expected real numbers, got text in column 0, '1' in row 0; call .astype(float)"),
    (np.array([[1, 2.5], [True, np.float32(3)]], dtype=object),
     "A: expected real numbers, got dtype object; as all entries are numbers, .astype(float)"),
    (RequiresGrad(), "A: expected an array of numbers, got RequiresGrad: Use tensor.detach().numpy()"),
], ids=["csr", "coo", "text", "numbers-as-text", "string", "category", "datetime", "None", "NA", "objects", "str-array",
        "object-numbers", "tensor"])
def test_what_is_in_the_way_is_named_with_the_remedy(value, said):
    with pytest.raises((TypeError, ValueError), match="^" + re.escape(said)):
        as_matrix("A", value)


@pytest.mark.parametrize("value", [1.0, [], [[]], [1.0, 2.0], np.zeros((2, 0)), np.zeros((0, 2)), np.zeros((1, 1, 1)),
                                   pd.DataFrame()], ids=lambda value: str(np.shape(value)))
def test_what_has_not_the_shape_of_a_matrix_is_a_value_error(value):
    with pytest.raises(ValueError, match=r"^A: expected .* got shape"):
        as_matrix("A", value)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "longdouble"])
@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
def test_the_first_number_that_is_not_finite_is_named(bad, dtype):
    matrix = np.ones((3, 4), dtype=dtype)
    matrix[1, 2] = matrix[2, 0] = bad
    with pytest.raises(ValueError, match=rf"^A: expected finite numbers, got {bad} at \[1, 2\]"):
        as_matrix("A", matrix)


def test_a_long_double_beyond_float64_is_refused():
    if np.finfo(np.longdouble).max <= np.finfo(float).max:
        return      # a platform whose long double is a double has no such number
    with pytest.raises(ValueError, match=r"^A: expected finite numbers"):
        as_matrix("A", np.array([[np.finfo(np.longdouble).max]]))


@pytest.mark.parametrize("value", [
    np.ma.array([[1.0, 2.0]], mask=[[False, True]]), pd.DataFrame({"a": [1.0, None]}),
    pd.DataFrame({"a": pd.array([1, None])}),
], ids=["array", "None", "NA"])
def test_missing_entries_are_refused(value):
    with pytest.raises((TypeError, ValueError), match=r"^A: expected"):
        as_matrix("A", value)
