"""How a run ended, in a sentence that says what to do."""

import math

from ..losses.conditioning import describe_frame, remedy
from ..rules.guaranteed import Local, Sharp
from ..rules.search import Majorizer

__all__ = ["outcome_message"]

# A run's own forecast is taken for one unless K/mu says that it may be so many times as far.
YOUNG = 10.0


def outcome_message(status, descent, last, options, problem, network, history):
    """Return the sentence for a status.

    Parameters
    ----------
    status : str
        How the run ended.
    descent : Descent
        The loop, where it ended.
    last : dict
        The last row of the history, by column.
    options : RunOptions
        How the run was made.
    problem : Problem
        What was trained.
    network : Network
        What the run started from.
    history : dict of arrays
        What was recorded.

    """
    message = MESSAGES[status](_Facts(descent, last, options, problem, network, history))
    if descent.spectral.mode != "power" and status != "guarantee_failed":
        failed = descent.violations
        if failed:
            message += (f" But {failed} inequalities failed beyond rounding, so the loss is not what it declares: see "
                        "run.audit() and lplfast.check_loss.")
    lost = describe_frame(problem, getattr(descent.loss, "frame", 0.0))
    return f"{message} {lost}." if lost else message


class _Facts:
    """What the sentences speak of."""

    def __init__(self, descent, last, options, problem, network, history):
        self.descent, self.last, self.options, self.problem, self.history = descent, last, options, problem, history
        self.tol, self.width, self.reach = options.tol, network.width, min(descent.loss.shape)
        self.t, self.gap, self.first, self.least = descent.t, last["gap"], descent.first_gap, descent.unreached
        # what `tol` is about: the gap above what this width can reach, as far as that is known
        least = self.least if self.least > 0 else 0.0
        self.above, self.first_above = self.gap - least, self.first - least
        self.where = f"after {self.t} iteration{'' if self.t == 1 else 's'}"
        if math.isfinite(self.gap):
            self.where += f" at gap {self.gap:.3g}"
            if least > 0:
                self.where += (f" (no network of width {self.width}, which is below min(n, m) = {self.reach}, has one "
                               f"below {least:.3g}")
                if self.t and self.first_above > 0:
                    self.where += f"; what is above that is {max(self.above, 0.0) / self.first_above:.1e} of the first"
                self.where += ")"
            elif self.first > 0 and self.t:
                self.where += f", {self.gap / self.first:.1e} of the first"


# what comes after what a narrow network has come to
WIDEN = " Widen it to come closer to l*."


def _narrow(facts):
    """Say of a network narrower than the loss that nobody knows what its width can reach; None where that is known."""
    if not math.isnan(facts.least):
        return None
    return (f"The width {facts.width} is below min(n, m) = {facts.reach}, so the network cannot reach every W, and its "
            "loss need not reach l*. Widen it, unless the loss still falls.")


def _max_iter(facts):
    said = f"Stopped at max_iter {facts.where}"
    narrow = _narrow(facts)
    if narrow:
        return f"{said}. {narrow}"
    left = _left(facts)
    if left is None:
        return f"{said}; raise max_iter.{WIDEN if facts.least > 0 else ''}"
    digits, left = left
    said += f"; at its present pace tol={facts.tol:.0e} is {left:.2g} iterations away"
    if facts.least > 0:
        return f"{said}: raise max_iter.{WIDEN}"
    mu, K = facts.descent.loss.mu, facts.descent.loss.K
    if math.isinf(K):
        return f"{said}: raise max_iter."
    if mu == 0 and facts.last["sigma_min_sq"] > 0:
        mu = facts.last["nu_lo"] / facts.last["sigma_min_sq"]       # what is known of the loss here
    # a run that is young beside K/mu has not met the directions in which the loss is flat
    slow = digits * K / mu if mu > 0 else math.inf
    if slow <= YOUNG * max(facts.t, left):
        return f"{said}, or more if the pace still falls: raise max_iter."
    advice = f"To help that, {remedy(facts.problem)} (l2); or raise tol"
    if mu == 0:
        return f"{said}, but the pace will fall, and as mu = 0, nothing bounds how far. {advice}."
    return (f"{said}, but the pace will fall: with K/mu = {K / mu:.2g}, the slowest directions take some K/mu "
            f"iterations a digit, {slow:.2g} in all. {advice}.")


def _left(facts):
    """Return how many digits of the gap are left to be gained, and the iterations at the present pace, or None."""
    history = facts.history
    if not (facts.tol > 0 and facts.first_above > 0 and {"iteration", "gap"} <= history.keys()
            and len(history["gap"]) > 1):
        return None
    # the pace of the last quarter: the first steps of a run are faster
    t, gap = history["iteration"], history["gap"] - (facts.first - facts.first_above)
    start = int(0.75 * (len(gap) - 1))
    if not 0 < gap[-1] < gap[start]:
        return None
    gained = math.log10(gap[start]) - math.log10(gap[-1])
    digits = math.log10(gap[-1]) - math.log10(facts.tol) - math.log10(facts.first_above)
    return (digits, digits * (t[-1] - t[start]) / gained) if gained > 0 else None


def _converged(facts):
    widen = WIDEN if facts.least > 0 else ""
    if facts.above + facts.descent.gap_error <= facts.tol * facts.first_above:
        return f"Converged {facts.where}.{widen}"
    part = facts.last["grad_norm"] / facts.descent.first_grad_norm
    return (f"Converged {facts.where}: the gradient is {part:.1e} of the first, as "
            f"grad_tol={facts.options.grad_tol:.0e} asks.{widen}")


