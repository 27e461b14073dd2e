"""The singular value decomposition of a user's matrix, as accurate as its columns, and its rows, deserve.

LAPACK's default drivers return singular values that are right relative to the largest one. Data have columns in
different units: one that is 1e18 times larger would leave nothing of the others. Here the decomposition is that of a
matrix whose every column differs from the user's by rounding relative to that column; where a few rows are far larger
than the others, relative to the entries' own rows as well. docs/theory.md, section 5.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.linalg import lapack

from ..validation import as_matrix
from .peaks import peaks
from .row_space import basic_columns, in_order, null_space, row_space

__all__ = ["Factorization", "factorize", "is_graded", "rank_and_null"]

EPS = float(np.finfo(float).eps)

# Rows more than so many times larger than all that are needed make a matrix graded: it takes a slower elimination.
GRADED = 1024.0

# Singular values this far apart may have vectors with entries whose squares underflow, of which LAPACK loses digits.
FAR = 1e-140

# Rows that are looked at together, without a copy of all of them.
ROWS = 512

@dataclasses.dataclass(frozen=True)
class Factorization:
    """`X = U diag(s) V.T`, with s of length `rank`, and what is orthogonal to it.

    Attributes
    ----------
    rank : int
        The numerical rank r, after the columns have been scaled to length 1.
    s : (r,) array
        The singular values, largest first.
    V : (n, r) array
        The right singular vectors.
    core : (r, r) array
        The left singular vectors, in the coordinates of `project`.
    square, basis : arrays of shape (r, r) and (n, r)
        X is the product of `square` and `basis.T`, in these coordinates; `basis` has orthonormal columns.
    reflectors : tuple of Reflectors
        What turns the rows of X into these coordinates.
    order : (n,) array
        The columns of X, r independent ones first.
    others : (r, n - r) array
        The coefficients of the others in these.
    rows : int
        The number N of rows of X.
    """

    rank: int
    s: np.ndarray
    V: np.ndarray
    core: np.ndarray
    square: np.ndarray
    basis: np.ndarray
    reflectors: tuple
    order: np.ndarray
    others: np.ndarray
    rows: int

    @property
    def null(self):
        """An (n, n - r) orthonormal basis of the complement of V, graded as the columns are."""
        return in_order(null_space(self.others), self.order)

    def project(self, Y):
        """Return `U.T @ Y`, and the squared norm of what of Y is orthogonal to the columns of X."""
        for reflectors in self.reflectors:
            Y = reflectors.transpose_times(Y)
        inside, rest = Y[:self.rank], Y[self.rank:]
        return self.core.T @ inside, float(np.vdot(rest, rest))

    @property
    def U(self):
        """The (N, r) left singular vectors."""
        return self._expand(self.core)

    def left_inverse(self):
        """Return L (n, N) such that `L @ X` is the projection to the row space of X: I if r = n.

        By elimination, which keeps the accuracy of rows of very different size, where `V / s @ U.T` does not.
        """
        (reflectors,), R, pivots = _triangle(np.asfortranarray(self.square), abs(self.square).max(axis=1))
        inverse = np.empty_like(R)
        inverse[pivots] = scipy.linalg.solve_triangular(R, reflectors.transpose_times(np.eye(self.rank)))
        return self._expand((self.basis @ inverse).T).T

    def _expand(self, inside):
        """Return the (N, columns) matrix that has these coordinates, and no others."""
        A = np.zeros((self.rows, inside.shape[1]))
        A[:self.rank] = inside
        for reflectors in reversed(self.reflectors):
            A = reflectors.times(A)
        return A


@dataclasses.dataclass(frozen=True)
class Reflectors:
    """An orthogonal matrix as LAPACK's QR leaves it, applied to the first `rows` rows, taken in `order`."""

    order: np.ndarray
    packed: np.ndarray
    tau: np.ndarray

    def transpose_times(self, Y):
        """Return `Q.T @ Y`."""
        return self._apply("T", Y[self.order], Y)

    def times(self, Y):
        """Return `Q @ Y`."""
        found = np.empty_like(Y)
        found[self.order] = self._apply("N", Y, Y)[:self.order.size]
        found[self.order.size:] = Y[self.order.size:]
        return found

    def _apply(self, which, head, Y):
        rows = self.order.size
        applied, _, info = lapack.dormqr("L", which, self.packed, self.tau, np.asfortranarray(head[:rows]),
                                         max(1, 64 * Y.shape[1]))
        _check(info, "dormqr")
        return np.vstack([applied, Y[rows:]])


