"""The singular value decomposition of a user's matrix, as accurate as its columns, and its rows, deserve.

LAPACK's default drivers return singular values that are right relative to the largest one. Data have columns in
different units: one that is 1e18 times larger would leave nothing of the others. Here the decomposition is that of a
matrix whose every column differs from the user's by rounding relative to that column; where a few rows are far larger
than the others, relative to the entries' own rows as well. docs/theory.md, section 5.
"""

import dataclasses

import numpy as np
import scipy.linalg
from scipy.linalg import lapack

from ..validation import as_matrix
from .peaks import peaks

__all__ = ["Factorization", "factorize", "is_graded"]

EPS = float(np.finfo(float).eps)

# Rows more than so many times larger than all that are needed make a matrix graded: it takes a slower elimination.
GRADED = 1024.0

# Rows that are looked at together, without a copy of all of them.
ROWS = 512

# Of columns that are independent by at least this part of the most independent one, the largest is preferred.
FAIR = 1e-4


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
        return _in_order(_null_space(self.others), self.order)

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
        If it is no finite matrix of at least one row and column; if LAPACK does not converge.
    """
    X = as_matrix("X", X)
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
    if rank == 0:
        nothing = np.zeros((0, 0))
        return Factorization(0, np.zeros(0), np.zeros((n, 0)), nothing, nothing, np.zeros((n, 0)), (),
                             np.arange(n), np.zeros((0, n)), N)
    if rank == np.count_nonzero(B.any(axis=0)):
        # columns of zeros, which pivoting leaves to the end, are all that is missing
        order, others = pivots, np.zeros((rank, n - rank))
        core, basis = R[:rank, :rank] * scale[pivots[:rank]], np.eye(n)[:, pivots[:rank]]
    else:
        order, C = _basic_columns(judged, judged_scale[judged_pivots], rank, values, max(N, n) * EPS)
        order = judged_pivots[order]
        basic = order[:rank]
        others = C * judged_scale[order[rank:]] / judged_scale[basic][:, np.newaxis]
        basis, T = _row_space(others)
        basis = _in_order(basis, order)
        reflectors, R, pivots = _triangle(np.asfortranarray(B[:, basic]), sizes if graded else None)
        core = np.empty_like(R)
        core[:, pivots] = R * scale[basic][pivots]
        core = core @ T
    s, left, right = _jacobi(core)
    return Factorization(rank, s, basis @ right, left, core, basis, reflectors, order, others, N)


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


def _basic_columns(R, scale, rank, values, small):
    """Return an order of the columns of R, `rank` independent ones first, and the coefficients C of the others in them.

    Of columns that stand out of those before by a fair part of their length, 1 at first, the one that does so by most
    in the user's units comes next: then no coefficient is large in these units. What rounding leaves of coefficients
    that are 0 grows with the condition number, known from the singular `values`; it is dropped, unless that changes a
    column by more than the part `small` of its length.
    """
    A, chosen = R.copy(), []
    lengths_sq = measured = (A * A).sum(axis=0)
    directions, known = np.empty((A.shape[0], rank), order="F"), 0
    for _ in range(rank):
        Q = directions[:, :known]
        if lengths_sq.max() < 1e-6 * measured.max():
            # what is left is measured anew, before differences lose it
            A -= Q @ (Q.T @ A)
            Q, known, lengths_sq = Q[:, :0], 0, (A * A).sum(axis=0)
            lengths_sq[chosen] = 0.0
            measured = lengths_sq
        lengths = np.sqrt(lengths_sq)
        best = int(np.argmax(np.where(lengths >= FAIR * lengths.max(), lengths * scale, 0.0)))
        chosen.append(best)
        direction = A[:, best]
        for _ in range(2):
            direction = direction - Q @ (Q.T @ direction)
        direction /= np.linalg.norm(direction)
        directions[:, known] = direction
        known += 1
        lengths_sq = np.maximum(lengths_sq - (direction @ A) ** 2, 0.0)
        lengths_sq[chosen] = 0.0
    order = np.array(chosen + sorted(set(range(R.shape[1])) - set(chosen)), dtype=int)
    triangle = np.linalg.qr(R[:, order], mode="r")
    C = scipy.linalg.solve_triangular(triangle[:rank, :rank], triangle[:rank, rank:])
    noise = small * values[0] / values[rank - 1]
    return order, _without_noise(triangle[:rank, :rank], triangle[:rank, rank:], C, noise, small)


def _without_noise(basic, others, C, noise, small):
    """Return C with `basic @ C = others`, its entries that are noise replaced by 0 and the rest fitted anew.

    A column that would move by more than some times `small` of its length is left as it is.
    """
    found = np.where(abs(C) <= noise * max(1.0, abs(C).max(initial=0.0)), 0.0, C)
    allowed = 8 * small * np.linalg.norm(others, axis=0)
    for j in np.flatnonzero(np.linalg.norm(basic @ (found - C), axis=0) > allowed):
        kept = np.flatnonzero(found[:, j])
        found[kept, j] = np.linalg.lstsq(basic[:, kept], others[:, j], rcond=None)[0]
        if np.linalg.norm(basic @ found[:, j] - others[:, j]) > allowed[j]:
            found[:, j] = C[:, j]
    return found


def _row_space(C):
    """Return an orthonormal basis of the row space of `[I, C]`, and T: `[I, C] = T @ basis.T`.

    By a Cholesky factorization of `I + C C.T`, which keeps zeros 0; where C is too large for that, by QR.
    """
    both = np.hstack([np.eye(C.shape[0]), C])
    try:
        T = np.linalg.cholesky(np.eye(C.shape[0]) + C @ C.T)
    except np.linalg.LinAlgError:
        basis, R = np.linalg.qr(both.T)
        return basis, R.T
    return scipy.linalg.solve_triangular(T, both, lower=True).T, T


def _null_space(C):
    """Return an orthonormal basis of what is orthogonal to the row space of `[I, C]`."""
    return _row_space(-C.T)[0][np.r_[C.shape[1]:sum(C.shape), :C.shape[1]]]


def _in_order(rows, order):
    """Return rows that stand for the columns of X in this order, in the order of X."""
    found = np.empty_like(rows)
    found[order] = rows
    return found


def _jacobi(A):
    """Return s, U, V with `A = U diag(s) V.T` for a square matrix graded by rows and columns, by Jacobi rotations."""
    # joba "F": accurate for A = D1 B D2 with diagonal D1, D2; jobr "N": over the whole range of float64
    s, U, V, work, _, info = lapack.dgejsv(np.asfortranarray(A), joba=2, jobu=0, jobv=0, jobr=0, jobt=0, jobp=0)
    _check(info, "dgejsv")
    return s * (work[0] / work[1]), U, V


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