def _floor(facts):
    if facts.least > 0:
        return (f"Stopped at the rounding floor {facts.where}. What rounding leaves of a gap of this size is more than "
                f"tol={facts.tol:.0e} asks for; raise tol.{WIDEN}")
    uncertain = facts.descent.gap_error
    if uncertain > 0 and facts.last["floor"] <= uncertain:
        return (f"Stopped {facts.where}: the loss and its minimum l* are known to {uncertain:.1e} only, and tol="
                f"{facts.tol:.0e} asks for less. Whether the gap is 0 already cannot be told; raise tol.")
    return (f"Stopped at the rounding floor {facts.where}: the rounding of W1 W2 alone can leave a gap of "
            f"{facts.last['floor']:.1e}, and tol={facts.tol:.0e} asks for less. Float64 gives no more; raise tol.")


def _saddle(facts):
    if not facts.descent.stack.any():
        return ("At a saddle: both layers are 0, so their gradient is, though the loss is not at its minimum. "
                "Start from layers that are not 0.")
    return (f"At a saddle {facts.where}: the gradient of both layers is 0 or underflows to it, though the loss is not "
            "at its minimum. Start elsewhere, or rescale what is very small.")


def _shorten(facts):
    """Say what helps where a step was too long."""
    safe, names = (Local, Sharp), "'local' or 'sharp'"
    if math.isinf(facts.descent.loss.K):
        safe, names = (Majorizer,), "'majorizer'"
    if type(facts.options.rule) not in safe:        # a subclass may choose others
        return f"The step size is too long here: use step_size={names}"
    if facts.descent.spectral.mode == "power":
        return "The estimates of its singular values were too small: use constants='certified'"
    return "A loss that is what it declares does not do that: see lplfast.check_loss"


def _overflow(facts):
    if not all(math.isfinite(facts.last[name]) for name in ("loss", "grad_norm", "floor", "sigma_max_sq")):
        if math.isnan(facts.last["loss"]):
            return ("The loss is NaN at the initial layers. Rescale the layers or the data, if that is where they "
                    "overflow; else check the loss.")
        if math.isinf(facts.descent.loss.K) and all(math.isfinite(facts.last[name]) for name in ("loss", "grad_norm")):
            return "The curvature at the initial layers is not a finite number, by hessian_form: check that function."
        return "The loss or its gradient overflows float64 at the initial layers. Rescale the layers or the data."
    if facts.gap > facts.first:
        return (f"Diverged {facts.where}: the gap has grown, and the next step leads to where the loss or its gradient "
                f"is not a finite number. {_shorten(facts)}.")
    return (f"Stopped {facts.where}, before a step to where the loss or its gradient is not a finite number. "
            f"{_shorten(facts)}; or the loss returns NaN.")


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
        asked = facts.options.grad_tol
        larger = f"A grad_tol above {asked:.0e}" if asked else "grad_tol=1e-6, say,"
        return (f"Stalled {facts.where}: a step no longer moves the layers beyond their rounding. Whether that is the "
                f"minimum cannot be told: l* is not known. {larger} would call it converged, and sooner, where the "
                "gradient is that part of the first.")
    if facts.last["grad_norm"] < 1e-140:
        return (f"Stalled {facts.where}: the squares of the gradient underflow, though the loss is not at its minimum. "
                "Either a saddle is near: start elsewhere; or layers and data are too small for float64: rescale them.")
    said = f"Stalled {facts.where}: a step no longer moves the layers beyond their rounding"
    narrow = _narrow(facts)
    if narrow:
        return f"{said}. {narrow}"
    return f"{said}: a critical point, or steps far too short. Start elsewhere, or take longer steps."


def _guarantee_failed(facts):
    if facts.gap < 0:
        return (f"The loss is below its minimum {facts.where}: {facts.last['loss']:.10g}, where it declares "
                f"{facts.descent.loss.minimum:.10g}. Give it its true minimum, a lower bound, or none.")
    promised, measured = facts.descent.failure
    return (f"The descent lemma failed at step {facts.t - 1}, with exact singular values too: the loss should have "
            f"fallen by at least {promised:.10g}, it fell by {measured:.10g}. So it is not the loss that it declares: "
            f"check its gradient and its {_smoothness(facts.descent.loss.K)}.")


def _smoothness(K):
    return "hessian_form and concordance" if math.isinf(K) else f"K = {K:.10g}"


def _observed(facts):
    steps = facts.descent.checks["descent"]["steps"]
    return (f"Observed {facts.where}: {steps} of {facts.t} steps were gradient steps of the size that was said, and "
            "were checked as such; the others are somebody else's, and nothing is said of how far they go down.")


MESSAGES = {
    "observed": _observed,
    "running": lambda facts: f"Under way {facts.where}.",
    "converged": _converged,
    "max_iter": _max_iter,
    "max_time": lambda facts: f"Stopped at max_time {facts.where}; raise max_time.",
    "floor": _floor,
    "saddle": _saddle,
    "diverged": lambda facts: (f"Diverged {facts.where}: the gap grew beyond max_growth="
                               f"{facts.options.max_growth:.3g} times the first. {_shorten(facts)}; or raise "
                               "max_growth."),
    "overflow": _overflow,
    "stalled": _stalled,
    "stopped": lambda facts: f"Stopped by the callback {facts.where}.",
    "interrupted": lambda facts: f"Interrupted {facts.where}; everything up to here is kept.",
    "guarantee_failed": _guarantee_failed,
}
