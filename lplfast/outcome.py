"""How a run ended, in a sentence that says what to do."""

import math

__all__ = ["outcome_message"]

LONG_STEP = "The step size is too long here: use step_size='local' or 'sharp'."


def outcome_message(status, descent, last, tol, network, history):
    """Return the sentence for a status.

    Parameters
    ----------
    status : str
        How the run ended.
    descent : Descent
        The loop, where it ended.
    last : dict
        The last row of the history, by column.
    tol : float
        The tolerance of the run.
    network : Network
        What the run started from.
    history : dict of arrays
        What was recorded.

    """
    message = MESSAGES[status](_Facts(descent, last, tol, network, history))
    if descent.spectral.mode != "power" and status != "guarantee_failed":
        failed = sum(descent.checks[name]["violations"] for name in ("pl", "descent", "rate"))
        if failed:
            message += (f" But {failed} inequalities failed beyond rounding, so the loss is not what it declares: see "
                        "run.audit() and lplfast.check_loss.")
    return message


class _Facts:
    """What the sentences speak of."""

    def __init__(self, descent, last, tol, network, history):
        self.descent, self.last, self.tol, self.network, self.history = descent, last, tol, network, history
        self.t, self.gap, self.first = descent.t, last["gap"], descent.first_gap
        self.where = f"after {self.t} iteration{'' if self.t == 1 else 's'}"
        if math.isfinite(self.gap):
            self.where += f" at gap {self.gap:.3g}"
            if self.first > 0 and self.t:
                self.where += f", {self.gap / self.first:.1e} of the first"


def _max_iter(facts):
    said = f"Stopped at max_iter {facts.where}"
    history = facts.history
    if facts.tol > 0 and {"iteration", "gap"} <= history.keys() and len(history["gap"]) > 1:
        # the pace of the last quarter: the first steps of a run are faster
        t, gap = history["iteration"], history["gap"]
        start = int(0.75 * (len(gap) - 1))
        gained = math.log(gap[start]) - math.log(gap[-1]) if 0 < gap[-1] < gap[start] else 0.0
        if gained > 0:
            pace = gained / (t[-1] - t[start])
            left = (math.log(gap[-1]) - math.log(facts.tol) - math.log(facts.first)) / pace
            return (f"{said}; at its present pace tol={facts.tol:.0e} is {left:.2g} iterations away, or more "
                    "if the pace still falls: raise max_iter.")
    return f"{said}; raise max_iter."


def _floor(facts):
    uncertain = facts.descent.gap_error
    if uncertain > 0 and facts.last["floor"] <= uncertain:
        return (f"Stopped {facts.where}: the loss and its minimum l* are known to {uncertain:.1e} only, and tol="
                f"{facts.tol:.0e} asks for less. Whether the gap is 0 already cannot be told; raise tol.")
    return (f"Stopped at the rounding floor {facts.where}: the rounding of W1 W2 alone can leave a gap of "
            f"{facts.last['floor']:.1e}, and tol={facts.tol:.0e} asks for less. Float64 gives no more; raise tol.")


def _saddle(facts):
    if not facts.descent.W1.any() and not facts.descent.W2.any():
        return ("At a saddle: both layers are 0, so their gradient is, though the loss is not at its minimum. "
                "Start from layers that are not 0.")
    return (f"At a saddle {facts.where}: the gradient of both layers is 0 or underflows to it, though the loss is not "
            "at its minimum. Start elsewhere, or rescale what is very small.")


def _overflow(facts):
    if not all(math.isfinite(facts.last[name]) for name in ("loss", "grad_norm", "floor", "sigma_max_sq")):
        if math.isnan(facts.last["loss"]):
            return ("The loss is NaN at the initial layers. Rescale the layers or the data, if that is where they "
                    "overflow; else check the loss.")
        return "The loss or its gradient overflows float64 at the initial layers. Rescale the layers or the data."
    return (f"Stopped {facts.where}, before a step to where the loss or its gradient is not a finite number. Either "
            "the step size is too long here: use step_size='local' or 'sharp'; or the loss returns NaN.")


# why a rule found no step, by the name that the kernels give the reason
SEARCHES = {
    "too many backtracks": "backtracking found no step along which the loss falls as much as Armijo's condition asks. "
                           "The loss or its gradient is not what it declares, or c is too close to 1",
    "below rounding": "the decrease that Armijo's condition asks for is below the rounding of the loss it is measured "
                      "with: float64 sees no progress from here on. Raise tol, or use step_size='sharp', which needs "
                      "no trial steps",
    "vacuous bound": "the bound that the step size minimises has become vacuous (alpha = 0): use step_size='local'",
    "not a step": "the step-size function returned a number that is not positive and finite",
}


def _stalled(facts):
    if facts.descent.search_failure:
        return f"Stalled {facts.where}: {SEARCHES[facts.descent.search_failure]}."
    if math.isnan(facts.gap):
        return (f"Stalled {facts.where}: a step no longer moves the layers beyond their rounding. Whether that is the "
                "minimum cannot be told: it is not known.")
    if facts.last["grad_norm"] < 1e-140:
        return (f"Stalled {facts.where}: the squares of the gradient underflow, though the loss is not at its minimum. "
                "Either a saddle is near: start elsewhere; or layers and data are too small for float64: rescale them.")
    said = f"Stalled {facts.where}: a step no longer moves the layers beyond their rounding"
    reach, width = min(facts.descent.loss.shape), facts.network.width
    if width < reach:
        return (f"{said}. The width {width} is below min(n, m) = {reach}, so the network cannot reach every "
                "W and its loss need not reach l*. Widen it.")
    return f"{said}: a critical point, or steps far too short. Start elsewhere, or take longer steps."


def _guarantee_failed(facts):
    if facts.gap < 0:
        return (f"The loss is below its minimum {facts.where}: {facts.last['loss']:.10g}, where it declares "
                f"{facts.descent.loss.minimum:.10g}. Give it its true minimum, a lower bound, or none.")
    promised, measured = facts.descent.failure
    return (f"The descent lemma failed at step {facts.t - 1}, with exact singular values too: the loss should have "
            f"fallen by at least {promised:.10g}, it fell by {measured:.10g}. So it is not the loss that it declares: "
            f"check its gradient and its K = {facts.descent.loss.K:.10g}.")


MESSAGES = {
    "running": lambda facts: f"Under way {facts.where}.",
    "converged": lambda facts: f"Converged {facts.where}.",
    "max_iter": _max_iter,
    "max_time": lambda facts: f"Stopped at max_time {facts.where}; raise max_time.",
    "floor": _floor,
    "saddle": _saddle,
    "diverged": lambda facts: f"Diverged {facts.where}: the gap grew beyond 1e8 times the first. {LONG_STEP}",
    "overflow": _overflow,
    "stalled": _stalled,
    "stopped": lambda facts: f"Stopped by the callback {facts.where}.",
    "interrupted": lambda facts: f"Interrupted {facts.where}; everything up to here is kept.",
    "guarantee_failed": _guarantee_failed,
}
