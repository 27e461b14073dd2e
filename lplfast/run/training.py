"""Train a two-layer linear network by gradient descent, in the compiled loop."""

from collections.abc import Callable

from ..annotations import FilePath, Mode
from ..losses.problems import Problem
from ..network import Network
from ..progress import progress_bar
from ..rules.registry import StepSize
from ..spectral.spectral import Spectral
from ..validation import as_callable, as_count, as_number
from .checkpoint import Checkpoint
from .execution import carry_out
from .options import Record
from .plan import Plan
from .run import Run

__all__ = ["train"]


def train(problem: Problem, network: Network | Run, step_size: StepSize | None = None, *, max_iter: int = 1000,
          tol: float | None = None, grad_tol: float | None = None, max_growth: float | None = None,
          max_time: float | None = None, n_threads: int | None = 1, constants: Mode | Spectral | None = None,
          compress: bool | None = None, layer_scales: tuple[float, float] | None = None, record: Record | None = None,
          record_every: int | None = None, callback: Callable[[Run], object] | None = None, callback_every: int = 1,
          checkpoint: FilePath | None = None, checkpoint_every: float = 60.0, progress: bool = False) -> Run:
    """Train `network` on `problem` by gradient descent, `W1 <- W1 - eta G W2.T`, `W2 <- W2 - eta W1.T G`.

    Given a run, go on where it stopped, as if it had not: to the last bit, in another process and from a file
    too. The options whose default is None are then the run's own; otherwise None stands for what is said below.

    Parameters
    ----------
    problem : Problem
        The loss l of the product W1 W2.
    network : Network or Run
        Where to start, or the run to continue; not modified.
    step_size : str, float, Rule or callable, optional
        `"local"`, the default: the root of `eta K_t(eta) = 1` (Xu et al. 2025); another name in `lplfast.steps.RULES`;
        a number: that step throughout; a rule object; or a function that is given an `IterateView` and returns the
        step size.
    max_iter : int
        How many steps at most, those included that a continued run has taken.
    tol : float, optional
        Converged when `gap <= tol * gap[0]`, whatever l* is within what is known of it; 1e-10. Where the network is
        narrower than min(n, m) and the loss is squared, of both gaps what no network of its width goes below is
        subtracted, `run.facts.unreached`; the columns stay as they are.
    grad_tol : float, optional
        Converged, too, when `grad_norm <= grad_tol * grad_norm[0]`, with the gradient of both layers: a criterion that
        needs no l*. None, the default, is no such criterion. Near a saddle, tiny layers among them, the first gradient
        is tiny itself, and so is what is asked for; and a run that comes close to a saddle later may stop there.
    max_growth : float, optional
        Diverged when `gap > max_growth * gap[0]`; at least 1. None, the default, is no limit: a gap may grow by more
        than the width of the network and still come back (a catapult), while one that does not cubes itself and leaves
        float64 in some ten steps, which ends the run as `"overflow"`. Without l* there is no gap to be looked at.
    max_time : float, optional
        How many seconds at most, from this call on; looked at after each step.
    n_threads : int, optional
        How many threads share the products of the run, on as many cores; None for as many as pay by its shape, of those
        that this process may use. No bit of the result depends on it. Two are worth it from about n = m = 256 on;
        smaller runs take no more than pay, whatever is asked. They are there while the compiled loop runs, and BLAS
        itself stays at one.
    constants : {"certified", "exact", "power"}, optional
        How singular values are found: by `"certified"`, the default, brackets that contain the truth; by LAPACK at
        every step; by power and inverse iteration, an estimate without a guarantee. A continued run keeps its own, as
        it does with the next four.
    compress : bool, optional
        Whether to train at the equivalent width `min(h, n + m)`; True. Exact; `False` runs the full width.
    layer_scales : pair of floats, optional
        (a, b): steps of a^2 times the step size for W1, and b^2 times for W2; (1, 1). That is gradient descent on W1/a
        and W2/b for the loss l(a b M), and everything said of the run, columns, constants, the rule's steps and what it
        is guaranteed, is of these; `run.network` is in the units of `network` (docs/theory.md, section 5). From 1e-100
        to 1e100.
    record : "all" or list of str, optional
        The columns of the history; "all".
    record_every : int, optional
        Keep one iterate in so many, 1; the last one is always kept. A history that may come to take more than 2 GiB
        of memory is refused.
    callback : callable, optional
        Called with the `Run` so far every `callback_every` steps; a true return value stops the run. What it does not
        read of the run is not worked out, unless it keeps it; of the history that goes for each column.
    callback_every : int
        See `callback`.
    checkpoint : path, optional
        A file that the run so far is written to: at the start, then every `checkpoint_every` seconds, and at the end.
        It is replaced at once or not at all: whatever happens, it can be loaded, and the run be continued. Layers that
        were compressed are in it as that: `Run.load(checkpoint, network=network)` makes the wide ones again from the
        network that the run began from, which is for the caller to keep, or to make again to the last bit.
    checkpoint_every : float
        See `checkpoint`. A run that is killed loses at most these seconds, a step, and the time that writing takes.
    progress : bool
        Whether to show a progress bar (tqdm), of the solution for the minimizer, too, where there has to be one.

    Returns
    -------
    Run
        With its status: `"converged"`, `"max_iter"`, `"max_time"`, `"floor"`, `"saddle"`, `"diverged"`, `"overflow"`,
        `"stalled"`, `"stopped"`, or `"guarantee_failed"`, and a message that says what to do.

    Raises
    ------
    TypeError, ValueError
        On bad arguments, before any work; if the rule needs what the problem or the network does not have.
    TimeoutError
        If `max_time` has passed before the minimizer of the loss was found, see `Problem.solve`: the same call goes on.
    Interrupted
        On Ctrl-C; its `run` holds everything computed so far.
    Exception
        Whatever a callback, a step-size function or a `CustomLoss` raises; its attribute `run` holds everything
        computed so far.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network
    >>> run = train(MatrixFactorization([[2.0]]), Network([[1.0]], [[1.0]]))
    >>> run.status, run.violations, abs(run.network.product.item() - 2) < 1e-4
    ('converged', 0, True)

    """
    plan = Plan.validated(problem, network, step_size=step_size, max_iter=max_iter, tol=tol, grad_tol=grad_tol,
                          max_growth=max_growth, max_time=max_time, constants=constants, compress=compress,
                          layer_scales=layer_scales, record=record, record_every=record_every,
                          solve=bool(progress))
    n_threads = None if n_threads is None else as_count("n_threads", n_threads)
    callback_every = as_count("callback_every", callback_every)
    if callback is not None:
        as_callable("callback", callback)
    checkpoint_every = as_number("checkpoint_every", checkpoint_every, positive=True)
    file = None if checkpoint is None else Checkpoint(checkpoint, checkpoint_every)

    return carry_out(plan, checkpoint=file, bar=progress_bar(progress, plan.max_iter), n_threads=n_threads,
                     callback=callback, callback_every=callback_every)

