"""A plan carried out to its end: whatever is raised on the way carries the run so far."""

import contextlib

from ..interrupts import Cancelled
from ..threads import single_threaded_blas
from .driver import RunDriver
from .run import Interrupted

__all__ = ["attach", "carry_out"]


def carry_out(plan, *, checkpoint=None, bar=None, n_threads=1, **hooks):
    """Return the run of a plan. Nothing that was computed is lost, wherever an exception comes.

    Parameters
    ----------
    plan : Plan
        What to run.
    checkpoint : Checkpoint, optional
        What the run so far is written to, and at last the run, however it ended.
    bar : context manager, optional
        Gives a function to call with the number of steps just taken.
    n_threads : int, optional
        How many threads share its products; None for as many as pay.
    **hooks
        Those of `RunDriver.run_until_stopped`.

    Raises
    ------
    Interrupted
        On Ctrl-C; its `run` holds everything computed so far.
    BaseException
        Whatever else is raised, by the user's own code as a rule; its attribute `run` is the run so far.
    """
    driver = None
    try:
        with single_threaded_blas(), bar or contextlib.nullcontext() as advanced:
            driver = RunDriver(plan, n_threads)
            if checkpoint is not None:
                checkpoint.begin(driver)
            run = driver.run_until_stopped(checkpoint=checkpoint, advanced=advanced, **hooks)
            if checkpoint is not None:
                checkpoint.finish(run)
            return run
    except BaseException as error:
        if driver is None:
            raise
        stopped = isinstance(error, (KeyboardInterrupt, Cancelled))
        run = driver.so_far("interrupted")
        try:
            if checkpoint is not None:
                checkpoint.finish(run)
        finally:
            # also in place of a second Ctrl-C, while this is being written
            if stopped:
                raise Interrupted(run) from None
            attach(error, "run", run)
        raise


def attach(error, name, kept):
    """Make what has been kept an attribute of an exception, of whatever class."""
    # not by setattr, which somebody's class may refuse
    vars(error)[name] = kept
    if getattr(error, name, None) is not kept:
        error.add_note(f"lplfast: what was computed so far is in vars(error)[{name!r}], since the class of this "
                       f"exception has another `{name}`.")
