"""Hostile files, made from the schema of saved runs, and what reading one may come to.

Whatever is in a file, reading it, and all that is done with what was read, gives a right answer, or a ValueError or an
OSError with a sentence: never another exception, now or later, nothing executed, no more memory than is stated.
`python -m tests.hostile_files --cases 6000` tries many, prints how many of which kind were read or refused, and exits
with 1 after the first kind of file that does something else, with a list of what it did.
"""

import argparse
import collections
import contextlib
import gzip
import io
import json
import pathlib
import pickle
import random
import struct
import sys
import tempfile
import warnings
import zipfile
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from hostile_reading import Misbehaviour, check, execute
from saved import FILES, edited, entry_of, packed, parts, repacked

from lplfast.run.schema import ARRAYS, ENTRIES, FORMAT, MEMBERS

SEED = 20

class Payload:
    """Unpickled, it is executed."""

    def __reduce__(self):
        return execute, ("a pickle was loaded",)


class Case(NamedTuple):
    """A file: of what kind, its content, and if only it as a whole is right, the name in FILES of what it has to be."""

    kind: str
    ending: str
    content: bytes
    whole: str | None = None


NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0**53, 2.0**62, 2.0**63, 1e300, -1e300, 1.7e308, 5e-324, 1e-300, np.nan, np.inf,
           -np.inf]
INTEGERS = [0, 1, 2, 3, 6, 7, -1, 2**31, 2**53, 2**62, 2**63 - 1, 2**63, 10**30, 10**400]
TEXTS = ["", "x", "running", "exact", "power", "certified", "Local", "Sharp", "Armijo", "BarzilaiBorwein",
         "CallableRule", "Capped", "Rule", "\ud800", "\0", "\x1b[2J", "a" * 5000, "gap", "iteration",
         "__import__('os')", "%s{0}"]
OPTIONS = [{}, {"cap": 1.0}, {"cap": 10**400}, {"cap": "x"}, {"eta": 1e300}, {"function": 1}, {"": {}}, {"self": 1},
           {"__class__": "x"}, {"cap": None, "c": 0.5, "growth": 2.0}, {"max_backtracks": 10**30},
           {"a": [[[[[[[]]]]]]]}, {"a": json.loads("[" * 500 + "]" * 500)}]
OTHERS = [None, True, [], {}, [None], ["gap", "gap"], ["iteration"], [[]], {"a": 1}, {"steps": 0}]


def value_for(rng, entry):
    """Return a value for a member: most of the kind that the schema asks for, or it would never get far."""
    kind = entry.dtype.partition(" ")[0]
    pool = {"text": TEXTS, "integer": INTEGERS, "number": NUMBERS + INTEGERS, "boolean": [True, False],
            "object": OPTIONS}[kind]
    if entry.shape and rng.random() < 0.8:
        return rng.choices(TEXTS, k=rng.randrange(4))
    return rng.choice(pool if rng.random() < 0.75 else TEXTS + INTEGERS + NUMBERS + OTHERS + OPTIONS)


def array_for(rng, array):
    """Return an array in the place of another: with other numbers, or of another form."""
    array, form = np.array(array), rng.randrange(12)
    if form < 7:
        flat = array.reshape(-1)
        for _ in range(rng.choice([1, 1, 2, 5, flat.size])):
            at = rng.randrange(max(flat.size, 1))
            with np.errstate(all="ignore"), contextlib.suppress(OverflowError, ValueError, IndexError, TypeError):
                flat[at] = rng.choice([*NUMBERS, *INTEGERS, rng.getrandbits(63), flat[at] * rng.uniform(-2, 2)])
        return array
    # what another round has put there may not turn into numbers
    with np.errstate(all="ignore"), contextlib.suppress(TypeError, ValueError):
        return [lambda: array.astype(rng.choice(["f4", "i4", "c16", "U5", ">f8", "?", "i8", "u8", "M8[s]", "O"])),
                lambda: array[np.newaxis], lambda: array[:-1] if array.ndim else array[np.newaxis],
                lambda: np.asfortranarray(array), lambda: np.array([Payload()] * 2, dtype=object)][form - 7]()
    return array


