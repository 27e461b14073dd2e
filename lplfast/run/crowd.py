"""Plans carried out on a pool of threads."""

import _thread
import concurrent.futures
import contextlib
import functools
import math

from ..interrupts import Cancelled, cancellable
from ..threads import single_threaded_blas
from .execution import attach, carry_out
from .folder import resumed
from .run import Interrupted

__all__ = ["Crowd"]

TURN = 0.1


class Crowd:
    """Many plans. What each has come to is kept here, not with a thread, whenever an exception comes.

    The pool is started, waited for and ended by a thread of its own. Ctrl-C comes in the main thread, which does no
    more than wait for that one, by a primitive lock: the conditions that pools wait by are not safe from interrupts.
    """

    def __init__(self, plans, folder, callback, callback_every, threads_each):
        self.plans, self.folder = plans, folder
        self.threads_each = threads_each
        self.callback, self.callback_every = callback, callback_every
        self.runs = [None] * len(plans)
        self.begun = self.cancelled = self.ended = False
        self.error = None
        self.signal, self.counting = _thread.allocate_lock(), _thread.allocate_lock()

    def carried_out(self, n_threads, bar):
        """Return the runs, so many of them under way at once; `bar`, if it is not None, counts those that have ended.

        Raises
        ------
        Interrupted
            On Ctrl-C; its `runs` hold everything computed so far.
        BaseException
            Whatever else is raised; its attribute `runs` likewise.
        """
        try:
            self.signal.acquire()
            _thread.start_new_thread(self._supervise, (n_threads, bar))
            self._wait()
            if self.error is not None:
                raise self.error
            return self.runs
        except BaseException as error:
            self.cancelled = True
            try:
                # an interrupt may have come before the thread was started
                self._wait(patience=1.0)
            finally:
                # also in place of a second Ctrl-C, while runs are being stopped
                if isinstance(error, KeyboardInterrupt):
                    raise Interrupted(*self.runs) from None
                attach(error, "runs", self.runs)
            raise

    def _wait(self, patience=math.inf):
        """Wait until the pool has ended; until it has begun, no more than so many seconds."""
        while not self.ended and (self.begun or patience > 0.0):
            # in turns: where Ctrl-C does not end the wait for a lock, it is seen between two
            self.signal.acquire(timeout=TURN)
            patience -= TURN

    def _supervise(self, n_threads, bar):
        """Have the pool carry out all plans; what is raised is kept, and ends the others."""
        self.begun = True
        try:
            # held all the time, or the limit would be set and taken back between runs
            with (single_threaded_blas(), bar or contextlib.nullcontext() as advanced,
                  concurrent.futures.ThreadPoolExecutor(n_threads) as pool):
                # each thread takes the next run when it has done one: nobody else is woken for it
                numbers = iter(range(len(self.plans)))
                for future in [pool.submit(self._work, numbers, advanced) for _ in range(n_threads)]:
                    if future.exception() is not None:
                        self.error = self.error or future.exception()
        except BaseException as error:
            self.error, self.cancelled = error, True
        finally:
            self.ended = True
            self.signal.release()

    def _work(self, numbers, advanced):
        """Carry out the plans of these numbers, of which other threads take some; in a thread of the pool."""
        for i in numbers:
            if self.cancelled:
                return
            self._run(i)
            if advanced is not None:
                with self.counting:
                    advanced(1)

    def _run(self, i):
        """Carry out a plan."""
        try:
            with cancellable(lambda: self.cancelled):
                self.runs[i] = self._carried_out(i, self.plans[i])
        except Interrupted as interrupt:
            self.runs[i] = interrupt.run
        except Cancelled:
            pass                # before there was anything to keep
        except BaseException as error:
            # here, and not where the pool is waited for: this thread begins no other run
            self.runs[i], self.cancelled = vars(error).get("run"), True
            raise

    def _carried_out(self, i, plan):
        checkpoint = None
        if self.folder is not None:
            checkpoint = self.folder.checkpoint(i, plan)
            run, ended = resumed(checkpoint.path, plan)
            if ended:
                return run
            if run is not None:
                plan = plan.taken_up(run)
        callback = None if self.callback is None else functools.partial(self.callback, i)
        return carry_out(plan, checkpoint=checkpoint, callback=callback, callback_every=self.callback_every,
                         n_threads=self.threads_each, cancelled=lambda: self.cancelled)
