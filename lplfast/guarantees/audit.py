"""Whether everything that was claimed of a run held, inequality by inequality."""

import dataclasses

import numpy as np

from ..markup import number, table_html

__all__ = ["Audit", "Claim"]

# what a check is called, what it says, and whether it is a theorem: the drift condition is one for short steps only
CLAIMS = {
    "pl": ("PL inequality", "|grad L|^2 / 2 >= local PL constant * gap", True),
    "descent": ("descent lemma", "decrease >= (eta - K_t eta^2 / 2) |grad L|^2", True),
    "rate": ("guaranteed rate", "gap[t+1] <= rate_bound gap[t]", True),
    "drift": ("small drift", "decrease >= eta |grad L|^2 / 2 (a condition)", False),
    "gap_bound": ("accumulated rate", "gap[t] <= gap_bound[t]", True),
    "initial": ("bounds from the start", "alpha <= s_min(T)^2, s_max(T)^2 <= beta", True),
    "initial_rate": ("rate from the start", "gap[t] <= the guaranteed curve", True),
}


@dataclasses.dataclass(frozen=True)
class Claim:
    """One inequality over a whole run.

    Attributes
    ----------
    name, title, says : str
        The inequality: the name of its slack column, what it is called, and what it says.
    theorem : bool
        Whether it must hold; a condition may fail.
    steps, violations, uninformative : int
        How often it was checked; failed by more than rounding explains; had less slack than rounding may take.
    smallest, at : float, int
        The smallest slack where the check says something, in the units of `Run.history`'s slack columns, and its
        iteration; None where every check was uninformative.
    """

    name: str
    title: str
    says: str
    theorem: bool
    steps: int
    violations: int
    uninformative: int
    smallest: float | None
    at: int | None


@dataclasses.dataclass(frozen=True)
class Audit:
    """What `Run.audit` returns: the claims, and whether they held. Prints as a table."""

    claims: tuple[Claim, ...]

    @property
    def violations(self) -> int:
        """How many times a theorem failed beyond rounding."""
        return sum(claim.violations for claim in self.claims if claim.theorem)

    @property
    def passed(self) -> bool:
        """Whether every theorem held at every step."""
        return self.violations == 0

    def _repr_html_(self) -> str:
        rows = [(f"{claim.title}: {claim.says}", *((claim.steps, claim.violations, claim.uninformative,
                                                    number(claim.smallest), "" if claim.at is None else claim.at)
                                                   if claim.steps else ("not checked", "", "", "", "")))
                for claim in self.claims]
        return table_html("Audit: every theorem held" if self.passed else "Audit: a theorem failed", rows,
                          ("claim", "steps", "violations", "uninformative", "smallest slack", "at t"))

    def __str__(self):
        lines = [f"{'claim':<62}{'steps':>8}{'violations':>12}{'uninformative':>15}{'smallest slack':>16}{'at t':>8}"]
        for claim in self.claims:
            said = f"{claim.title}: {claim.says}"
            if claim.steps:
                smallest = f"{'none':>16}{'':>8}" if claim.smallest is None else f"{claim.smallest:>16.2e}{claim.at:>8}"
                lines.append(f"{said:<62}{claim.steps:>8}{claim.violations:>12}{claim.uninformative:>15}{smallest}")
            else:
                lines.append(f"{said:<62}{'not checked':>20}")
        return "\n".join(lines)


def theorems_failed(checks):
    """Return how many times a theorem failed beyond rounding, by the counts that the loop kept alone."""
    return sum(check["violations"] for name, check in checks.items() if CLAIMS[name][-1])


def audit(checks, history, guarantee=None, *, estimated=False):
    """Return the Audit of the counts that the loop kept, and of what the start guarantees.

    With singular values that are only `estimated`, no claim is a theorem.
    """
    claims = [Claim(name, *CLAIMS[name], check["steps"], check["violations"], check["uninformative"],
                    check["smallest"], check["smallest_at"]) for name, check in checks.items()]
    if guarantee is not None and checks["descent"]["steps"] and guarantee.bounds and not np.isnan(guarantee.bounds.gap):
        if {"iteration", "loss", "drift", "sigma_min_sq", "sigma_max_sq", "bracket_width"} <= history.keys():
            claims.append(_bounded(history, guarantee.bounds))
        if guarantee.rate is not None and {"iteration", "gap", "rounding"} <= history.keys():
            claims.append(_decreases(history, guarantee.rate))
    if estimated:
        claims = [dataclasses.replace(claim, theorem=False) for claim in claims]
    return Audit(tuple(claims))


def _decreases(history, rate):
    """Return the claim that the gap stays below the curve that was guaranteed before the first step."""
    t, gap = history["iteration"], history["gap"]
    # whatever may be in a file that somebody has changed
    with np.errstate(all="ignore"):
        # the curve starts from an upper bound on the first gap
        bound = gap[0] * (rate.gap_at(t.astype(np.int64)) / rate.gaps[0])
        # what rounding may have done to the gap in all the steps so far
        allowance = history["rounding"] + 1e-15 * bound
        slack = 1 - gap / np.where(bound > 0, bound, 1.0)
        violated, uninformative = gap > bound + allowance, allowance > bound - gap
    return _claim("initial_rate", history, slack, violated, uninformative)


def _bounded(history, bounds):
    """Return the claim that the singular values stay within what the imbalance and its drift allow.

    It is made of iterates whose loss is at most the first. The columns are the safe ends of brackets: the other ends
    are `bracket_width` away.
    """
    # no lower bound on s_min: 0 times infinity; whatever else may be in a file that somebody has changed
    with np.errstate(all="ignore"):
        low, high = bounds.after(history["drift"])
        width = 1 + history["bracket_width"]
        least = np.where(history["sigma_min_sq"] > 0, history["sigma_min_sq"] * width, np.inf)
        slack = np.minimum(1 - low / least, 1 - history["sigma_max_sq"] / width / high)
    applies = history["loss"] <= history["loss"][0]
    slack = np.where(applies, slack, np.inf)
    # both sides are computed to some u, rounded outward; nothing is checked where the other end is not known
    return _claim("initial", history, slack, slack < -1e-12, np.isinf(width) | ~applies)


def _claim(name, history, slack, violated, uninformative):
    """Return a claim about the recorded iterates; the first is where it starts from."""
    uninformative = uninformative & ~violated
    says = np.flatnonzero(~uninformative[1:]) + 1
    at = says[np.argmin(slack[says])] if says.size else None
    return Claim(name, *CLAIMS[name], slack.size - 1, int(violated[1:].sum()), int(uninformative[1:].sum()),
                 None if at is None else float(slack[at]), None if at is None else int(history["iteration"][at]))
