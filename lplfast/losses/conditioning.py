"""What the rank and the condition number of the data mean for a run, in a sentence, with the remedy."""

# A part of the gap that may be lost in silence.
FRAME_WARNS = 1e-6


def describe_conditioning(problem):
    """Say what rank and condition number of X are, and where they are bad what would help; no full stop."""
    said = f"X has rank {problem.rank} of {problem.shape[0]} and condition number {problem.condition_number:.3g}"
    if not problem.mu > 0 and getattr(problem, "curvature_at_minimizer", 0.0) > 0:
        return (f"{said}; without a ridge mu is 0, and rates come from the curvature at the minimizer, "
                f"{problem.curvature_at_minimizer:.3g} at least, where K is {problem.K:.3g}")
    if not problem.mu > 0:
        return (f"{said}; not one digit of mu can be proved, so no rate is claimed: standardize the columns of X, drop "
                "nearly collinear ones, or add a ridge (l2 > 0)")
    K_over_mu = problem.K / problem.mu
    said += f"; K/mu = {K_over_mu:.3g}"
    if K_over_mu > 1e4:
        said += (". Gradient descent takes some K/mu iterations to gain a digit: standardize the columns of X, "
                 f"drop nearly collinear ones, or {'raise the' if problem.l2 else 'add a'} ridge "
                 f"(l2={problem.K / 1e4:.1g} brings K/mu to about 1e4)")
    return said


def describe_frame(error):
    """Say what is lost of the gap in the frame of the data, with the remedy; "" where it does not matter."""
    if not error > FRAME_WARNS:
        return ""
    return (f"In the frame of the data the gap is known to the part {error:.1e} of itself: the columns of X, scaled to "
            "length 1, are nearly dependent, or some rows are far larger than others. Rescale these rows, drop "
            "collinear columns, or subtract the columns' means")
