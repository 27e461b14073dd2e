"""Property tests look for new cases on a developer's machine, and repeat known ones where they gate a change."""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

import filelock
import mpmath
import pytest
from hypothesis import settings
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

import lplfast
from lplfast.cli import main

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """The compiled functions of the kernels one by one: `probe.pyx`, built against the package that is tested.

    LPLFAST_PROBE names a folder to build it in; what is there is built again only if `probe.pyx` is newer. The
    processes of one run of the tests share a folder: the first that comes builds.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = pathlib.Path(os.environ.get("LPLFAST_PROBE") or shared / "probe")
    folder.mkdir(exist_ok=True)
    with filelock.FileLock(folder / "lock"):
        return built_probe(folder)


def built_probe(folder):
    """Build the probe in a folder, where it is not there or is older than its source, and import it."""
    source = shutil.copy2(pathlib.Path(__file__).with_name("probe.pyx"), folder)
    package = pathlib.Path(lplfast.__file__).parent
    # as quickly as can be: it calls what is compiled already; but with the arithmetic of setup.py, and for the same
    # processor, as lanes are as wide as its registers
    flags = "-O0 -g0 -ffp-contract=off" + " -march=native" * (os.environ.get("LPLFAST_NATIVE") == "1")
    environment = {**os.environ, "CFLAGS": f"{flags} -I{package}", "PYTHONPATH": str(package.parent)}
    done = subprocess.run([sys.executable, "-m", "Cython.Build.Cythonize", "-i", "-q", source], cwd=folder,
                          env=environment, capture_output=True, text=True, check=False)
    built = list(folder.glob("probe.*.so"))
    assert built, done.stdout[-3000:] + done.stderr[-3000:]
    spec = importlib.util.spec_from_file_location("probe", built[0])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sixty_digits():
    with mpmath.workdps(60):
        yield


@pytest.fixture(scope="module")
def one_blas_thread():
    """For tests that compare with much of NumPy's own: on small matrices, threads that wait cost more than they do."""
    with threadpool_limits(1, "blas"):
        yield


@pytest.fixture(name="lplfast")
def command_line(tmp_path, monkeypatch, capsys):
    """Return a function that runs the command line in an empty folder: exit code, output, errors.

    Laying out and rendering a figure take longer than all else, and test_outcomes.py has the odd ones: unless it is
    asked for, the file is empty.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")

    def call(*argv, rendered=False):
        with monkeypatch.context() as patch:
            if not rendered:
                patch.setattr(Figure, "draw_without_rendering", lambda figure: None)
                patch.setattr(Figure, "savefig", lambda figure, file, **options: file.write(b"drawn"))
            try:
                code = main([str(argument) for argument in argv])
            except SystemExit as stop:
                code = stop.code
        said = capsys.readouterr()
        # lines are folded for the screen
        return code or 0, re.sub(r"\s+", " ", said.out), said.err

    return call