def header(rng):
    """Return an entry whose header says what nothing else does."""
    shape = rng.choice(["(7,)", "()", "(7, 10000000000)", f"({'9' * 30},)", "(-7,)", "(,)", "(7L,)", "7", "(7.0,)",
                        "(True,)", f"({'1,' * 90})", "(0,)", "(7,,)"])
    descr = rng.choice(["'<f8'", "'|O'", "'<i8'", "'>f8'", "'<f16'", "'<f3'", "'<U999999999'", "'|V8'", "'<M8[s]'",
                        "[('x', '<f8')]", "'object'", "'f8'", "'<f8, <f8'", "__import__('os')", "'<f8' * 10**9"])
    text = rng.choice(["{'descr': %s, 'fortran_order': False, 'shape': %s, }\n", "{'descr': %s, 'shape': %s}\n",
                       "{'descr': %s, 'fortran_order': 9**9**9, 'shape': %s, }", "%s%s" + "(" * 9000,
                       "{'shape': %s, 'descr': %s, 'fortran_order': True}\n", "%.0s%.0s",
                       "{'descr': %s, 'fortran_order': False, 'shape': %s, 'x': [" + "-" * 3000 + "1]}\n"])
    text = (text % (descr, shape)).encode("latin-1")
    version = rng.choice([1, 1, 1, 2, 3, 4, 0])
    length = rng.choice([len(text)] * 4 + [0, 3, 2**16 - 1, 2**31, 2**32 - 1])
    said = struct.pack("<H", length % 2**16) if version == 1 else struct.pack("<I", length)
    return b"\x93NUMPY" + bytes([version, 0]) + said + text + bytes(rng.choice([0, 8, 56, 1000]))


