"""What the initialization of a run guarantees for all of it."""

import dataclasses
import math

from .bounds import InitialBounds, bounds_at
from .imbalance import Imbalance
from .rates import rate_of

__all__ = ["InitialGuarantee"]


class InitialGuarantee:
    """Bounds on the singular values and, where a theorem covers the rule, a rate: known before the first step.

    Worked out when it is first asked for, which takes longer than a short run, from the gap that the run has found at
    its start: the loss, which may be a Python function, is not asked again.

    Attributes
    ----------
    bounds : InitialBounds or None
        Those of the first network; None if its gap is beyond float64 or not known.
    contraction : float or None
        `gap[t] <= (1 - contraction)**t * gap[0]`; None if nothing is guaranteed for the rule, as the run's `spectral`
        lets it choose its steps.
    """

    def __init__(self, problem, network, rule, spectral, gap):
        self._origin = problem, network, rule, spectral, gap
        self._kept = None

    @property
    def bounds(self):
        """The InitialBounds of the first network, or None."""
        return self._work_out()[0]

    @property
    def contraction(self):
        """The guaranteed contraction of a step, or None."""
        return self._work_out()[1]

    def without_rate(self):
        """Return the guarantee of a run that has gone on with another rule: the bounds are still good."""
        return InitialGuarantee._of(self.bounds, None)

    def to_dict(self):
        """Return everything, plain enough for JSON; `from_dict` does without `bounds` where they are None."""
        return {"bounds": dataclasses.asdict(self.bounds) if self.bounds else None, "contraction": self.contraction}

    @classmethod
    def from_dict(cls, kept):
        """Return the guarantee that `to_dict` has taken apart."""
        bounds = kept.get("bounds")
        if bounds is not None:
            bounds = InitialBounds(**{**bounds, "imbalance": Imbalance(**bounds["imbalance"])})
        return cls._of(bounds, kept["contraction"])

    @classmethod
    def _of(cls, bounds, contraction):
        guarantee = cls.__new__(cls)
        guarantee._origin, guarantee._kept = None, (bounds, contraction)
        return guarantee

    def _work_out(self):
        # other threads may come here, too: each works with what it has taken, and the result is there before its origin
        # is let go
        origin, kept = self._origin, self._kept
        if kept is None and origin is None:
            kept = self._kept
        if kept is None:
            problem, network, rule, spectral, gap = origin
            bounds = bounds_at(problem, network, gap) if gap < math.inf else None
            found = rate_of(rule, problem, bounds, spectral) if bounds else None
            self._kept = kept = bounds, found.contraction if found else None
            self._origin = None
        return kept

    def __reduce__(self):
        return InitialGuarantee._of, self._work_out()
