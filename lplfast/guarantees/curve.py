"""The gap of a whole run from both sides, before its first step. docs/theory.md, section 9."""

import dataclasses
import math
from typing import Literal

import numpy as np

from ..annotations import Array, ArrayLike
from ..losses.problems import Problem
from ..network import Network
from ..threads import single_threaded_blas
from ..validation import as_array, as_count, as_doubles, as_number
from .constants import check_pair

__all__ = ["PredictedCurve", "predicted_curve"]

U = float(np.finfo(float).eps) / 2

# What the scalar recursions of a step lose: some 40 operations on nonnegative numbers, and norms.
UP = 1 + 256 * U

# A row of the curve where nothing can be said: gap from below and above, linear gap, distance, drift.
NOTHING = (0.0, math.inf, math.inf, math.inf, math.inf)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PredictedCurve:
    """What `predicted_curve` returns: arrays with an entry for each iterate, the first included.

    Attributes
    ----------
    gap_lower, gap_upper : (iterations + 1,) array
        `gap_lower[t] <= gap[t] <= gap_upper[t]`; 0 and inf where nothing can be said.
    linear_gap : (iterations + 1,) array
        The gap of the linearization at the first layers, as computed.
    distance : (iterations + 1,) array
        An upper bound on `||H^(1/2) (W_t - V_t)||_F`, V_t the product of the linearization: how far the run can be from
        it, in units of sqrt(2 gap).
    gram_drift : (iterations + 1,) array
        An upper bound on how far `W1 W1.T` and `W2.T W2` moved from where they began: the sum of both spectral norms.
    step_sizes : (iterations,) array
        The step sizes.
    order : {0, 1}
        Which bound it is.
    """

    gap_lower: Array
    gap_upper: Array
    linear_gap: Array
    distance: Array
    gram_drift: Array
    step_sizes: Array
    order: int

    @property
    def width(self) -> Array:
        """How wide the band is, `1 - gap_lower / gap_upper`: from 0 to 1."""
        with np.errstate(invalid="ignore", divide="ignore"):
            # both are 0 where the run has arrived
            return np.where(self.gap_upper > 0, 1 - self.gap_lower / self.gap_upper, 0.0)

    def __repr__(self):
        return (f"PredictedCurve(order={self.order}, iterations={self.step_sizes.size}, last gap "
                f"{self.gap_lower[-1]:.4g} to {self.gap_upper[-1]:.4g})")


def predicted_curve(problem: Problem, network: Network, step_sizes: float | ArrayLike, iterations: int, *,
                    order: Literal[0, 1] = 1) -> PredictedCurve:
    """Return bounds on the gap at every iterate from both sides, before the first step; squared losses.

    With `Q = H^(1/2) (W - W*)`, the gap is `||Q||_F^2 / 2`, and a step moves Q by `-eta M(Q)` and a term of second
    order in eta, where M is the tangent kernel of the present layers. Order 0 follows Q with the kernel of the first
    layers and without that term: the linearization, or lazy regime. Order 1 has that term, and the kernel that the
    layers would have if the gradients of the linearization moved them. How far the run can be from what is followed is
    carried along as a number, rounded up, by which the band is wide. docs/theory.md, section 9.

    The band is that of exact gradient descent on the loss as the loop sees it, in the frame of its data: a run adds the
    rounding of its own steps, about its column `floor`.

    Parameters
    ----------
    problem : Problem
        A squared loss.
    network : Network
        The initialization, of any width.
    step_sizes : float or (s,) array_like
        The step sizes; the last one from then on. Any size is allowed.
    iterations : int
        How many steps. Each costs a few eigenvalue problems of the size of the data, of order 1.
    order : {0, 1}
        The order; 1 is the narrower band.

    Returns
    -------
    PredictedCurve

    Raises
    ------
    TypeError, ValueError
        If these are no problem and network of one shape, no squared loss, or no step sizes.
    OverflowError
        If the loss at the network is not a float64 number.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network
    >>> found = predicted_curve(MatrixFactorization([[1.0]]), Network([[1.0]], [[2.0]]), 0.1, 1)
    >>> bool(found.gap_lower[1] <= (0.8 * 1.9 - 1) ** 2 / 2 <= found.gap_upper[1])    # g1 = 2, g2 = 1
    True
    """
    check_pair(problem, network)
    if not problem.kernel.quadratic or problem.kernel.minimizer is None:
        raise ValueError(f"problem: expected a squared loss, whose Hessian is constant, got {problem!r}")
    iterations = as_count("iterations", iterations)
    if as_count("order", order, least=0) > 1:
        raise ValueError(f"order: expected 0 or 1, got {order}")
    etas = _step_sizes(step_sizes, iterations)
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore", under="ignore"):
        frame = _Frame(problem.kernel, problem.to_kernel(network.stack()))
        if not math.isfinite(frame.size(frame.Q) * frame.size(frame.Q)):
            raise OverflowError("the loss leaves float64 at this network; rescale the layers or the data")
        band = (_Frozen if order == 0 else _Predicted)(frame)
        found = np.array([NOTHING] * (iterations + 1))
        for t in range(iterations + 1):
            found[t] = np.where(np.isnan(row := band.row()), NOTHING, row)
            if t < iterations:
                band.step(float(etas[t]))
    return PredictedCurve(*found.T.copy(), step_sizes=etas, order=order)


