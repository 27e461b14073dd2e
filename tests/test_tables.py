"""Tables of numbers in files: what is read, and that a refusal says in which line of which file the trouble is."""

import io
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from cases import EXPECTED

from lplfast.data import read_data
from lplfast.tables import read_matrix

TABLE = np.array([[1.0, -2.5], [0.1, 1e300], [3.0, 5e-324]])


@pytest.mark.parametrize(("text", "rows"), [
    ("1,2\n3,4\n", [[1, 2], [3, 4]]), ("1 2\n3\t4", [[1, 2], [3, 4]]), ("1; 2\r\n3 ;4\r\n", [[1, 2], [3, 4]]),
    ("a,b\n1,2\n", [[1, 2]]), ("# a b\n\n1 2\n\n# end\n", [[1, 2]]), ("\ufeff1,2\n", [[1, 2]]), ("7", [[7]]),
    ("1\n2\n", [[1], [2]]), ("-1e-3,+.5,5e-324\n", [[-1e-3, 0.5, 5e-324]]),
])
def test_text_files(tmp_path, text, rows):
    path = tmp_path / "table.txt"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_matrix(path).tolist() == rows


@pytest.mark.parametrize("array", [TABLE, np.asfortranarray(TABLE), TABLE.astype(">f8"), np.arange(6).reshape(2, 3)],
                         ids=["C", "F", "big-endian", "int"])
def test_npy_files(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read_matrix(tmp_path / "a.npy"), array)
    np.testing.assert_array_equal(read_matrix(str(tmp_path / "a.npy")), array)


@pytest.mark.parametrize(("text", "line"), [
    ("1,2\n3\n", 2), ("a,b\n1,2\n3,4,5\n", 3), ("1,2\n3,x\n", 2), ("1 2\n\n3 4\n5 6 # seven\n", 4), ("1,2\n3,1j\n", 2),
    # a value left out is not a shorter row: nobody knows which column it is missing from
    ("1,,3\n4,5,\n", 1), ("1,2\n,4\n", 2), ("a\tb\tc\n1\t\t3\n4\t5\t\n", 2), ("1\t2\t3\n4\t5\t\n", 2),
    ("1\t2\n\t4\n", 2),
    # an error of Excel's is no comment
    ("1,2\n#N/A,4\n", 2), ("1\n#DIV/0!\n3\n", 2), ("1\t2\n # seen\n#REF!\t4\n", 3),
    # a comma beside semicolons is a decimal comma
    ("1,5;2,5\n3,5;4,5\n", 1),
    # a first line with some numbers in it is data with a typing error, not a header
    ("1.0,2.0x\n3,4\n", 1),
])
def test_a_bad_line_of_text_is_named(tmp_path, text, line):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}, line {line}: expected"):
        read_matrix(path)


# what a program writes of TABLE, with names of columns, labels of rows or both
LABELLED = {
    "pandas": lambda path, **options: pd.DataFrame(TABLE).to_csv(path, **options),
    "pandas, named": lambda path, **options: pd.DataFrame(TABLE, columns=["a", "b"]).to_csv(path, **options),
    "excel": lambda path, **options: pd.DataFrame(TABLE, columns=["a", "b"]).to_csv(path, sep=";", **options),
    "pandas, tabs": lambda path, **options: pd.DataFrame(TABLE).to_csv(path, sep="\t", **options),
}


