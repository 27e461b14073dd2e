"""The wheel, and what another project compiles against it: the example in docs/examples/cython_loss.

LPLFAST_WHEEL names a wheel to test; without it, one is built.
"""

import importlib.metadata
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
EXAMPLE = ROOT / "docs" / "examples" / "cython_loss"


def run(*command, cwd, **environment):
    """Run a command; its output, or a failure that shows it."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_another_project_subclasses_a_loss_and_a_rule_by_cimport(tmp_path):
    # a copy: building leaves files behind; without compiled ones, so that the wheel has its own
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".git", "build", "*.so", "*.c", "*.egg-info", ".venv"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-build-isolation",
           "--no-deps", "--target", site]
    text = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    tools, ours, example = (shlex.split(line.removeprefix("pip install ")) for line in commands.splitlines())
    # what builds the example is all that its own requirements name, and is here: the tests need it, too
    requires = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    assert tools == [need for need in requires if need != "lplfast"]
    assert all(importlib.metadata.version(re.split(r"\W", need)[0]) for need in tools)
    wheel = os.environ.get("LPLFAST_WHEEL")
    # the site folder comes first in the path, before the checkout that this Python has installed
    run(*pip, *([wheel] if wheel else ours), cwd=source)
    run(*pip, *example, cwd=source, PYTHONPATH=str(site))

    (code,) = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    for folder in (tmp_path, source, source / EXAMPLE.relative_to(ROOT)):
        said = run(sys.executable, "-P", "-W", "error", "-c", "import lplfast; print(lplfast.__file__)\n" + code,
                   cwd=folder, PYTHONPATH=str(site))
        assert said.startswith(str(site))
        assert "No reason to doubt the loss was found" in said
        assert "Converged" in said
    # a shell's Python, which has its folder in the path
    run(sys.executable, "-c", code, cwd=source / EXAMPLE.relative_to(ROOT), PYTHONPATH=str(site))
    more = """
import pickle
import numpy as np
from logcosh import ProductStep, LogCosh
from lplfast import Network, Problem, train
rng = np.random.default_rng(0)
Y = rng.standard_normal((8, 5))
problem = Problem(LogCosh(Y, l2=0.1), minimizer=Y)
assert np.allclose(problem.gradient(Y + 1), np.tanh(1) + 0.1)
network = Network.gaussian(8, 40, 5, std=40**-0.25, rng=0)
counts = []
for rule in ("local", "sharp", "majorizer", ProductStep(2.0)):
    run = train(problem, network, rule, max_iter=5000, tol=1e-10)
    assert run.status == "converged" and run.violations == 0, (rule, run)
    counts.append(run.iterations)
print(counts)
assert counts[-1] < counts[0]
assert pickle.loads(pickle.dumps(ProductStep(3.0))) == ProductStep(3.0)
assert pickle.loads(pickle.dumps(problem)).fingerprint == problem.fingerprint
assert Problem(LogCosh(Y + 1, l2=0.1)).fingerprint != problem.fingerprint
"""
    run(sys.executable, "-c", more, cwd=tmp_path, PYTHONPATH=str(site))