def _step_sizes(step_sizes, iterations):
    """Return one step size an iteration, the last one repeated, or raise."""
    if as_array("step_sizes", step_sizes).ndim == 0:
        return np.full(iterations, as_number("step_sizes", step_sizes, positive=True))
    found = as_doubles("step_sizes", step_sizes, 1)
    if not found.size or not (np.isfinite(found).all() and (found > 0).all()):
        raise ValueError("step_sizes: expected one or more finite positive numbers, got others")
    return np.concatenate([found[:iterations], np.full(max(iterations - found.size, 0), found[-1])])


class _Frame:
    """The loss in the frame of its data, the first layers there, and what rounding does to their products."""

    def __init__(self, kernel, stack):
        self.d, self.T = kernel.hessian[:, np.newaxis], kernel.minimizer
        self.frame, self.uncertainty = kernel.frame, kernel.uncertainty
        n, m = kernel.shape
        self.root = np.sqrt(self.d)
        self.K, self.mu = float(self.d.max()) * UP, float(self.d.min()) / UP
        # a chain of up to three products of inner lengths n and m, and what stands beside it, relative to norms
        self.u = 4 * (n + m + 16) * U
        W1, W2t = stack[:n], stack[n:]
        self.A1, self.A2 = W1 @ W1.T, W2t @ W2t.T
        self.Q = self.root * (W1 @ W2t.T - self.T)
        # what rounding has done to these, whose inner length is the width of the layers
        lost = (stack.shape[1] + 16) * U
        one, two = self.size(W1), self.size(W2t)
        self.Q_error = math.sqrt(self.K) * (lost * one * two + 8 * U * self.size(self.T)) * UP
        self.gram_error = lost * (one * one + two * two) * UP

    def size(self, A):
        """Return the Frobenius norm, rounded up."""
        return float(np.linalg.norm(A)) * (1 + self.u)

    def norm(self, A):
        """Return the spectral norm, rounded up; inf beyond float64."""
        if not np.isfinite(A).all():
            return math.inf
        return float(np.linalg.svd(A, compute_uv=False)[0]) * (1 + 8 * self.u)

    def kernel(self, A1, A2, Q):
        """Return M(Q) for these Gram matrices of the layers."""
        return self.d * Q @ A2 + self.root * (A1 @ (self.root * Q))

    def factor(self, A1, A2, eta):
        """Return `||I - eta M||`, rounded up.

        The spectrum of M is that of H^(1/2) (p I + A1) H^(1/2) for all eigenvalues p of A2.
        """
        if not np.isfinite(A2).all():
            return math.inf
        p = np.linalg.eigvalsh(A2)
        least, most = ((self.root * A1) * self.root.T + np.diag(p[at] * self.d[:, 0]) for at in (0, -1))
        if not (np.isfinite(least).all() and np.isfinite(most).all()):
            return math.inf
        off = 10 * self.u * self.K * (self.size(A1) + self.size(A2))
        low, high = np.linalg.eigvalsh(least)[0] - off, np.linalg.eigvalsh(most)[-1] + off
        return float(max(abs(1 - eta * low), abs(1 - eta * high))) * UP

    def band(self, size, e):
        """Return the gap from below and above where Q has norm `size` up to e, on the data themselves too."""
        if not size + e < math.inf:
            return 0.0, math.inf
        most, least = size * (1 + self.u) + e, max(size * (1 - 2 * self.u) - e, 0.0)
        above = most * most / 2
        slope = math.sqrt(2 * above * (1 + self.frame))
        off = self.frame * above + self.uncertainty * (slope + self.uncertainty / 2)
        return max(least * least / 2 / UP - off * UP, 0.0), (above + off) * UP


class _Linear:
    """The linearization P, and how far rounding can have taken the stored one from it."""

    def __init__(self, frame):
        self.frame, self.P, self.P_error = frame, frame.Q, frame.Q_error
        self.factor = (0.0, 0.0)    # the last step size, and ||I - eta M||

    def step_linear(self, eta):
        """Take the step of P; return what this rounds."""
        f, size = self.frame, self.frame.size(self.P)
        if eta != self.factor[0]:
            self.factor = eta, f.factor(f.A1, f.A2, eta)
        rounding = f.u * (size + eta * f.K * (f.size(f.A1) + f.size(f.A2)) * size)
        # the Gram matrices that were computed are themselves off
        off = eta * f.K * f.gram_error * (size + self.P_error)
        self.P = self.P - eta * f.kernel(f.A1, f.A2, self.P)
        self.P_error = (self.factor[1] * self.P_error + off + rounding) * UP
        return rounding


