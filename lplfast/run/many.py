"""Many runs at once, on threads."""

import concurrent.futures
import os
import threading

from ..threads import single_threaded_blas
from ..validation import as_count
from .driver import RunDriver
from .plan import Plan
from .run import Interrupted
from .training import progress_bar

__all__ = ["train_many"]


def train_many(problems, networks, step_sizes=None, *, n_threads=None, max_iter=1000, tol=None, grad_tol=None,
               max_growth=None, max_time=None, constants=None, compress=None, record=None, record_every=None,
               progress=False):
    """Train as `train` does, many runs on threads: each is, bit for bit, what `train` alone returns.

    The compiled loop does without the interpreter's lock, so that two threads are nearly twice as fast as one.

    Parameters
    ----------
    problems : Problem or list of Problem
        One for all runs, or one each; likewise the next two. Lists have one length, the number of runs.
    networks : Network, Run, or list of these
        Where to start; runs are continued.
    step_sizes : str, float, Rule, or list of these, optional
        The step size rules.
    n_threads : int, optional
        How many runs are under way at once; the number of cores that this process may use. No result depends on it.
    max_iter, tol, grad_tol, max_growth, max_time, constants, compress, record, record_every
        As in `train`, the same for all; `max_time` is that of each run.
    progress : bool
        Whether to show a progress bar of runs (tqdm).

    Returns
    -------
    list of Run
        In order. How a run ends is its own status: one that diverges or overflows leaves the others alone.

    Raises
    ------
    TypeError, ValueError
        On bad arguments to any run, before any work.
    Interrupted
        On Ctrl-C; its `runs` hold everything computed so far, None where a run had not begun. So do those of whatever
        else is raised by the user's own code, a rule that is a function for one: it ends the other runs, too.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network
    >>> networks = [Network.gaussian(2, 50, 2, rng=seed) for seed in range(3)]
    >>> [run.status for run in train_many(MatrixFactorization([[2.0, 0.0], [0.0, 1.0]]), networks, "sharp")]
    ['converged', 'converged', 'converged']

    """
    plans = []
    together = _together(problems=problems, networks=networks, step_sizes=step_sizes)
    for i, (problem, network, step_size) in enumerate(together):
        try:
            plans.append(Plan.validated(problem, network, step_size=step_size, max_iter=max_iter, tol=tol,
                                        grad_tol=grad_tol, max_growth=max_growth, max_time=max_time,
                                        constants=constants, compress=compress, record=record,
                                        record_every=record_every))
        except (TypeError, ValueError) as error:
            raise type(error)(f"run {i}: {error}") from None
    n_threads = _cores() if n_threads is None else as_count("n_threads", n_threads)

    cancelled = threading.Event()
    with (single_threaded_blas(), progress_bar(progress, len(plans), "run") as advanced,
          concurrent.futures.ThreadPoolExecutor(n_threads) as pool):
        futures = [pool.submit(_run, plan, cancelled) for plan in plans]
        try:
            for future in concurrent.futures.as_completed(futures):
                future.result()
                advanced(1)
        except BaseException as error:
            cancelled.set()
            pool.shutdown(cancel_futures=True)
            runs = [_so_far(future) for future in futures]
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted(*runs) from None
            error.runs = runs
            raise
    return [future.result() for future in futures]


def _run(plan, cancelled):
    driver = RunDriver(plan)
    return driver.result(driver.run_until_stopped(cancelled=cancelled.is_set))


def _so_far(future):
    """Return what a run has come to; None if it has not begun."""
    if future.cancelled():
        return None
    error = future.exception()
    return future.result() if error is None else getattr(error, "run", None)


def _together(**arguments):
    """Return the arguments of each run, of lists and of what is the same for all."""
    lengths = {name: len(value) for name, value in arguments.items() if _is_list(value)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{', '.join(lengths)}: expected lists of one length, got "
                         f"{', '.join(map(str, lengths.values()))}")
    count = next(iter(lengths.values()), 1)
    return zip(*(value if _is_list(value) else [value] * count for value in arguments.values()), strict=True)


def _is_list(value):
    """Whether this has a length: no problem, network, run or rule does; a name does, but is one value."""
    return hasattr(type(value), "__len__") and not isinstance(value, str) and getattr(value, "shape", None) != ()


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
