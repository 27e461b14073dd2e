"""Ctrl-C where compiled or numerical work is long: the answer comes at once, whoever is at work."""

import sys
import time

import pytest
from runs import SECONDS, interrupted, started, waited

SETUP = """
import sys, threading, time
import numpy as np
import lplfast
from lplfast import Network, SoftmaxLoss, MatrixFactorization, train, train_many
rng = np.random.default_rng(0)
"""

# (what is prepared, what is interrupted after a second: several seconds each on an idle machine)
LONG = {
    "compression": ("network = Network(rng.standard_normal((20, 1_000_000)), rng.standard_normal((1_000_000, 20)))",
                    "while True: Network(network.W1, network.W2).stack()"),
    "widening": ("network = Network.gaussian_implicit(20, 1_000_000, 20, rng=0)",
                 "while True: Network.gaussian_implicit(20, 1_000_000, 20, rng=0).W1"),
    "solving": ("X, y = rng.standard_normal((4000, 50)), rng.integers(0, 20, 4000)",
                "while True: SoftmaxLoss(X, y, l2=1e-6).minimum"),
    "solving in a worker": ("X, y = rng.standard_normal((4000, 50)), rng.integers(0, 20, 4000)",
                            "train_many([SoftmaxLoss(X, y, l2=1e-6) for _ in range(4)], "
                            "Network.gaussian(50, 80, 20, std=0.1, rng=0), n_threads=2)"),
    "widening in a checkpoint": ("problem = MatrixFactorization(rng.standard_normal((20, 20)))\n"
                                 "network = Network.gaussian_implicit(20, 1_000_000, 20, std=1e-3, rng=0)",
                                 "train(problem, network, max_iter=3, callback=lambda run: run.network.W1)"),
    # 64 MB at the start and at the end, beside a step of some 0.1 s, which no Ctrl-C ends
    "the last checkpoint": ("problem = MatrixFactorization(rng.standard_normal((20, 20)))\n"
                            "network = Network.gaussian(20, 200_000, 20, std=1e-3, rng=0)\n"
                            "file = sys.argv[1] + '/run.npz'",
                            "while True: train(problem, network, 1e-9, max_iter=1, compress=False, checkpoint=file)"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", LONG)
def test_long_work_ends_at_once(what, tmp_path):
    before, work = LONG[what]
    code = (f"{SETUP}\n{before}\nprint('ready', flush=True)\ntry:\n    {work}\n"
            "except KeyboardInterrupt:\n    print(time.time(), time.process_time(), flush=True)\n")
    with started([sys.executable, "-c", code, str(tmp_path)]) as process:
        sent = interrupted(process, "ready", 1.0)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert waited(sent, out) < SECONDS
    # and nobody slept, or went on with it after all
    assert time.time() - sent[0] < SECONDS + 5.0
    # and no part of a file is left
    assert [path.name for path in tmp_path.iterdir()] in ([], ["run.npz"])