def factorize(X):
    """Return the Factorization of X: of a matrix that differs from X column by column by rounding.

    The columns are scaled to length 1 by powers of two, which rounds nothing. Householder QR with column pivoting, its
    rows sorted by size where they differ much, leaves a triangle whose rows keep their own accuracy. Its columns get
    their size back, and one-sided Jacobi rotations (LAPACK's preconditioned `dgejsv`) find its singular values.

    The rank r is decided on the scaled matrix, where rows larger than the min(N, n)-th largest are brought down to
    that: singular values up to `max(N, n) * eps` times the largest count as 0. If r < n, X is replaced by
    `X[:, basic] @ [I, C]`, with r of its columns and coefficients C from which rounding errors have been dropped.

    Raises
    ------
    TypeError, ValueError
        If it is no finite matrix of at least one row and column; if LAPACK does not converge, or the vectors have
        entries, beside larger ones, whose squares underflow, and columns are lost.
    """
    X = as_matrix("X", X)
    (N, n), found = X.shape, _columns(X)
    rank, order, others = found.rank, found.order, found.others
    if rank == 0:
        nothing = np.zeros((0, 0))
        return Factorization(0, np.zeros(0), np.zeros((n, 0)), nothing, nothing, np.zeros((n, 0)), (), order, others, N)
    basic = order[:rank]
    if found.first is not None:
        reflectors, R = found.first
        core, basis = R[:rank, :rank] * found.scale[basic], np.eye(n)[:, basic]
    else:
        basis, T = row_space(others)
        basis = in_order(basis, order)
        reflectors, R, pivots = _triangle(np.asfortranarray(found.B[:, basic]), found.sizes)
        core = np.empty_like(R)
        core[:, pivots] = R * found.scale[basic][pivots]
        core = core @ T
    s, left, right = _jacobi(core)
    return Factorization(rank, s, basis @ right, left, core, basis, reflectors, order, others, N)


def rank_and_null(X):
    """Return the rank and the `null` of `factorize(X)`, without what takes its singular values.

    Raises
    ------
    TypeError, ValueError
        As `factorize` does.
    """
    found = _columns(as_matrix("X", X))
    return found.rank, in_order(null_space(found.others), found.order)


class _Columns(NamedTuple):
    """Which columns of X are independent, and what was needed to see that."""

    scale: np.ndarray           # of columns
    B: np.ndarray               # X / scale
    sizes: np.ndarray | None    # of the rows of B, if they differ much
    rank: int
    order: np.ndarray           # r independent columns first
    others: np.ndarray          # the coefficients of the others in these
    first: tuple | None         # the reflectors and R of B in this order, if all others are 0


def _columns(X):
    """Return which columns of X are independent, as `factorize` decides it."""
    N, n = X.shape
    k = min(N, n)
    scale = _column_scales(X)
    B = np.divide(X, scale, out=np.empty((N, n), order="F"))
    sizes = peaks(B, axis=1)
    typical = _typical(sizes, k)
    graded = bool(sizes.max() > GRADED * typical)
    reflectors, R, pivots = _triangle(B, sizes if graded else None)
    judged, judged_pivots, judged_scale = R, pivots, scale
    if graded:
        with np.errstate(over="ignore"):
            level = B / _power_of_two(np.clip(sizes / typical, 1.0, 2.0**1000))[:, np.newaxis]
        again = _column_scales(level)
        _, judged, judged_pivots = _triangle(level / again, None)
        judged_scale = scale * again
    values = np.linalg.svd(judged, compute_uv=False)
    rank = int((values > max(N, n) * EPS * values[0]).sum()) if values[0] > 0 else 0
    first = None
    if rank == 0:
        order, others = np.arange(n), np.zeros((0, n))
    elif rank == np.count_nonzero(B.any(axis=0)):
        # columns of zeros, which pivoting leaves to the end, are all that is missing
        order, others, first = pivots, np.zeros((rank, n - rank)), (reflectors, R)
    else:
        order, C = basic_columns(judged, judged_scale[judged_pivots], rank, values, max(N, n) * EPS)
        order = judged_pivots[order]
        others = C * judged_scale[order[rank:]] / judged_scale[order[:rank]][:, np.newaxis]
    return _Columns(scale, B, sizes if graded else None, rank, order, others, first)


