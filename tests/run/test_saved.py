"""The file of a saved run: what is in it comes back; what is damaged, edited or hostile is refused, entry by entry."""

import contextlib
import io
import json
import math
import random
import re
import struct
import zipfile

import numpy as np
import pytest
from runs import same

from lplfast import Constant, CustomLoss, Local, MatrixFactorization, Network, Run, Sharp, SquaredLoss, train
from lplfast.run.schema import ALTERNATIVES, ARRAYS, ENTRIES, MEMBERS, SCHEMA

PROBLEM = MatrixFactorization([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def cosh(shape):
    return CustomLoss(lambda W: (float(np.cosh(W).sum()), np.sinh(W)), shape=shape, mu=1.0, K=50.0)


def runs():
    """Return runs that among them have every entry, with the problems to go on with."""
    rng = np.random.default_rng(0)
    wide, blind = Network.gaussian(3, 50, 2, rng=1), SquaredLoss(rng.standard_normal((2, 3)), np.ones((2, 2)))
    return {
        "full width": (PROBLEM, train(PROBLEM, wide, max_iter=6, compress=False)),
        "compressed": (PROBLEM, train(PROBLEM, wide, "sharp", max_iter=6, grad_tol=1e-9, max_growth=2.0)),
        "implicit": (PROBLEM, train(PROBLEM, Network.gaussian_implicit(3, 10**12, 2, rng=0), max_iter=2)),
        "padded": (PROBLEM, train(PROBLEM, Network.balanced(np.ones((3, 2)), 10**9), "adgd", max_iter=6)),
        "null space": (blind, train(blind, wide, max_iter=6, record_every=4)),
        "no step": (PROBLEM, train(PROBLEM, wide, max_iter=0, record=["gap", "gap"])),
        "no bounds": (PROBLEM, train(PROBLEM, Network(1e150 * np.ones((3, 2)), 1e150 * np.ones((2, 2))))),
        "no minimum": (cosh((3, 2)), train(cosh((3, 2)), wide, "sharp", max_iter=6, constants="power")),
        "another rule": (PROBLEM, train(PROBLEM, train(PROBLEM, wide, max_iter=3), Sharp(cap=0.01), max_iter=6)),
    }


RUNS = runs()


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


def test_the_runs_here_have_every_entry(tmp_path):
    found = set()
    for _, run in RUNS.values():
        run.save(tmp_path / "run.npz")
        about, arrays = parts(tmp_path / "run.npz")
        found |= arrays.keys() | leaves(about).keys()
    assert found == ENTRIES.keys()


def parts(path):
    with np.load(path) as file:
        arrays = dict(file)
    return json.loads(str(arrays.pop("about"))), arrays


def leaves(about, prefix=""):
    found = {}
    for key, value in about.items():
        name = prefix + key
        found.update({name: value} if name in MEMBERS else leaves(value, name + "/"))
    return found


def edited(about, name, *value):
    """Return a copy in which the entry of this name has another value, or none."""
    about = json.loads(json.dumps(about))
    *parents, last = name.split("/")
    inner = about
    for parent in parents:
        inner = inner[parent]
    del inner[last]
    if value:
        inner[last] = value[0]
    return about


def packed(about, arrays):
    """Return the file that these make; as np.savez does, but faster."""
    buffer, arrays = io.BytesIO(), {"about": np.array(about if isinstance(about, str) else json.dumps(about)), **arrays}
    with zipfile.ZipFile(buffer, "w") as file:
        for name, array in arrays.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, array)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), entry.getvalue())
    return buffer.getvalue()


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
def saved(load):
    """Return the members and the arrays of a run that is compressed."""
    RUNS["compressed"][1].save(load.path)
    return parts(load.path)


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
def test_an_array_of_another_dtype_or_shape_is_named(name, saved, load, refused):
    about, arrays = saved
    if name not in arrays:
        problem = next(key for key, (_, run) in RUNS.items() if name in written(run, load.path)[1])
        about, arrays = written(RUNS[problem][1], load.path)
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
    if name not in ("network/basis", "network/seed", "continuation/start"):
        refused(packed(about, without), "expected")


def written(run, path):
    run.save(path)
    return parts(path)


def test_entries_that_do_not_belong_there(saved, refused):
    about, arrays = saved
    for name in ("colour", "history/colour", "network/colour", "facts/n", "about/x", "../x"):
        refused(packed(about, {**arrays, name: np.ones(1)}), "expected no array")
    for added in ({"colour": 1}, {"facts": {**about["facts"], "colour": 1}}, {"network": {"n": 3}}, {"facts": 1}):
        refused(packed({**about, **added}, arrays), "expected")
    wide = np.ones((5, 50))
    for added in ({"network/wide": wide}, {"network/seed": np.arange(4)}):
        refused(packed(about, {**arrays, **added}), "expected (either|at most one)")
    for name in ("alpha", "imbalance/top"):
        refused(packed(edited(about, f"guarantee/bounds/{name}"), arrays), f"guarantee/bounds/{name}")


def test_text_that_is_no_members(saved, refused):
    arrays = saved[1]
    for text in ("", "{", "[1]", "null", "1" * 5000, "[" * 100_000, '{"a":' * 100_000, "\udc00", "{}"):
        refused(packed(text, arrays), "(about: expected|format: expected|utf-32)")


@pytest.mark.parametrize("number", [1, 3, 10**9, "2", 2.0, True, None])
def test_another_format_is_refused_with_a_way_out(number, saved, load):
    about, arrays = saved
    with pytest.raises(ValueError, match=r"expected (format )?2, got") as refusal:
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


def repacked(content, compression=zipfile.ZIP_STORED, **replaced):
    """Return the file with some of its entries replaced, byte by byte."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, replaced.get(name.removesuffix(".npy"), old.read(name)))
    return buffer.getvalue()


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


def test_options_that_are_no_json_are_kept_as_text(tmp_path):
    run = train(PROBLEM, Network.gaussian(3, 9, 2, rng=0), Constant(np.float64(0.01)), max_iter=2)
    run.continuation.options["rule"]["options"] = {"function": Local}
    run.save(tmp_path / "run.npz")
    assert "Local" in Run.load(tmp_path / "run.npz").continuation.options["rule"]["options"]["function"]
