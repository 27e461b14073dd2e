"""What tests of allowances for rounding share: units of it, exact sums, sizes and brackets at rest."""

import math
from fractions import Fraction

import mpmath
import numpy as np

U = 2.0**-53
DRAWS = 400

# In units of 2^-POINT, numbers of order 1 are integers: fractions of them would take seconds.
POINT = 120


def gamma(k):
    return k * mpmath.mpf(U) / (1 - k * mpmath.mpf(U))


def root(x):
    return mpmath.sqrt(mpmath.mpf(x))


def positive(x):
    return max(x, mpmath.mpf(0))


def sizes(rng, count, decades=3):
    return (10.0 ** rng.uniform(-decades, decades, count)).tolist()


def tracked(lo, hi):
    return {"lower": {"bound": lo, "gram_drift": 0.0, "matrix_path": 0.0},
            "upper": {"bound": hi, "gram_drift": 0.0, "matrix_path": 0.0},
            "now": {"lo": lo, "hi": hi}}


def exact_sum(*factors):
    """Return the sum of the products, and that of their absolute values, as fractions."""
    total = size = 0
    for numbers in zip(*(np.ldexp(factor.ravel(), POINT).tolist() for factor in factors), strict=True):
        term = math.prod(map(int, numbers))
        total += term
        size += abs(term)
    one = 1 << POINT * len(factors)
    return Fraction(total, one), Fraction(size, one)


def close(found, exact, units, size):
    return abs(Fraction(float(found)) - exact) <= Fraction(units * U) * size