def is_graded(X, scale, tops):
    """Whether rows of `X / scale` may be so far above those needed that `factorize` sorts them; X has n <= N columns.

    `scale` is a power of two a column, which leaves it a length of 1 to 2; rounding may give `factorize` the next one.
    `tops` are the columns' largest absolute values.
    """
    N, n = X.shape
    peak = float((tops / scale).max())
    # fewer than n rows above peak / unlike would leave every column shorter than that
    unlike = GRADED / 4
    if (n + N / unlike**2) * peak * peak < 0.5:
        return False
    sizes = np.concatenate([peaks(X[at:at + ROWS] / scale, axis=1) for at in range(0, N, ROWS)])
    return bool(sizes.max() > unlike * _typical(sizes, n))


def _typical(sizes, k):
    """Return the k-th largest size; if that is 0, the least one that is not."""
    typical = np.partition(sizes, len(sizes) - k)[-k]
    return typical if typical > 0 else sizes[sizes > 0].min(initial=np.inf)


def _triangle(B, sizes):
    """Return the reflectors, the triangle R and the pivots of a QR decomposition `B[:, pivots] = Q R`.

    Given the sizes of its rows, these are sorted first: then each row is accurate relative to its own size.
    """
    N, n = B.shape
    stages = []
    order = np.arange(N) if sizes is None else np.argsort(-sizes, kind="stable")
    if sizes is None and n < N:
        # most of the work without pivoting, which a triangle makes up for
        packed, tau, _, info = lapack.dgeqrf(B, lwork=64 * n)
        _check(info, "dgeqrf")
        stages.append(Reflectors(order, packed, tau))
        B, order = np.asfortranarray(np.triu(packed[:n])), np.arange(n)
    packed, pivots, tau, _, info = lapack.dgeqp3(np.asfortranarray(B[order]), lwork=3 * n + 64 * (n + 1))
    _check(info, "dgeqp3")
    k = min(packed.shape)
    stages.append(Reflectors(order, np.asfortranarray(packed[:, :k]), tau))
    return tuple(stages), np.triu(packed[:k]), pivots - 1


def _jacobi(A):
    """Return s, U, V with `A = U diag(s) V.T` for a square matrix graded by rows and columns, by Jacobi rotations."""
    # joba "F": accurate for A = D1 B D2 with diagonal D1, D2; jobr "N": over the whole range of float64
    s, U, V, work, _, info = lapack.dgejsv(np.asfortranarray(A), joba=2, jobu=0, jobv=0, jobr=0, jobt=0, jobp=0)
    _check(info, "dgejsv")
    s = s * (work[0] / work[1])
    # by the rounding of the decomposition, and of this product
    if s[-1] < FAR * s[0] and (abs((U * s) @ V.T - A).max(axis=0) > 64 * s.size * EPS * abs(A).max(axis=0)).any():
        raise ValueError("X: expected rows and columns nearer to each other in size, got singular values from "
                         f"{s[-1]:.1e} to {s[0]:.1e}, whose vectors are beyond float64: rescale X")
    return s, U, V


def _column_scales(A):
    """Return the powers of two next to the columns' norms; 1 where a column is 0."""
    peak = abs(A).max(axis=0)
    peak[peak == 0] = 1.0
    norms = peak * np.sqrt(((A / peak) ** 2).sum(axis=0))
    return _power_of_two(np.where(norms > 0, norms, 1.0))


def _power_of_two(x):
    """Return the largest powers of two that are not above x."""
    return np.ldexp(1.0, np.frexp(x)[1] - 1)


def _check(info, routine):
    if info != 0:
        raise ValueError(f"X: expected a matrix that LAPACK can decompose, got info = {info} from {routine}; rescale X")
