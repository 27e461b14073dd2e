"""A guarantee for a whole run: a curve that the gap stays below."""

import dataclasses
import math
from typing import Any

import numpy as np

from ..annotations import ArrayLike
from ..markup import number, table_html
from ..rules.rule import Rule
from ..validation import as_array, as_fraction

__all__ = ["GuaranteedRate"]


@dataclasses.dataclass(frozen=True)
class GuaranteedRate:
    """What `guaranteed_rate` returns: a curve that the gap stays below, and what else holds along it.

    Attributes
    ----------
    rate : float
        `gap[t] <= rate**t * gap[0]` at every t when trained with `rule`; 1 if vacuous.
    contraction : float
        `1 - rate`, to full precision.
    rule : Rule or None
        The step-size rule that this is guaranteed for.
    eta_min, eta_cap : float
        All its steps lie between these.
    A, B : float
        `A <= s_min(T)^2 <= s_max(T)^2 <= B` along the whole run.
    vacuous : bool
        Whether nothing is guaranteed.
    message : str
        What is guaranteed and by which theorem; or what is missing, by how much, and what would help.
    gaps : tuple of float
        `gap[t] <= gaps[t]`, and `gap[t] <= gaps[t] / gaps[0] * gap[0]`; afterwards each step contracts by `tail`.
    drifts : tuple of float
        `drift[t] <= drifts[t]`, the column of that name; afterwards it is at most `drift_limit`.
    tail_contraction, drift_limit : float
        `1 - tail`, to full precision; a bound on the drift of the whole run.
    """

    rate: float
    contraction: float
    rule: Rule | None
    eta_min: float
    eta_cap: float
    A: float
    B: float
    vacuous: bool
    message: str
    gaps: tuple[float, ...] = dataclasses.field(default=(), repr=False)     # thousands, which a message would drown in
    drifts: tuple[float, ...] = dataclasses.field(default=(), repr=False)
    tail_contraction: float = 0.0
    drift_limit: float = math.inf

    @property
    def tail(self) -> float:
        """What the gap is at most multiplied with by each step after those of `gaps`."""
        return 1 - self.tail_contraction

    def _repr_html_(self) -> str:
        rows = [("rate", f"{self.rate:.10g}"), ("1 - rate", number(self.contraction)),
                ("rule", "" if self.rule is None else f"{self.rule!r:.200}"),
                ("steps", f"{number(self.eta_min)} to {number(self.eta_cap)}"),
                ("s_min(T)^2, s_max(T)^2", f"{number(self.A)} to {number(self.B)}"),
                ("iterations to 1e-6", number(float(self.iterations_to(1e-6))))]
        return table_html("Nothing guaranteed" if self.vacuous else "Guaranteed rate", rows, note=self.message)

    def gap_at(self, t: int | ArrayLike) -> Any:
        """Return what the gap at iteration t is guaranteed to be at most; infinity if nothing is. t may be an array.

        Raises
        ------
        TypeError, ValueError
            If t is neither an integer >= 0, which a whole float is, too, nor an array of them.

        Examples
        --------
        >>> found = GuaranteedRate(0.5, 0.5, None, 0, 0, 0, 0, False, "", gaps=(8.0, 2.0), tail_contraction=0.5)
        >>> [round(found.gap_at(t), 12) for t in range(4)]
        [8.0, 2.0, 1.0, 0.5]
        """
        t = _iterations(t)
        if not self.gaps:
            return _number(np.full(t.shape, math.inf))
        last = len(self.gaps) - 1
        with np.errstate(under="ignore", divide="ignore", invalid="ignore"):
            beyond = np.maximum(t - last, 0.0)
            tail = np.where(beyond > 0, np.exp(beyond * np.log1p(-min(self.tail_contraction, 1.0))), 1.0)
        return _number(np.array(self.gaps)[np.minimum(t, last)] * tail * (1 + 1e-15 * beyond))

    def drift_at(self, t: int | ArrayLike) -> Any:
        """Return what the drift of the imbalance is guaranteed to be at most at iteration t, which may be an array.

        Raises
        ------
        TypeError, ValueError
            If t is neither an integer >= 0, which a whole float is, too, nor an array of them.
        """
        t = _iterations(t)
        if not self.drifts:
            return _number(np.full(t.shape, math.inf))
        return _number(np.append(self.drifts, self.drift_limit)[np.minimum(t, len(self.drifts))])

    def iterations_to(self, factor: float) -> float:
        """Return after how many iterations the gap is guaranteed to be at most `factor` times the first.

        Examples
        --------
        >>> GuaranteedRate(0.1, 0.9, None, 0, 0, 0, 0, False, "", (1.0,), (0.0,), 0.9).iterations_to(1e-6)
        6
        """
        factor = as_fraction("factor", factor)
        if self.vacuous or not self.gaps:
            return math.inf
        # what is met exactly must not be rounded past
        within = np.flatnonzero(np.array(self.gaps) <= factor * self.gaps[0] * (1 + 1e-12))
        if within.size:
            return int(within[0])
        if self.tail_contraction >= 1.0:
            return len(self.gaps)
        left = math.log(factor) - math.log(self.gaps[-1] / self.gaps[0])
        steps = left / math.log1p(-self.tail_contraction) * (1 - 1e-12)
        return len(self.gaps) - 1 + math.ceil(steps) if steps < math.inf else math.inf


def _iterations(t):
    t = as_array("t", t)
    if t.dtype.kind == "f" and (t == np.floor(t)).all() and np.isfinite(t).all():
        t = np.clip(t, -1, 2**53).astype(np.int64)      # as the column `iteration` of a history is
    if t.dtype.kind not in "ui":
        raise TypeError(f"t: expected integers >= 0, got dtype {t.dtype}")
    if t.size and t.min() < 0:
        raise ValueError(f"t: expected integers >= 0, got {t.min()}")
    return np.minimum(t.astype(np.uint64), 2**53).astype(np.int64)


def _number(values):
    return values if values.ndim else float(values)
