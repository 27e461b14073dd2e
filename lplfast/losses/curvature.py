"""The curvatures of `X.T X`, where it is diagonal and formed without rounding: exact numbers."""

import fractions
import math

import numpy as np

__all__ = ["exact_curvatures", "rounded"]


def exact_curvatures(X, rows, l2):
    """Return the eigenvalues of `X.T X / rows + l2 I` as fractions, largest first.

    None unless X.T X is formed without rounding, and is diagonal.
    """
    N, n = X.shape
    if not X.any():
        return [fractions.Fraction(l2)] * n
    bits = (52 - math.ceil(math.log2(N + 1))) // 2
    exponent = bits - int(np.frexp(abs(X).max())[1])
    Z = np.ldexp(X, exponent)
    if not ((np.rint(Z) == Z).all() and (np.ldexp(Z, -exponent) == X).all()):
        return None
    largest = int(np.unravel_index(abs(Z).argmax(), Z.shape)[1])
    if np.count_nonzero(Z[:, largest] @ Z) > 1:
        return None
    gram = Z.T @ Z      # integers below 2^53
    values = np.diag(gram)
    if np.count_nonzero(gram) > np.count_nonzero(values):
        return None
    unit = fractions.Fraction(2) ** (-2 * exponent)
    return sorted((fractions.Fraction(int(value)) * unit / rows + fractions.Fraction(l2) for value in values),
                  reverse=True)


def rounded(value, towards):
    """Return a fraction as a float, rounded towards -inf or inf."""
    nearest = float(value)
    if nearest == value or (nearest < value) == (towards < 0):
        return nearest
    return math.nextafter(nearest, towards)
