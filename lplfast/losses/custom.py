"""A loss of the user's own, as a Python function."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from ..annotations import Array, ArrayLike
from ..validation import as_callable, as_choice, as_number, as_shape, as_shaped
from .function import PythonLoss
from .problems import Problem

__all__ = ["CustomLoss"]


class CustomLoss(Problem):
    """Any K-smooth l(W), mu-strongly convex or with a PL constant mu, by a function that returns value and gradient.

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
    mu : float
        Strong convexity constant, or PL constant, `0 <= mu <= K`. With `mu = 0` no rate is claimed.
    K : float, optional
        Smoothness constant, `K > 0`. A convex loss that has none, as a Poisson or an exponential one, says
        `hessian_form` and `concordance` in its place: then `"majorizer"`, searches, `"polyak"` and constant steps run,
        each step is checked against what was promised of it, and `K_t` and `K_t_sharp` are infinite.
    minimum : float, optional
        l*, taken on trust. With a `minimizer` and no minimum: l there as computed, which exceeds l* by at most
        ||gradient||^2 / (2 mu), and rounds; `minimum_error` has both.
    minimizer : (n, m) array_like, optional
        Where l takes its minimum; bounds from the initialization use it.
    lower_bound : float, optional
        A number that l* is not below, if l* is not known.
    mu_kind : {"strong", "pl"}
        What mu is: a strong convexity constant, or a Polyak-Lojasiewicz (PL) constant, `||G||^2 >= 2 mu (l(W) - l*)`,
        of a loss that need not be convex, and may have many minimizers. Local constants, rates of steps and `gap_bound`
        need no more than that; bounds from the initialization and guarantees before the first step need a unique
        minimizer, and are vacuous for `"pl"` (docs/theory.md, section 1).
    hessian_form : callable, optional
        Of W and an (n, m) array M: `<M, H M> >= 0` with H the Hessian at W, a number. With `concordance`, steps are
        bounded by the curvature where they begin: `l(W + M) <= l(W) + <G, M> + <M, H M> psi(R(M))`,
        `psi(t) = (exp(t) - 1 - t) / t^2` (docs/theory.md, section 12).
    concordance : float or callable, optional
        How fast the curvature may change: a seminorm R, a function of an (n, m) array or the multiple of the Frobenius
        norm, with `|D^3 l[U, V, V]| <= R(U) <V, H V>`; for `sum(exp(X @ W))` the largest entry of `abs(X @ U)`.

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
                 mu: float, K: float | None = None, minimum: float | None = None, minimizer: ArrayLike | None = None,
                 lower_bound: float | None = None, mu_kind: Literal["strong", "pl"] = "strong",
                 hessian_form: Callable[[Array, Array], float] | None = None,
                 concordance: float | Callable[[Array], float] | None = None) -> None:
        as_callable("value_and_gradient", value_and_gradient)
        shape = as_shape(shape)
        self.mu_kind = as_choice("mu_kind", mu_kind, ("strong", "pl"))
        if K is None and hessian_form is None:
            raise TypeError("K: expected a number, or hessian_form and concordance in its place, got neither")
        mu, K = as_number("mu", mu), math.inf if K is None else as_number("K", K, positive=True)
        forms = {"hessian_form": hessian_form, "concordance": concordance}
        if mu > K:
            raise ValueError(f"mu, K: expected mu <= K, got {mu} and {K}")
        known = {name: math.nan if value is None else as_number(name, value, signed=True)
                 for name, value in {"minimum": minimum, "lower_bound": lower_bound}.items()}
        if known["lower_bound"] > known["minimum"]:
            raise ValueError(f"lower_bound: expected a number <= the minimum {minimum}, got {lower_bound}")
        uncertainty = 0.0
        if minimizer is not None:
            minimizer = as_shaped("minimizer", minimizer, shape)
            value, _, gradient = PythonLoss(value_and_gradient, shape, mu=mu, K=K, **forms).value_and_gradient(
                np.ascontiguousarray(minimizer))
            if not (math.isfinite(value) and np.isfinite(gradient).all()):
                raise ValueError("minimizer: expected a matrix at which the loss and its gradient are float64 numbers, "
                                 f"got the loss {value!r} there")
            # a gradient of 0 is taken as that; others to what the function is trusted to
            with np.errstate(over="ignore"):
                size = float(np.linalg.norm(gradient))
            if size > 0:
                near = K if math.isfinite(K) else _curvature(minimizer, hessian_form)
                size += 1e-13 * math.sqrt(2 * near * abs(value))
            self.minimizer_error = size / mu if mu > 0 else math.inf
            if minimum is None:
                if not mu > 0 and size > 0:
                    raise ValueError("minimum: expected one beside the minimizer where mu = 0, since a gradient of "
                                     f"norm {size:.3g} there does not bound how far below it l* is")
                known["minimum"], uncertainty = value, size * size / (2 * mu) if mu > 0 else 0.0
                self.minimum_error = uncertainty + 1e-13 * abs(value)
            elif value < known["minimum"] - 1e-13 * (abs(value) + abs(known["minimum"])):
                raise ValueError(f"minimum: expected at most the loss at the minimizer, {value!r}, got {minimum!r}")
        kernel = PythonLoss(value_and_gradient, shape, mu=mu, K=K, uncertainty=uncertainty, **known, **forms)
        super().__init__(kernel, minimizer=minimizer)

    @property
    def lower_bound(self) -> float:
        """A number that l* is not below; NaN if none is known."""
        return self.kernel.lower_bound if math.isnan(self.minimum) else super().lower_bound


def _curvature(W, hessian_form):
    """Return a bound on the curvature at W: the sum of the diagonal of the Hessian."""
    basis = np.eye(W.size).reshape(-1, *W.shape)
    return sum(as_number("hessian_form(W, M)", hessian_form(W.copy(), M.copy())) for M in basis)
