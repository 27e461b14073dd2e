"""A trajectory that somebody else drives: constants, brackets, checks and a history, as of a run."""

import functools

import numpy as np

from .annotations import ArrayLike
from .descent.follower import Follower
from .descent.history import COLUMNS
from .descent.state import LAYOUT
from .guarantees.constants import check_pair
from .guarantees.initial import InitialGuarantee
from .losses.problems import Problem
from .network import Network
from .rules.function import CallableRule
from .run.info import RunInfo
from .run.options import RunOptions
from .run.outcome import outcome_message
from .run.recorder import Recorder
from .run.run import Continuation, Run
from .spectral.certified import Certified
from .threads import single_threaded_blas
from .validation import as_array, as_doubles, as_matrix, as_number

__all__ = ["Observer"]


def observed(iterate):
    """Raise: the steps are somebody else's."""
    raise RuntimeError("an Observer takes no steps")


class Observer:
    """What lplfast knows of layers that another loop trains: one of PyTorch's, with momentum, with noise.

    Brackets of the singular values are carried along by the distance that the layers have moved (Weyl's inequality) and
    computed anew where they have become wide, so that every constant errs to the side that the history says. What holds
    at any layers, the PL inequality, is checked at every iterate. What holds for a gradient step, the descent lemma and
    the guaranteed rate, is checked where `step_size` says that the step was one, and the layers are where the gradients
    lead, to a millionth of the step and the rounding of the loop's own precision. Other steps have NaN in their
    columns, and `gap_bound` begins anew after them.

    Parameters
    ----------
    problem : Problem
        What the product of the layers is trained on.
    network : Network
        The layers before the first step.

    Raises
    ------
    TypeError, ValueError
        If these are no problem and network, or their shapes differ.
    OverflowError
        If the loss or its gradient at the network is not a float64 number.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network
    >>> problem, W1, W2 = MatrixFactorization([[2.0]]), np.array([[1.0, 0.5]]), np.array([[1.0], [0.5]])
    >>> observer = Observer(problem, Network(W1, W2))
    >>> for _ in range(100):
    ...     G = problem.gradient(W1 @ W2)
    ...     W1, W2 = W1 - 0.1 * G @ W2.T, W2 - 0.1 * W1.T @ G
    ...     gradient_step = observer.update(W1, W2, step_size=0.1)
    >>> observer.run.iterations, observer.run.violations, gradient_step
    (100, 0, True)

    """

    def __init__(self, problem: Problem, network: Network) -> None:
        check_pair(problem, network)
        stack = network.stack(compress=False)
        self._set(problem, network, stack[:network.n], stack if _sees_layers(problem) else problem.to_kernel(stack), {})
        if np.isinf(self._descent.gap_above):
            raise OverflowError("the loss or its gradient leaves float64 at this network; rescale the layers or the "
                                "data")

    def _set(self, problem, network, W1, stack, before, state=None):
        self._problem, self._network = problem, network
        # only where the loop's own layers are in another frame
        self._W1 = None if _sees_layers(problem) else W1.copy()
        # a wider bracket costs less, and a gradient step is all that a call may take
        options = {name: None for name in ("tol", "grad_tol", "max_growth", "record", "record_every")}
        self._options = RunOptions.new(step_size=CallableRule(observed), constants=Certified(tolerance=0.05),
                                       compress=False, **options)
        self._recorder = Recorder(COLUMNS, 2**62, before)
        with single_threaded_blas():
            self._descent = Follower(problem.kernel, self._options.rule, self._options.spectral, stack)
            if self._W1 is None and problem.basis is not None:
                self._descent.turn_by(problem.basis)
            if state is not None:
                self._descent.restore(state)
            self._descent.last_row()    # evaluated

    def __getstate__(self):
        run, stack = self.run, self._descent.stack
        return (self._problem, self._network, self._W1, stack,
                {name: column[:-1] for name, column in run.history.items()} if run.iterations else {},
                self._descent.state())

    def __setstate__(self, state):
        self._set(*state)

    def update(self, W1: ArrayLike, W2: ArrayLike, step_size: float | None = None) -> bool:
        """Go on to the layers as they are now, one step later; return whether that was a gradient step.

        Parameters
        ----------
        W1 : (n, h) array_like
            First layer. Copied.
        W2 : (h, m) array_like
            Second layer. Copied.
        step_size : float, optional
            The step size, where the step was, or may have been, one of gradient descent, `W - step_size * gradient`.

        Returns
        -------
        bool
            Whether the layers are where the gradient step of this size leads; False without a step size.

        Raises
        ------
        TypeError, ValueError
            If these are no finite real matrices of the same shapes as before, or no positive number. Nothing has
            changed.
        OverflowError
            If the loss or its gradient there is not a float64 number. Nothing has changed.

        """
        W1, W2 = (_laid_out(name, W) for name, W in (("W1", W1), ("W2", W2)))
        n, h, m = self._network.n, self._network.width, self._network.m
        for name, W, shape in (("W1", W1, (n, h)), ("W2", W2, (h, m))):
            if W.shape == shape[::-1] != shape:
                raise ValueError(f"{name}: expected shape {shape}, got {W.shape}; torch.nn.Linear keeps (outputs, "
                                 "inputs), so its weight.detach().T")
        eta = np.nan if step_size is None else as_number("step_size", step_size, positive=True)
        unit = max(_unit(W1.dtype), _unit(W2.dtype))
        if self._W1 is not None:
            W1 = as_doubles("W1", W1, 2)
            if W1.shape != self._W1.shape:
                raise ValueError(f"W1: expected shape {self._W1.shape}, got {W1.shape}")
        with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
            row = self._recorder.room(self._descent.filled)[0]
            seen = W1 if self._W1 is None else self._problem.basis.T @ W1
            taken = self._descent.follow(seen, W2, eta, unit, row)
        if taken is None:
            as_matrix("W1", W1)
            as_matrix("W2", W2)
            raise OverflowError("the loss or its gradient leaves float64 at these layers: the loop diverges, or the "
                                "data are to be rescaled")
        if self._W1 is not None:
            self._W1[:] = W1
        return taken

    @property
    def run(self) -> Run:
        """The trajectory so far as a Run, of status "observed": it audits, plots and saves like any other.

        `train(problem, observer.run, step_size)` goes on from there by a rule of lplfast's.
        """
        descent, problem = self._descent, self._problem
        with single_threaded_blas():
            row = descent.last_row()
        last = dict(zip(COLUMNS, row.tolist(), strict=True))
        history = self._recorder.history(descent.filled, row, ended=False)
        stack, state = descent.stack, descent.state()
        if self._W1 is not None:
            stack = np.concatenate([self._W1, stack[-self._network.m:]])
        elif problem.basis is not None:
            # a run goes on in the frame of the loss
            state[state.size - stack.size:] = problem.to_kernel(stack).ravel()
        continuation = Continuation(
            options=self._options.to_dict(), fingerprint=problem.fingerprint, layout=LAYOUT, loss=last["loss"],
            run_width=self._network.width, state=state,
            start=None if problem.sees_everything else self._W1.copy())
        return Run(history=history, status="observed",
                   message=outcome_message("observed", descent, last, self._options, problem, self._network, history),
                   network=self._network.replace(stack), iterations=descent.t, checks=descent.checks,
                   counters=descent.counters, continuation=continuation, guarantee=InitialGuarantee.none(),
                   facts=RunInfo.of(problem, self._network, self._options, rule="observed",
                                    run_width=self._network.width, unreached=descent.unreached))

    def __repr__(self):
        steps = self._descent.checks["descent"]["steps"]
        return f"<Observer: {self._descent.t} steps, {steps} of them gradient steps>"


def _sees_layers(problem):
    """Return whether a follower may have the layers in their own frame.

    The loss sees all of W, and its basis is orthogonal as far as rounding goes.
    """
    n, basis = problem.shape[0], problem.basis
    return basis is None or (problem.sees_everything and np.linalg.norm(basis.T @ basis - np.eye(n)) <= n * 2.0**-49)


def _laid_out(name, W):
    """Return an array in whatever layout and precision: compiled code reads it where it lies, transposed or not."""
    if type(W) is np.ndarray and W.dtype == np.float64:
        return W
    array = as_array(name, W)
    return as_doubles(name, W, 2) if array.dtype == object else array


@functools.cache
def _unit(dtype):
    """Return the unit roundoff of a loop whose layers have this dtype."""
    single = dtype.kind == "f" and dtype.itemsize < 8
    return float(np.finfo(dtype if single else np.float64).eps) / 2
