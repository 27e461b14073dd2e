"""Groups of cells on the workers of a cluster, by Dask."""

import contextlib
import functools
import itertools
import time

from .group import run_group

__all__ = ["Cluster"]

# Seconds: Dask does not start a worker again that ends in the moment when it has begun.
SETTLING = 0.5

# A cluster of this process closes a worker for good which is not there some seconds after it has ended: if it has ended
# once more, that is while it begins anew. A sweep may end one again and again, and waits for it.
PATIENT = {"distributed.deploy.lost-worker-timeout": "1 day"}


class Cluster:
    """The workers of the client that is open. They may come and go, and none need be there yet.

    Tasks are submitted to Dask itself: joblib waits forever for one of which Dask says that it ends its workers.
    """

    def __init__(self, n_jobs):
        self.client, self.most = _client(), n_jobs if n_jobs > 0 else None

    def workers(self):
        """Return how many threads there are now, or 1."""
        return max(1, sum(self.client.ncores().values()))

    def widths(self):
        """Return how many groups may be in flight, round by round; None for what keeps all workers at work.

        Dask says which task ended its workers, or waited at them: at last each is alone.
        """
        return [self.most, 1]

    def outcomes(self, tasks, width):
        """Yield what has come of each task: it, its shard and None; or it, None and an error, if its workers ended.

        Parameters
        ----------
        tasks : iterator of Task
        width : int or None
            How many may be in flight.

        Raises
        ------
        ConnectionError
            If the scheduler is gone.
        """
        import dask
        from distributed import KilledWorker, as_completed

        # without their results: where those are lost with a worker, it would wait forever for what has ended
        flying, ended = {}, as_completed()

        def submit():
            for task in itertools.islice(tasks, max(0, (width or 2 * self.workers()) - len(flying))):
                future = self.client.submit(run_on_worker, task, pure=False)
                flying[future] = task
                ended.add(future)

        try:
            with dask.config.set(PATIENT):
                submit()
                for future in ended:
                    shard = error = None
                    try:
                        shard = future.result()
                    except KilledWorker as failure:
                        error = failure
                    yield flying.pop(future), shard, error
                    submit()
        except Exception as failure:
            if not self._lost(failure):
                raise
            raise ConnectionError("backend: expected Dask to carry out its tasks, got "
                                  f"{type(failure).__name__}: {failure}. What is in the store stays, and the same call "
                                  "goes on with the rest") from None
        finally:
            # the scheduler may be lost over this call, too
            with contextlib.suppress(OSError):
                if self.client.status == "running":
                    self.client.cancel(list(flying))

    def _lost(self, failure):
        """Return whether this has failed because the scheduler is gone: any call does then, each in its own way."""
        from distributed.client import FutureCancelledError
        from distributed.comm import CommClosedError

        return isinstance(failure, (FutureCancelledError, CommClosedError)) or self.client.status != "running"


def run_on_worker(task):
    """Return the shard of a group."""
    _settle()
    return run_group(task)


@functools.cache
def _settle():
    """Wait once, before the first task in this process."""
    time.sleep(SETTLING)


def _client():
    from distributed import get_client

    try:
        return get_client()
    except ValueError:
        raise ValueError("backend: expected a client of Dask that is open, with Client(address), got none") from None
