"""What the rank and the condition number of the data mean for a run, in a sentence, with the remedy."""

import numpy as np

# A part of the gap that may be lost in silence.
FRAME_WARNS = 1e-6

# Columns with deviations that differ by less than this factor, and means below this part of them, count as
# standardized: a part of standardized rows is that. What standardizing them again would gain is as little.
ALIKE = 2.0
CENTRED = 0.25

# Up to this K/mu nothing is said, and up to its square root a condition number of X is not the reason.
SLOW = 1e4


def are_standardized(X):
    """Return whether the columns of X that are not constant have means near 0 and like deviations."""
    with np.errstate(over="ignore", invalid="ignore"):
        means, sizes = X.mean(axis=0), np.sqrt(np.einsum("ij,ij->j", X, X) / len(X))
        off = np.flatnonzero(~(abs(means) <= CENTRED * sizes))
        if (X[:, off] != X[0, off]).any():
            return False
        sizes = np.delete(sizes, off)
        sizes = sizes[sizes > 0]
        return not sizes.size or bool(sizes.max() <= ALIKE * sizes.min() < np.inf)


def remedy(problem):
    """Return what brings mu and K of a loss nearer to each other, as far as it matters and has not been done."""
    ridge = "raise the ridge" if getattr(problem, "l2", 0.0) else "add a ridge"
    if getattr(problem, "condition_number", np.inf) <= SLOW**0.5:
        return ridge
    standardized = getattr(problem, "_standardized", None)
    if standardized:
        return f"drop nearly collinear columns of X, or {ridge}"
    data = "the data" if standardized is None else "X"
    return f"standardize the columns of {data}, drop nearly collinear ones, or {ridge}"


def describe_conditioning(problem):
    """Say what rank and condition number of X are, and where they are bad what would help; no full stop."""
    said = f"X has rank {problem.rank} of {problem.shape[0]} and condition number {problem.condition_number:.3g}"
    if not problem.mu > 0 and getattr(problem, "curvature_at_minimizer", 0.0) > 0:
        return (f"{said}; without a ridge mu is 0, and rates come from the curvature at the minimizer, "
                f"{problem.curvature_at_minimizer:.3g} at least, where K is {problem.K:.3g}")
    if not problem.mu > 0:
        return f"{said}; not one digit of mu can be proved, so no rate is claimed: {remedy(problem)} (l2 > 0)"
    K_over_mu = problem.K / problem.mu
    said += f"; K/mu = {K_over_mu:.3g}"
    if K_over_mu > SLOW:
        said += (f". Gradient descent takes some K/mu iterations to gain a digit: {remedy(problem)} "
                 f"(l2={problem.K / SLOW:.1g} brings K/mu to about 1e4)")
    return said


def describe_frame(problem, error):
    """Say what is lost of the gap in the frame of the data, with the remedy; "" where it does not matter."""
    if not error > FRAME_WARNS:
        return ""
    means = "or" if getattr(problem, "_standardized", False) else "subtract the columns' means, or"
    return (f"In the frame of the data the gap is known to the part {error:.1e} of itself: the columns of X, scaled to "
            f"length 1, are nearly dependent, or some rows are far larger than others. Rescale these rows, {means} "
            "drop collinear columns")
