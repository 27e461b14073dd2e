"""What is guaranteed of the rest of a run, from one of its iterates on. docs/theory.md, section 11."""

import dataclasses
import re

import numpy as np

from ..rules.schedule import Schedule
from .bounds import imbalance_of
from .rates import Start, kind_of, nothing_guaranteed

__all__ = ["gap_and_drift", "guarantee_of_the_rest", "rule_begun"]

# The part of the gap to which rules are compared.
FACTOR = 1e-6

EPS, TINY = float(np.finfo(float).eps), float(np.finfo(float).tiny)


def gap_and_drift(bounds, t, row):
    """Return upper bounds on gap and drift at iterate t, from the row of the history there."""
    gap, floor = max(row["gap"], 0.0), row["floor"]
    # the gap of the stored layers, whose product and loss are rounded: sqrt(2 K gap) eps_W and more, K eps_W^2 <= floor
    above = gap * (1 + 1e-12) + np.sqrt(2 * gap * floor) + 2.5 * floor + TINY
    if t == 0:
        above = min(above, bounds.gap)      # what else is known of the first gap holds up to that
    # a step rounds each layer by some u of it, and that moves its Gram matrix by twice as much of beta
    size = bounds.imbalance.n + bounds.imbalance.m
    return float(above), float(row["drift"] * (1 + 1e-12) + 4 * EPS * t * size * bounds.beta)


def rule_begun(said):
    """Return from which iterate on a run has had its last rule, of what `RunInfo.rule` says."""
    changes = re.findall(r" to t=([0-9]+), then ", said)
    return int(changes[-1]) if changes else 0


def guarantee_of_the_rest(bounds, rule, spectral, gap, drift, *, mu, taken=0, stack=None):
    """Return the GuaranteedRate from an iterate on.

    Parameters
    ----------
    bounds : InitialBounds
        Those of the first iterate.
    rule : Rule or None
        The rule that goes on; that with fewest guaranteed iterations if no theorem speaks of it.
    spectral : Spectral
        How it finds its singular values.
    gap, drift : float
        Upper bounds there; the drift of the imbalance since the first iterate.
    mu : float
        The PL constant of the loss that is trained, whatever the gap.
    taken : int
        How many steps the rule has taken by then.
    stack : array or None
        The layers there, as the loss sees them: their own imbalance may say more.
    """
    if not gap < np.inf:
        return nothing_guaranteed("Vacuous: the gap is not known there.")
    if isinstance(rule, Schedule):
        rule = Schedule(rule.steps[min(taken, len(rule.steps) - 1):])
    if gap > bounds.gap:
        # a better one is known for gaps up to the first alone
        margins = dataclasses.replace(bounds.margins, mu=min(bounds.margins.mu, mu))
        bounds = dataclasses.replace(bounds, margins=margins)
    starts = [(bounds, drift)]
    # wide layers that have not been compressed have as large an imbalance
    if stack is not None and stack.shape[1] <= stack.shape[0]:
        W1, W2t = np.split(stack, [bounds.imbalance.n])
        here = imbalance_of(W1, W2t.T)
        p1, p2 = bounds.margins.at(gap)
        starts.append((dataclasses.replace(bounds, imbalance=here, alpha=float(here.alpha(p1)), beta=here.beta(p2)),
                       0.0))
    found = [rate for at, moved in starts if (rate := _from_here(at, rule, spectral, gap, moved)) is not None]
    return min(found, key=lambda rate: rate.iterations_to(FACTOR), default=nothing_guaranteed(
        f"Vacuous from there on: the gap, at most {gap:.3g}, or the drift of the imbalance so far is too large."))


def _from_here(bounds, rule, spectral, gap, drift):
    low = bounds.imbalance.alpha(bounds.margins.at(gap)[0], drift)
    here = dataclasses.replace(bounds, gap=gap, alpha=float(low), mu_lower=float(bounds.margins.mu * low))
    start = Start.of(here, spectral, gap, drift) if low > 0 and bounds.margins.mu > 0 else None
    if start is None:
        return None
    return start.best(here, FACTOR) if kind_of(rule) is None else start.rate(rule)
