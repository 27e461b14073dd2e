"""Roots: of eta K_t(eta) = 1, and of the quartic along a step (docs/theory.md, sections 4 and 8)."""

import numpy as np
from scipy.optimize import brentq

__all__ = ["fall", "first_minimiser", "first_positive_root", "quartic_of", "root"]


def root(smoothness, at):
    """Return the root of `eta * smoothness(at, eta) = 1`, which lies in (0, 1 / smoothness(at, 0)]."""
    return brentq(lambda eta: eta * smoothness(at, eta) - 1, 0.0, 2 / smoothness(at, 0.0), xtol=1e-300, rtol=1e-15)


def quartic_of(at, curvature):
    """Return the coefficients a, b, c, d of `L - a eta + b eta^2 + c eta^3 + d eta^4`."""
    (tt, tb, bb), a = curvature, at["grad_norm"] ** 2
    return a, np.vdot(at["G"], at["B"]) + tt / 2, -tb, bb / 2


def first_positive_root(polynomial):
    """Return the first positive root of a polynomial, from the eigenvalues of its companion matrix."""
    roots = np.roots(polynomial.coef[::-1])
    real = roots[abs(roots.imag) <= 1e-9 * abs(roots)].real
    x = real[real > 0].min()
    for _ in range(2):      # a companion matrix knows small roots to u times the large ones only
        x -= polynomial(x) / polynomial.deriv()(x)
    return x


def first_minimiser(a, b, c, d):
    """Return the first positive root of the quartic's derivative."""
    return first_positive_root(np.polynomial.Polynomial([-a, 2 * b, 3 * c, 4 * d]))


def fall(quartic, eta):
    """Return how much lower the quartic is after a step of size eta."""
    a, b, c, d = quartic
    return a * eta - b * eta**2 - c * eta**3 - d * eta**4
