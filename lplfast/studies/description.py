"""A study in a TOML file: which experiment, on which grid."""

import importlib
import importlib.util
import os
import tomllib

from ..files import open_file
from ..validation import as_callable, shown

__all__ = ["read_study"]

# What a file may say beside the experiment and the grid, as `sweep` has it.
OPTIONS = ("seeds", "name", "store", "n_jobs", "backend", "on_mismatch")


def read_study(path):
    """Return the experiment, the grid and the options of `sweep` that a TOML file describes.

    `experiment` is `"file.py:function"`, a path from the folder of the TOML file, or `"package.module:function"`. That
    file is executed, as Python's `import` does.

    Raises
    ------
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If it is no such description; if there is no such function.
    """
    path = os.fspath(path)
    with open_file(path) as file:
        try:
            said = tomllib.loads(file.read().decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: expected TOML, got something else: {error}") from None
    unknown = set(said) - {"experiment", "grid", *OPTIONS}
    if unknown:
        raise ValueError(f"{path}: expected experiment, grid, {', '.join(OPTIONS)}, got {', '.join(sorted(unknown))}")
    if not isinstance(said.get("grid"), dict):
        raise ValueError(f"{path}: expected a table [grid], name = [labels], got {shown(said.get('grid'))}")
    experiment = _function(said.pop("experiment", None), os.path.dirname(path))
    return experiment, said.pop("grid"), said


def _function(said, folder):
    place, _, name = said.rpartition(":") if isinstance(said, str) else ("", "", "")
    if not place or not name.isidentifier():
        raise ValueError("experiment: expected 'file.py:function' or 'package.module:function', got "
                         f"{shown(said)}")
    if place.endswith(".py"):
        module = _executed(os.path.join(folder, place))
    else:
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as error:
            raise ValueError(f"experiment: expected a module that can be imported, got {place}: {error}") from None
    if not hasattr(module, name):
        raise ValueError(f"experiment: expected a function in {place}, got no {name} there")
    return as_callable("experiment", getattr(module, name))


def _executed(path):
    """Return the module that a file makes. It is not among those imported: so workers are sent the function itself."""
    open_file(path).close()
    spec = importlib.util.spec_from_file_location(os.path.basename(path).removesuffix(".py"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