def test_text_among_numbers_comes_with_its_remedy(tmp_path):
    path = tmp_path / "table.csv"
    for field, said in (("setosa", "classes as 0, 1, 2"), ('"two words"', "classes as 0, 1, 2"),
                        ("", "drop what is missing"), ("NA", "drop what is missing"), ("#N/A", "drop what is missing")):
        path.write_text(f"a,b\n1,2\n3,{field}\n")
        with pytest.raises(ValueError, match=f"line 3: expected numbers, got .*{said}"):
            read_matrix(path)


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize(("header", "index"), [(True, True), (True, False), (False, True)])
def test_what_pandas_writes_is_read_or_asked_about(tmp_path, name, header, index):
    path = tmp_path / "table.csv"
    LABELLED[name](path, header=header, index=index)
    assert read_matrix(path, header=header, index=index).tolist() == TABLE.tolist()
    if (header, index) == (True, False) and name in ("pandas, named", "excel"):
        # text above, and no labels of rows: beyond doubt
        assert read_matrix(path).tolist() == TABLE.tolist()
    else:
        with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}, (line|column) \d: expected .*=True"):
            read_matrix(path)


@pytest.mark.parametrize(("text", "where", "asked"), [
    # pandas: names that are numbers; row numbers beside them; R: write.csv, write.table, row names that are words
    ("0,1\n.5,2.5\n", "line 1", "header"), ("0,1\n5,2\n", "line 1", "header"), (",0,1\n0,5,2\n", "line 1", "index"),
    ("0\n0.5\n2.5\n", "line 1", "header"), (",a\n0,5\n1,2\n", "column 1", "index"),
    ('"","V1"\n"1",.5\n', "line 2", "index"), ('"V1" "V 2"\n"1" .5 .25\n', "line 2", "index"),
    ("V1 V2\n1 .5 .25\n7 .5 .25\n", "column 1", "index"), ('"mpg"\n"Mazda RX4" 21\n', "line 2", "index"),
    ('name,mpg\n"Mazda, RX4",21\n', "line 2", "index"),
    # Excel: rows counted from 1; years above columns
    ("nr;a\n1;.5\n2;.5\n3;.5\n", "column 1", "index"), ("1990;2000\n.5;.25\n", "line 1", "header"),
    # some names are numbers
    ("a,1\n2,3\n", "line 1", "header"),
])
def test_what_may_be_names_or_data_is_asked_about(tmp_path, text, where, asked):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))}, {where}: expected .*\b{asked}=True") as refusal:
        read_matrix(path)
    # either answer is an answer
    options = {name: True for name in ("header", "index") if f"{name}=True or {name}=False" in str(refusal.value)}
    if options:
        fewer = read_matrix(path, **options)
        if len(options) == 1:
            more = read_matrix(path, **{asked: False})
            assert more.size > fewer.size


@pytest.mark.parametrize(("text", "rows"), [
    # no doubt: 1.0 is not written as a name is; no growing line; two rows are not counted; a column of labels
    ("0.0,1.0\n.5,2.5\n", [[0, 1], [0.5, 2.5]]), ("2,1\n.5,2.5\n", [[2, 1], [0.5, 2.5]]),
    ("1,2\n3,4\n", [[1, 2], [3, 4]]), ("1,.5\n2,.5\n", [[1, 0.5], [2, 0.5]]), ("0\n1\n0\n", [[0], [1], [0]]),
    ("0\n1\n2\n", [[0], [1], [2]]), ("0,1\n", [[0, 1]]), ('"a,b","c"\n1,2\n', [[1, 2]]),
    ("sep=;\na;b\n1;2\n", [[1, 2]]), ("# of 1990\na,b\n1,2\n", [[1, 2]]),
])
def test_what_is_beyond_doubt_is_read(tmp_path, text, rows):
    (tmp_path / "table.csv").write_text(text)
    assert read_matrix(tmp_path / "table.csv").tolist() == rows


