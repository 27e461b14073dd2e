"""What was tried to refute a loss, claim by claim."""

import dataclasses

import numpy as np

__all__ = ["Claim", "LossReport"]


@dataclasses.dataclass
class Claim:
    """One claim: how often it was tried, and what the worst trial found."""

    says: str
    tried: int = 0
    failed: int = 0
    worst: float = -np.inf
    found: str = ""
    refutes: bool = True

    def note(self, excess: float, allowed: float, found: str) -> None:
        """Count a trial that exceeds the claim by `excess` (or falls short of it, if negative); `found` says where."""
        self.tried += 1
        failed = not excess <= allowed
        self.failed += failed
        if not excess - allowed <= self.worst:
            self.worst, self.found = excess - allowed, found


@dataclasses.dataclass(frozen=True)
class LossReport:
    """What `check_loss` returns; prints as a table.

    Attributes
    ----------
    claims : tuple
        For each claim what it `says`, how often it was `tried` and `failed`, what the worst trial `found`, and its
        excess beyond what rounding and the curvature of l allow, `worst`.
    """

    claims: tuple[Claim, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was found: which proves nothing."""
        return not self.problems

    @property
    def problems(self) -> list[str]:
        """A sentence for each claim that was found to be false."""
        return [f"{claim.says}: failed {claim.failed} of {claim.tried} trials; {claim.found}."
                for claim in self.claims if claim.failed and claim.refutes]

    def __repr__(self):
        lines = [f"{'claim':<44}{'trials':>8}{'failed':>8}   worst trial"]
        lines += [f"{claim.says:<44}{claim.tried:>8}{claim.failed:>8}   {claim.found}" for claim in self.claims]
        lines.append("No reason to doubt the loss was found, which proves nothing." if self.passed
                     else "The loss is not what it declares.")
        return "\n".join(lines)
