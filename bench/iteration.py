"""One iteration at n = m = 20, h = 1000, condition 10, and at other sizes: the loop, train(), and NumPy."""

from lplfast import Network, SquaredLoss, train

from . import rivals
from .agreement import check
from .cases import Case, ours
from .kernels import LARGE, SIZES
from .table import Row, Table
from .timing import Work, interleaved

__all__ = ["tables"]

N, M, H = 20, 20, 1000
SHORT, LONG = 150, 3000

# What was asked of the certified loop against NumPy at its fastest, by the number of steps: first, and later.
TARGETS = {SHORT: (">= 8", ">= 25"), LONG: (">= 8", ">= 40")}


def tables(quick):
    """Time per iteration: everything that is recorded, the local step, and the update.

    Ours is divided by the steps really taken, a rival's by those and one, for the last evaluation. An
    iteration in NumPy costs the same at every step: a rival is timed over the first 150 at most.
    """
    repeats = 3 if quick else 7
    for name, std in (("h^(-1/4)", H**-0.25), ("1", 1.0)):
        yield _one_size(name, Case.make(N, M, H, std=std), repeats, *((30, 5) if quick else (SHORT, 30)))
    yield _other_sizes(repeats, 5 if quick else 30)


def _one_size(name, case, repeats, gram_steps, svd_steps):
    stack, n = Network(case.W1, case.W2).stack(), len(case.W1)
    small = case._replace(W1=stack[:n], W2=stack[n:].T)
    works = {"eigvalsh": _numpy(case, rivals.GramDescent, gram_steps),
             "compressed": _numpy(small, rivals.GramDescent, gram_steps),
             "svd": _numpy(case, rivals.SvdDescent, svd_steps)}
    rows = []
    for steps in (SHORT, LONG):
        runs = ours(case, steps)
        for rival, on in ((rivals.GramDescent, case), (rivals.GramDescent, small), (rivals.SvdDescent, case)):
            check(runs, _follow(on, rival))
        whole = _Whole(case, steps)
        loops = {mode: Work(run.prepare, run.steps) for mode, run in runs.items()}
        times = interleaved({"loop": loops["certified"], **works}, repeats)
        rows += [
            Row.quotient(f"certified, {steps} steps / NumPy eigvalsh", times["loop"], times["eigvalsh"],
                         targets=TARGETS[steps], note=runs["certified"].note),
            Row.quotient(f"certified, {steps} steps / the same, compressed", times["loop"],
                         times["compressed"]),
            Row.quotient(f"certified, {steps} steps / NumPy svd", times["loop"], times["svd"]),
        ]
        for mode, work, note in (("exact", loops["exact"], runs["exact"].note),
                                 ("train()", Work(whole.prepare, whole.steps), whole.note)):
            times = interleaved({mode: work, "eigvalsh": works["eigvalsh"]}, repeats)
            rows.append(Row.quotient(f"{mode}, {steps} steps / NumPy eigvalsh", times[mode],
                                     times["eigvalsh"], note=note))
    return Table(f"One iteration, n={N} m={M} h={H}, layers of std {name}, condition 10", rows,
                 rival="NumPy us", ratio="NumPy / lplfast", notes=(
                     "certified, exact: the loop alone, from compressed layers. train(): the whole call,\n"
                     "with the SVD of X, the compression and the Run. NumPy: at full width; compressed: at\n"
                     f"n + m, as we do. Timed over its first {gram_steps} steps (svd: {svd_steps})."))


def _other_sizes(repeats, numpy_steps):
    rows = []
    for (n, m, h), _ in SIZES:
        case = Case.make(n, m, h)
        runs = ours(case, SHORT)
        check(runs, _follow(case, rivals.GramDescent), steps=10 if h > LARGE else 50)
        rival = _numpy(case, rivals.GramDescent, numpy_steps)
        for mode, run in runs.items():
            times = interleaved({mode: Work(run.prepare, run.steps), "NumPy": rival}, repeats)
            rows.append(Row.quotient(f"{mode:9}  n={n} m={m} h={h}", times[mode], times["NumPy"],
                                     note=run.note))
    return Table(f"Other sizes: the loop over its first {SHORT} steps, and NumPy eigvalsh at full width",
                 rows, rival="NumPy us", ratio="NumPy / lplfast",
                 notes=f"NumPy was timed over the first {numpy_steps} steps.")


def _numpy(case, rival, steps):
    def prepare():
        descent = rival(*case)
        return lambda: descent.advance(steps)

    return Work(prepare, steps + 1)


def _follow(case, rival):
    def follow(steps, given):
        descent = rival(*case)
        descent.advance(steps, given)
        return descent.history

    return follow


class _Whole:
    """The whole call of `train`, its set-up shared out over the steps."""

    def __init__(self, case, steps):
        self.case, self.limit = case, steps
        run = self.prepare()()
        self.steps, self.note = run.iterations, f"{run.iterations} steps (then: {run.status})"

    def prepare(self):
        """Return a function that trains once."""
        case = self.case
        network = Network(case.W1, case.W2)     # it remembers its compression: a new one each time
        return lambda: train(SquaredLoss(case.X, case.Y), network, max_iter=self.limit, tol=0)
