"""What the initialization of a run promised for all of it."""

import dataclasses

from .bounds import Imbalance, InitialBounds, initial_bounds, rate_of

__all__ = ["Promise"]


class Promise:
    """Bounds on the singular values and, where a theorem speaks of the rule, a rate: known before the first step.

    Worked out when it is first asked for, which takes longer than a short run.

    Attributes
    ----------
    bounds : InitialBounds or None
        Those of the first network; None if they cannot be had, because its loss is beyond float64 or fails.
    contraction : float or None
        `gap[t] <= (1 - contraction)**t * gap[0]`; None if nothing is guaranteed for the rule.
    """

    def __init__(self, problem, network, rule):
        self._origin = problem, network, rule
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
        """Return the promise of a run that has gone on with another rule: the bounds are still good."""
        return Promise._of(self.bounds, None)

    def to_dict(self):
        """Return everything, plain enough for JSON."""
        return {"bounds": dataclasses.asdict(self.bounds) if self.bounds else None, "contraction": self.contraction}

    @classmethod
    def from_dict(cls, kept):
        """Return the promise that `to_dict` has taken apart."""
        bounds = kept["bounds"]
        if bounds is not None:
            bounds = InitialBounds(**{**bounds, "imbalance": Imbalance(**bounds["imbalance"])})
        return cls._of(bounds, kept["contraction"])

    @classmethod
    def _of(cls, bounds, contraction):
        promise = cls(None, None, None)
        promise._kept = bounds, contraction
        return promise

    def _work_out(self):
        if self._kept is None:
            problem, network, rule = self._origin
            try:
                bounds = initial_bounds(problem, network)
            except Exception:
                # beyond float64, or a Python function that fails by now: that must not cost what the run has
                bounds = None
            found = rate_of(rule, problem, bounds) if bounds else None
            self._kept, self._origin = (bounds, found.contraction if found else None), None
        return self._kept

    def __reduce__(self):
        return Promise._of, self._work_out()
