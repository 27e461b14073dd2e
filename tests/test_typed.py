"""Everything public says its types: in the code, or in the stub beside a compiled module; a script uses all of it.

What mypy says is for `.ci/run`, by tests/typed/check.py.
"""

import ast
import importlib
import inspect
import pathlib
import runpy

import matplotlib as mpl
import numpy as np
import pytest

import lplfast
from lplfast import data, plots, steps
from lplfast.guarantees.audit import Audit, Claim
from lplfast.guarantees.imbalance import Imbalance
from lplfast.guarantees.initial import InitialGuarantee
from lplfast.losses.loss import Loss
from lplfast.run.info import RunInfo
from lplfast.run.plan import Plan
from lplfast.run.run import Continuation
from lplfast.spectral.certified import Certified
from lplfast.spectral.exact import Exact
from lplfast.spectral.power import Power

PACKAGE = pathlib.Path(lplfast.__file__).parent
SCRIPT = pathlib.Path(__file__).parent / "typed" / "everything.py"

# beside what is exported: what its attributes are
RETURNED = (Audit, Claim, Continuation, Imbalance, InitialGuarantee, Loss, Plan, RunInfo, Certified, Exact, Power)
MODULES = (lplfast, steps, data, plots)
PUBLIC = {f"{found.__module__}.{found.__qualname__}": found for found in
          [*RETURNED, *(getattr(module, name) for module in MODULES for name in module.__all__)]
          if inspect.isclass(found) or callable(found)}


def tree_of(module):
    """Return the stub of a compiled module, or its source, parsed."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    stub = path.with_suffix(".pyi")
    return ast.parse((stub if stub.exists() else path.with_suffix(".py")).read_text(encoding="utf-8"))


def unsaid(function, *, method):
    """Return the arguments of a function that have no annotation, and "return"."""
    arguments = function.args
    static = any(isinstance(found, ast.Name) and found.id == "staticmethod" for found in function.decorator_list)
    named = [*arguments.posonlyargs, *arguments.args][method and not static:]
    named += [*arguments.kwonlyargs, *filter(None, (arguments.vararg, arguments.kwarg))]
    return [argument.arg for argument in named if argument.annotation is None] + (
        ["return"] if function.returns is None else [])


def unsaid_of(name, node):
    """Return what is not said of a public name: of a class, of its public methods and properties."""
    if isinstance(node, ast.FunctionDef):
        return {name: missing} if (missing := unsaid(node, method=False)) else {}
    found = {}
    for part in node.body:
        public = isinstance(part, ast.FunctionDef) and (not part.name.startswith("_") or part.name == "__init__")
        if public and (missing := unsaid(part, method=True)):
            found[f"{name}.{part.name}"] = missing
        if isinstance(part, ast.AnnAssign) and ast.unparse(part.annotation) in ("dict", "list", "tuple", "np.ndarray"):
            found[f"{name}.{ast.unparse(part.target)}"] = [ast.unparse(part.annotation)]
    return found


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_says_its_types(name):
    module, _, own = name.rpartition(".")
    (node,) = [node for node in tree_of(module).body if getattr(node, "name", None) == own]
    assert unsaid_of(own, node) == {}


@pytest.mark.parametrize("name", [name for name, found in PUBLIC.items() if hasattr(found, "__pyx_vtable__")])
def test_a_stub_has_every_attribute_of_its_class(name):
    module, _, own = name.rpartition(".")
    (node,) = [node for node in tree_of(module).body if getattr(node, "name", None) == own]
    said = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
    said |= {part.target.id for part in node.body if isinstance(part, ast.AnnAssign)}
    public = {attribute for attribute in vars(PUBLIC[name]) if not attribute.startswith("_")}
    # said of the base: what a subclass only fills in
    inherited = {attribute for base in PUBLIC[name].__mro__[1:] for attribute in vars(base)}
    assert public - said <= inherited
    assert {attribute for attribute in said if not attribute.startswith("_")} <= public


def test_stubs_call_rules_as_the_rules_are_called():
    for name in lplfast.rules.catalogue.__all__:
        found = getattr(lplfast, name)
        stubs = [node for base in found.__mro__[:-1] for node in tree_of(base.__module__).body
                 if getattr(node, "name", None) == base.__name__]
        (first, *_) = [part.args for node in [*stubs, ast.parse("def __init__(self): pass")] for part in node.body
                       if getattr(part, "name", None) == "__init__"]
        values = [*map(ast.unparse, first.defaults)], [ast.unparse(value) for value in first.kw_defaults]
        signature = inspect.signature(found)
        assert [arg.arg for arg in first.args[1:]] + [arg.arg for arg in first.kwonlyargs] == list(signature.parameters)
        defaults = [repr(parameter.default) for parameter in signature.parameters.values()
                    if parameter.default is not parameter.empty]
        assert [ast.literal_eval(value) for value in (*values[0], *values[1])] == list(map(ast.literal_eval, defaults))


def test_the_script_uses_everything_and_runs(tmp_path, monkeypatch, capsys):
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    text = SCRIPT.read_text(encoding="utf-8")
    words = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    words |= {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}
    exported = {name for module in MODULES for name in module.__all__} - {"DATASETS", "Standardized"}
    assert exported <= words
    with np.errstate(all="raise", under="ignore"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert capsys.readouterr().out


def test_every_compiled_module_has_a_stub():
    for path in PACKAGE.rglob("*.pyx"):
        assert path.with_suffix(".pyi").exists(), path
        importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
