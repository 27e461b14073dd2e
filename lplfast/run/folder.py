"""A folder of checkpoints: a file for each of many runs."""

import json
import os

from ..losses.loss import digest
from .checkpoint import Checkpoint
from .run import Run

__all__ = ["CheckpointFolder", "resumed"]

# A run that ended otherwise has more steps to take, given more steps, time, or another call.
UNFINISHED = ("running", "interrupted", "max_iter", "max_time")

# Options that a run may go on with others of.
WITH_OTHERS = ("tol", "grad_tol", "max_growth")


class CheckpointFolder:
    """Files `run-<number>-<digest>.npz`: the digest is of the problem, the start, and how the run is made.

    So the same call finds its files again, and another one in the same folder leaves them alone. Of a Python function,
    a digest knows no more than the name.
    """

    def __init__(self, path, every):
        self.path, self.every = os.fspath(path), every
        os.makedirs(self.path, exist_ok=True)

    def checkpoint(self, number, plan):
        """Return what writes the run of the plan to its file."""
        made = plan.options.to_dict()
        for name in WITH_OTHERS:
            del made[name]
        start = (plan.network.stack(compress=plan.options.compress) if plan.run is None else
                 plan.run.continuation.state)
        key = digest({"problem": plan.problem.fingerprint, "start": start, "made": json.dumps(made)})
        return Checkpoint(os.path.join(self.path, f"run-{number:06d}-{key[:16]}.npz"), self.every)


def resumed(path, plan):
    """Return the run of the plan that is in its file, or None, and whether nothing is left to do."""
    try:
        run = Run.load(path, network=plan.network)
    except FileNotFoundError:
        return None, False
    own = run.continuation.options
    same = all(getattr(plan.options, name) == own[name] for name in WITH_OTHERS)
    return run, run.iterations >= plan.max_iter or (same and run.status not in UNFINISHED)
