"""Memory and file descriptors over many calls: `python -m tests.leaks --calls 100000`.

Prints for each call by how much resident memory grew, in bytes a call, and how many descriptors stayed open; ends with
1 where that is more than noise. test_leaks.py makes fewer calls and counts the bytes that Python has asked for.
"""

import argparse
import gc
import os
import pathlib
import sys
import tempfile

from lplfast import (
    CustomLoss,
    MatrixFactorization,
    Network,
    Run,
    Sharp,
    SquaredLoss,
    guaranteed_rate,
    initial_bounds,
    local_constants,
    plan,
    sweep,
    train,
)

PROBLEM = MatrixFactorization([[2.0, 1.0], [0.0, 1.0]])
START = Network.gaussian(2, 9, 2, std=0.5, rng=0)
RUN = train(PROBLEM, START, max_iter=3)


def asked(it):
    return 0.1 + 0.0 * (it.W1.sum() + it.memory[0])


def refused():
    """An error on the way, of a rule: the run so far travels with it, in a cycle with its traceback."""
    try:
        train(PROBLEM, START, lambda it: "x", max_iter=3)
    except TypeError:
        return


def saved():
    with tempfile.TemporaryDirectory() as folder:
        RUN.save(f"{folder}/run.npz")
        RUN.to_csv(f"{folder}/run.csv")
        Run.load(f"{folder}/run.npz")


def studied(rng, rule):
    return plan(PROBLEM, Network.gaussian(2, 9, 2, rng=rng), rule, max_iter=3)


def swept():
    with tempfile.TemporaryDirectory() as folder:
        sweep(studied, {"rule": ["local", "sharp"]}, seeds=2, n_jobs=2, store=folder)


# name -> (what is called, one call of it in so many)
CALLS = {
    "train": (lambda: train(PROBLEM, START, max_iter=3), 1),
    "train, a function": (lambda: train(PROBLEM, START, asked, max_iter=3), 1),
    "train, an error": (refused, 5),
    "continued": (lambda: train(PROBLEM, RUN, max_iter=6), 1),
    "local_constants": (lambda: local_constants(PROBLEM, START), 1),
    "initial_bounds": (lambda: initial_bounds(PROBLEM, START), 1),
    "guaranteed_rate": (lambda: guaranteed_rate(PROBLEM, START, rule=Sharp(cap=1e-3)), 1),
    "Network": (lambda: Network(START.W1, START.W2).stack(), 1),
    "balanced": (lambda: Network.balanced([[2.0, 1.0]], 10**6).product, 1),
    "SquaredLoss": (lambda: SquaredLoss([[1.0, 2.0], [0.0, 1.0]], [1.0, 2.0]).fingerprint, 2),
    "CustomLoss": (lambda: CustomLoss(lambda W: (float((W * W).sum()), 2 * W), shape=(2, 2), mu=2.0, K=2.0).value(
        [[1.0, 2.0], [3.0, 4.0]]), 1),
    "save and load": (saved, 50),
    "sweep": (swept, 50),
}


def descriptors():
    """Return how many files this process has open."""
    return len(os.listdir("/dev/fd"))


def resident():
    """Return the bytes of memory that this process has in use."""
    gc.collect()
    return int(pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grown(call, count, measure):
    """Return by how much a measure grows from one end to the other of so many calls, the first ones left out."""
    for _ in range(max(count // 10, 20)):
        call()
    before = measure()
    for _ in range(count):
        call()
    return measure() - before


def main(argv=None):
    """Print a line for each call; return 1 if one leaks."""
    parser = argparse.ArgumentParser(prog="python -m tests.leaks", description=__doc__)
    parser.add_argument("--calls", type=int, default=100000)
    calls, leaks = parser.parse_args(argv).calls, 0
    for name, (call, seldom) in CALLS.items():
        count = max(calls // seldom, 1)
        opened = descriptors()
        grew = grown(call, count, resident)
        opened = descriptors() - opened
        # a megabyte is what the allocator may keep back, whatever is called
        leaks += grew > 2**20 + 16 * count or opened > 0
        print(f"{name:<20} {count:>8} calls: {grew / count:>8.1f} bytes a call, {opened} descriptors", flush=True)
    return int(leaks > 0)


if __name__ == "__main__":
    sys.exit(main())
