"""Tables of numbers in files: what is read, and that a refusal says in which line of which file the trouble is."""

import io
import pickle
import re

import numpy as np
import pytest
from cases import EXPECTED

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
    ("1,,3\n4,5,\n", 1), ("1,2\n,4\n", 2),
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
