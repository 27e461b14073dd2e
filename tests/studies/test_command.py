"""`lplfast sweep`, and the bar of cells in a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest
import xarray
from distributed import Client, LocalCluster

from lplfast.studies.description import read_study

PYTHON = """
import numpy as np
from lplfast import MatrixFactorization, Network, plan

TARGET = np.diag([2.0, 1.0])


def helper(width, rng):
    return Network.gaussian(2, width, 2, std=0.5, rng=rng)


def experiment(rng, rule, width):
    if width == 7:
        raise ValueError("seven")
    return plan(MatrixFactorization(TARGET), helper(width, rng), rule, tol=1e-8, record=["gap"])
"""
TOML = """
experiment = "study.py:experiment"
seeds = 3
[grid]
rule = ["local", "sharp"]
width = [3, 10]
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "study.py").write_text(PYTHON)
    (tmp_path / "folder" / "study.toml").write_text(TOML)
    return str(tmp_path / "folder" / "study.toml")


def test_a_study_from_the_shell(study, lplfast):
    code, out, err = lplfast("sweep", study)
    assert (code, err) == (0, "")
    path = "lplfast-out/experiment/experiment.nc"
    assert f"12 cells, 0 failed. Wrote {path}." in out
    with xarray.open_dataset(path, engine="h5netcdf") as found:
        first = found.load()
    assert (first.status == "converged").all()
    # processes are sent the function and what is beside it; and the same command has nothing left to do
    for options in (("--backend", "loky", "--n-jobs", "2", "--store", "other"), (), ("--seeds", "2")):
        assert lplfast("sweep", study, *options)[0] == 0
    with xarray.open_dataset("other/experiment/experiment.nc", engine="h5netcdf") as found:
        assert found.load().identical(first)
    with xarray.open_dataset(path, engine="h5netcdf") as found:
        assert found.gap.equals(first.gap[:, :, :2])


def test_what_is_not_installed_is_missed_before_the_work(study, lplfast, monkeypatch):
    # what an import then finds is that there is none
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert lplfast("sweep", study)[0] == 0
    for package, options in (("distributed", ("--backend", "dask", "--scheduler", "tcp://localhost:1")),
                             ("h5netcdf", ()), ("xarray", ())):
        monkeypatch.setitem(sys.modules, package, None)
        code, _, err = lplfast("sweep", study, "--store", "other", *options)
        assert (code, err) == (2, f'lplfast: error: sweep needs {package}: pip install "lplfast[sweep]"\n')
    assert not os.path.exists("other")


def test_a_study_on_a_cluster_from_the_shell(study, lplfast):
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster:
        code, out, _ = lplfast("sweep", study, "--backend", "dask", "--scheduler", cluster.scheduler_address)
    assert (code, "12 cells, 0 failed" in out) == (0, True)
    with pytest.raises(ValueError, match="No clients found"):
        Client.current()
    for options in (("--backend", "dask"), ("--scheduler", "tcp://localhost:1")):
        code, _, err = lplfast("sweep", study, *options)
        assert code == 2
        assert "expected the address of a scheduler with dask, and with it alone" in err


def test_cells_that_fail(study, lplfast, tmp_path):
    (tmp_path / "folder" / "study.toml").write_text(TOML.replace("10]", "7]"))
    code, out, _ = lplfast("sweep", study)
    assert code == 1
    assert "12 cells, 6 failed." in out
    assert "The first that failed: ValueError: seven" in out


@pytest.mark.parametrize(("text", "named"), [
    ("x", "expected TOML"), ("", "expected a table .grid."), ("grid = 1", "expected a table .grid."),
    ("extra = 1\n[grid]", "got extra"), ("[grid]", "experiment: expected 'file.py:function'"),
    ("experiment = 'study.py'\n[grid]", "experiment: expected 'file"),
    ("experiment = 'study.py:none'\n[grid]", "got no none there"),
    ("experiment = 'study.py:TARGET'\n[grid]", "experiment: expected a callable"),
    ("experiment = 'no_such_module:f'\n[grid]", "expected a module that can be imported"),
])
def test_descriptions_that_are_none(study, text, named):
    with open(study, "w") as file:
        file.write(text)
    with pytest.raises((TypeError, ValueError), match=named):
        read_study(study)


def test_a_module_and_files_that_are_missing(study):
    with open(study, "w") as file:
        file.write("experiment = 'studies_experiments:planned'\nseeds = [4]\n[grid]\nwidth = [3]")
    experiment, grid, options = read_study(study)
    assert (experiment.__name__, grid, options) == ("planned", {"width": [3]}, {"seeds": [4]})
    with open(study, "w") as file:
        file.write("experiment = 'missing.py:planned'\n[grid]")
    with pytest.raises(FileNotFoundError):
        read_study(study)
    with pytest.raises(FileNotFoundError):
        read_study("missing.toml")


BAR = """
from lplfast import sweep
def experiment(rng, size):
    if size == 2:
        raise ValueError
    return {"x": size}
sweep(experiment, {"size": [1, 2, 3]}, seeds=2, progress=True)
"""


def test_a_terminal_has_a_bar_and_a_pipe_has_none():
    piped = subprocess.run([sys.executable, "-c", BAR], capture_output=True, text=True, check=True)
    assert piped.stderr == piped.stdout == ""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    with subprocess.Popen([sys.executable, "-c", BAR], stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        # the other end closed reads as an error
        while (piece := _read(ours)):
            shown += piece
    os.close(ours)
    assert process.returncode == 0
    assert b"6/6" in shown
    assert b"cell/s" in shown
    assert b"2 failed" in shown


def _read(terminal):
    try:
        return os.read(terminal, 1000)
    except OSError:
        return b""
