"""Where experiments over the width start: a regression of a given K/mu, and a network of any width."""

import numpy as np

from ..losses.squared import SquaredLoss
from ..network import Network

__all__ = ["start"]

N = 20


def start(condition, width, seed):
    """Return the problem, with K/mu = `condition`, and the network of one seed."""
    rng = np.random.default_rng([seed, condition, width])
    U, V = (np.linalg.qr(rng.standard_normal((N, N)))[0] for _ in range(2))
    X = np.eye(N) if condition == 1 else (U * np.linspace(1, condition**-0.5, N)) @ V.T
    problem = SquaredLoss(X, X @ rng.standard_normal((N, N)) / np.sqrt(N))
    return problem, Network.gaussian_implicit(N, width, N, std=float(width) ** -0.25, rng=rng)
