"""What a gap says of the singular values of the product. docs/theory.md, section 10."""

import dataclasses
import math

import numpy as np

__all__ = ["Margins", "margins_of"]

EPS = float(np.finfo(float).eps)


# Why nothing is guaranteed of a loss with mu_kind="pl".
NOT_UNIQUE = ("Vacuous: mu is declared as a PL constant (mu_kind='pl'), of a loss that may have many minimizers: "
              "nothing then bounds how large the product becomes. The rates of steps along a run hold all the same. If "
              "the loss is strongly convex with this mu, say mu_kind='strong'.")

# And of one without K.
NOT_SMOOTH = "Vacuous: the loss has no smoothness constant K, so nothing bounds its curvature."


@dataclasses.dataclass(frozen=True)
class Margins:
    """Bounds on the singular values of W for any gap: where the minimizer is, and how far W can be from it.

    Attributes
    ----------
    mu, K : float
        The constants of the loss; mu may be one that holds as long as the gap is at most the first.
    quadratic : bool
        Whether it is a squared loss.
    least, greatest : float
        The extreme singular values of the minimizer or, where that is not known, of the first W.
    error : float
        How far the minimizer may be from there.
    data_least, data_greatest : float or None
        Those of `H^(1/2) W*` for a squared loss: the same in the data's units.
    slack : float
        What rounding may take of a difference, as a part of a sum.
    """

    mu: float
    K: float
    quadratic: bool
    least: float
    greatest: float
    error: float
    data_least: float | None
    data_greatest: float | None
    slack: float

    def at(self, gap):
        """Return `p1 <= s_min(W)` and `p2 >= s_max(W)` for every W of at most this gap."""
        if not (self.mu > 0 and gap < math.inf):
            return 0.0, math.inf
        error = math.sqrt(2) * math.sqrt(gap)
        r = error / math.sqrt(self.mu) + self.error
        p1 = max(self.least - r - self.slack * (self.greatest + r), 0.0)
        p2 = (self.greatest + r) * (1 + self.slack)
        if self.data_least is not None:
            # ||H^(1/2) (W - W*)||^2 / 2 is the gap
            data = max(self.data_least - error - self.slack * (self.data_greatest + error), 0.0)
            p1 = max(p1, data / math.sqrt(self.K) * (1 - self.slack))
            p2 = min(p2, (self.data_greatest + error) / math.sqrt(self.mu) * (1 + self.slack))
        return p1, p2

    def pl_constants(self):
        """Return gaps, ascending, and for each a PL constant of the loss wherever the gap is at most that.

        Empty where nothing better than mu is known. Beyond the last gap it is mu.
        """
        return (), ()


def margins_of(problem, W, gap, stack):
    """Return the Margins of a problem, with W, the product of the stack, as far from its minimizer as a gap says."""
    kernel, mu = problem.kernel, problem.constant_below(gap, stack)
    slack = 10 * max(kernel.shape) * EPS
    if mu > kernel.mu:
        slack += 1e-12      # the data see all of the layers, to rounding
    center, error, data = W, 0.0, (None, None)
    if not (mu > 0 and gap < math.inf) or problem.mu_kind == "pl":
        # a PL constant says how far the nearest minimizer is, and that may be another one all the time
        error = math.inf
    elif problem.minimizer is not None:
        center, error = problem.to_kernel(problem.minimizer), problem.minimizer_error
    else:
        error = math.sqrt(2) * math.sqrt(gap) / math.sqrt(mu)
    if kernel.quadratic and kernel.minimizer is not None:
        data = _extremes(np.sqrt(kernel.hessian)[:, np.newaxis] * kernel.minimizer)
    return Margins(float(mu), kernel.K, bool(kernel.quadratic), *_extremes(center), float(error), *data, slack)


def _extremes(matrix):
    values = np.linalg.svd(matrix, compute_uv=False)
    return float(values[-1]), float(values[0])
