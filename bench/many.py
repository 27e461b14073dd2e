"""Many runs: two threads against one, and a study of whole runs against the same in NumPy."""

from lplfast import Network, SquaredLoss, train_many

from .agreement import check_certified
from .cases import Case
from .numpy_rival import GramDescent
from .rivals import follow
from .table import Row, Table
from .timing import Work, interleaved

__all__ = ["tables"]

N, M, H, STEPS = 20, 20, 1000, 300
RUNS, SAMPLE, COMPARED = 1000, 2, 50
ALLOWED = 700.0         # us a run, on two cores


def tables(quick):
    """Time per run, everything included: compression, 300 steps, all columns, messages, checks.

    Both threads need a core of their own: on a machine that has other work to do, the first ratio is less. The
    rival is on one core and at full width, and need not make a message.
    """
    repeats = 3 if quick else 7
    case, cases = Case.make(N, M, H), [Case.make(N, M, H, seed=seed) for seed in range(100)]
    problem = SquaredLoss(case.X, case.Y)
    works = {name: Work(_ours(problem, cases, 200, n_threads), 200)
             for name, n_threads in (("2 threads", 2), ("1 thread", 1))}
    times = interleaved(works, repeats)
    size = f"n={N} m={M} h={H}, {STEPS} steps"
    rows = [Row.quotient(times, f"200 runs, {size}", "2 threads", "1 thread", target=">= 1.7")]

    for other in cases[:SAMPLE]:
        sample = case._replace(W1=other.W1, W2=other.W2)
        check_certified(sample.compressed().run("certified", STEPS).history, follow(GramDescent, sample), COMPARED)
    runs = RUNS // 10 if quick else RUNS
    works = {"lplfast": Work(_ours(problem, cases, runs, 2), runs), "NumPy": Work(_numpy(case, cases), SAMPLE)}
    times = interleaved(works, repeats)
    rows.append(Row.quotient(times, f"{runs} runs, {size}", "lplfast", "NumPy",
                             note=f"{runs * times.seconds('lplfast'):.2f} s in all"))
    rows.append(Row.within([1e6 * seconds for seconds in times.taken["lplfast"]], f"{runs} runs, {size}", "lplfast",
                           ALLOWED))
    yield Table("many", "Many runs by train_many: one run, everything included", rows, notes=(
        f"NumPy: one core, full width, {SAMPLE} runs. Load makes both ratios less: two threads need two idle cores."))


def _ours(problem, cases, runs, n_threads):
    def prepare():
        # a network remembers its compression: new ones each time
        networks = [Network(cases[i % len(cases)].W1, cases[i % len(cases)].W2) for i in range(runs)]
        return lambda: train_many(problem, networks, "local", n_threads=n_threads, max_iter=STEPS, tol=0.0)

    return prepare


def _numpy(case, cases):
    def prepare():
        rivals = [GramDescent(case.X, case.Y, other.W1, other.W2) for other in cases[:SAMPLE]]

        def run():
            for rival in rivals:
                rival.advance(STEPS)
                rival.history  # noqa: B018 - an array a column, as ours

        return run

    return prepare
