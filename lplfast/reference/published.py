"""The step sizes of earlier papers, as Xu et al. (2023) print them."""

import numpy as np

from .polynomials import first_positive_root

__all__ = ["arora2018", "du2018", "xu2023"]


def _printed_margins(at):
    """Return p1, p2, alpha, beta as Xu et al. (2023) print them."""
    n, m = at["W"].shape
    n = at["W1"].shape[0]
    E, s = np.sqrt(2 * at["loss"]), np.linalg.svd(at["target"], compute_uv=False)
    p1 = max(s[-1] - E, 0) / np.sqrt(at["K"])
    p2 = (np.linalg.norm(at["target"]) + E) / np.sqrt(at["mu"])
    D = np.linalg.eigvalsh(at["W1"].T @ at["W1"] - at["W2"] @ at["W2"].T)
    top, bottom = max(D[-1], 0), max(-D[0], 0)
    nth, mth = max(D[-n], 0) if n <= D.size else 0, max(-D[m - 1], 0) if m <= D.size else 0
    # the larger root x of (x + a) (x - b) = p^2, from the product of both where b - a would cancel
    alpha = sum((b - a + root) / 2 if b > a else 2 * (a * b + p**2) / max(a - b + root, np.finfo(float).tiny)
                for a, b, p in ((bottom, nth, p1 if n <= m else 0), (top, mth, p1 if m <= n else 0))
                for root in [np.sqrt((a + b) ** 2 + 4 * p**2)])
    beta = sum((x + np.sqrt(x**2 + 4 * p2**2)) / 2 for x in (top, bottom))
    return p1, p2, alpha, beta


def _xu_polynomial(at, low, high, p, g):
    mu, K = at["mu"], at["K"]
    return np.polynomial.Polynomial([1, -2 * mu * low, K * mu * high**2 + 2 * mu * p * g, 2 * mu * K * high * p * g,
                                     mu * K * p**2 * g**2])


def xu2023(bound, c1=0.5, c2=1.5):
    """Return the rule of Xu et al. (2023), a function of (constants, t) that remembers t = 0."""
    first = {}

    def choose(at, t):
        g = np.sqrt(2 * at["K"] * at["gap"])
        if t == 0:
            _, p2, alpha, beta = _printed_margins(at)
            first["bounds"] = c1 * alpha, c2 * beta, p2
            f = _xu_polynomial(at, *first["bounds"], g).coef
            extra = 4 * c2 * at["gap"] * at["K"] * np.array([1 / (c2 - 1), 2 * beta / ((1 - c1) * alpha)])
            first["eta_max"] = min(first_positive_root(np.polynomial.Polynomial([f[1], f[2] + more, f[3], f[4]]))
                                   for more in extra)
        if bound == "rho":
            f = _xu_polynomial(at, at["sigma_min_sq"], at["sigma_max_sq"], at["sigma_max_W"], at["G_norm"])
        elif bound == "rho-hat":
            _, p2, alpha, beta = _printed_margins(at)
            f = _xu_polynomial(at, alpha, beta, p2, g)
        elif bound == "f" or t == 0:
            f = _xu_polynomial(at, *first["bounds"], g)
        else:
            return first["eta"]
        first["eta"] = min(first_positive_root(f.deriv()), first["eta_max"])
        return first["eta"]

    return choose


def arora2018():
    """Return the rule of Arora et al. (2018), which remembers t = 0."""
    first = {}

    def choose(at, t):
        if t == 0:
            first["eta"] = _printed_margins(at)[0] ** 3 / (6144 * 8 * np.linalg.norm(at["target"]) ** 4)
        return first["eta"]

    return choose


def du2018(at, t):
    """Return the step of Du et al. (2018)."""
    norm = np.linalg.norm(at["target"])
    return np.sqrt(norm / 2 / np.linalg.matrix_rank(at["target"])) / (100 * (t + 1) * norm**1.5)
