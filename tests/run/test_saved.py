"""The file of a saved run: what is in it comes back; what is damaged, edited or hostile is refused, entry by entry."""

import contextlib
import io
import math
import random
import re
import struct
import zipfile

import numpy as np
import pytest
from runs import same
from saved import FILES, PROBLEM, RUNS, edited, leaves, packed, parts, repacked

from lplfast import Network, Run, train
from lplfast.run import stored
from lplfast.run.schema import ALTERNATIVES, ARRAYS, ENTRIES, FORMAT, MEMBERS, SCHEMA


def one_of(name):
    """Return one of the entries that a row of the schema stands for."""
    for pattern, names in ALTERNATIVES.items():
        name = name.replace(pattern, names[-1])
    return name


# one for each row
NAMES = [one_of(entry.name) for entry in SCHEMA]


@pytest.mark.parametrize("name", RUNS)
def test_whatever_is_saved_is_loaded_and_goes_on(name, tmp_path):
    problem, run = RUNS[name]
    run.save(tmp_path / "run.npz")
    loaded = Run.load(tmp_path / "run.npz")
    assert same(loaded, run) if run.network.width < 10**9 else np.array_equal(loaded.network.stack(),
                                                                              run.network.stack())
    assert list(loaded.history) == list(run.history)
    assert loaded.audit() == run.audit()
    assert repr(loaded.facts) == repr(run.facts)
    assert repr(loaded.continuation.options) == repr(run.continuation.options)
    if problem is PROBLEM:
        on, anew = train(problem, loaded, max_iter=9), train(problem, run, max_iter=9)
        assert on.continuation.state[2:].tobytes() == anew.continuation.state[2:].tobytes()


