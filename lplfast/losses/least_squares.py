"""The least-squares problem of a user's data: its minimizer, its constants, and how wrong each of them may be.

With `H = X.T X / rho + l2 I` and `X = U S V.T`, all that the loop needs is `d = S^2 / rho + l2` and `T`, the minimizer
in the frame of V. Both are computed, so `V.T H V` is `D^(1/2) (I + F) D^(1/2)`, D = diag(d), with a small F that is
measured: a bound on its norm, `frame`, bounds the errors of mu, K and of every gap. docs/theory.md, section 5, has the
proofs; `u` is the unit roundoff.
"""

import dataclasses
import math

import numpy as np

from ..linalg.factorization import factorize
from .curvature import exact_curvatures, rounded
from .proof import Data, Frame, Proof, unseen

__all__ = ["LeastSquares", "solve"]


@dataclasses.dataclass(frozen=True)
class LeastSquares:
    """What `solve` returns.

    Attributes
    ----------
    rank, singular_values
        Of X: the numerical rank, and min(N, n) values, largest first.
    d : (r,) array
        The Hessian in the frame of `basis`.
    basis : (n, r) array
        Orthonormal columns to rounding.
    T : (r, m) array
        The minimizer in that frame.
    minimizer : (n, m) array
        The minimizer.
    minimizer_error : float
        The Frobenius norm of `minimizer - W*` is at most this.
    minimum, minimum_error : float
        l*, and how far it may be off.
    mu, K : float
        A lower bound on the least and an upper bound on the greatest curvature. mu is 0 where nothing can be proved.
    frame : float
        The gap in the frame is within this part of itself of the gap on the data, measured from `minimizer`.
    uncertainty : float
        `sqrt(2 gap)` at `minimizer` is at most this.
    """

    rank: int
    singular_values: np.ndarray
    d: np.ndarray
    basis: np.ndarray
    T: np.ndarray
    minimizer: np.ndarray
    minimizer_error: float
    minimum: float
    minimum_error: float
    mu: float
    K: float
    frame: float
    uncertainty: float


def solve(X, Y, *, l2, rows, offset):
    """Return the LeastSquares of `||X (W + offset) - Y||_F^2 / (2 rows) + l2/2 ||W + offset||_F^2`.

    Raises
    ------
    ValueError
        If X is zero, or a constant or the minimizer is not a float64 number.
    """
    N, n = X.shape
    found = factorize(X)
    if found.rank == 0:
        raise ValueError("X: expected a nonzero matrix, got all zeros: there is nothing to learn from")
    s = np.pad(found.s, (0, n - found.rank if l2 > 0 else 0))
    basis = np.hstack([found.V, found.null]) if s.size > found.rank else found.V
    with np.errstate(over="ignore", under="ignore"):
        d = s**2 / rows + l2
    if not (np.isfinite(d).all() and (d > np.finfo(float).tiny).all()):
        raise ValueError("X: expected singular values whose squares are float64 numbers, "
                         f"got {s[-1]:.3g} to {s[0]:.3g}; rescale X")
    if s.size > found.rank:
        # a ridge that is below what rounding makes of 0 in X @ null: that is the curvature there
        noise = unseen(X, found.null, rows)
        d[found.rank:] = np.where(noise > l2, noise + l2, l2)
    exact = exact_curvatures(X, rows, l2)
    if exact is not None:
        d = np.array([rounded(value, -math.inf) for value in exact[:d.size]])
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        c, rest = found.project(Y)
        whole = (found.s / rows / d[:found.rank])[:, np.newaxis] * c    # the minimizer of W + offset, seen by the data
        T = -(basis.T @ offset)
        T[:found.rank] += whole
        W = found.V @ whole - (offset if s.size == n else basis @ (basis.T @ offset))
    if not (np.isfinite(T).all() and np.isfinite(W).all()):
        raise ValueError("X, Y: expected a least-squares solution within float64, got one beyond; rescale X or Y")
    minimum = (rest / rows + (l2 / rows / d[:found.rank]) @ np.einsum("ij,ij->i", c, c)) / 2
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        proof = Proof(Data(X, Y, l2, rows, offset), found, Frame(basis, d, T, W))
        mu, K = proof.curvatures()
        if exact is not None:
            mu, K = rounded(exact[d.size - 1], -math.inf), rounded(exact[0], math.inf)
        uncertainty = proof.uncertainty(mu)
        if found.rank == N and l2 == 0 and mu > 0:
            minimum, minimum_error = 0.0, 0.0       # the rows are independent, this is proved: every Y is met
        else:
            minimum_error = proof.minimum_error(minimum, uncertainty)
        minimizer_error = proof.minimizer_error(mu, uncertainty)
    singular_values = np.pad(found.s, (0, min(N, n) - found.rank))
    return LeastSquares(found.rank, singular_values, d, basis, T, W, minimizer_error, float(minimum), minimum_error,
                        mu, K, proof.frame, uncertainty)
