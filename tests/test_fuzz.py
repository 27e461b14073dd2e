"""The fuzzer, for some hundred calls; and that it would say so if anything was wrong."""

import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from fuzz import __main__ as fuzzer
from fuzz.verdict import changed, documented, memory, nan_in, objection

import lplfast
from lplfast import Network, data, plots, steps

ROOT = pathlib.Path(__file__).parent.parent

# what is returned or caught, and what takes no argument
GIVEN = {"GuaranteedRate", "GuaranteedStationarity", "InitialBounds", "Interrupted", "LocalConstants", "LossReport",
         "PredictedCurve", "Rule", "__version__", "show_versions", "Standardized", "NEEDS", "RULES", "DATASETS"}


@pytest.mark.slow
def test_five_hundred_calls():
    done = subprocess.run([sys.executable, "-m", "tests.fuzz", "--calls", "500"], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert re.search(r"^500 calls of \d+ kinds: .* 0 wrong\.$", done.stdout, flags=re.MULTILINE), done.stdout[-4000:]
    assert done.returncode == 0


@pytest.mark.parametrize("module", [lplfast, data, plots, steps], ids=lambda module: module.__name__)
def test_everything_public_is_called(module):
    called = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "fuzz").glob("*.py"))
    public = set(module.__all__) - GIVEN - set(lplfast.rules.catalogue.__all__)
    assert {name for name in public if not re.search(rf"\b{name}\b", called)} == set()


def test_a_process_that_dies_is_reported_with_the_call():
    said = '{"number": 3, "call": "f(1)"}'
    dies = [sys.executable, "-c", f"import os, sys; print('{said}', flush=True); print('why', file=sys.stderr); "
                                  "sys.stderr.flush(); os.abort()"]
    (number, call, wrong, returned, _), = fuzzer.made(dies)
    assert (number, call, returned) == (3, "f(1)", False)
    assert "ended the process (-6)" in wrong
    assert "why" in wrong


def test_a_call_that_hangs_is_reported():
    said = '{"number": 3, "call": "f(1)"}'
    hangs = [sys.executable, "-c", f"import time; print('{said}', flush=True); time.sleep(60)"]
    (number, _, wrong, _, _), = fuzzer.made(hangs, patience=0.5)
    assert number == 3
    assert "or took 0.5 s" in wrong


@pytest.mark.parametrize(("error", "passes"), [
    (ValueError("x: expected a number, got 'a'"), True), (ValueError("could not convert string to float"), False),
    (np.linalg.LinAlgError("expected"), False), (IndexError("expected"), False), (RuntimeWarning("expected"), False),
    (MemoryError("expected layers"), True), (FileNotFoundError("x"), False), (KeyError("x"), False),
])
def test_what_may_be_raised(error, passes):
    assert (objection(error, documented(Network.gaussian)) is None) == passes


def test_what_is_documented_counts_with_its_subclasses():
    assert documented(lplfast.Run.load) == {"OSError", "TypeError", "ValueError"}
    assert objection(FileNotFoundError("x"), documented(lplfast.Run.load)) is None


def test_changes_and_nans_are_seen():
    given = ([np.zeros(2)], {"W": Network([[1.0]], [[2.0]])})
    before = memory(given)
    assert changed(before, memory(given)) == []
    given[0][0][1] = 1.0
    given[1]["W"]._wide[0] = 3.0
    assert len(changed(before, memory(given))) == 2
    assert nan_in((1.0, np.array([np.nan])))
    assert not nan_in((1.0, np.ones(2), None))
