"""Groups of cells on threads or processes of this machine, by joblib."""

import contextlib

from .group import run_group

__all__ = ["Workers"]


class Workers:
    """joblib's threads, or its processes, which are loky's."""

    def __init__(self, backend, n_jobs):
        self.backend, self.n_jobs = backend, n_jobs

    def workers(self):
        """Return how many there are."""
        import joblib

        with joblib.parallel_config(backend=self.backend):
            return joblib.effective_n_jobs(self.n_jobs)

    def widths(self):
        """Return how many groups may be in flight, round by round.

        Where one process ends, loky gives up all of them: by halves, cells are soon without the one that ends it.
        """
        width = 2 * self.workers()
        return [width >> i for i in range(width.bit_length())]

    def outcomes(self, tasks, width):
        """Yield what has come of each task: it, its shard and None; or it, None and an error, if a process has ended.

        Parameters
        ----------
        tasks : iterator of Task
            Asked for the next one when a worker is free, by whatever thread.
        width : int
            How many may be in flight.
        """
        import joblib
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        flying = {}

        def dispatched():
            for task in tasks:
                flying[task.cells[0].key] = task
                yield joblib.delayed(run_group)(task)

        error, broken = None, True
        while broken:
            broken = False
            parallel = joblib.Parallel(self.n_jobs, backend=self.backend, batch_size=1, pre_dispatch=width,
                                       return_as="generator_unordered")
            try:
                with contextlib.closing(parallel(dispatched())) as shards:
                    for shard in shards:
                        yield flying.pop(shard.keys[0]), shard, None
            except TerminatedWorkerError as failure:
                error, broken = failure, True
            # also what a thread of joblib has asked for just then
            while flying:
                yield flying.popitem()[1], None, error
