"""Which columns of a matrix stand for all of them, and what they span. docs/theory.md, section 5."""

import numpy as np
import scipy.linalg

__all__ = ["basic_columns", "in_order", "null_space", "row_space"]

# Of columns that are independent by at least this part of the most independent one, the largest is preferred.
FAIR = 1e-4


def basic_columns(R, scale, rank, values, small):
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


def row_space(C):
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


def null_space(C):
    """Return an orthonormal basis of what is orthogonal to the row space of `[I, C]`."""
    return row_space(-C.T)[0][np.r_[C.shape[1]:sum(C.shape), :C.shape[1]]]


def in_order(rows, order):
    """Return rows that stand for the columns of X in this order, in the order of X."""
    found = np.empty_like(rows)
    found[order] = rows
    return found
