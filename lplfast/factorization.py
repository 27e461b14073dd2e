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

__all__ = ["Factorization", "factorize"]

EPS = float(np.finfo(float).eps)

# Rows more than so many times larger than all that are needed make a matrix graded: it takes a slower elimination.
GRADED = 1024.0

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
    null : (n, n - r) array
        An orthonormal basis of the rest, graded as the columns are.
    core : (r, r) array
        The left singular vectors, in the coordinates of `project`.
    square, basis : arrays of shape (r, r) and (n, r)
        X is the product of `square` and `basis.T`, in these coordinates; `basis` has orthonormal columns.
    reflectors : tuple of Reflectors
        What turns the rows of X into these coordinates.
    rows : int
        The number N of rows of X.
    """

    rank: int
    s: np.ndarray
    V: np.ndarray
    null: np.ndarray
    core: np.ndarray
    square: np.ndarray
    basis: np.ndarray
    reflectors: tuple
    rows: int

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
    ValueError
        If LAPACK does not converge.
    """
    N, n = X.shape
    k = min(N, n)
    scale = _column_scales(X)
    B = np.divide(X, scale, out=np.empty((N, n), order="F"))
    sizes = abs(B).max(axis=1)
    typical = np.partition(sizes, N - k)[N - k]
    if not typical > 0:
        typical = sizes[sizes > 0].min(initial=np.inf)
    graded = bool(sizes.max() > GRADED * typical)
    reflectors, R, pivots = _triangle(B, sizes if graded else None)
    judged, judged_pivots, judged_scale = R, pivots, scale
    if graded:
        level = B / _power_of_two(np.maximum(sizes / typical, 1.0))[:, np.newaxis]
        again = _column_scales(level)
        _, judged, judged_pivots = _triangle(level / again, None)
        judged_scale = scale * again
    values = np.linalg.svd(judged, compute_uv=False)
    rank = int((values > max(N, n) * EPS * values[0]).sum()) if values[0] > 0 else 0
    if rank == 0:
        nothing = np.zeros((0, 0))
        return Factorization(0, np.zeros(0), np.zeros((n, 0)), np.eye(n), nothing, nothing, np.zeros((n, 0)), (), N)
    if rank == n:
        core, basis, null = R * scale[pivots], np.eye(n)[:, pivots], np.zeros((n, 0))
    else:
        noise = max(N, n) * EPS * values[0] / values[rank - 1]
        basic, C = _basic_columns(judged, judged_scale[judged_pivots], rank, noise)
        basic, other = judged_pivots[basic[:rank]], judged_pivots[basic[rank:]]
        basis, T, null = _row_space(C * judged_scale[other] / judged_scale[basic][:, np.newaxis])
        basis, null = _in_order(basis, basic, other), _in_order(null, basic, other)
        reflectors, R, order = _triangle(np.asfortranarray(B[:, basic]), sizes if graded else None)
        core = np.empty_like(R)
        core[:, order] = R * scale[basic][order]
        core = core @ T
    s, left, right = _jacobi(core)
    return Factorization(rank, s, basis @ right, null, left, core, basis, reflectors, N)


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


def _basic_columns(R, scale, rank, noise):
    """Return an order of the columns of R, `rank` independent ones first, and the coefficients C of the others in them.

    Of columns that stand out of those before by a fair part of their length, 1 at first, the one that does so by most
    in the user's units comes next: then no coefficient is large in these units. `noise` is what rounding leaves of
    coefficients that are 0.
    """
    A, chosen = R.copy(), []
    for _ in range(rank):
        lengths = np.linalg.norm(A, axis=0)
        lengths[chosen] = 0.0
        best = int(np.argmax(np.where(lengths >= FAIR * lengths.max(), lengths * scale, 0.0)))
        chosen.append(best)
        direction = A[:, best] / lengths[best]
        A -= np.outer(direction, direction @ A)
    order = np.array(chosen + sorted(set(range(R.shape[1])) - set(chosen)), dtype=int)
    triangle = np.linalg.qr(R[:, order], mode="r")
    C = scipy.linalg.solve_triangular(triangle[:rank, :rank], triangle[:rank, rank:])
    C[abs(C) <= noise * max(1.0, abs(C).max(initial=0.0))] = 0.0
    return order, C


def _row_space(C):
    """Return orthonormal bases of the row space of `[I, C]` and of its complement, and T between them.

    `[I, C] = T @ basis.T`. By Cholesky factorizations of `I + C C.T` and `I + C.T C`, which keep zeros 0.
    """
    r, rest = C.shape
    T, S = (np.linalg.cholesky(np.eye(A.shape[0]) + A @ A.T) for A in (C, C.T))
    basis = scipy.linalg.solve_triangular(T, np.hstack([np.eye(r), C]), lower=True).T
    null = scipy.linalg.solve_triangular(S, np.hstack([-C.T, np.eye(rest)]), lower=True).T
    return basis, T, null


def _in_order(rows, basic, other):
    """Return the rows, the basic ones first, in the order of the columns of X."""
    found = np.empty_like(rows)
    found[basic], found[other] = rows[:basic.size], rows[basic.size:]
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