def truncated(rng):
    """Return a file up to some fiftieth of it."""
    name = rng.choice([*FILES])
    content = FILES[name]
    return Case("truncated", ".npz", content[:rng.randrange(50) * len(content) // 50], name)


def mutated(rng):
    """Return a file with other bytes in it, many of them where the archive says what is in it."""
    name = rng.choice([*FILES])
    content = bytearray(FILES[name])
    directory = content.index(b"PK\1\2")
    for _ in range(rng.choice([1, 1, 1, 2, 8, 40])):
        at = rng.randrange(len(content)) if rng.random() < 0.5 else rng.randrange(directory, len(content))
        content[at] = rng.choice([content[at] ^ 1 << rng.randrange(8), rng.randrange(256), 0, 255])
    return Case("mutated", ".npz", bytes(content), name)


def members(rng):
    """Return a file with members that have other values, are missing, or are no members."""
    about, arrays = parts(FILES[rng.choice([*FILES])])
    for _ in range(rng.choice([1, 1, 2, 4])):
        name = rng.choice([*MEMBERS])
        with contextlib.suppress(KeyError, TypeError, AttributeError):      # of a group that is not there, or gone
            about = edited(about, name, *([] if rng.random() < 0.1 else [value_for(rng, MEMBERS[name])]))
    if rng.random() < 0.1:
        inner = about.get(rng.choice([*about]))
        if isinstance(inner, dict):
            inner[rng.choice([*TEXTS, *ENTRIES])] = rng.choice(OTHERS + INTEGERS)
    return Case("members", ".npz", packed(about, arrays))


def values(rng):
    """Return a file with arrays that hold other numbers, have another form, are missing, or belong elsewhere."""
    about, arrays = parts(FILES[rng.choice([*FILES])])
    for _ in range(rng.choice([1, 1, 2, 4])):
        name = rng.choice([*arrays])
        found = rng.random()
        if found < 0.8:
            arrays[name] = array_for(rng, arrays[name]) if not isinstance(arrays[name], bytes) else header(rng)
        elif found < 0.9:
            arrays[rng.choice([*ARRAYS, "x", "../x", "about/x"])] = arrays[name]
        else:
            del arrays[name]
        if not arrays:
            break
    return Case("values", ".npz", packed(about, arrays))


def states(rng):
    """Return a file whose state, and what has to agree with it, is not one that a run can have come to."""
    about, arrays = parts(FILES[rng.choice([*FILES])])
    state, layers = arrays["continuation/state"], 5 * about["continuation"]["run_width"]
    for _ in range(rng.choice([1, 1, 2, 10])):
        # what counts is checked first, and other layers have another loss: the rest is what goes farther
        at = rng.choice([rng.randrange(16), rng.randrange(state.size), *(rng.randrange(16, state.size - layers)
                                                                        for _ in range(8))])
        state[at] = rng.choice([*NUMBERS, state[at].item() * rng.uniform(-2, 2),
                                rng.uniform(-1, 1) * 10 ** rng.uniform(-300, 300)])
    loss = rng.choice([about["continuation"]["loss"]] * 15 + NUMBERS[-3:])
    return Case("states", ".npz", packed(edited(about, "continuation/loss", loss), arrays))


def long_runs(rng):
    """Return a file of a run that says it took very many steps, consistently."""
    about, arrays = parts(FILES["compressed"])
    steps = rng.choice([2**40, 2**53, 2**62, 2**63 - 1])
    about = edited(edited(about, "iterations", steps), "continuation/options/record_every", steps)
    arrays = {name: array[[0, -1]] if name.startswith("history/") else array for name, array in arrays.items()}
    for name in ("history/iteration", "continuation/state"):
        arrays[name] = arrays[name].copy()
    arrays["history/iteration"][-1] = arrays["continuation/state"][0] = steps
    return Case("long runs", ".npz", packed(about, arrays))


def headers(rng):
    """Return a file in which one entry has a hostile header."""
    name = rng.choice([*FILES])
    entries = zipfile.ZipFile(io.BytesIO(FILES[name])).namelist()
    return Case("headers", ".npz", repacked(FILES[name], **{rng.choice(entries).removesuffix(".npy"): header(rng)}))


def archives(rng):
    """Return a file whose archive is made otherwise: compressed, locked, nested, or larger inside than outside."""
    content = FILES[rng.choice([*FILES])]
    at = content.index(b"PK\1\2")
    bomb = entry_of(np.zeros(0)) + bytes(10**5)
    buffer = io.BytesIO(content)
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "a") as archive:
        warnings.simplefilter("ignore")     # a name that is there already
        archive.writestr(rng.choice(["history/gap.npy", "x.npy", "x", "../x.npy", "network/", "inner.zip"]), content)
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for i in range(2000):
            archive.writestr(zipfile.ZipInfo(f"{i}.npy"), b"")
    return Case("archives", ".npz", rng.choice([
        repacked(content, rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
                 **{"history/gap": bomb}),
        # the directory's version and flags, kinds of compression, and sizes
        content[:at + 6] + struct.pack("<HHH", rng.choice([20, 45, 63, 9999]), 1 << rng.randrange(16),
                                       rng.choice([0, 8, 99])) + content[at + 12:],
        content[:at + 20] + struct.pack("<II", *rng.choices([0, 8, 2**31, 2**32 - 1], k=2)) + content[at + 28:],
        buffer.getvalue(), many.getvalue(), rng.randbytes(100) + content, content + rng.randbytes(rng.randrange(1, 99)),
        content + content, packed("{}", {"inner": np.frombuffer(content, np.uint8)}),
        # a directory of which the end says that it is huge, or elsewhere
        content[:-10] + struct.pack("<II", *rng.choices([0, 2**16, 2**31, 2**32 - 1, len(content)], k=2))
        + content[-2:],
        content[:-22] + struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 2**40, 0)
        + struct.pack("<4sIQI", b"PK\6\7", 0, len(content) - 22, 1) + content[-22:],
    ]))


def texts(rng):
    """Return a file whose JSON is none, or deep, long, or not of this format."""
    about, arrays = parts(FILES["compressed"])
    text = json.dumps(about)
    return Case("texts", ".npz", packed(rng.choice([
        "", "{", "[1]", "null", "1" * 5000, "[" * 100_000, '{"a":' * 50_000, "\udc00", "{}", text + "}", text[:-2],
        text.replace("6", "1e999"), text.replace(":", ":-"), text.replace("null", "NaN"), text.replace('"', "'"),
        '{"format": 6, "status": ' + "[" * 900 + "]" * 900 + "}", "[" + "[]," * 20_000 + "[]]",
        json.dumps(about, indent=4), text[:-1] + ', "status": "floor"}',
        json.dumps({**about, "format": rng.choice([1, 2, FORMAT + 1, "3", 3.0, True, None, [], 10**30])}),
        json.dumps({**about, "format": 1,
                    "facts": rng.choice([None, 1, [], {"versions": 1}, {"versions": {"lplfast": 1}}])}),
    ]), arrays))


