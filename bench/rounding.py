"""`python -m bench.rounding` asks whether any inequality fails beyond the rounding that the theory allows it.

Random problems of extreme scale, condition and shape, trained to the rounding floor: every other one has a quadratic
loss, the rest losses of rows, softmax, logistic or pseudo-Huber. Every inequality is checked at every step by the loop
itself. Reported: violations, which must be none, and uninformative checks (allowance above slack), which should be few.
"""

import argparse
import collections
import json
import time

import numpy as np

from lplfast import Constant, Local
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS
from lplfast.descent.state import CHECKS
from lplfast.spectral.certified import Certified
from lplfast.spectral.exact import Exact
from lplfast.steps import RULES
from lplfast.threads import single_threaded_blas

from .corners import STARTS, random_quadratic, random_rows

# The drift condition may fail for long constant steps: it is not a theorem.
THEOREMS = ("pl", "descent", "rate", "gap_bound")

# Rules that need no more than a loss of known minimum, a quadratic one if `quadratic`.
APPLICABLE = {quadratic: [name for name, make in RULES.items() if set(make().needs) <= needs] for quadratic, needs in (
    (True, {"minimum", "bound", "smooth", "quadratic"}), (False, {"minimum", "bound", "smooth"}))}

CASES = {"quadratic": random_quadratic, "rows": random_rows}


def random_rule(rng, loss, stack):
    """Return a rule; a constant step is from a hundredth to three times what descends for certain."""
    name = str(rng.choice([*APPLICABLE[loss.quadratic], "constant", "capped"]))
    if name in RULES:
        return RULES[name]()
    at = Descent(loss, Local(), Exact(), stack).local()
    K = loss.K * at["sigma_max_sq"][1] + at["G_max"][1]
    if not 0.0 < K < np.inf:
        return Local()
    eta = 10.0 ** rng.uniform(-2, 0.5) / K
    return Constant(eta) if name == "constant" else Local(cap=eta)


def study(steps, *, seed=0, kinds=tuple(CASES), longest=200, narrowed=0.0, **corners):
    """Train random cases until `steps` steps are checked; return what was found, as a dict.

    Parameters
    ----------
    steps : int
        How many steps in all.
    seed : int
        Each case has its own generator, `[seed, number]`, so that one can be run again.
    kinds : sequence of str
        Of losses, in turn.
    longest : int
        Steps of one run at most.
    narrowed : float
        A deliberate error, to see the study find it: brackets are moved inward by so many times their width.
    **corners
        What the makers of cases take.
    """
    found = {"steps": 0, "cases": 0, "redone": 0, "outcomes": collections.Counter(), "failed": [],
             "checks": {(name, kind, start): dict.fromkeys(("steps", "violations", "uninformative"), 0)
                        for name in CHECKS for kind in kinds for start in STARTS}}
    rows = np.empty((longest, len(COLUMNS)))
    while found["steps"] < steps:
        number = found["cases"]
        rng = np.random.default_rng([seed, number])
        kind = kinds[number % len(kinds)]
        start, loss, stack = CASES[kind](rng, **corners)
        spectral = Certified() if rng.random() < 0.8 else Exact()
        descent = Descent(loss, random_rule(rng, loss, stack), spectral, stack)
        if narrowed:
            narrow(descent, narrowed)
        outcome = descent.advance(rows, max_iter=longest, tol=0.0)
        found["cases"] += 1
        found["steps"] += max(1, descent.t)
        found["redone"] += descent.counters["redone"]
        found["outcomes"][outcome] += 1
        checks = descent.checks
        for name in CHECKS:
            for key, count in found["checks"][name, kind, start].items():
                found["checks"][name, kind, start][key] = count + checks[name][key]
        if outcome == "guarantee_failed" or any(checks[name]["violations"] for name in THEOREMS):
            found["failed"].append(number)
    found["violations"] = sum(check["violations"] for (name, *_), check in found["checks"].items() if name in THEOREMS)
    return found


def narrow(descent, times):
    """Break the brackets of a fresh descent: move the safe ends inward by so many times their width."""
    descent.last_row()      # evaluates the first iterate
    memory = descent.memory
    # where the brackets of each layer lie: two ends of (bound, gram_drift, matrix_path), then lo and hi now
    for layer in (16, 32):
        least, greatest = memory[layer:layer + 8], memory[layer + 8:layer + 16]
        least[[0, 6]] += times * (least[7] - least[6])
        greatest[[3, 7]] -= times * (greatest[7] - greatest[6])
    descent.memory = memory


def main():
    """Run the study and print what it found; exit code 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m bench.rounding", description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000, help="how many steps (default 1e6; CI: 30000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", help="write what was found")
    arguments = parser.parse_args()
    started = time.perf_counter()
    with single_threaded_blas():
        found = study(arguments.steps, seed=arguments.seed)
    print(f"{found['steps']} steps of {found['cases']} runs in {time.perf_counter() - started:.0f} s, seed "
          f"{arguments.seed}; {found['redone']} steps redone")
    print("outcomes: " + ", ".join(f"{name} {count}" for name, count in found["outcomes"].most_common()))
    print(f"{'inequality':<12}{'loss':<12}{'runs start':<14}{'checks':>10}{'violations':>12}{'uninformative':>16}")
    for (name, kind, start), check in found["checks"].items():
        share = check["uninformative"] / max(1, check["steps"])
        note = "" if name in THEOREMS else "   (a condition, not a theorem)"
        print(f"{name:<12}{kind:<12}{start:<14}{check['steps']:>10}{check['violations']:>12}{share:>15.2%}{note}")
    if found["failed"]:
        print(f"cases that failed: {found['failed'][:20]}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(found | {"checks": {" ".join(key): check for key, check in found["checks"].items()}}, file,
                      indent=1)
    return int(found["violations"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())