class _Frozen(_Linear):
    """Order 0: how far the run can be from the linearization."""

    def __init__(self, frame):
        super().__init__(frame)
        self.e, self.D = frame.Q_error, 0.0
        self.grams = frame.norm(frame.A1) + frame.norm(frame.A2) + frame.gram_error
        self.T_norm = frame.norm(frame.T)

    def row(self):
        """Return what belongs to an iterate: gap from below and above, linear gap, distance, drift."""
        size = self.frame.size(self.P)
        return (*self.frame.band(size, self.e), size * size / 2, self.e + self.P_error, self.D)

    def step(self, eta):
        """Take a step, with an upper bound on everything that it leaves out."""
        f, P, e, D = self.frame, self.P, self.e, self.D
        root_K, size = math.sqrt(f.K), f.size(P)
        G = f.root * P
        G_2, G_F = f.norm(G) + root_K * e, f.size(G) + root_K * e
        p = self.T_norm + f.norm(P / f.root) + e / math.sqrt(f.mu)
        rounding = self.step_linear(eta)
        self.e = (self.factor[1] * e + eta * f.K * (D + f.gram_error) * (size + e)
                  + eta * eta * root_K * G_2 * G_F * p + rounding) * UP
        self.D = (D + 4 * eta * p * G_2 + eta * eta * G_2 * G_2 * (self.grams + D)) * UP


class _Predicted(_Linear):
    """Order 1: the linearization P predicts Gram matrices B1, B2, which drive R; how far the run can be from R."""

    def __init__(self, frame):
        super().__init__(frame)
        self.R, self.B1, self.B2 = frame.Q, frame.A1, frame.A2
        self.e, self.D = frame.Q_error, frame.gram_error

    def row(self):
        """Return what belongs to an iterate: gap from below and above, linear gap, distance, drift."""
        f = self.frame
        size = f.size(self.P)
        moved = f.norm(self.B1 - f.A1) + f.norm(self.B2 - f.A2) + f.gram_error
        far = self.e + f.size(self.R - self.P) + self.P_error
        return (*f.band(f.size(self.R), self.e), size * size / 2, far, self.D + moved)

    def step(self, eta):
        """Take a step, with an upper bound on everything that it leaves out."""
        f, R, e, D = self.frame, self.R, self.e, self.D
        B1, B2 = self.B1, self.B2
        W_R, W_P = f.T + R / f.root, f.T + self.P / f.root
        G_R, G_P = f.root * R, f.root * self.P
        dG, dW = math.sqrt(f.K) * e, e / math.sqrt(f.mu)
        gR, wR, gp = f.norm(G_R), f.norm(W_R) + f.u * f.size(f.T), f.norm(G_P)
        g, w = gR + dG, wR + dW
        grams = f.size(B1) + f.size(B2)
        first, second = W_P @ G_P.T, W_P.T @ G_P
        by_first, by_second = W_R @ G_R.T - first, W_R.T @ G_R - second
        # what rounding does to R, to W G.T and to B1 and B2
        size, sizes = f.size(R), f.size(W_R) * f.size(G_R) + f.size(W_P) * f.size(G_P)
        of_R = f.u * (size + eta * f.K * grams * size + eta * eta * math.sqrt(f.K) * gR * f.size(W_R) * f.size(G_R))
        of_B = f.u * (grams + 8 * eta * sizes + eta * eta * gp * f.size(G_P) * grams)
        k = f.norm(by_first + by_first.T) + f.norm(by_second + by_second.T)
        dGp = f.norm(G_R - G_P) + dG
        self.e = (f.factor(B1, B2, eta) * e + eta * f.K * D * (size + e)
                  + eta * eta * math.sqrt(f.K) * (dG * w * g + gR * dW * g + gR * wR * dG) + of_R) * UP
        self.D = (D + eta * (k + 4 * (dW * g + wR * dG))
                  + eta * eta * (g * g * D + dGp * (g + gp) * (f.norm(B1) + f.norm(B2))) + of_B) * UP
        self.R = R - eta * f.kernel(B1, B2, R) + eta * eta * (f.root * (G_R @ W_R.T @ G_R))
        self.B1 = _symmetric(B1 - eta * (first + first.T) + eta * eta * (G_P @ B2 @ G_P.T))
        self.B2 = _symmetric(B2 - eta * (second + second.T) + eta * eta * (G_P.T @ B1 @ G_P))
        self.step_linear(eta)


def _symmetric(A):
    return (A + A.T) / 2
