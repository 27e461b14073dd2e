"""Whether a change of the code has changed a number: digests of some hundred runs, bit by bit.

`python -m bench.bits before.json` in one checkout, `python -m bench.bits before.json --compare` in another: prints the
runs whose bits differ, and ends with 1 if any does. Every loss, rule and way of finding constants is in it, some at
full width, thinned, continued, or saved and loaded.
"""

import argparse
import hashlib
import json
import sys
import tempfile

import numpy as np

import lplfast
from lplfast.steps import RULES

STEPS = 40


def problems():
    """Return problems by name, each with a network that most rules apply to."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((12, 6)), rng.standard_normal((12, 4))
    wide, square = rng.standard_normal((4, 6)), rng.standard_normal((6, 4))
    offset, classes = rng.standard_normal((6, 4)), np.arange(12) % 4
    made = {
        "squared": lplfast.SquaredLoss(X, Y), "mean": lplfast.SquaredLoss(X, Y, reduction="mean"),
        "ridge": lplfast.SquaredLoss(X, Y, l2=0.3), "offset": lplfast.SquaredLoss(X, Y, l2=0.1, offset=offset),
        "null-space": lplfast.SquaredLoss(wide, Y[:4]), "null-ridge": lplfast.SquaredLoss(wide, Y[:4], l2=0.2),
        "factorization": lplfast.MatrixFactorization(square),
        "logistic": lplfast.LogisticLoss(X, (Y > 0) * 1.0, l2=0.1),
        "softmax": lplfast.SoftmaxLoss(X, classes, l2=0.1, reduction="mean", offset=offset),
        "pseudo-huber": lplfast.PseudoHuberLoss(X, 10 * Y, delta=0.5, l2=0.1),
        "custom": lplfast.CustomLoss(lambda W: (float(((W - square) ** 2).sum()), 2 * (W - square)), shape=(6, 4),
                                     mu=2.0, K=2.0, minimum=0.0, minimizer=square),
        "unknown-minimum": lplfast.CustomLoss(lambda W: (float(np.cosh(W).sum()), np.sinh(W)), shape=(6, 4), mu=1.0,
                                              K=50.0, lower_bound=0.0),
    }
    networks = {"wide": lplfast.Network.gaussian(6, 30, 4, std=30**-0.25, rng=1),
                "narrow": lplfast.Network.gaussian(6, 3, 4, std=0.5, rng=2),
                "near": lplfast.Network.balanced(square + 0.01 * rng.standard_normal((6, 4)), 50)}
    return made, networks


def digest(run):
    """Return a digest of everything that a run computed; the clock's column is no such thing."""
    found = hashlib.sha256(repr((run.status, run.message, run.iterations, run.checks, run.counters)).encode())
    for name, column in run.history.items():
        if name != "time":
            found.update(name.encode() + np.ascontiguousarray(column).tobytes())
    found.update(np.ascontiguousarray(run.network.stack()))
    found.update(np.ascontiguousarray(run.network.W1) if run.network.width < 100 else b"")
    return found.hexdigest()[:24]


def record():
    """Return the digests of all runs by name; of one that is refused, the reason's."""
    found = {}
    made, networks = problems()
    rules = {**{name: name for name in RULES}, "constant": 0.01, "function": lambda it: 0.5 / it.K_t(0.0)}
    for problem_name, problem in made.items():
        for network_name, network in networks.items():
            for rule_name, rule in rules.items():
                for mode in ("certified", "exact", "power") if network_name == "wide" else ("certified",):
                    found["/".join((problem_name, network_name, rule_name, mode))] = _train(
                        problem, network, rule, max_iter=STEPS, constants=mode)
        wide = networks["wide"]
        found[f"{problem_name}/full width"] = _train(problem, wide, "sharp", max_iter=STEPS, compress=False)
        found[f"{problem_name}/thinned"] = _train(problem, wide, "local", max_iter=STEPS, record_every=7, tol=1e-3)
        found[f"{problem_name}/continued"] = _continued(problem, wide)
    return found


def _train(problem, network, rule, **options):
    try:
        return digest(lplfast.train(problem, network, rule, **options))
    except (ValueError, OverflowError) as error:
        return f"refused: {error}"


def _continued(problem, network):
    run = lplfast.train(problem, network, "sharp", max_iter=STEPS // 2)
    with tempfile.TemporaryDirectory() as folder:
        run.save(f"{folder}/run.npz")
        run = lplfast.Run.load(f"{folder}/run.npz")
    return digest(lplfast.train(problem, run, max_iter=STEPS))


def main(argv=None):
    """Record, or compare."""
    parser = argparse.ArgumentParser(prog="python -m bench.bits", description="Digests of some hundred runs.")
    parser.add_argument("file", help="where the digests are written, or what is compared with")
    parser.add_argument("--compare", action="store_true", help="compare with the file instead of writing it")
    arguments = parser.parse_args(argv)
    found = record()
    if not arguments.compare:
        with open(arguments.file, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)
        print(f"{len(found)} runs recorded.")
        return 0
    with open(arguments.file, encoding="utf-8") as file:
        before = json.load(file)
    differing = [name for name in before.keys() | found.keys() if before.get(name) != found.get(name)]
    print(*sorted(differing), sep="\n")
    print(f"{len(differing)} of {len(before)} runs differ.")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
