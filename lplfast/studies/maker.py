"""Who makes a study: versions, the source of the experiment, the objects of the grid; and what differs."""

import difflib
import functools
import inspect
import json
import pickle
import platform
import textwrap

import numpy as np
import scipy

from ..versions import __version__

__all__ = ["ENTROPY", "differences", "joined", "maker_of", "source_of", "versions"]

# Of all studies; a key makes each cell's stream from it.
ENTROPY = 0

# Where the arguments of a functools.partial are among the objects; no dimension of a grid is called that.
ARGUMENTS = "arguments of the experiment"


@functools.cache
def versions():
    """Return what the bits of a result may depend on."""
    return {"lplfast": __version__, "python": platform.python_version(), "numpy": np.__version__,
            "scipy": scipy.__version__}


def source_of(experiment):
    """Return the text of a function, or of that which a functools.partial calls; None where it cannot be read."""
    function = inspect.unwrap(_parts(experiment)[0])
    if getattr(getattr(function, "__code__", None), "co_filename", "") == "<string>":
        return None     # made by exec: Python 3.13 reads the text of `python -c` in its place
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError, ValueError):
        return None


def maker_of(experiment, grid):
    """Return what makes the cells of a study, plain enough for JSON."""
    import joblib

    objects = {ARGUMENTS: {"all": _digest(joblib, _parts(experiment)[1:])}}
    for name, found in grid.objects.items():
        objects[name] = {json.dumps(label): _digest(joblib, value) for label, value in found.items()}
    return {"entropy": ENTROPY, "versions": versions(), "source": source_of(experiment), "objects": objects}


def _parts(experiment):
    """Return a function and the arguments that a functools.partial gives it."""
    if isinstance(experiment, functools.partial):
        return experiment.func, experiment.args, experiment.keywords
    return experiment, (), {}


def _digest(joblib, value):
    """Return a digest of an object; None of one that does not pickle, a lambda for one."""
    try:
        return joblib.hash(value)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError):
        return None


def differences(before, after):
    """Return sentences on what differs between two makers."""
    found = []
    if before["entropy"] != after["entropy"]:
        found.append(f"entropy: {before['entropy']} in the store, {after['entropy']} now")
    for name in sorted({*before["versions"], *after["versions"]}):
        old, new = before["versions"].get(name), after["versions"].get(name)
        if old != new:
            found.append(f"version of {name}: {old} in the store, {new} now")
    for name, labels in after["objects"].items():
        for label, digest in labels.items():
            old = before["objects"].get(name, {}).get(label, digest)
            if None not in (old, digest) and old != digest:
                found.append(f"{ARGUMENTS}: others now" if name == ARGUMENTS else
                             f"object: {name} = {label} is another one now")
    if None not in (before["source"], after["source"]) and before["source"] != after["source"]:
        lines = difflib.unified_diff(before["source"].splitlines(), after["source"].splitlines(), "store", "now",
                                     lineterm="", n=1)
        found.append("source of the experiment:\n" + textwrap.indent("\n".join(lines), "    "))
    return found


def joined(before, after):
    """Return the digests of a grid's objects, of before and new ones."""
    return {name: {**before.get(name, {}), **after.get(name, {})} for name in {**before, **after}}
