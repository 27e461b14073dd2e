"""How much of the machine's speed all cores reach together: a step, the products alone, and a product on each core."""

import threading
import time

from threadpoolctl import threadpool_limits

from lplfast.cores import available_cores

from .agreement import check_certified
from .cases import Case
from .cores import COMPARED, REST
from .numpy_rival import GramDescent
from .products import products, speed
from .rivals import follow
from .scaling import FEW, HUGE, STEPS
from .table import Row, Table
from .timing import Rounds, timed_once

__all__ = ["tables"]

# n = m, with h = 4n, as in the table over n: from where a second thread has enough to do.
SIZES = (64, 128, 256, 512, 1024)


def tables(quick):
    """One table: ours on all cores against dgemm on all cores, and that against a dgemm of its own on each."""
    cores = available_cores()
    rows = [row for n in (SIZES[:2] if quick else SIZES) for row in _one_size(n, cores, 2 if n > 256 else 5)]
    yield Table("speed", f"The speed of {cores} cores: one iteration and its three products", rows, notes=(
        "lplfast: train(n_threads=) with all cores. dgemm, all threads: the products alone, by as many threads of\n"
        "OpenBLAS's own. one on each core: the products alone, each core its own, at the same time, and the\n"
        "time of one over the number of cores: what the machine can do." + ("\nQuick: fewer sizes." if quick else "")))


def _one_size(n, cores, repeats):
    m, h, k = n, 4 * n, 2 * n
    case = Case.make(n, m, h)
    run = case.compressed().run("certified", FEW if n * m * k > HUGE else STEPS, n_threads=cores)
    check_certified(run.history, follow(GramDescent, case), COMPARED)
    alone = products(n, m, k)
    taken = {"lplfast": [], "dgemm, all threads": [], "one on each core": []}
    for _ in range(repeats):
        time.sleep(REST)
        taken["lplfast"].append(timed_once(run.work))
        time.sleep(REST)
        with threadpool_limits(cores):
            taken["dgemm, all threads"].append(_seconds([alone]))
        time.sleep(REST)
        with threadpool_limits(1):
            taken["one on each core"].append(_seconds([products(n, m, k) for _ in range(cores)]) / cores)
    times = Rounds(taken)
    what, size = f"n={n} m={m} h={h}", (n, m, h)
    ours, gemm, most = (f"{speed(size, 1e6 * times.seconds(name)):.0f}" for name in taken)
    for name, other, said in (("lplfast", "dgemm, all threads", f"{ours} and {gemm} GFLOP/s"),
                              ("dgemm, all threads", "one on each core", f"{gemm} and {most} GFLOP/s")):
        yield Row.excess(times, what, name, other, note=said, size=size)


def _seconds(works):
    """Return the seconds a unit of Works that run at the same time, each in a thread of its own.

    Once they have run before: threads of OpenBLAS's own are awake then.
    """
    _at_once(works)
    started = time.perf_counter()
    _at_once(works)
    return (time.perf_counter() - started) / works[0].units


def _at_once(works):
    threads = [threading.Thread(target=work.prepare()) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
