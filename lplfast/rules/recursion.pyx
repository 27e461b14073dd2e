"""The recursion of docs/theory.md, section 11, for Python callers."""

import numpy as np

from libc.math cimport INFINITY, log, log1p

from ..linalg.extremes cimport fmax, fmin
from .phases cimport (
    FIXED, LOCAL, SHARP, Effect, Extent, Kind, Phase, Plan, Start, advance, closing_gain, first_phase, planned_step,
    search_plan,
)


NUMBERS = ("mu", "least", "greatest", "error", "data_least", "data_greatest", "slack", "top", "bottom", "nth", "mth",
           "of_T", "of_W", "of_all")

KINDS = {"steps": FIXED, "sharp": SHARP, "local": LOCAL}


cdef class Recursion:
    """What is known before the first step, in units in which K = 1 and beta = 1, and what follows from it.

    Parameters
    ----------
    gap, drift : float
        The gap at the start, and how far the imbalance has drifted by then, at most.
    known : (list, list)
        Gaps, ascending, and a PL constant for each: it holds wherever the gap is at most that.
    numbers : dict
        The fields of `Start`, by name.
    """

    cdef Start start
    cdef double gap
    cdef double drift
    cdef double[::1] gaps
    cdef double[::1] constants

    def __init__(self, gap, drift=0.0, known=((), ()), **numbers):
        cdef Start* start = &self.start
        start.quadratic, start.p1_for_W1, start.p1_for_W2 = (
            numbers.pop(name) for name in ("quadratic", "p1_for_W1", "p1_for_W2"))
        (start.mu, start.least, start.greatest, start.error, start.data_least, start.data_greatest, start.slack,
         start.top, start.bottom, start.nth, start.mth, start.of_T, start.of_W, start.of_all) = (
            numbers.pop(name) for name in NUMBERS)
        self.gap, self.drift = gap, drift
        self.gaps, self.constants = (np.array(part, dtype=np.float64) for part in known)
        start.known = self.gaps.shape[0]
        if start.known:
            start.gaps, start.constants = &self.gaps[0], &self.constants[0]

    def count(self, str kind, double eta, double factor, Py_ssize_t longest, double limit):
        """Return after how many iterations with this step or cap the gap is at most `factor` times the first, a
        fraction of the last one included: after `longest` of them by the gain of all further ones. Infinity if nothing
        is guaranteed, or more than `limit`."""
        cdef Kind which = KINDS[kind]
        cdef Phase at
        cdef Extent extent
        cdef Effect effect
        cdef double target = factor * self.gap, taken = 0.0, before, total, gain
        first_phase(&at, self.gap, self.drift)
        while at.gap > target:
            if taken > limit:
                return INFINITY
            before = at.gap
            if taken >= longest or not advance(&self.start, &at, which, eta, &extent, &effect):
                gain = closing_gain(&self.start, &at, which, eta, &extent, &effect, &total)
                return taken + log(at.gap / target) / -log1p(-gain) if gain > 0.0 else INFINITY
            taken += log(before / target) / log(before / at.gap) if 0.0 < at.gap <= target else 1.0
        return taken

    def follow(self, str kind, steps, double factor, Py_ssize_t longest):
        """Return gaps, drifts, the gain of each step from then on, what the drift stays below, least A, greatest B, the
        shortest and the longest step; None if nothing is guaranteed.

        With these steps, the last one from then on, or with one cap: at least until the last of them, and from there
        until the gap is `factor` times the first, or for `longest` steps.
        """
        cdef Kind which = KINDS[kind]
        cdef double[::1] etas = np.ascontiguousarray(steps, dtype=np.float64)
        cdef Py_ssize_t t, last = etas.shape[0] - 1, rows = max(longest, last)
        cdef double[::1] gaps = np.empty(rows + 1), drifts = np.empty(rows + 1)
        cdef Phase at
        cdef Extent extent
        cdef Effect effect
        cdef double target = factor * self.gap, total = 0.0, A = INFINITY, B = 0.0
        cdef double least = INFINITY, most = 0.0
        cdef list ways = []
        first_phase(&at, self.gap, self.drift)
        for t in range(rows + 1):
            gaps[t], drifts[t] = at.gap, at.drift
            # where the steps have come to be all the same, and at the end
            if t == last or (t > last and (at.gap <= target or t == rows)):
                gain = closing_gain(&self.start, &at, which, etas[last], &extent, &effect, &total)
                if gain > 0.0:
                    ways.append((t, gain, total, fmin(A, extent.A), fmax(B, extent.B), fmin(least, effect.least),
                                 fmax(most, effect.most)))
                if at.gap <= target:
                    break
            if t == rows or not advance(&self.start, &at, which, etas[min(t, last)], &extent, &effect):
                break
            A, B = fmin(A, extent.A), fmax(B, extent.B)
            least, most = fmin(least, effect.least), fmax(most, effect.most)
        if not ways:
            return None
        t, *others = ways[len(ways) - 1]
        return (np.array(gaps[:t + 1]), np.array(drifts[:t + 1]), *others)

    def schedule(self, double factor, Py_ssize_t longest):
        """Return the steps of the best plan to `factor` times the gap, and one that may go on for ever; None if there
        is no plan of at most `longest` steps."""
        cdef Plan plan
        cdef Phase at
        cdef Extent extent
        cdef Effect effect
        cdef double total, tail
        cdef Py_ssize_t t
        cdef int _i
        first_phase(&at, self.gap, self.drift)
        search_plan(&self.start, &at, factor * self.gap, longest, &plan)
        if not plan.count < INFINITY:
            return None
        cdef double[::1] steps = np.empty(<Py_ssize_t> plan.count + 1)
        for t in range(steps.shape[0] - 1):
            steps[t] = planned_step(&self.start, &at, &plan)
            advance(&self.start, &at, FIXED, steps[t], &extent, &effect)
        tail = planned_step(&self.start, &at, &plan)
        for _i in range(60):
            if closing_gain(&self.start, &at, FIXED, tail, &extent, &effect, &total) > 0.0:
                steps[steps.shape[0] - 1] = tail
                return np.asarray(steps)
            tail *= 0.5
        return None
