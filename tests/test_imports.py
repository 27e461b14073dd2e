"""Imports point one way: from the command line down to the kernels, and never back."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

import lplfast

PACKAGE = pathlib.Path(lplfast.__file__).parent

ORDER = ["kernels", "reference", "arrays", "labels", "threads", "versions", "factorization", "least_squares",
         "problems", "newton", "classification", "custom", "network", "checking", "constants", "bounds", "steps",
         "settings", "promise", "audit", "run", "outcome", "plan", "loop", "training", "many", "data", "plots",
         "experiments", "cli"]
KERNELS = ["options", "rounding", "compress", "clock", "lanes", "blas", "sums", "iterate", "local", "quartic", "loss",
           "rowwise", "python", "extremes", "tangent", "imbalance", "spectral", "view", "rule", "classical",
           "certified", "search", "earlier", "callable", "descent"]

EXPERIMENTS = ["panels", "report", "steps", "tightness", "local_constants", "width", "initialization", "losses"]

# A function may import what is above it when it is called, where a method is only a doorway.
DOORWAYS = {("run", "plots")}


def imported(path, level=1):
    """Return the modules that a Python file imports from its own package, or from so many levels up."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == level:
            yield (node.module or node.names[0].name).split(".")[0]


def test_every_module_has_its_place():
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert modules | {"kernels", "experiments"} == set(ORDER)
    kernels = {path.stem for path in (PACKAGE / "kernels").iterdir() if path.suffix in (".py", ".pyx", ".pxd")}
    assert kernels - {"__init__"} == set(KERNELS)


@pytest.mark.parametrize("module", [module for module in ORDER if (PACKAGE / f"{module}.py").exists()])
def test_modules_import_only_what_is_below_them(module):
    for name in imported(PACKAGE / f"{module}.py"):
        if (module, name) not in DOORWAYS:
            assert ORDER.index(name) < ORDER.index(module), f"{module} imports {name}"


def test_experiments_import_what_is_below_them_and_not_each_other():
    assert {path.stem for path in (PACKAGE / "experiments").glob("*.py")} - {"__init__"} == set(EXPERIMENTS)
    for module in EXPERIMENTS:
        path = PACKAGE / "experiments" / f"{module}.py"
        for name in imported(path, level=2):
            assert ORDER.index(name) < ORDER.index("experiments"), f"{module} imports {name}"
        assert set(imported(path)) <= {"panels", "report"}, module


@pytest.mark.parametrize("module", KERNELS)
def test_kernels_cimport_only_what_is_below_them(module):
    for path in (PACKAGE / "kernels").glob(f"{module}.p[yx][xd]"):
        for name in re.findall(r"^from \.(\w+) cimport", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            assert KERNELS.index(name) < KERNELS.index(module), f"{path.name} cimports {name}"


def test_the_twin_imports_nothing_of_ours():
    assert not list(imported(PACKAGE / "reference.py"))


def test_import_loads_no_optional_package():
    loaded = subprocess.run([sys.executable, "-c", "import sys, lplfast; print(*sys.modules)"], capture_output=True,
                            text=True, check=True).stdout.split()
    assert not ({"matplotlib", "pandas", "sklearn", "tqdm", "xarray", "joblib", "dask", "hypothesis", "torch", "jax"}
                & {name.split(".")[0] for name in loaded})
    # these take as long as all of ours, and few runs need them
    assert not {"scipy.optimize", "scipy.sparse.linalg"} & set(loaded)
