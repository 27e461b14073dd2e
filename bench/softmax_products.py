"""The limit of a step of softmax regression: its products, and one exponential for each logit."""

import numpy as np
from scipy.linalg.blas import dgemm

from .compiled import compiled
from .timing import Work

__all__ = ["softmax_products"]


def softmax_products(N, n, m, k, *, ray=False):
    """Return the Work of the products and the exponentials for N rows of X, one step's worth a unit.

    A step that looks along its ray has X @ [tau, B] in place of X @ E, and what tau and B are made of.
    """
    exponentials = compiled().exponentials
    rng = np.random.default_rng(0)
    # row-major as the kernels have them: Fortran sees the transposes, hence .T and swapped arguments
    W1, W2t, G, X, R = (rng.standard_normal(shape).T for shape in ((n, k), (m, k), (n, m), (N, n), (N, m)))
    W, g1, g2t, Z = (np.zeros(shape).T for shape in ((n, m), (n, k), (m, k), (N, m)))
    both, tau, B, moves = (rng.standard_normal(shape).T for shape in ((n, 2 * m), (n, m), (n, m), (N, 2 * m)))
    x, y = rng.standard_normal(N * m), np.empty(N * m)
    times = max(1, 36_000 // N)     # enough of them that the calls from Python cost nothing beside

    def run():
        for _ in range(times):
            # positional: beta, C, trans_a, trans_b, overwrite_c
            dgemm(1.0, W2t, W1, 0.0, W, 1, 0, 1)        # W = W1 @ W2
            if ray:
                dgemm(1.0, both, X, 0.0, moves, 0, 0, 1)    # X @ [tau, B]
            else:
                dgemm(1.0, W, X, 0.0, Z, 0, 0, 1)           # Z = X @ W
            exponentials(x, y)
            dgemm(1.0, R, X, 0.0, G, 0, 1, 1)           # G = X.T @ R
            dgemm(1.0, W2t, G, 0.0, g1, 0, 0, 1)        # g1 = G @ W2.T
            dgemm(1.0, W1, G, 0.0, g2t, 0, 1, 1)        # g2.T = G.T @ W1
            if ray:
                dgemm(1.0, W2t, g1, 0.0, tau, 1, 0, 1)  # tau = g1 @ W2 + W1 @ g2
                dgemm(1.0, g2t, W1, 1.0, tau, 1, 0, 1)
                dgemm(1.0, g2t, g1, 0.0, B, 1, 0, 1)    # B = g1 @ g2

    run()
    logits = ((moves, both @ X), (tau, W2t.T @ g1 + g2t.T @ W1), (B, g2t.T @ g1)) if ray else ((Z, W @ X),)
    for found, expected in (*logits, (G, R @ X.T), (g1, W2t @ G), (g2t, W1 @ G.T), (y, np.exp(x))):
        if not np.allclose(found, expected):
            raise RuntimeError("a product did not go where it should")
    return Work(lambda: run, times)
