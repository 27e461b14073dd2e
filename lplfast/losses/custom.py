"""A loss of the user's own, as a Python function."""

import math
from collections.abc import Callable

import numpy as np

from ..annotations import Array, ArrayLike
from ..validation import as_callable, as_number, as_shape, as_shaped
from .function import PythonLoss
from .problems import Problem

__all__ = ["CustomLoss"]


class CustomLoss(Problem):
    """Any K-smooth, mu-strongly convex l(W), by a Python function that returns its value and gradient.

    The loop calls the function with the GIL held. Its constants are taken on trust; `check_loss` looks for reasons
    not to, and a training run that finds the descent lemma broken ends with `"guarantee_failed"`. That neither finds
    anything proves nothing. An exception inside the function ends training and reaches the caller, with the run so far
    as its attribute `run`.

    Without a minimum the gap is NaN: nothing can be called converged, and `train` runs rules that do not need it, such
    as `"sharp"` and `"majorizer"`; with a lower bound also `"local"`, whose K_t then is an upper bound still.
    `rate_bound` holds for the true gap.

    Parameters
    ----------
    value_and_gradient : callable
        Of an (n, m) array, its own copy: returns l(W), a number, and the (n, m) gradient. Both are trusted to about
        1e-13 of l(W), the gradient to as much of `sqrt(2 K l(W))`.
    shape : (int, int)
        The shape (n, m) of W.
    mu, K : float
        Strong convexity and smoothness constants, `0 <= mu <= K`, `K > 0`. With `mu = 0` no rate is claimed.
    minimum : float, optional
        l*. With a `minimizer` and no minimum: l there, which exceeds l* by at most ||gradient||^2 / (2 mu).
    minimizer : (n, m) array_like, optional
        Where l takes its minimum; bounds from the initialization use it.
    lower_bound : float, optional
        A number that l* is not below, if l* is not known.

    Raises
    ------
    TypeError, ValueError
        On bad arguments; whatever the function raises at the minimizer.

    Examples
    --------
    >>> loss = CustomLoss(lambda W: (float((W**2).sum()), 2 * W), shape=(2, 1), mu=2.0, K=2.0, minimum=0.0)
    >>> loss.gap([[1.0], [2.0]]), loss.gradient([[1.0], [2.0]]).ravel().tolist()
    (5.0, [2.0, 4.0])

    """

    def __init__(self, value_and_gradient: Callable[[Array], tuple[float, ArrayLike]], *, shape: tuple[int, int],
                 mu: float, K: float, minimum: float | None = None, minimizer: ArrayLike | None = None,
                 lower_bound: float | None = None) -> None:
        as_callable("value_and_gradient", value_and_gradient)
        shape = as_shape(shape)
        mu, K = as_number("mu", mu), as_number("K", K, positive=True)
        if mu > K:
            raise ValueError(f"mu, K: expected mu <= K, got {mu} and {K}")
        known = {name: math.nan if value is None else as_number(name, value, signed=True)
                 for name, value in {"minimum": minimum, "lower_bound": lower_bound}.items()}
        if known["lower_bound"] > known["minimum"]:
            raise ValueError(f"lower_bound: expected a number <= the minimum {minimum}, got {lower_bound}")
        uncertainty = 0.0
        if minimizer is not None:
            minimizer = as_shaped("minimizer", minimizer, shape)
            value, _, gradient = PythonLoss(value_and_gradient, shape, mu=mu, K=K).value_and_gradient(
                np.ascontiguousarray(minimizer))
            if not (math.isfinite(value) and np.isfinite(gradient).all()):
                raise ValueError("minimizer: expected a matrix at which the loss and its gradient are float64 numbers, "
                                 f"got the loss {value!r} there")
            # a gradient of 0 is taken as that; others to what the function is trusted to
            with np.errstate(over="ignore"):
                size = float(np.linalg.norm(gradient))
            size += 1e-13 * math.sqrt(2 * K * abs(value)) if size > 0 else 0.0
            self.minimizer_error = size / mu if mu > 0 else math.inf
            if minimum is None:
                if not mu > 0 and size > 0:
                    raise ValueError("minimum: expected one beside the minimizer where mu = 0, since a gradient of "
                                     f"norm {size:.3g} there does not bound how far below it l* is")
                known["minimum"], uncertainty = value, size * size / (2 * mu) if mu > 0 else 0.0
                self.minimum_error = uncertainty
            elif value < known["minimum"] - 1e-13 * (abs(value) + abs(known["minimum"])):
                raise ValueError(f"minimum: expected at most the loss at the minimizer, {value!r}, got {minimum!r}")
        kernel = PythonLoss(value_and_gradient, shape, mu=mu, K=K, uncertainty=uncertainty, **known)
        super().__init__(kernel, minimizer=minimizer)

    @property
    def lower_bound(self) -> float:
        """A number that l* is not below; NaN if none is known."""
        return self.kernel.lower_bound if math.isnan(self.minimum) else super().lower_bound
