"""A loss of a multiple of its matrix, l(c M): what layers in other units are trained on. docs/theory.md, section 5."""

import math

import numpy as np

from .function import PythonLoss
from .proof import norm
from .quadratic import DiagonalQuadratic
from .row_loss import RowLoss

__all__ = ["scaled"]

U = float(np.finfo(float).eps) / 2

# Curvatures that are beyond these leave nothing of float64 to squares of gradients.
LEAST, GREATEST = 1e-290, 1e290


class OfMultiple:
    """The value and gradient of l(c M), of a function that returns those of l(W)."""

    def __init__(self, function, c):
        self.function, self.c = function, c

    def __call__(self, M):
        value, gradient = self.function(self.c * M)
        return value, self.c * np.asarray(gradient, dtype=float)


class AtMultiple:
    """A function of matrices at c times them."""

    def __init__(self, function, c):
        self.function, self.c = function, c

    def __call__(self, *matrices):
        return self.function(*(self.c * M for M in matrices))


def scaled(problem, c):
    """Return the problem l(c M): mu and K are c^2 times, the minimizer 1/c times those of l.

    Rounding by c, where it is no power of two, goes into mu, K and into what the loss says of its own errors, or is
    that of data which differ by rounding.

    Raises
    ------
    ValueError
        If the loss is one of the user's own kernels, or leaves float64.

    """
    exact = math.frexp(c)[0] == 0.5
    part, square = 0.0 if exact else 8 * U, c * c
    if not (LEAST < problem.K * square < GREATEST or math.isinf(problem.K)) or not LEAST < square < GREATEST:
        raise ValueError(f"layer_scales: expected scales whose product leaves the loss within float64, got {c!r}")
    made = type(problem).__new__(type(problem))
    kept = {name: value for name, value in vars(problem).items() if name not in problem._on_demand}
    for name, power in POWERS.items():
        if kept.get(name) is not None:
            kept[name] = kept[name] * square if power == 2 else kept[name] * c if power == 1 else kept[name] / c
    for name, sign in (("mu", -1), ("K", 1)):
        kept[name] = kept[name] * (1 + sign * part)
    if isinstance(problem, RowLoss):
        # solved anew, as the loss of the scaled data
        kept.update({name: None for name in ("_kernel", "_curvature") if name in kept})
    else:
        kept["kernel"] = _kernel(problem.kernel, c, mu=kept["mu"], K=kept["K"], part=part)
        if kept["minimizer"] is not None:
            kept["minimizer_error"] = (problem.minimizer_error + _lost(part, problem.minimizer)) / c
            kept["minimizer"].flags.writeable = False
    vars(made).update(kept)
    return made


# How what a problem keeps depends on c.
POWERS = {"mu": 2, "K": 2, "l2": 2, "singular_values": 1, "_X": 1, "minimizer": -1, "_offset": -1, "_ridge_on": -1}


def _lost(part, W):
    """Return this part of the norm of W, at least; 0 of nothing, though the norm may be beyond float64."""
    return part * norm(W) if part else 0.0


def _kernel(kernel, c, *, mu, K, part):
    """Return the compiled loss of c M."""
    options = kernel.options
    if type(kernel) is DiagonalQuadratic:
        d, W_star = options["d"] * (c * c), options["W_star"] / c
        if not (np.isfinite(W_star).all() and (d > LEAST).all()):
            raise ValueError(f"layer_scales: expected scales whose product leaves the loss within float64, got {c!r}")
        options.update(d=d, W_star=W_star, mu=mu, K=K, frame=kernel.frame * (1 + part) + part,
                       uncertainty=kernel.uncertainty + math.sqrt(K) * _lost(part, W_star))
        return DiagonalQuadratic(**options)
    if type(kernel) is PythonLoss:
        options.update(function=OfMultiple(options["function"], c), mu=mu, K=K)
        if options["hessian_form"] is not None:
            own = options["concordance"]
            options.update(hessian_form=AtMultiple(options["hessian_form"], c),
                           concordance=AtMultiple(own, c) if callable(own) else own * c)
        return PythonLoss(**options)
    raise ValueError(f"layer_scales: expected a loss of lplfast's or a Python function, of which the scaled one is "
                     f"known, got {kernel!r}; scale the loss and the layers themselves")
