"""The minimizer of a loss of labels: data to solution, against scikit-learn's solvers that come as close."""

import math
import warnings

import numpy as np

from lplfast import LogisticLoss, SoftmaxLoss
from lplfast.data import load_data

from .agreement import DisagreementError
from .table import Row, Table
from .timing import Work, interleaved, timed_once

__all__ = ["problem", "tables"]

# (N, n, m), m = 1 for a logistic loss, and how the columns of X differ: in units only, or in direction, too
SHAPES = {
    "500 x 20, two classes": (500, 20, 1, ""),
    "2000 x 784, 10 classes": (2000, 784, 10, ""),
    "10000 x 50, 3 classes": (10000, 50, 3, ""),
    "10000 x 50, 3 classes, ill-conditioned": (10000, 50, 3, "ill-conditioned"),
    "digits": None,
    "100000 x 200, two classes": (100_000, 200, 1, ""),
    "100000 x 200, 10 classes": (100_000, 200, 10, ""),
}
QUICK = ("500 x 20, two classes", "10000 x 50, 3 classes")

L2, TOL = 1.0, 1e-8
SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky")
CLOSE = 1e-8            # what of the first gap a solver may leave
LARGEST = 700           # weights for newton-cholesky, which forms their Hessian
FEW, MUCH = 3, 1e7      # rounds of data of so many numbers


def tables(quick):
    """Seconds from arrays to a minimizer, construction included."""
    rows = []
    for what in QUICK if quick else SHAPES:
        X, labels, binary = problem(what)
        rows.append(_row(what, X, labels, LogisticLoss if binary else SoftmaxLoss, FEW if quick else 5))
    yield Table("minimizer", "The minimizer of a softmax or logistic loss from arrays, times in us", rows, notes=(
        f"ridge {L2}, no intercept, one BLAS thread; scikit-learn with tol={TOL:.0e}, the fastest of\n"
        f"{', '.join(SOLVERS)} that leaves at most {CLOSE:.0e} of the gap at 0\n"
        f"(the last one for up to {LARGEST} weights). Ours goes on until rounding is all that is left, with a proved\n"
        "bound on that, and includes the constants of the loss."))


def problem(what):
    """Return data, labels, and whether these are binary."""
    if SHAPES[what] is None:
        X, labels = load_data("digits")
        return X - X.mean(axis=0), labels, False
    N, n, m, how = SHAPES[what]
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, n))
    if how:
        X = X @ (np.linalg.qr(rng.standard_normal((n, n)))[0] * 10.0 ** np.linspace(-2, 1, n))
    logits = X @ rng.standard_normal((n, m)) * (2 * math.sqrt(N) / np.linalg.norm(X))
    if m == 1:
        return X, (logits[:, 0] > rng.logistic(size=N)).astype(int), True
    return X, (logits + rng.gumbel(size=(N, m))).argmax(axis=1), False


def _row(what, X, labels, kind, repeats):
    """Return the row of one problem: against the fastest of the solvers that come close."""
    loss = kind(X, labels, l2=L2)
    first = loss.gap(np.zeros(loss.shape))
    works, gaps, seconds = {"lplfast": Work(lambda: lambda: kind(X, labels, l2=L2).minimum)}, {}, {}
    for solver in SOLVERS:
        if solver == "newton-cholesky" and X.shape[1] * len(loss.classes) > LARGEST:
            continue
        work = Work(lambda solver=solver: lambda: _solved(X, labels, solver))
        seconds[solver] = timed_once(work)
        gaps[solver] = max(loss.gap(_weights(_solved(X, labels, solver), loss)), 0.0)
        if gaps[solver] <= CLOSE * first:
            works[solver] = work
    if len(works) == 1:
        raise DisagreementError(f"{what}: expected a solver of scikit-learn's that finds our minimizer, got {gaps}")
    fastest = min(works.keys() - {"lplfast"}, key=seconds.get)
    times = interleaved({name: works[name] for name in ("lplfast", fastest)}, FEW if X.size > MUCH else repeats)
    left = ", ".join(f"{solver} {gap:.0e}" for solver, gap in gaps.items())
    return Row.excess(times, what, "lplfast", fastest, target="<= 3",
                      note=f"gap: {left}; ours at most {loss.minimum_error:.0e}")


def _solved(X, labels, solver):
    """Return the coefficients that scikit-learn finds, a row a class."""
    from sklearn.linear_model import LogisticRegression
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")     # that it has not converged, the gap says
        return LogisticRegression(C=1 / L2, solver=solver, fit_intercept=False, tol=TOL, max_iter=500).fit(
            X, labels).coef_


def _weights(coefficients, loss):
    """Return them as a W of the loss, or raise."""
    if coefficients.T.shape != loss.shape:
        raise DisagreementError(f"expected coefficients of shape {loss.shape[::-1]}, got {coefficients.shape}")
    return coefficients.T