def other_files(rng):
    """Return a file of quite another kind."""
    with tempfile.TemporaryFile() as png:
        png.write(b"\x89PNG\r\n\x1a\n" + rng.randbytes(200))
        png.seek(0)
        content = rng.choice([
            b"", b"\n", bytes(100), rng.randbytes(300), png.read(), gzip.compress(FILES["compressed"]),
            pickle.dumps(Payload()), pickle.dumps([[1.0, 2.0]], protocol=0), b"%PDF-1.7\n", b"PK\5\6" + bytes(18),
            b"#!/bin/sh\nexit 1\n", b"PK\3\4", b"\x93NUMPY", b"\xff\xfe1\0,\x002\0", FILES["compressed"],
            entry_of(np.array([[Payload()]], dtype=object)), b"1,2\n3,4\n", b"\x1f\x8b" + rng.randbytes(50)])
    return Case("other files", rng.choice([".npz", ".npy", ".csv"]), content)


MATRIX = np.arange(6.0).reshape(3, 2)


def matrices(rng):
    """Return a .npy file: of any dtype and form, damaged, or with a hostile header."""
    with np.errstate(all="ignore"):
        array = array_for(rng, rng.choice([MATRIX, MATRIX.T, MATRIX.astype("i2"), MATRIX > 2, np.ones((1, 1)),
                                           np.ones(3), np.zeros((0, 3)), np.ones((2, 2, 2)), MATRIX.astype("f2"),
                                           np.float64(1.0)]))
    content = entry_of(rng.choice([array, array, np.zeros(3, "f8,i4"), np.array([["1"]])]))
    plain = entry_of(MATRIX.T.astype(rng.choice(["f4", ">i2", "?"])))
    damaged = bytearray(content)
    damaged[rng.randrange(len(content))] = rng.randrange(256)
    return Case("matrices", ".npy", rng.choice([content, content, plain, header(rng), bytes(damaged), content + b"\0",
                                                content[:rng.randrange(len(content))]]))


FIELDS = ["1", "2.5", "-1e-3", "1e999", "nan", "inf", "-Infinity", "", " ", "x", "1_0", "0x1", "1j", "\uff11", "\0",
          "\"1\"", "1" * 5000, "1e-400", "+.5", "None", "\u2028", "=1+1", "\x1b[2J", "1,5", "\ufeff", "#"]


def tables(rng):
    """Return a text file of numbers and others."""
    odd = rng.choice([0.0, 0.0, 0.1, 0.5])
    width, delimiter = rng.randrange(1, 5), rng.choice([",", ";", " ", "\t", ", "])
    lines = [delimiter.join(rng.choice(FIELDS if rng.random() < odd else FIELDS[:3])
                            for _ in range(width if rng.random() < 0.95 else rng.randrange(6)))
             for _ in range(rng.choice([0, 1, 3, 10]))]
    text = rng.choice(["", "", "a,b\n", "# 1\n", "\ufeff"]) + rng.choice(["\n", "\r\n", "\r", "\n\n"]).join(lines)
    return Case("tables", ".csv", text.encode(rng.choice(["utf-8"] * 5 + ["utf-16", "utf-32", "utf-7"])))


KINDS = (truncated, mutated, members, members, values, values, states, states, long_runs, headers, archives, texts,
         other_files, matrices, tables)


def cases(seed=SEED):
    """Yield cases without end, of each kind in turn."""
    rng = random.Random(seed)
    while True:
        for kind in KINDS:
            yield kind(rng)


def main():
    """Try so many cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    count, failed = collections.Counter(), collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for i, case in zip(range(arguments.cases), cases(arguments.seed), strict=False):
            try:
                count[case.kind, check(case, folder)] += 1
            except Misbehaviour as error:
                failed[case.kind].append(f"case {i}: {error}")
    for (kind, outcome), number in sorted(count.items()):
        print(f"{kind:<12} {outcome:<8} {number}")
    print(f"{sum(count.values())} of {arguments.cases} files were read rightly or refused in a sentence")
    for kind, said in failed.items():
        print(f"{kind}: {len(said)} were not", *said[:20], sep="\n    ")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
