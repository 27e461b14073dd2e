"""What the curvature of a self-concordant loss at one matrix says of it elsewhere: docs/theory.md, section 12.

With D any matrix and R a number such that the curvature along D changes by at most the part `R ||D||` a unit of length.
"""

import math

__all__ = ["near_minimizer", "reach", "strong_part"]

# what a few dozen operations round
SLACK = 1e-13


def near_minimizer(g, d, R):
    """Return how far a matrix is from the minimizer at most, and its loss above the minimum; inf where none may exist.

    The gradient there has a norm of at most g, and no curvature is below d.

    Examples
    --------
    >>> near_minimizer(0.0, 1.0, 1.0), near_minimizer(1.0, 1.0, 1.0)
    ((0.0, 0.0), (inf, inf))

    """
    if not d > 0:
        return math.inf, math.inf
    kappa = R * (g / d) * (1 + SLACK)
    if not kappa < 1:
        return math.inf, math.inf
    # kappa + (1 - kappa) log(1 - kappa), by its series where it cancels: it is at most the second-order part, then
    # over 1 - kappa
    above = kappa * kappa / 2 / (1 - kappa) if kappa < 0.01 else kappa + (1 - kappa) * math.log1p(-kappa)
    return -math.log1p(-kappa) / R * (1 + SLACK), d / R / R * above * (1 + SLACK)


def bend(t):
    """Return theta(t)/t^2, theta(t) = exp(-t) + t - 1, without cancellation or underflow: 1/2 at 0."""
    return 0.5 - t * (1 / 6 - t * (1 / 24 - t * (1 / 120 - t / 720))) if t < 0.01 else (math.expm1(-t) / t + 1) / t


def reach(gap, d, R, l2):
    """Return how far from its minimizer a loss is at most `gap` above it: d its least curvature there, and a ridge l2.

    Along a line from the minimizer it grows by at least `d theta(R y)/R^2 + l2 y^2/2`.

    Examples
    --------
    >>> round(reach(2.0, 1.0, 1e-6, 0.0), 5)     # nearly a square: y^2/2
    2.0
    """
    def grown(y):
        return (d * bend(R * y) + l2 / 2) * y * y

    if gap == 0 or not (d + l2 > 0 and gap < math.inf):
        return 0.0 if gap == 0 else math.inf
    # a first guess that is short, doubled until it is too long
    low = math.sqrt(gap) * math.sqrt(2 / (d + l2)) / 2
    high = 2 * low
    while grown(high) < gap:
        low, high = high, 2 * high
        if not high < math.inf:
            return math.inf
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if grown(middle) < gap else (low, middle)
    return high * (1 + 1e-9)


def strong_part(d, l2, rho):
    """Return a lower bound on ||grad||^2 / (2 gap) from where no logits of a row are more than rho off.

    Examples
    --------
    >>> round(strong_part(2.0, 0.5, 0.0), 9), round(strong_part(2.0, 0.0, 1e6), 9)     # d + l2, and d / (2 rho)
    (2.5, 1e-06)
    """
    mean = d * (-math.expm1(-rho) / rho if rho > 0 else 1.0) + l2
    return mean * (mean / (2 * d * bend(rho) + l2)) * (1 - SLACK) if mean > 0 else 0.0
