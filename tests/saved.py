"""Saved runs that among them have every entry, and their files taken apart, edited and packed again."""

import io
import json
import pathlib
import tempfile
import zipfile

import numpy as np

from lplfast import CustomLoss, MatrixFactorization, Network, Sharp, SquaredLoss, train
from lplfast.run.schema import MEMBERS

PROBLEM = MatrixFactorization([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def cosh(shape):
    return CustomLoss(lambda W: (float(np.cosh(W).sum()), np.sinh(W)), shape=shape, mu=1.0, K=50.0)


def runs():
    """Return runs of all kinds, with the problems to go on with."""
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
        "layer scales": (blind, train(blind, wide, "sharp", max_iter=6, layer_scales=(0.5, 3.0))),
        "another rule": (PROBLEM, train(PROBLEM, train(PROBLEM, wide, max_iter=3), Sharp(cap=0.01), max_iter=6)),
    }


RUNS = runs()


def file_of(run, **how):
    """Return the bytes that a run is saved as."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "run.npz"
        run.save(path, **how)
        return path.read_bytes()


# the last as checkpoints are
FILES = {name: file_of(run) for name, (_, run) in RUNS.items()}
FILES["checkpoint"] = file_of(RUNS["compressed"][1], self_contained=False)


def parts(content):
    """Return the members and the arrays of a file."""
    with np.load(io.BytesIO(content)) as file:
        arrays = dict(file)
    return json.loads(str(arrays.pop("about"))), arrays


def leaves(about, prefix=""):
    """Return the members by the names of their entries."""
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
    inner.pop(last, None)
    if value:
        inner[last] = value[0]
    return about


def packed(about, arrays):
    """Return the file that these make; as np.savez does, but faster. Arrays may be the bytes of an entry."""
    entries = {"about": np.array(about if isinstance(about, str) else json.dumps(about)), **arrays}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, array in entries.items():
            content = array if isinstance(array, bytes) else entry_of(array)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), content)
    return buffer.getvalue()


def entry_of(array):
    """Return the bytes of an array in NumPy's format, of objects as a pickle."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asanyarray(array))
    return buffer.getvalue()


def repacked(content, compression=zipfile.ZIP_STORED, **replaced):
    """Return the file with some of its entries replaced, byte by byte."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, replaced.get(name.removesuffix(".npy"), old.read(name)))
    return buffer.getvalue()
