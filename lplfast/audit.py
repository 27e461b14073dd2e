"""Whether everything that was claimed of a run held, inequality by inequality."""

import dataclasses

import numpy as np

__all__ = ["Audit", "Claim"]

# what a check is called, what it says, and whether it is a theorem: the drift condition is one for short steps only
CLAIMS = {
    "pl": ("PL inequality", "|grad L|^2 / 2 >= mu_t gap", True),
    "descent": ("descent lemma", "decrease >= (eta - K_t eta^2 / 2) |grad L|^2", True),
    "rate": ("guaranteed rate", "gap[t+1] <= rate_bound gap[t]", True),
    "drift": ("small drift", "decrease >= eta |grad L|^2 / 2 (a condition)", False),
    "gap_bound": ("accumulated rate", "gap[t] <= gap_bound[t]", True),
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
        The smallest slack, in the units of `Run.history`'s slack columns, and its iteration.
    """

    name: str
    title: str
    says: str
    theorem: bool
    steps: int
    violations: int
    uninformative: int
    smallest: float
    at: int


@dataclasses.dataclass(frozen=True)
class Audit:
    """What `Run.audit` returns: the claims, and whether they held. Prints as a table."""

    claims: tuple

    @property
    def violations(self):
        """How many times a theorem failed beyond rounding."""
        return sum(claim.violations for claim in self.claims if claim.theorem)

    @property
    def passed(self):
        """Whether every theorem held at every step."""
        return self.violations == 0

    def __str__(self):
        lines = [f"{'claim':<62}{'steps':>8}{'violations':>12}{'uninformative':>15}{'smallest slack':>16}{'at t':>8}"]
        for claim in self.claims:
            said = f"{claim.title}: {claim.says}"
            if claim.steps:
                lines.append(f"{said:<62}{claim.steps:>8}{claim.violations:>12}{claim.uninformative:>15}"
                             f"{claim.smallest:>16.2e}{claim.at:>8}")
            else:
                lines.append(f"{said:<62}{'not checked':>20}")
        return "\n".join(lines)


def audit(checks, history):
    """Return the Audit of the counts that the loop kept, and of the bound that it accumulated."""
    claims = [Claim(name, *CLAIMS[name], check["steps"], check["violations"], check["uninformative"],
                    check["smallest"], check["smallest_at"]) for name, check in checks.items()]
    if {"gap", "gap_bound", "floor"} <= history.keys() and checks["rate"]["steps"]:
        claims.append(_accumulated(history))
    return Audit(tuple(claims))


def _accumulated(history):
    """Return the claim that the gap never exceeds the product of the guaranteed rates, at the recorded iterates."""
    gap, bound, floor = (history[name] for name in ("gap", "gap_bound", "floor"))
    # each end of the run is known to sqrt(2 gap floor) + floor / 2, and a product of t rates to 2 t u
    allowance = np.sqrt(2 * gap) * np.sqrt(floor) + floor + 1e-15 * gap.size * gap[0]
    slack = 1 - gap / np.where(bound > 0, bound, 1.0)
    at = int(np.argmin(slack[1:])) + 1 if gap.size > 1 else 0
    iteration = history["iteration"][at] if "iteration" in history else at
    return Claim("gap_bound", *CLAIMS["gap_bound"], gap.size - 1, int((gap > bound + allowance).sum()),
                 int((allowance > bound - gap)[1:].sum()), float(slack[at]), int(iteration))
