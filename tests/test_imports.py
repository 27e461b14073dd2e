"""Imports point one way: from the command line down to the kernels, and never back."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

import lplfast

PACKAGE = pathlib.Path(lplfast.__file__).parent

ORDER = ["kernels", "reference", "arrays", "threads", "versions", "problems", "newton", "classification", "custom",
         "network", "checking", "constants", "bounds", "steps", "settings", "audit", "run", "outcome", "plan", "loop",
         "training", "many", "data", "plots", "cli"]
KERNELS = ["options", "rounding", "compress", "clock", "blas", "sums", "iterate", "local", "quartic", "loss", "rowwise",
           "python", "extremes", "tangent", "spectral", "rule", "classical", "certified", "search", "earlier",
           "callable", "descent"]

# A function may import what is above it when it is called, where a method is only a doorway.
DOORWAYS = {("run", "plots")}


def imported(path):
    """Return the modules of this package that a Python file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            yield (node.module or node.names[0].name).split(".")[0]


def test_every_module_has_its_place():
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert modules | {"kernels"} == set(ORDER)
    kernels = {path.stem for path in (PACKAGE / "kernels").iterdir() if path.suffix in (".py", ".pyx", ".pxd")}
    assert kernels - {"__init__"} == set(KERNELS)


@pytest.mark.parametrize("module", ORDER[1:])
def test_modules_import_only_what_is_below_them(module):
    for name in imported(PACKAGE / f"{module}.py"):
        if (module, name) not in DOORWAYS:
            assert ORDER.index(name) < ORDER.index(module), f"{module} imports {name}"


@pytest.mark.parametrize("module", KERNELS)
def test_kernels_cimport_only_what_is_below_them(module):
    for path in (PACKAGE / "kernels").glob(f"{module}.p[yx][xd]"):
        for name in re.findall(r"^from \.(\w+) cimport", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            assert KERNELS.index(name) < KERNELS.index(module), f"{path.name} cimports {name}"


def test_the_twin_imports_nothing_of_ours():
    assert not list(imported(PACKAGE / "reference.py"))


def test_import_loads_no_optional_package():
    code = "import sys, lplfast; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"matplotlib", "pandas", "sklearn", "tqdm", "xarray", "joblib", "dask", "hypothesis"} & set(loaded)
