"""`X.T X`, formed once, block by block, and what it proves of X. docs/theory.md, section 12."""

import math

import numpy as np
import scipy.linalg

from ..linalg.factorization import is_graded
from ..linalg.peaks import peaks
from ..once import once
from .curvature import exact_curvatures, rounded
from .proof import SLACK, U, blocks, summing

__all__ = ["Gram", "sum_of_squares"]

# Squares of numbers up to this, and down to its inverse, stay within float64 with all their digits.
MODERATE = 2.0**300

# Squared lengths of columns above this have lost nothing to underflow.
SEEN = 1e-280

# Where rounding moves no eigenvalue by more than this part of the least one, their roots are the singular values.
FINE = 1e-9


class Gram:
    """The smaller of X.T X and X X.T, in units of `unit`^2, a power of two.

    Attributes
    ----------
    matrix : (k, k) array
        It, k the lesser of N and n, each entry off by at most `summing` times the lengths of both columns.
    tops : (n,) array
        The largest absolute value of each column of X.
    largest : float
        An upper bound on s_max(X)^2, exact where X.T X is formed without rounding and is diagonal.
    """

    def __init__(self, X):
        self._X, self._long = X, X.shape[0] >= X.shape[1]
        A = X if self._long else X.T
        self.rows, k = A.shape
        self.tops = peaks(X, axis=0)
        peak = float(self.tops.max())
        # the last power of two is 2^1023
        exponent = 0 if 1 / MODERATE < peak < MODERATE or peak == 0 else min(math.frexp(peak)[1], 1023)
        self.unit = 2.0**exponent
        self.matrix = sum_of_squares(
            (A[rows] if self.unit == 1.0 else A[rows] / self.unit for rows in blocks(self.rows)), k)
        self._rounding = summing(self.rows)
        # sums of the Gram matrix, and LAPACK's eigenvalues of it: 10 p u of its norm
        self._off = (self._rounding + 10 * U * k + 8 * U) * float(np.trace(self.matrix))

    @once
    def _eigenvalues(self):
        return np.linalg.eigvalsh(self.matrix)[::-1]

    @once
    def largest(self):
        """An upper bound on s_max(X)^2."""
        exact = exact_curvatures(self._X, 1, 0.0) if self._may_be_diagonal() else None
        if exact is not None:
            return rounded(exact[0], math.inf)
        return float((self._eigenvalues[0] + self._off) * (1 + SLACK)) * self.unit**2

    def _may_be_diagonal(self):
        """Whether rounding may be all that there is beside the diagonal; of X.T X, not X X.T."""
        if not self._long:
            return True
        lengths = np.sqrt(self.matrix.diagonal())
        return bool((abs(self.matrix) <= 2 * self._rounding * np.outer(lengths, lengths)
                     + np.diag(lengths * lengths) + 1 / MODERATE).all())

    def proves_full_rank(self):
        """Whether this alone shows that X has rank n, as `factorize` decides it: False where it cannot tell."""
        d = self.matrix.diagonal()
        if not self._long or not d.min() > SEEN:
            return False
        scale = 2.0 ** np.floor(np.log2(d) / 2)
        if is_graded(self._X, self.unit * scale, self.tops):
            return False
        B = self.matrix / np.outer(scale, scale)
        k = len(B)
        # what rounding may have done to it, twice, and what Cholesky's method may; and the threshold of the rank
        part = 2 * (self._rounding + (k + 8) * U) + (8 * self.rows * U) ** 2
        B[np.diag_indices(k)] -= part * float(np.trace(B))
        return scipy.linalg.lapack.dpotrf(B, lower=1, overwrite_a=1)[1] == 0

    def singular_values(self):
        """Return those of X, largest first; None where its rounding could be seen in the least of them."""
        least = float(self._eigenvalues[-1])
        return np.sqrt(self._eigenvalues) * self.unit if self._off < FINE * least else None


def sum_of_squares(parts, k):
    """Return the sum of `A.T @ A` over matrices A of k columns, in their order."""
    found, one = np.zeros((2, k, k)).transpose(0, 2, 1)
    for A in parts:
        # one triangle, in place: NumPy's product fills both of a new matrix
        found += scipy.linalg.blas.dsyrk(1.0, A.T, c=one, overwrite_c=True)
    return found.T + np.triu(found, 1)