def test_the_runs_here_have_every_entry():
    found = set()
    for content in FILES.values():
        about, arrays = parts(content)
        found |= arrays.keys() | leaves(about).keys()
    assert found == ENTRIES.keys()


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Return a function that loads bytes."""
    path = tmp_path_factory.mktemp("saved") / "run.npz"

    def load(content):
        path.write_bytes(content)
        return Run.load(path)

    load.path = path
    return load


@pytest.fixture(scope="module")
def saved():
    """Return the members and the arrays of a run that is compressed."""
    return parts(FILES["compressed"])


@pytest.fixture(scope="module")
def refused(load):
    """Return a function that checks that bytes are refused, with a sentence that the pattern is in."""
    def refused(content, pattern):
        with pytest.raises(ValueError, match=f"^{re.escape(str(load.path))}: expected .*{pattern}"):
            load(content)
    return refused


# what is not of a kind
OTHERS = {
    "text": [1, True, ["x"], {}], "integer": [-1, 1.5, True, "1", 2**63, [1], math.nan],
    "number": ["1", True, [1.0], {}, 10**400], "boolean": [0, 1, "true", []], "object": [1, [], "x"],
}


@pytest.mark.parametrize("name", [name for name in NAMES if name in MEMBERS])
def test_a_member_of_another_kind_is_named(name, saved, refused):
    about, arrays = saved
    kind, _, nullable = MEMBERS[name].dtype.partition(" or ")
    bad = OTHERS[kind] + ([] if nullable else [None]) + ([math.inf, math.nan] if MEMBERS[name].finite else [])
    if MEMBERS[name].shape:
        bad = [1, "gap", [], [1], None]
    for value in bad:
        refused(packed(edited(about, name, value), arrays), re.escape(name))
    refused(packed(edited(about, name), arrays), "got format 1, written" if name == "format" else re.escape(name))


@pytest.mark.parametrize("name", [name for name in NAMES if name in MEMBERS])
def test_a_member_of_another_value_is_taken_or_refused(name, saved, load):
    about, arrays = saved
    kind = MEMBERS[name].dtype.partition(" ")[0]
    values = {"text": ["", "x", "exact", "\ud800", "\0"], "integer": [0, 1, 7, 2**62], "boolean": [True, False],
              "number": [0, 1, -1.0, 1e300, math.nan, -math.inf],
              "object": [{}, {"cap": "x"}, {"a": {"b": None}}]}[kind]
    for value in [[text] for text in values] if MEMBERS[name].shape else values:
        # bounds that are none may divide by 0
        with contextlib.suppress(ValueError), np.errstate(all="ignore"):
            run = load(packed(edited(about, name, value), arrays))
            assert "violations" in repr(run)
            assert run.verdict
            assert run.certificate
            assert str(run.audit())
            train(PROBLEM, run, max_iter=8)


def test_members_that_contradict_each_other(saved, refused):
    about, arrays = saved
    for name, value in {"facts/n": 2, "facts/width": 40, "facts/run_width": 4, "facts/constants": "exact", "facts/tol":
                        0.5, "iterations": 5, "continuation/run_width": 51, "continuation/options/record_every": 0,
                        "continuation/options/record": ["gap"], "continuation/options/tol": -1.0, "status": "odd",
                        "checks/pl/smallest": None, "checks/pl/violations": 1000}.items():
        refused(packed(edited(about, name, value), arrays), "expected")


@pytest.mark.parametrize("name", [name for name in NAMES if name in ARRAYS])
def test_an_array_of_another_dtype_or_shape_is_named(name, saved, refused):
    about, arrays = saved
    if name not in arrays:
        about, arrays = next(found for found in map(parts, FILES.values()) if name in found[1])
    array = arrays[name]
    with np.errstate(invalid="ignore"):
        others = [array.astype(dtype) for dtype in ("f4", "i4", "c16", "U5", "O")]
    others += [array[np.newaxis], array[..., np.newaxis]]
    if array.ndim and name != "continuation/state":
        others += [array[:-1], np.concatenate([array, array[:1]]), array[:0]]
    if array.ndim == 2:
        others += [array[:, :-1], array.T, np.asfortranarray(array)]
    if ARRAYS[name].finite:
        others.append(np.where(np.arange(array.size).reshape(array.shape) == 0, np.nan, array))
    if name == "network/seed":
        others.append(-array)
    for other in others:
        refused(packed(about, {**arrays, name: other}), "expected")
    without = {key: value for key, value in arrays.items() if key != name}
    if name not in ("network/basis", "network/seed", "network/origin", "continuation/start"):
        refused(packed(about, without), "expected")


def test_entries_that_do_not_belong_there(saved, refused):
    about, arrays = saved
    for name in ("colour", "history/colour", "network/colour", "facts/n", "about/x", "../x"):
        refused(packed(about, {**arrays, name: np.ones(1)}), "expected no array")
    for added in ({"colour": 1}, {"facts": {**about["facts"], "colour": 1}}, {"network": {"n": 3}}, {"facts": 1}):
        refused(packed({**about, **added}, arrays), "expected")
    wide = np.ones((5, 50))
    for added in ({"network/wide": wide}, {"network/seed": np.arange(4)}):
        refused(packed(about, {**arrays, **added}), "expected (either|at most one|none beside)")
    for name in ("alpha", "imbalance/top"):
        refused(packed(edited(about, f"guarantee/bounds/{name}"), arrays), f"guarantee/bounds/{name}")


def test_text_that_is_no_members(saved, refused):
    arrays = saved[1]
    for text in ("", "{", "[1]", "null", "1" * 5000, "[" * 100_000, '{"a":' * 100_000, "\udc00", "{}"):
        refused(packed(text, arrays), "(about: expected|format: expected|utf-32)")


@pytest.mark.parametrize("number", [1, FORMAT + 1, 10**9, "3", 3.0, True, None])
def test_another_format_is_refused_with_a_way_out(number, saved, load):
    about, arrays = saved
    with pytest.raises(ValueError, match=rf"expected (format )?{FORMAT}, got") as refusal:
        load(packed({**about, "format": number}, arrays))
    if type(number) is int:
        said = str(refusal.value)
        assert f"format {number}, written by lplfast {about['facts']['versions']['lplfast']}" in said
        assert "Network.from_arrays" in said
        layers = {name.removeprefix("network/"): arrays[name] for name in arrays if name.startswith("network/")}
        assert np.array_equal(Network.from_arrays(layers).W1, RUNS["compressed"][1].network.W1)


def test_damaged_bytes(saved, load):
    content, whole = packed(*saved), RUNS["compressed"][1]
    rng = random.Random(0)
    damaged = [content[:at] for at in range(0, len(content), len(content) // 60)]
    for _ in range(150):
        at = rng.randrange(len(content)) if rng.random() < 0.5 else rng.randrange(len(content) - 2500, len(content))
        damaged.append(content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1:])
    taken = 0
    for bad in damaged:
        try:
            loaded = load(bad)
        except (ValueError, OSError):
            continue
        taken += same(loaded, whole)
    # bits that a reader does not look at, dates and permissions
    assert taken < len(damaged) // 2


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_nothing_is_decompressed(compression, saved, refused):
    content = packed(*saved)
    bomb = np.lib.format.magic(1, 0) + b"\x00" * 10**6
    refused(repacked(content, compression, **{"history/gap": bomb}), "not compressed")
    # the same, but for the kind that the central directory says
    stored = repacked(content, compression, **{"history/gap": bomb})
    at = stored.rindex(b"PK\x01\x02", 0, stored.rindex(b"history/gap.npy"))
    refused(stored[:at + 10] + b"\0\0" + stored[at + 12:], "not compressed")


def header(text):
    return np.lib.format.magic(1, 0) + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize("said", [
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (7, 10000000000), }\n",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999999999,), }\n",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (-7,), }\n",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (,), }\n",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (7,), 'x': __import__('os')}\n",
    b"{'descr': '|O', 'fortran_order': False, 'shape': (7,), }\n",
    b"{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (7,), }\n",
    b"(" * 60_000, b"",
], ids=range(9))
def test_a_header_is_not_evaluated(said, saved, refused):
    content = packed(*saved)
    refused(repacked(content, **{"history/gap": header(said) + b"\0" * 56}), "history/gap: expected")


def test_an_archive_that_is_larger_inside_than_outside_or_locked(saved, refused):
    content = packed(*saved)
    # two entries of one name; one that says that it is encrypted
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("history/gap.npy", b"")
    refused(buffer.getvalue(), "expected one array of the name")
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(b"history/gap.npy"))
    refused(content[:at + 8] + b"\1\0" + content[at + 10:], "encrypted")
    # sizes that the directory says, and the file does not hold
    refused(content[:at + 20] + struct.pack("<II", 2**31, 2**31) + content[at + 28:], "size of the file")
    said = b"{'descr': '<U999999999', 'fortran_order': False, 'shape': (), }\n"
    refused(repacked(content, about=header(said)), "expected 3999999996 bytes")


def test_a_state_that_is_not_the_runs(saved, load):
    about, arrays = saved
    run = load(packed(about, {**arrays, "continuation/state": arrays["continuation/state"][:3]}))
    with pytest.raises(ValueError, match=r"^run: expected a state of at least 25 numbers"):
        train(PROBLEM, run, max_iter=9)
    state = arrays["continuation/state"] + (arrays["continuation/state"] == 6.0)
    run = load(packed(about, {**arrays, "continuation/state": state}))
    with pytest.raises(ValueError, match=r"^run: expected a state after 6 steps"):
        train(PROBLEM, run, max_iter=9)


@pytest.mark.parametrize("limit", [2**32 - 1, 100_000, 4000, 100, 1])
def test_an_archive_beyond_the_fields_of_one(limit, monkeypatch):
    # which begin to be too short at 4 GiB: here earlier, at some entry, or for none of them
    monkeypatch.setattr(stored, "LIMIT", limit)
    arrays = {"a": np.arange(1000.0), "b/c": np.array("text"), "d": np.array(3), "e": np.zeros((0, 2)),
              "f": np.arange(6.0).reshape(2, 3)}
    buffer = io.BytesIO()
    stored.write_arrays(buffer, arrays)
    with zipfile.ZipFile(io.BytesIO(buffer.getvalue())) as archive:
        assert archive.testzip() is None
    with np.load(io.BytesIO(buffer.getvalue())) as file:
        assert list(file) == list(arrays)
        for name, array in arrays.items():
            assert file[name].dtype == array.dtype
            assert np.array_equal(file[name], array)


@pytest.mark.parametrize("limit", [4000, 1])
def test_a_run_of_more_than_four_gigabytes(limit, load, monkeypatch):
    monkeypatch.setattr(stored, "LIMIT", limit)
    RUNS["compressed"][1].save(load.path)
    assert same(Run.load(load.path), RUNS["compressed"][1])
