"""Units and descriptions of a run's numbers, as attributes that xarray and netCDF know."""

__all__ = ["described"]

# as in docs/history.md; a column that is not here has its name alone
COLUMNS = {
    "iteration": "how many steps have been taken",
    "loss": "L(W1, W2) = l(W1 W2)",
    "gap": "L - l*; NaN where l* is unknown",
    "gap_bound": "gap[0] times all rate_bound so far",
    "grad_norm": "Frobenius norm of the gradient in both layers together",
    "mu_t": "local PL constant, a lower bound",
    "sigma_min_sq": "s_min(W1)^2 + s_min(W2)^2, a lower bound",
    "sigma_max_sq": "s_max(W1)^2 + s_max(W2)^2, an upper bound",
    "sigma_max_W": "largest singular value of W1 W2, an upper bound",
    "nu_lo": "least eigenvalue of the tangent kernel, a lower bound",
    "nu_hi": "greatest eigenvalue of the tangent kernel, an upper bound",
    "sharpness_lo": "greatest eigenvalue of the Hessian of L, a lower bound",
    "sharpness_hi": "greatest eigenvalue of the Hessian of L, an upper bound",
    "drift": "sum of step_size^2 grad_norm^2: the imbalance has moved by no more",
    "loss_evaluations": "evaluations of l",
    "gradient_evaluations": "evaluations of its gradient",
    "eigenproblems": "calls of LAPACK for eigenvalues or singular values",
    "backtracks": "trial steps that a search turned down",
    "rounding": "what rounding may have done to the gap in all steps",
    "floor": "the gap that rounding alone, and an uncertain l*, may leave",
    "bracket_width": "relative width of the widest bracket",
    "time": "seconds in the compiled loop",
    "slack_pl": "1 - mu_t gap / (grad_norm^2 / 2), with nu_lo in place of mu_t for a loss that is not squared",
    "rate_bound": "the best guaranteed ratio of the next gap to this one",
    "step_size": "step size",
    "K_t": "local smoothness constant of the paper, for this step, an upper bound",
    "K_t_sharp": "the sharper local smoothness constant, an upper bound",
    "K_t_step": "the smoothness constant that the step itself shows, an upper bound",
    "slack_descent": "slack of the descent lemma",
    "slack_rate": "rate_bound - gap[t+1] / gap[t]",
    "slack_drift": "2 decrease / (step_size grad_norm^2) - 1",
    # of a whole run
    "status": "how the run ended",
    "message": "how the run ended, in a sentence",
    "iterations": "steps taken",
    "violations": "how many times a theorem failed beyond rounding",
    "final_loss": "loss at the last iterate",
    "final_gap": "gap at the last iterate",
    "final_bound": "guaranteed gap at the last iterate",
}

UNITS = {"time": "s"}


def described(name):
    """Return the attributes of a column, or of a number of a whole run: `units` and `long_name`."""
    return {"units": UNITS.get(name, "1"), "long_name": COLUMNS.get(name, name)}
