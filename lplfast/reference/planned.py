"""Steps that are planned, and planned again as the run goes on (docs/theory.md, section 11)."""

import types

import numpy as np

from .constants import K_t_sharp
from .phases import plan
from .polynomials import root

__all__ = ["planned"]

# Iterations from one plan to the next, at least; the part of the gap that a plan leads to; its steps, at most.
EVERY, FACTOR, LONGEST = 4, 1e-6, 20_000


def planned():
    """Return the rule that plans as it goes, which remembers its plan."""
    left, state = [], {"next": 0, "target": 0.0, "planned": False}

    def choose(at, t):
        if state["next"] <= 0 or (state["planned"] and not left):
            arrived = not left or at["gap"] <= state["target"]
            target = FACTOR * at["gap"] if arrived else state["target"]
            steps = plan(_bounds(at), target, LONGEST if arrived else len(left) - 1) if at["mu"] > 0 else None
            if steps:
                left[:], state["target"] = steps, target
            state["next"] = EVERY + len(left) // 64
        state["next"] -= 1
        state["planned"] = bool(left)
        return left.pop(0) if left else root(K_t_sharp, at)

    return choose


def _bounds(at):
    """Return what plans are made from at an iterate: as InitialBounds, of its own imbalance."""
    W1, W2 = at["W1"], at["W2"]
    (n, _), m = W1.shape, W2.shape[1]
    values = np.sort(np.linalg.eigvalsh(W1.T @ W1 - W2 @ W2.T))[::-1]
    D = types.SimpleNamespace(n=n, m=m, **{name: max(values[i] * sign, 0.0) if len(values) > abs(i + (i < 0)) else 0.0
                                           for name, i, sign in (("top", 0, 1), ("bottom", -1, -1),
                                                                 ("nth", n - 1, 1), ("mth", -m, -1))})
    r = np.sqrt(2 * at["gap"] / at["mu"])
    center, error, data = W1 @ W2, r, None
    if at["hessian"] is not None:
        H = at["basis"].T @ at["hessian"] @ at["basis"]
        center, error = center - np.linalg.solve(H, at["basis"].T @ at["G"]), 0.0
        data = np.sqrt(np.maximum(np.linalg.eigvalsh(_short(center, H)), 0.0))
    s = np.linalg.svd(center, compute_uv=False)

    def margins(gap):
        off, r = np.sqrt(2 * gap), np.sqrt(2 * gap / at["mu"]) + error
        p1, p2 = max(s[-1] - r, 0.0), s[0] + r
        if data is not None:
            p1, p2 = max(p1, (data[0] - off) / np.sqrt(at["K"])), min(p2, (data[-1] + off) / np.sqrt(at["mu"]))
        return p1, p2

    return types.SimpleNamespace(gap=at["gap"], K=at["K"], imbalance=D, margins=types.SimpleNamespace(
        at=margins, mu=at["mu"], quadratic=at["hessian"] is not None, greatest=s[0], error=error))


def _short(center, H):
    """Return the smaller of the two Gram matrices of H^(1/2) W."""
    values, vectors = np.linalg.eigh(H)
    root = vectors * np.sqrt(values) @ vectors.T @ center
    return root @ root.T if root.shape[0] <= root.shape[1] else root.T @ root
