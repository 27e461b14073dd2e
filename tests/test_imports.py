"""Imports point one way: from the command line down to linear algebra, folder by folder, and never back."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

import lplfast

PACKAGE = pathlib.Path(lplfast.__file__).parent

# folders and single files, from below; each imports what is before it
ORDER = ["annotations", "markup", "figure", "table_columns", "validation", "clock", "once", "parts_of_scipy",
         "interrupts", "progress", "threads", "cores", "versions", "files", "npy", "delimited", "tables",
         "stored_matrix", "reference", "linalg", "iterate", "losses", "layer_sources", "network_bases",
         "network_stream", "network_draws", "network_balance", "network_parts", "network_files", "network_torch",
         "network", "spectral", "rules", "descent", "guarantees", "run", "observer", "studies", "steps", "data",
         "direct_labels", "plots", "experiments", "cli"]

# within a folder likewise
INSIDE = {
    "reference": ["problems", "constants", "polynomials", "phases", "planned", "published", "rules", "descent"],
    "linalg": ["rounding", "extremes", "elementary", "blas_int", "team", "tiles", "products", "blas", "blocks",
               "cholesky", "single", "passes", "quartic", "compress", "peaks", "row_space", "factorization"],
    "losses": ["loss", "low_rank", "quadratic", "convexity", "rows", "proof", "curvature", "gram", "row_sums",
               "rowwise", "cross_entropy", "pseudo_huber", "function", "labels", "least_squares", "conditioning",
               "problems", "squared", "expansion", "newton", "concordance", "row_loss", "classification", "softmax",
               "logistic", "robust", "custom", "scaled", "catalogue", "measured_loss", "loss_report", "checking"],
    "spectral": ["budget", "iterations", "eigenvalues", "brackets", "tangent", "imbalance", "spectral", "exact",
                 "power", "certified", "modes"],
    "rules": ["signature", "formulas", "phases", "recursion", "view", "ray", "rule", "classical", "schedule", "planned",
              "guaranteed", "search", "published", "function", "catalogue", "registry"],
    "descent": ["sharpness", "history", "underflow", "checks", "contraction", "evaluation", "stopping", "state",
                "descent", "follower"],
    "guarantees": ["constants", "imbalance", "margins", "bounds", "envelope", "rates", "rest", "curve",
                   "stationarity", "initial", "audit"],
    "run": ["columns", "exports", "requirements", "scales", "options", "outcome", "schema", "entries", "stored",
            "archive", "info", "run", "comparison", "plan", "checkpoint", "history", "recorder", "parts", "driver",
            "execution", "training", "folder", "crowd", "many"],
    "studies": ["grid", "maker", "shard", "results", "gathering", "group", "pace", "workers", "cluster", "engine",
                "lock", "store", "dataset", "progress", "sweep", "description"],
    "experiments": ["panels", "report", "wide_start", "edge", "initialization", "lazy", "local_constants", "lora",
                    "losses", "steps", "tightness", "width"],
    "cli": ["terminal", "parser", "inputs", "rules", "starts", "summary", "train", "audit", "reproduce", "sweep",
            "program"],
}

# A function may import what is above it when it is called, where a method is only a doorway; or for its type alone.
DOORWAYS = {("run", "plots"), ("losses", "network")}

FILES = sorted(path for suffix in ("py", "pyx", "pxd") for path in PACKAGE.rglob(f"*.{suffix}")
               if path.stem not in ("__init__", "__main__"))


def imported(path):
    """Return the modules that a file imports or cimports from its own package, as tuples below `lplfast`."""
    text, here = path.read_text(encoding="utf-8"), path.relative_to(PACKAGE).parts[:-1]
    if path.suffix == ".py":
        found = [(node.level, node.module or "", [name.name for name in node.names])
                 for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.level]
    else:
        found = [(len(dots), module, names.strip(" (").split(", ")) for dots, module, names in
                 re.findall(r"^\s*from (\.+)([\w.]*) c?import (.*)$", text, flags=re.MULTILINE)]
    for level, module, names in found:
        base = (*here[:len(here) - level + 1], *(part for part in module.split(".") if part))
        # "from . import x" and "from ..rules import formulas" name modules, too
        whole = len(base) == 2 or (len(base) == 1 and base[0] not in INSIDE)
        yield from [base] if whole else [(*base, name) for name in names]


def test_every_module_has_its_place():
    assert {path.relative_to(PACKAGE).parts[0].partition(".")[0] for path in FILES} == set(ORDER)
    for folder, names in INSIDE.items():
        found = {path.stem for path in FILES if path.parent == PACKAGE / folder}
        assert found == set(names), folder


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_modules_import_only_what_is_below_them(path):
    folder, *rest = path.relative_to(PACKAGE).with_suffix("").parts
    for target, *inside in imported(path):
        if (folder, target) in DOORWAYS:
            continue
        if target != folder:
            assert ORDER.index(target) < ORDER.index(folder), f"{path.name} imports {target}"
        elif rest and inside:
            names = INSIDE[folder]
            below = names.index(inside[0]) < names.index(rest[0]) or inside[0] == rest[0]
            assert below, f"{path.name} imports {inside[0]}"


def test_experiments_do_not_import_each_other():
    for path in FILES:
        if path.parent.name == "experiments":
            shared = {"panels", "report", "wide_start"}
            assert {inside[0] for target, *inside in imported(path) if target == "experiments"} <= shared


def test_the_twin_imports_nothing_of_ours():
    for path in (PACKAGE / "reference").glob("*.py"):
        assert {target for target, *_ in imported(path)} <= {"reference"}


def modules_of(name):
    """Return what is loaded once `name` has been imported in a new process."""
    code = f"import sys, {name}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_import_loads_no_optional_package():
    loaded = modules_of("lplfast")
    assert not ({"matplotlib", "pandas", "sklearn", "tqdm", "xarray", "joblib", "dask", "hypothesis", "torch", "jax",
                 "h5netcdf", "distributed"}
                & {name.split(".")[0] for name in loaded})
    # these take as long as all of ours, and few runs need them; SciPy 1.14 loads some by itself
    assert not {"scipy.optimize", "scipy.sparse.linalg"} & (loaded - modules_of("scipy.linalg"))


TRAINS = """
import sys
import numpy as np
from lplfast import LogisticLoss, Network, PseudoHuberLoss, SoftmaxLoss, SquaredLoss, train
X = np.random.default_rng(0).standard_normal((400, 30))
before = set(sys.modules)
for problem in (SquaredLoss(X, X[:, :3]), LogisticLoss(X, X[:, 0] > 0, l2=0.1),
                PseudoHuberLoss(X, X[:, :3], delta=0.1, l2=0.1), SoftmaxLoss(X, np.arange(400) % 8, l2=1e-3)):
    print(problem.minimum_error, problem.minimizer_error, file=sys.stderr)
    train(problem, Network.gaussian(30, 50, problem.shape[1], std=0.1, rng=0), max_iter=20)
print(*set(sys.modules) - before)
"""


def test_what_a_run_loads_goes_through_one_door():
    # which no fork passes; parts that SciPy loads by itself when they are read from it would not
    loaded = subprocess.run([sys.executable, "-c", TRAINS], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= modules_of("scipy.sparse.linalg")
