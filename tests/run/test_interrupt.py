"""Ctrl-C in a real process: what was computed is kept, and the answer comes at once."""

import os
import sys

import numpy as np
import pytest
from runs import SECONDS, interrupted, started, waited

from lplfast import Run

LIBRARY = """
import sys, time
import numpy as np
import lplfast

rng = np.random.default_rng(0)
problem = lplfast.MatrixFactorization(rng.standard_normal((20, 20)))
network = lplfast.Network.gaussian(20, 1000, 20, std=1000**-0.25, rng=0)
# steps so short that they never arrive
options = dict(step_size=1e-9, tol=0.0, max_iter=4 * 10**6, record_every={record_every})
# the first call looks for the BLAS libraries in the process
lplfast.train(problem, network, max_iter=1)
print("ready", flush=True)
try:
    lplfast.train(problem, network, **options)
except lplfast.Interrupted as interrupt:
    caught, run = (time.time(), time.process_time()), interrupt.run
    interrupt.run.save(sys.argv[1])
    assert isinstance(interrupt, KeyboardInterrupt)
    assert str(interrupt).startswith(run.message)
    print(*caught, flush=True)
"""


@pytest.mark.parametrize(("record_every", "seconds"), [(1, 0.4), (1000, 0.1)])
def test_the_library(tmp_path, record_every, seconds):
    path = tmp_path / "run.npz"
    with started([sys.executable, "-c", LIBRARY.replace("{record_every}", str(record_every)), str(path)]) as process:
        sent = interrupted(process, "ready", seconds)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert waited(sent, out) < SECONDS

    run = Run.load(path)
    assert run.status == "interrupted"
    assert run.iterations > 0
    assert run.violations == 0
    # every recorded iterate and the last one, none twice, none left out
    t = run.history["iteration"]
    expected = np.append(np.arange(0, run.iterations, record_every), run.iterations)
    np.testing.assert_array_equal(t, expected)
    assert (np.diff(run.history["gap"]) <= 0).all()
    # the layers are those of the last row
    Y = np.random.default_rng(0).standard_normal((20, 20))
    # the same sum in another order: 400 terms, and products of length 1000
    assert np.isclose(((run.network.W1 @ run.network.W2 - Y) ** 2).sum() / 2, run.history["gap"][-1], rtol=1e-11)


def test_the_command_line(tmp_path):
    rng = np.random.default_rng(0)
    # steps of some 0.1 to 1 ms, so that the figure and the table to be written stay small
    for name in ("x.npy", "y.npy"):
        np.save(tmp_path / name, rng.standard_normal((120, 120)))
    command = [sys.executable, "-u", "-m", "lplfast", "train", "--x", "x.npy", "--y", "y.npy", "--step-size", "1e-9",
               "--max-iter", "4000000", "--tol", "0", "--out", "out"]
    with started(command, cwd=tmp_path, env={**os.environ, "MPLBACKEND": "Agg"}) as process:
        interrupted(process, "network", 0.6)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err == ""
    assert "Interrupted after" in out

    run = Run.load(tmp_path / "out" / "run.npz")
    table = np.genfromtxt(tmp_path / "out" / "history.csv", delimiter=",", names=True)
    assert run.status == "interrupted"
    assert run.iterations > 0
    assert len(table) == run.iterations + 1
    np.testing.assert_array_equal(table["gap"], run.history["gap"])
    assert (tmp_path / "out" / "overview.png").stat().st_size > 0
