"""Least-squares problems to many digits, for tests: what the data themselves say."""

import mpmath
import numpy as np

DIGITS = 120


def exactly(A):
    """Return a float64 matrix as one of mpmath's, each entry as it is."""
    return mpmath.matrix(np.asarray(A).tolist())


def norm(A):
    """Return the Frobenius norm."""
    return mpmath.sqrt(sum(x * x for x in A))


def hessian(X, l2=0.0, rows=1):
    """Return `X.T X / rows + l2 I`."""
    A = exactly(X)
    return A.T * A / rows + mpmath.mpf(l2) * mpmath.eye(A.cols)


def minimizer(X, Y, l2=0.0, rows=1):
    """Return the least minimizer and the minimum of `||X W - Y||^2 / (2 rows) + l2/2 ||W||^2`; X has full rank."""
    A, y = exactly(X), exactly(Y)
    wide = l2 == 0 and A.rows < A.cols
    W = A.T * solve(A * A.T, y) if wide else solve(hessian(X, l2, rows), A.T * y / rows)
    return W, (norm(A * W - y) ** 2 / rows + mpmath.mpf(l2) * norm(W) ** 2) / 2


def solve(H, B):
    """Return the solution of `H W = B` for positive definite H."""
    L = mpmath.cholesky(H)
    W = B.copy()
    for j in range(B.cols):
        for i in range(H.rows):
            W[i, j] = (W[i, j] - mpmath.fdot((L[i, k], W[k, j]) for k in range(i))) / L[i, i]
        for i in reversed(range(H.rows)):
            W[i, j] = (W[i, j] - mpmath.fdot((L[k, i], W[k, j]) for k in range(i + 1, H.rows))) / L[i, i]
    return W


def is_positive(H):
    """Whether all eigenvalues of H are positive."""
    try:
        mpmath.cholesky(H)
    except ValueError:
        return False
    return True


def bounds_the_spectrum(H, mu, K, *, within=None):
    """Whether `mu I <= H <= K I`, and, unless `within` is None, neither would hold if it were better by that factor.

    A tie, such as the exact mu of a diagonal matrix, counts as <=: 1e-40 of the constants is added.
    """
    one, tie = mpmath.eye(H.rows), mpmath.mpf(10) ** -40
    mu, K = mpmath.mpf(mu), mpmath.mpf(K)
    true = is_positive(H - mu * (1 - tie) * one) and is_positive(K * (1 + tie) * one - H)
    if within is None:
        return true
    return true and not is_positive(H - mu * within * one) and not is_positive(K / within * one - H)


def true_extremes(A):
    """Return the least and greatest eigenvalue of A A^T to 60 digits; the least is 0 for more rows than columns."""
    with mpmath.workdps(60):
        A = mpmath.matrix(A.tolist())
        values = mpmath.eigsy(A * A.T if A.rows <= A.cols else A.T * A, eigvals_only=True)
        return (mpmath.mpf(0) if A.rows > A.cols else max(mpmath.mpf(0), min(values))), max(values)


def truth(W1, W2):
    """Return sigma_min_sq, sigma_max_sq and s_max(W1 W2) to 60 digits."""
    (low1, high1), (low2, high2) = true_extremes(W1), true_extremes(W2.T)
    with mpmath.workdps(60):
        W = mpmath.matrix(W1.tolist()) * mpmath.matrix(W2.tolist())
        rows = [[W[i, j] for j in range(W.cols)] for i in range(W.rows)]
        W = mpmath.matrix(rows)
        top = max(mpmath.eigsy(W * W.T, eigvals_only=True))
        return low1 + low2, high1 + high2, mpmath.sqrt(max(top, mpmath.mpf(0)))
