"""The local constants at one network: Polyak-Lojasiewicz, smoothness, and what they are made of."""

import dataclasses
import math

import numpy as np

from ..descent.descent import Descent
from ..losses.problems import Problem
from ..markup import number, table_html
from ..network import Network
from ..rules import formulas
from ..rules.classical import Constant
from ..spectral.exact import Exact
from ..threads import single_threaded_blas

__all__ = ["LocalConstants", "local_constants"]

EPS = float(np.finfo(float).eps)


@dataclasses.dataclass(frozen=True)
class LocalConstants:
    """What `local_constants` returns; every attribute errs to the safe side, rounding included.

    Attributes
    ----------
    mu_t : float
        Local PL constant `mu * sigma_min_sq`, a lower bound: `grad_norm**2 / 2 >= mu_t * gap`.
    sigma_min_sq : float
        s_min(W1)^2 + s_min(W2)^2, a lower bound.
    sigma_max_sq : float
        s_max(W1)^2 + s_max(W2)^2, an upper bound.
    sigma_max_W : float
        Largest singular value of W1 W2, an upper bound.
    loss, gap, grad_norm : float
        l(W1 W2), its distance to l*, and the norm of the gradient in both layers together, as computed.
    G_norm, G_max : float
        Frobenius and spectral norm of the gradient of l at W1 W2, upper bounds.
    kernel_extremes : (float, float) or None
        For a squared loss `nu_lo, nu_hi`, the extreme eigenvalues of the tangent kernel: `nu_lo`, a lower bound,
        is the exact local PL constant, never below `mu_t` but for rounding; `nu_hi` is an upper bound.
    brackets : dict
        `(lo, hi)` for sigma_min_sq, sigma_max_sq, sigma_max_W and G_max.
    kind : str
        How the singular values were found.

    """

    mu: float
    K: float
    mu_t: float
    sigma_min_sq: float
    sigma_max_sq: float
    sigma_max_W: float
    loss: float
    gap: float
    gap_above: float
    grad_norm: float
    G_norm: float
    G_max: float
    kernel_extremes: tuple[float, float] | None
    brackets: dict[str, tuple[float, float]]
    kind: str

    def _repr_html_(self) -> str:
        shown = ("mu_t", "sigma_min_sq", "sigma_max_sq", "sigma_max_W", "loss", "gap", "grad_norm", "G_norm", "G_max")
        rows = [(name, number(getattr(self, name)), *map(number, self.brackets.get(name, (None, None))))
                for name in shown]
        if self.kernel_extremes is not None:
            rows += [(name, number(value), "", "") for name, value in
                     zip(("nu_lo", "nu_hi"), self.kernel_extremes, strict=True)]
        return table_html("Local constants", rows, ("", "safe side", "at least", "at most"),
                          f"mu = {self.mu:.4g}, K = {self.K:.4g}; singular values: {self.kind}.")

    def K_t(self, eta: float) -> float:
        """Local smoothness constant of a step of size eta, an upper bound (Xu et al. 2025).

        `K s^2 + g + 3 K s^2 g eta + 6 K^2 s_max(W) gap eta^2` with `g = sqrt(2 K gap)`, `s^2 = sigma_max_sq`; infinite
        of a loss without a K.
        """
        if math.isinf(self.K):
            return math.inf
        return formulas.K_t(self.K, self.sigma_max_sq, self.sigma_max_W, self.gap_above, eta)

    def K_t_sharp(self, eta: float) -> float:
        """Local smoothness constant of a step of size eta, an upper bound never above `K_t` but for rounding.

        `K s^2 + ||G||_2 + K s^2 ||G||_2 eta + K s_max(W) ||G||_2 ||G||_F eta^2 / 2` with `s^2 = sigma_max_sq`.
        """
        if math.isinf(self.K):
            return math.inf
        return formulas.K_t_sharp(self.K, self.sigma_max_sq, self.sigma_max_W, self.G_max, self.G_norm, eta)


def local_constants(problem: Problem, network: Network) -> LocalConstants:
    """Return the local constants of `problem` at `network`.

    Parameters
    ----------
    problem : Problem
        The loss of the product.
    network : Network
        The two layers.

    Raises
    ------
    TypeError, ValueError
        If these are no problem and network, or their shapes differ.
    OverflowError
        If the loss or its gradient at the network is not a float64 number.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network
    >>> found = local_constants(MatrixFactorization([[2.0]]), Network([[1.0]], [[1.0]]))
    >>> round(found.mu_t, 12), found.gap, round(found.K_t(0.0), 12)     # 1 + 1, (1 - 2)^2 / 2, 2 + sqrt(2 gap)
    (2.0, 0.5, 3.0)

    """
    check_pair(problem, network)
    at = evaluated(problem, problem.to_kernel(network.stack()))
    return LocalConstants(
        mu=problem.mu,
        K=problem.K,
        mu_t=problem.mu * at["sigma_min_sq"][0] * (1 - 2 * EPS),
        sigma_min_sq=at["sigma_min_sq"][0],
        sigma_max_sq=at["sigma_max_sq"][1],
        sigma_max_W=at["sigma_max_W"][1],
        loss=at["loss"],
        gap=at["gap"],
        gap_above=at["gap_above"],
        grad_norm=at["grad_norm"],
        G_norm=at["G_norm"],
        G_max=at["G_max"][1],
        kernel_extremes=at["nu"] if problem.kernel.quadratic else None,
        brackets={name: at[name] for name in ("sigma_min_sq", "sigma_max_sq", "sigma_max_W", "G_max")},
        kind="exact",
    )


def evaluated(problem, stack):
    """Return everything that the compiled loop knows at a stack, which `problem.to_kernel` has returned; or raise."""
    with single_threaded_blas():
        at = Descent(problem.kernel, Constant(1.0), Exact(), stack).local()
    if not np.isfinite([at["loss"], at["floor"], at["grad_norm"], at["G_norm"]]).all():
        raise OverflowError("the loss or its gradient leaves float64 at this network; rescale the layers or the data")
    return at


def check_pair(problem, network):
    """Raise if these are not a problem and a network whose product is what the loss is a function of."""
    if not isinstance(problem, Problem):
        raise TypeError(f"problem: expected a Problem such as SquaredLoss, got {type(problem).__name__}")
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {type(network).__name__}")
    if (network.n, network.m) != problem.shape:
        turned = ""
        if (network.m, network.n) == problem.shape:
            turned = ("; the network is one for the transposed problem: use Network(network.W2.T, network.W1.T), or "
                      "transpose the targets")
        raise ValueError(f"network: expected {problem.shape[0]} inputs and {problem.shape[1]} outputs as in the "
                         f"problem, got {network.n} and {network.m}{turned}")
