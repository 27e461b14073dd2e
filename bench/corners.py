"""Random cases of extreme scale, condition and shape: what the rounding study trains."""

import contextlib

import numpy as np

from lplfast import LogisticLoss, Network, PseudoHuberLoss, SoftmaxLoss
from lplfast.losses.quadratic import DiagonalQuadratic

__all__ = ["LAYERS", "STARTS", "random_layers", "random_problem", "random_quadratic", "random_rows"]

LAYERS = ("gaussian", "graded", "rank-one", "balanced", "one-zero", "twins")
STARTS = ("anywhere", "near", "at the floor")


def random_quadratic(rng, *, scale=20.0, condition=12.0, largest=64):
    """Return where it starts, a quadratic loss, and the stack of layers (n + m, h)."""
    n, h, m = (round(largest ** rng.random()) for _ in range(3))
    sizes = 10.0 ** rng.uniform(-scale, scale, 3)           # X, layers, target
    # singular values of X over `condition` decades at most
    s = sizes[0] * 10.0 ** -np.sort(rng.uniform(0, rng.uniform(0, condition), n))
    W1, W2 = random_layers(rng, str(rng.choice(LAYERS)), n, h, m)
    W1, W2 = W1 * sizes[1], W2 * sizes[1] * 10.0 ** rng.uniform(-2, 2)
    start = str(rng.choice(STARTS, p=[0.6, 0.3, 0.1]))
    if start == "anywhere":
        W_star = rng.standard_normal((n, m)) * sizes[2] / s[:, np.newaxis] ** rng.integers(2)
    else:
        closeness = 10.0 ** rng.uniform(-12, 0) if start == "near" else 1e-16
        W = W1 @ W2
        W_star = W + closeness * abs(W).max() * rng.standard_normal((n, m))
    return start, DiagonalQuadratic(s**2, W_star), np.concatenate([W1, W2.T])


def random_layers(rng, kind, n, h, m):
    """Return layers of order one."""
    W1, W2 = rng.standard_normal((n, h)), rng.standard_normal((h, m))
    if kind == "graded":
        W1 *= 10.0 ** -np.linspace(0, rng.uniform(0, 10), n)[:, np.newaxis]
        W2 *= 10.0 ** -np.linspace(0, rng.uniform(0, 10), h)[:, np.newaxis]
    elif kind == "rank-one":
        W1, W2 = np.outer(W1[:, 0], W1[0]), np.outer(W2[:, 0], W2[0])
    elif kind == "balanced":
        U, S, Vt = np.linalg.svd(W1 @ W2, full_matrices=False)
        k = min(h, S.size)
        W1[:], W2[:] = 0.0, 0.0
        W1[:, :k], W2[:k] = U[:, :k] * np.sqrt(S[:k]), np.sqrt(S[:k])[:, np.newaxis] * Vt[:k]
    elif kind == "one-zero":
        (W1 if rng.random() < 0.5 else W2)[:] = 0.0
    elif kind == "twins":
        W1[-1], W2[:, -1] = W1[0], W2[:, 0]
    return W1, W2


def random_rows(rng, *, largest=24):
    """Return where it starts, a compiled loss of labels or of targets with outliers, and a stack of layers."""
    start, problem, network = random_problem(rng, largest=largest)
    return start, problem.kernel, problem.to_kernel(network.stack())


def random_problem(rng, *, largest=24):
    """Return where it starts, a problem of labels or of targets with outliers, and a network."""
    n, h = (round(largest ** rng.random()) for _ in range(2))
    m, N = round(2 * max(1, largest / 2) ** rng.random()), round(2 * 300 ** rng.random())
    scale = 10.0 ** rng.uniform(-3, 3)
    X = scale * rng.standard_normal((N, n)) * 10.0 ** -np.sort(rng.uniform(0, rng.uniform(0, 4), n))
    options = {"l2": 10.0 ** rng.uniform(-6, 1) * scale**2, "reduction": str(rng.choice(["sum", "mean"]))}
    if rng.random() < 0.5:
        options["offset"] = 10.0 ** rng.uniform(-2, 2) * rng.standard_normal((n, m))
    problem = random_loss(rng, X, m, options)
    start = str(rng.choice(STARTS, p=[0.6, 0.3, 0.1]))
    if start == "anywhere":
        size = 10.0 ** rng.uniform(-1, 1)
        W1, W2 = random_layers(rng, str(rng.choice(LAYERS)), n, h, m)
        network = Network(size * W1, size * W2)
    else:
        closeness = 10.0 ** rng.uniform(-12, 0) if start == "near" else 1e-16
        near = problem.minimizer + closeness * rng.standard_normal((n, m))
        network = Network.balanced(near, max(h, min(n, m)))
    if "offset" not in options and rng.random() < 0.5:
        network = problem.project(network)
    return start, problem, network


def random_loss(rng, X, m, options):
    """Return a loss with m outputs on these inputs; without the ridge of `options` now and then, where it can be."""
    kind, N, bare = str(rng.choice(["softmax", "logistic", "pseudo-huber"])), len(X), rng.random() < 0.3
    if kind == "pseudo-huber":
        Y = rng.standard_normal((N, m)) * 10.0 ** rng.uniform(-2, 2, (N, 1))
        return PseudoHuberLoss(X, Y, delta=10.0 ** rng.uniform(-2, 2), **options)
    if kind == "softmax":
        make, labels = SoftmaxLoss, rng.dirichlet(np.full(m, 0.3), N)
    else:
        make, labels = LogisticLoss, rng.integers(0, 2, (N, m))
        labels[0, :2] = 0, 1        # one class leaves nothing to learn
    if bare:
        # labels that can be separated, or nearly so, are refused: then no minimizer is certain
        with contextlib.suppress(ValueError):
            return make(X, labels, **options | {"l2": 0.0})
    return make(X, labels, **options)
