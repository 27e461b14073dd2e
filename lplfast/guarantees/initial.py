"""What the initialization of a run guarantees for all of it."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any, Self

from ..losses.problems import Problem
from ..network import Network
from ..rules.rule import Rule
from ..spectral.modes import spectral_from
from ..spectral.spectral import Spectral
from .bounds import InitialBounds, bounds_at
from .envelope import GuaranteedRate
from .imbalance import Imbalance
from .margins import Margins
from .rates import guaranteed_rule, rate_of

__all__ = ["InitialGuarantee"]


class InitialGuarantee:
    """Bounds on the singular values and, where a theorem covers the rule, a rate: known before the first step.

    Worked out when it is first asked for, which takes longer than a short run, from the gap that the run has found at
    its start: the loss, which may be a Python function, is not asked again.

    Attributes
    ----------
    bounds : InitialBounds or None
        Those of the first network; None if its gap is beyond float64 or not known.
    rate : GuaranteedRate or None
        What the gap stays below with the run's rule; None if nothing is guaranteed for it, as the run's `spectral`
        lets it choose its steps.
    contraction : float or None
        That of `rate`: `gap[t] <= (1 - contraction)**t * gap[0]`.
    """

    def __init__(self, problem: Problem, network: Network, rule: Rule, spectral: Spectral, gap: float) -> None:
        self._origin = functools.partial(_from_the_start, problem, network, rule, spectral, gap)
        self._kept = None

    @property
    def bounds(self) -> InitialBounds | None:
        """The InitialBounds of the first network, or None."""
        return self._work_out()[0]

    @property
    def rate(self) -> GuaranteedRate | None:
        """The GuaranteedRate of the run's rule, or None."""
        return self._work_out()[1]

    @property
    def contraction(self) -> float | None:
        """The guaranteed contraction of a step, or None."""
        return self.rate.contraction if self.rate else None

    def without_rate(self) -> "InitialGuarantee":
        """Return the guarantee of a run that has gone on with another rule: the bounds are still good."""
        return InitialGuarantee._of(self.bounds, None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, plain enough for JSON; `from_dict` does without `bounds` where they are None."""
        return {"bounds": dataclasses.asdict(self.bounds) if self.bounds else None, "contraction": self.contraction}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any], options: Mapping[str, Any]) -> Self:
        """Return the guarantee that `to_dict` has taken apart, of a run with these options, as saved."""
        bounds = kept.get("bounds")
        if bounds is None:
            return cls._of(None, None)
        bounds = InitialBounds(**{**bounds, "imbalance": Imbalance(**bounds["imbalance"]),
                                  "margins": Margins(**bounds["margins"])})
        if kept["contraction"] is None:
            return cls._of(bounds, None)
        guarantee = cls.__new__(cls)
        guarantee._origin, guarantee._kept = functools.partial(_from_a_file, bounds, options), None
        return guarantee

    @classmethod
    def none(cls) -> Self:
        """Return what is guaranteed of steps that are somebody else's: nothing."""
        return cls._of(None, None)

    @classmethod
    def _of(cls, bounds, rate):
        guarantee = cls.__new__(cls)
        guarantee._origin, guarantee._kept = None, (bounds, rate)
        return guarantee

    def _work_out(self):
        # other threads may come here, too: each works with what it has taken, and the result is there before its origin
        # is let go
        origin, kept = self._origin, self._kept
        if kept is None and origin is None:
            kept = self._kept
        if kept is None:
            self._kept = kept = origin()
            self._origin = None
        return kept

    def __reduce__(self):
        return InitialGuarantee._of, self._work_out()


def _from_the_start(problem, network, rule, spectral, gap):
    """Return InitialBounds and GuaranteedRate, either of which may be None."""
    if not gap < math.inf:
        return None, None
    bounds = bounds_at(problem, network, gap)
    return bounds, None if math.isnan(problem.minimum) else rate_of(rule, bounds, spectral)


def _from_a_file(bounds, options):
    rule = guaranteed_rule(options["rule"])
    spectral = spectral_from(options["constants"]["mode"], tolerance=options["constants"]["tolerance"])
    return bounds, rate_of(rule, bounds, spectral) if rule else None
