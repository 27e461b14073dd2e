"""Bounds on the local constants from the initialization alone. docs/theory.md, section 10."""

import dataclasses
import math
from typing import Any, Literal

import numpy as np
import scipy

from ..annotations import ArrayLike
from ..losses.problems import Problem
from ..network import Network
from ..rules import formulas
from ..validation import as_choice, as_doubles
from .constants import check_pair, evaluated
from .imbalance import Imbalance
from .margins import Margins, margins_of

__all__ = ["InitialBounds", "bounds_at", "imbalance_of", "initial_bounds"]

MARGINS = ("best", "xu2023")

EPS, TINY = float(np.finfo(float).eps), float(np.finfo(float).tiny)


@dataclasses.dataclass(frozen=True)
class InitialBounds:
    """What `initial_bounds` returns.

    Attributes
    ----------
    alpha, beta : float
        `alpha <= s_min(T)^2 <= s_max(T)^2 <= beta` for every network with this imbalance whose gap is at most
        this one; in particular along gradient flow, and here.
    p1, p2 : float
        `p1 <= s_min(W)`, `s_max(W) <= p2` for every W whose gap is at most this one.
    mu_lower : float
        `mu alpha`, a lower bound on the local PL constant; for a softmax or logistic loss with a better constant than
        mu, where the data see all of the network (`problem.project`).
    gap : float
        The gap they hold for, an upper bound.
    margins : Margins or None
        Where p1 and p2 come from, for any gap; None for those of Xu et al. (2023).
    """

    alpha: float
    beta: float
    p1: float
    p2: float
    mu_lower: float
    gap: float
    K: float
    imbalance: Imbalance
    margins: Margins | None = None

    def after(self, drift: float | ArrayLike) -> tuple[Any, Any]:
        """Return `alpha - drift` or better, and `beta + drift`: bounds once the imbalance has moved by at most `drift`.

        As long as the gap is at most this one. `drift` may be an array, such as a run's column of that name.

        Raises
        ------
        TypeError, ValueError
            If it is neither a number >= 0 nor an array of them.

        """
        if type(drift) is not float:
            drift = as_doubles("drift", drift)
        if np.less(drift, 0.0).any():
            raise ValueError(f"drift: expected numbers >= 0, got {np.min(drift):.3g}")
        with np.errstate(over="ignore"):
            return np.maximum(self.alpha - drift, self.imbalance.alpha(self.p1, drift)), self.beta + drift

    def K_upper(self, eta: float) -> float:
        """Return an upper bound on K_t(eta): the formula of Xu et al. (2025) at beta, p2 and this gap."""
        if math.isinf(self.K):
            return math.inf
        return formulas.K_t(self.K, self.beta, self.p2, self.gap, eta)


def initial_bounds(problem: Problem, network: Network, *, margins: Literal["best", "xu2023"] = "best") -> InitialBounds:
    """Return bounds on the local constants from the imbalance of the layers and the gap at `network`.

    With `lam_i` the i-th largest eigenvalue, `D = W1.T W1 - W2 W2.T` and `x+ = max(x, 0)`:
    `s_n(W1)^2 >= phi(lam_1(-D)+, lam_n(D)+, p1)`, `s_m(W2)^2 >= phi(lam_1(D)+, lam_m(-D)+, p1)`, where p1 counts for
    the layer on the shorter side only, and `s_max(W1)^2 <= (lam_1(D)+ + hypot(lam_1(D)+, 2 p2)) / 2`, with -D for W2.
    The eigenvalues of D err to the safe side, with an allowance for rounding.

    Parameters
    ----------
    problem : Problem
        The loss of the product.
    network : Network
        The two layers, of any width.
    margins : {"best", "xu2023"}
        How p1 and p2 come from the gap: the better of what strong convexity and the data say, or the formulas
        printed in Xu et al. (2023), for a squared loss without ridge.

    Raises
    ------
    TypeError, ValueError
        If these are no problem and network of one shape, or the margins do not apply.
    OverflowError
        If the loss or its gradient at the network is not a float64 number.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network
    >>> found = initial_bounds(MatrixFactorization([[1.0]]), Network([[2.0]], [[0.5]]))
    >>> round(found.alpha, 12), round(found.beta, 12)   # W = W*: alpha is s_min(T)^2 = 2^2 + 0.5^2 itself
    (4.25, 5.0)
    """
    check_pair(problem, network)
    as_choice("margins", margins, MARGINS)
    at = evaluated(problem, problem.to_kernel(network.stack()))
    return bounds_at(problem, network, at["gap_above"], at["loss"], margins)


def bounds_at(problem, network, gap, loss=None, margins="best"):
    """Return the InitialBounds at a network whose gap, an upper bound, is known; the loss is for "xu2023" alone."""
    n, m = problem.kernel.shape
    stack = network.stack()
    W1, W2t = np.split(problem.to_kernel(stack), [n])
    W2 = W2t.T
    gap += n * m * TINY     # squares that have underflowed
    known = margins_of(problem, W1 @ W2, gap, stack) if margins == "best" else None
    p1, p2 = known.at(gap) if known else _printed_margins(problem, loss)
    imbalance = imbalance_of(W1, W2)
    alpha = float(imbalance.alpha(p1))
    mu = known.mu if known else problem.mu
    return InitialBounds(alpha=alpha, beta=imbalance.beta(p2), p1=p1, p2=p2, mu_lower=mu * alpha, gap=gap,
                         K=problem.K, imbalance=imbalance, margins=known)


def imbalance_of(W1, W2):
    """Return the Imbalance of two layers, as the loss sees them."""
    n, m = W1.shape[0], W2.shape[1]
    values = scipy.linalg.eigvalsh(W1.T @ W1 - W2 @ W2.T)
    # forming D and LAPACK's eigenvalues: each side gives way by what they may be off, so that 0 stays 0
    off = (max(n, m) + 2 + 10 * values.size) * EPS * float(np.vdot(W1, W1) + np.vdot(W2, W2))
    return Imbalance(n, m, top=_largest(values, 1) + off, bottom=_largest(-values, 1) + off,
                     nth=max(_largest(values, n) - off, 0.0), mth=max(_largest(-values, m) - off, 0.0))


def _largest(values, i):
    """Return the positive part of the i-th largest of `values`, however many zeros are among them."""
    positive = np.sort(values[values > 0])[::-1]
    return float(positive[i - 1]) if i <= positive.size else 0.0


def _printed_margins(problem, loss):
    """Return p1 <= s_min(W) and p2 >= s_max(W) as Xu et al. (2023) print them, of a loss of this size."""
    kernel = problem.kernel
    if kernel.target_summary is None:
        raise ValueError(f"margins: expected a squared loss without ridge for 'xu2023', got {problem!r}")
    least, frobenius, _ = kernel.target_summary
    error = math.sqrt(2 * max(loss, 0.0))
    return (max(least - error, 0.0) / math.sqrt(kernel.K),
            (frobenius + error) / math.sqrt(kernel.mu) if kernel.mu > 0 else math.inf)