def test_two_files_are_asked_about_together(tmp_path):
    x, y = tmp_path / "x.csv", tmp_path / "y.csv"
    frame = pd.DataFrame(np.arange(8.0).reshape(4, 2) / 3)
    frame.to_csv(x, index=False)
    pd.Series([1, 0, 1, 0]).to_csv(y, index=False)
    with pytest.raises(ValueError, match=r"x\.csv, line 1: expected .* header=True or header=False"):
        read_data(x, y)
    with pytest.raises(ValueError, match=r"expected as many rows, one sample each, got 4 and 5; .* header=True"):
        read_data(x, y, header=(True, None))
    X, Y = read_data(x, y, header=True)
    assert X.tolist() == frame.to_numpy().tolist()
    assert Y.ravel().tolist() == [1, 0, 1, 0]
    # a column of whole numbers each, with a "0" above both
    pd.Series([3, 1, 4, 1]).to_csv(x, index=False)
    with pytest.raises(ValueError, match=r"x\.csv, .*y\.csv, line 1: expected"):
        read_data(x, y)
    assert [len(part) for part in read_data(x, y, header=False)] == [5, 5]
    assert [len(part) for part in read_data(x, y, header=(True, True))] == [4, 4]


@pytest.mark.parametrize("option", ["header", "index"])
@pytest.mark.parametrize("bad", [0, 1, "yes", (True,), [True, False, True], (True, 1)], ids=repr)
def test_what_is_no_answer(tmp_path, option, bad):
    (tmp_path / "table.csv").write_text("1,1\n2,1\n")
    with pytest.raises(TypeError, match=f"{option}: expected True"):
        read_data(tmp_path / "table.csv", tmp_path / "table.csv", **{option: bad})
    with pytest.raises(TypeError, match=f"{option}: expected True"):
        read_matrix(tmp_path / "table.csv", **{option: bad})


def _npz():
    buffer = io.BytesIO()
    np.savez(buffer, a=np.ones((2, 2)))
    return buffer.getvalue()


def _npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(("name", "content"), [
    ("empty.csv", b""), ("blank.csv", b"\n \n\n"), ("header.csv", b"a,b,c\n"), ("comment.csv", b"# 1 2\n"),
    ("binary.csv", bytes(range(256))), ("zeros.csv", bytes(50)), ("utf16.csv", "1,2".encode("utf-16")),
    ("nan.csv", b"1,2\nnan,3\n"), ("inf.csv", b"1,2\n1e999,3\n"),
    ("empty.npy", b""), ("text.npy", b"1,2\n3,4\n"), ("truncated.npy", _npy(TABLE)[:-8]),
    ("header.npy", _npy(TABLE)[:40]),
    ("pickle.npy", pickle.dumps([[1.0]])), ("object.npy", _npy(np.array([[1.0, None]], dtype=object))),
    ("cube.npy", _npy(np.zeros((2, 2, 2)))), ("none.npy", _npy(np.zeros((0, 2)))),
    ("complex.npy", _npy(np.array([[1j]]))),
    ("strings.npy", _npy(np.array([["1"]]))), ("nan.npy", _npy(np.array([[np.nan]]))),
    ("zip.npy", b"PK\x03\x04 and no zip file"), ("archive.npy", _npz()),
], ids=lambda part: part if isinstance(part, str) else "")
def test_a_file_without_a_matrix_is_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((TypeError, ValueError), match=rf"^{re.escape(str(path))}.*: expected"):
        read_matrix(path)


@pytest.mark.parametrize("name", ["missing.csv", "missing.npy", "folder", "folder.npy"])
def test_a_file_that_cannot_be_read_is_an_os_error_that_names_it(tmp_path, name):
    if name.startswith("folder"):
        (tmp_path / name).mkdir()
    with pytest.raises(OSError, match=re.escape(name)):
        read_matrix(tmp_path / name)


@pytest.mark.parametrize("path", [None, 3, 1.5, [["1"]]])
def test_a_path_that_is_none(path):
    with pytest.raises(TypeError, match=EXPECTED):
        read_matrix(path)


def test_pickles_are_never_loaded(tmp_path):
    # unpickling this would raise ZeroDivisionError: any other outcome shows that it was not run
    class Bomb:
        def __reduce__(self):
            return eval, ("1 / 0",)

    path = tmp_path / "bomb.npy"
    np.save(path, np.array([[Bomb()]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"bomb\.npy: expected"):
        read_matrix(path)
