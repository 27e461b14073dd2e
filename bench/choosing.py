"""`python -m bench.choosing`: the table of rules on real data in docs/guide/choosing.md, from runs made now.

Iterations are counted, so a machine that does other things changes nothing; what a step costs is timed, in turn.
"""

import argparse
import pathlib
import statistics

import numpy as np

from lplfast import LogisticLoss, Network, SoftmaxLoss, SquaredLoss, train
from lplfast.data import load_data, standardized
from lplfast.steps import RULES, missing_for

__all__ = ["measured", "table", "written"]

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "guide" / "choosing.md"
BEGIN, END = "<!-- rules: written by python -m bench.choosing -->\n", "<!-- rules: end -->\n"

WIDTH, TOL, MOST = 1000, 1e-6, 5000

# What is asked of a problem, in the words of the table.
WORDS = {"minimum": "l*", "bound": "a bound on l*", "smooth": "K", "quadratic": "squared loss",
         "target": "squared loss, no ridge", "orthogonal": "XᵀX = I"}

# In this order; those of 2018 and 2023 do not apply to such data.
NAMES = ("majorizer", "planned", "contraction", "sharp", "local", "exact", "armijo", "bb", "polyak", "adgd")
BEFORE = ("majorizer", "planned", "contraction", "sharp", "local")


def problems():
    """Return four problems on scikit-learn's data, standardized, by what they are called in the table."""
    def columns(X):
        scaled = standardized(X)
        return scaled.X[:, ~scaled.constant]

    images, digits = load_data("digits")
    cells, malignant = load_data("breast_cancer")
    patients, progress = load_data("diabetes")
    return {
        "digits, softmax": SoftmaxLoss(columns(images), digits, l2=1.0),
        "breast_cancer, logistic": LogisticLoss(columns(cells), malignant, l2=1.0),
        "diabetes, squared": SquaredLoss(columns(patients), standardized(progress[:, np.newaxis]).X),
        "halves of digits, squared": SquaredLoss(columns(images[:, :32]), columns(images[:, 32:]), l2=0.1,
                                                 reduction="mean"),
    }


def measured(name, problem, seeds):
    """Return the iterations to TOL by seed and the share of steps with a guaranteed rate; None if it cannot run."""
    taken, certified = [], []
    for seed in range(seeds):
        network = problem.project(Network.gaussian(problem.shape[0], WIDTH, problem.shape[1], std=WIDTH**-0.25,
                                                   rng=seed))
        if missing_for(RULES[name](), problem, network):
            return None
        run = train(problem, network, name, tol=TOL, max_iter=MOST, record=["rate_bound"])
        taken.append(run.iterations if run.converged else np.inf)
        certified.append((run.history["rate_bound"][:-1] < 1).mean())
    return taken, statistics.median(certified)


def cost(problem, rounds=5, steps=40):
    """Return what a step of each rule costs, over one of a constant step: medians of rounds in turn."""
    network = problem.project(Network.gaussian(problem.shape[0], WIDTH, problem.shape[1], std=WIDTH**-0.25, rng=0))
    short = train(problem, network, "sharp", max_iter=1).history["step_size"][0]
    rules = {name: name for name in NAMES if not missing_for(RULES[name](), problem, network)} | {"constant": short}
    times = {name: [] for name in rules}
    for _ in range(rounds):
        for name, rule in rules.items():
            run = train(problem, network, rule, max_iter=steps, tol=0.0)
            times[name].append(run.history["time"][-1] / run.iterations)
    return {name: statistics.median(np.divide(found, times["constant"])) for name, found in times.items()}


def table(seeds):
    """Return the table as Markdown."""
    made = problems()
    costs = [cost(made["digits, softmax"]), cost(made["diabetes, squared"])]
    heads = ["", "certified", "needs", "cost of a step: softmax", "squared", *(f"{name}" for name in made)]
    lines = [heads, ["---", "---", "---", *["---:"] * (len(heads) - 3)]]
    for name in NAMES:
        found = [measured(name, problem, seeds) for problem in made.values()]
        shares = [each[1] for each in found if each]
        when = "before the step" if name in BEFORE else f"after it: {100 * min(shares):.0f} % of steps"
        lines.append([f"`{name}`", when, ", ".join(WORDS[need] for need in RULES[name]().needs),
                      *(f"{float(f'{each[name]:.2g}'):g}" if name in each else "" for each in costs),
                      *("" if each is None else counted(each[0]) for each in found)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def counted(taken):
    """Return the median, or that there is none within the limit."""
    middle = statistics.median(taken)
    return f"{middle:g}" if np.isfinite(middle) else f"> {MOST}"


def written(text, rows):
    """Return the page with these rows."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + rows + END + rest.split(END)[1]


def main():
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    rows = table(parser.parse_args().seeds)
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
