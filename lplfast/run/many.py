"""Many runs at once, on threads."""

from collections.abc import Callable, Sequence

from ..annotations import FilePath, Mode
from ..cores import available_cores
from ..losses.problems import Problem
from ..network import Network
from ..progress import progress_bar
from ..rules.registry import StepSize
from ..spectral.spectral import Spectral
from ..validation import as_callable, as_count, as_number
from .crowd import Crowd
from .folder import CheckpointFolder
from .options import Record
from .plan import Plan
from .run import Run

__all__ = ["train_many"]


def train_many(problems: Problem | Sequence[Problem], networks: Network | Run | Sequence[Network | Run],
               step_sizes: StepSize | Sequence[StepSize] | None = None, *, n_threads: int | None = None,
               max_iter: int = 1000, tol: float | None = None, grad_tol: float | None = None,
               max_growth: float | None = None, max_time: float | None = None,
               constants: Mode | Spectral | None = None, compress: bool | None = None,
               layer_scales: tuple[float, float] | None = None, record: Record | None = None,
               record_every: int | None = None, callback: Callable[[int, Run], object] | None = None,
               callback_every: int = 1, checkpoint: FilePath | None = None, checkpoint_every: float = 60.0,
               progress: bool = False) -> list[Run]:
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
        How many cores to use in all; those that this process may use. As many runs are under way at once, and of fewer
        runs each has as many threads as there are cores for it. No result depends on it.
    max_iter, tol, grad_tol, max_growth, max_time, constants, compress, layer_scales, record, record_every
        As in `train`, the same for all; `max_time` is that of each run.
    callback : callable, optional
        Called with i, from 0, and the `Run` so far every `callback_every` steps of run i, in the thread of that run: of
        several runs at once. A true return value stops that run.
    callback_every : int
        See `callback`.
    checkpoint : path, optional
        A folder, made if there is none, in which each run has a file: written every `checkpoint_every` seconds, and at
        the end. The same call takes up from there: it loads the runs that have ended, and goes on with the others to
        the bits of a call that was never stopped. A file's name has a digest of problem, start, rule and options (of
        a Python function, of its name alone), so that other runs in the same folder have other files.
    checkpoint_every : float
        See `checkpoint`.
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
                                        constants=constants, compress=compress, layer_scales=layer_scales,
                                        record=record, record_every=record_every))
        except (TypeError, ValueError) as error:
            raise type(error)(f"run {i}: {error}") from None
    n_threads = available_cores() if n_threads is None else as_count("n_threads", n_threads)
    callback_every = as_count("callback_every", callback_every)
    if callback is not None:
        as_callable("callback", callback)
    checkpoint_every = as_number("checkpoint_every", checkpoint_every, positive=True)
    folder = None if checkpoint is None else CheckpointFolder(checkpoint, checkpoint_every)
    at_once = max(1, min(n_threads, len(plans)))
    crowd = Crowd(plans, folder, callback, callback_every, n_threads // at_once)
    return crowd.carried_out(at_once, progress_bar(progress, len(plans), "run"))


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
