"""The recursion of docs/theory.md, section 11, and the search for the schedule that it promises most of.

Every step rounds to the safe side, by 16 u of each number: gap, drift, B and K_t up, A and gains down.
"""

from libc.math cimport INFINITY, hypot, log, log1p, sqrt

from ..linalg.extremes cimport fmax, fmin
from ..linalg.rounding cimport U
from .formulas cimport local_smoothness, sharp_smoothness

cdef enum:
    FIXED_POINT = 200       # how often a fixed point is approached before it is given up
    PRUNE_EVERY = 32        # steps between two looks at whether a plan can still be the best

cdef double UP = 1.0 + 16.0 * U
cdef double DOWN = 1.0 - 16.0 * U


cdef inline double phi(double a, double b, double p) noexcept nogil:
    """(-a + b + sqrt((a + b)^2 + 4 p^2)) / 2 without cancellation."""
    return b + 2.0 * p * (p / ((a + b) + hypot(a + b, 2.0 * p))) if p > 0.0 else b


cdef inline double alpha(const Start* start, double p1, double drift) noexcept nogil:
    """A lower bound on s_min(T)^2 after every eigenvalue of the imbalance has drifted by so much."""
    return (phi(start.bottom + drift, fmax(start.nth - drift, 0.0), p1 if start.p1_for_W1 else 0.0)
            + phi(start.top + drift, fmax(start.mth - drift, 0.0), p1 if start.p1_for_W2 else 0.0))


cdef inline double pl_constant(const Start* start, double gap) noexcept nogil:
    """The PL constant of the loss for all gaps of at most this one."""
    cdef Py_ssize_t i
    for i in range(start.known):
        if gap <= start.gaps[i]:
            return start.constants[i]
    return start.mu


cdef inline void locate(const Start* start, double gap, double drift, Extent* at) noexcept nogil:
    """What holds wherever the gap and the drift are at most these."""
    cdef double error = sqrt(2.0 * gap), r, p1 = 0.0, least_p2 = 0.0, a
    at.mu = pl_constant(start, gap)
    at.gamma = error * UP
    at.p2 = INFINITY
    if start.mu > 0.0:
        r = error / sqrt(start.mu) + start.error
        p1 = fmax(start.least - r - start.slack * (start.greatest + r), 0.0)
        at.p2 = (start.greatest + r) * (1.0 + start.slack)
        least_p2 = start.greatest - r - start.slack * (start.greatest + r)
        if start.data_least >= 0.0:
            p1 = fmax(p1, fmax(start.data_least - error - start.slack * (start.data_greatest + error), 0.0)
                      * (1.0 - start.slack))
            at.p2 = fmin(at.p2, (start.data_greatest + error) / sqrt(start.mu) * (1.0 + start.slack))
    at.B = 0.5 * (start.top + hypot(start.top, 2.0 * at.p2) + start.bottom + hypot(start.bottom, 2.0 * at.p2))
    at.B = (at.B + drift) * UP
    # s_1(W1)^2 >= lam_1(D), s_1(W2)^2 >= lam_1(-D), which rounding may have raised by 1e-5 of it at the sizes that fit
    at.top = (fmax(start.top - drift, 0.0) + fmax(start.bottom - drift, 0.0)) * (1.0 - 1e-5)
    # s_1(W1)^2 + s_1(W2)^2 >= 2 s_max(W)
    at.top = fmax(at.top, 2.0 * least_p2)
    # a difference rounds by a part of what it is made of
    a = alpha(start, p1, 0.0)
    at.A = fmax(a * DOWN - drift * UP, alpha(start, p1, drift * UP) * DOWN) * DOWN


cdef inline double linear_gain(const Extent* at, double eta, double K_bar) noexcept nogil:
    """Descent lemma and PL inequality: mu A eta (2 - eta K)."""
    return at.mu * at.A * eta * (2.0 * DOWN - eta * K_bar)


cdef inline double bending(const Extent* at, double eta) noexcept nogil:
    """What second order adds to the tangent kernel's norm: ||G|| (1 + K B eta) + K p2 ||G||^2 eta^2 / 2."""
    cdef double moved = at.gamma * eta
    return (at.gamma * (1.0 + at.B * eta) + 0.5 * at.p2 * moved * moved) * UP


cdef inline double quadratic_gain(const Extent* at, double eta) noexcept nogil:
    """The two contractions of a quadratic loss, for an eigenvalue of the tangent kernel between mu A and K B."""
    cdef double low = eta * at.mu * at.A, high = eta * at.B, bent = eta * bending(at, eta), short
    cdef double normal = fmin(low * (2.0 * DOWN - (low + bent) * UP), high * (2.0 * DOWN - (high + bent) * UP))
    # s = min(eta mu A, 2 - eta K B) - eta^2 K^(3/2) p2 sqrt(2 gap)
    short = fmin(low * DOWN, 2.0 * DOWN - high * UP) - eta * eta * at.p2 * at.gamma * UP
    return fmax(normal, short * (2.0 - short)) if short > 0.0 else normal


cdef inline double weight_of(double eta, double K_bar) noexcept nogil:
    """eta / (1 - eta K / 2), infinite for eta K >= 2: the drift of a step is at most so much of the decrease."""
    cdef double left = 1.0 - 0.5 * eta * K_bar * UP - 4.0 * U
    return eta / left * UP if left > 0.0 else INFINITY


cdef inline void judge(const Start* start, const Extent* at, double gap, Kind kind, double eta,
                       Effect* effect) noexcept nogil:
    """What a step of `eta`, or steps with this cap, do."""
    cdef double K_bar, seen, W, G, K_seen
    if kind != FIXED and at.top > 0.0:
        # eta K s_max(T)^2 <= eta K_t <= 1: a cap that these rules have by themselves
        eta = fmin(eta, 1.0 / at.top)
    K_bar = sharp_smoothness(1.0, at.B, at.p2, at.gamma, at.gamma, eta)
    effect.weight = weight_of(eta, K_bar)
    effect.least = effect.most = eta
    if kind == FIXED:
        effect.gain = linear_gain(at, eta, K_bar)
        if start.quadratic:
            effect.gain = fmax(effect.gain, quadratic_gain(at, eta))
    else:
        # the rule sees upper ends of brackets; s_max(W) <= s_max(T)^2 / 2 is one, too
        seen, G = at.B * (1.0 + start.of_T), at.gamma + start.of_all * at.B
        W = fmin(at.p2 * (1.0 + start.of_W) + start.of_all * at.B, 0.5 * seen)
        if kind == SHARP:
            K_seen = sharp_smoothness(1.0, seen, W, G, G, eta)
        else:
            K_seen = local_smoothness(1.0, seen, W, 0.5 * G * G * UP, eta)
        effect.least = fmin(eta, 1.0 / K_seen * (1.0 - 64.0 * U))
        effect.gain = linear_gain(at, effect.least, K_seen)
        # eta K_t <= 1 besides
        effect.weight = fmin(effect.weight, 2.0 * eta)
    effect.gain = effect.gain * (1.0 - 32.0 * U)


cdef inline double raised(double before, double weight_before, double weight, double gap) noexcept nogil:
    """A bound on drift + weight gap, from that with the weight of before."""
    return (before + fmax(weight - weight_before, 0.0) * gap) * UP if weight < INFINITY else INFINITY


cdef void first_phase(Phase* at, double gap, double drift) noexcept nogil:
    """Nothing is known but gap and drift."""
    at.gap, at.drift, at.later, at.weight = gap, drift, INFINITY, 0.0


cdef bint advance(const Start* start, Phase* at, Kind kind, double eta, Extent* extent, Effect* effect) noexcept nogil:
    """Take a step; return whether anything is guaranteed of it."""
    cdef double drift
    locate(start, at.gap, at.drift, extent)
    if not extent.A > 0.0:
        return False
    judge(start, extent, at.gap, kind, eta, effect)
    if not effect.gain > 0.0:
        return False
    at.later = raised(at.later, at.weight, effect.weight, at.gap)
    if effect.weight < INFINITY:
        at.later = fmin(at.later, (at.drift + effect.weight * at.gap) * UP)
    drift = at.drift + fmin(2.0 * extent.B * effect.most * effect.most, effect.weight) * at.gap * UP
    at.drift = fmin(drift * UP, at.later)
    at.weight = effect.weight
    at.gap *= fmax(1.0 - effect.gain, 0.0) * UP
    return True


cdef double closing_gain(const Start* start, const Phase* at, Kind kind, double eta, Extent* extent, Effect* effect,
                         double* total) noexcept nogil:
    """The gain of every step from here on if all have this size or cap, and what the drift stays below; 0 if nothing
    is guaranteed. A fixed point, approached from below."""
    cdef double bound
    cdef int _i
    total[0] = at.drift
    for _i in range(FIXED_POINT):
        locate(start, at.gap, total[0], extent)
        if not extent.A > 0.0:
            return 0.0
        judge(start, extent, at.gap, kind, eta, effect)
        if not effect.gain > 0.0:
            return 0.0
        # the sum of a geometric series; and what remains of drift + weight gap
        bound = (at.drift + 2.0 * extent.B * effect.most * effect.most * at.gap / effect.gain * UP) * UP
        if effect.weight < INFINITY:
            bound = fmin(bound, (at.drift + effect.weight * at.gap) * UP)
            bound = fmin(bound, raised(at.later, at.weight, effect.weight, at.gap))
        if bound <= total[0]:
            return effect.gain
        # a little further than asked for, as a fixed point is approached from below
        total[0] = bound * (1.0 + 1e-9)
    return 0.0


cdef inline double best_step(const Start* start, const Extent* at) noexcept nogil:
    """The step with about the best gain; any number will do."""
    cdef double low = at.mu * at.A, eta = 1.0 / (at.B + at.gamma), bent, first, second, third
    cdef int _i
    if start.quadratic:
        for _i in range(3):
            bent = bending(at, eta)
            eta = fmin(1.0 / (low + bent), 2.0 / (low + at.B + bent))
        return eta
    # the maximum of 2 eta - eta^2 K(eta), a concave function, by Newton's method from the right
    first, second, third = at.B + at.gamma, at.B * at.gamma, 0.5 * at.p2 * at.gamma * at.gamma
    for _i in range(4):
        eta += ((2.0 - eta * (2.0 * first + eta * (3.0 * second + eta * 4.0 * third)))
                / (2.0 * first + eta * (6.0 * second + eta * 12.0 * third)))
    return eta


cdef double planned_step(const Start* start, const Phase* at, const Plan* plan) noexcept nogil:
    """The step that a plan takes at a phase."""
    cdef Extent extent
    cdef double part = plan.reference / at.gap, length = plan.length
    locate(start, at.gap, at.drift, &extent)
    if plan.quarters == 1.0:
        length *= sqrt(sqrt(part))
    elif plan.quarters == 2.0:
        length *= sqrt(part)
    elif plan.quarters == 3.0:
        length *= sqrt(part) * sqrt(sqrt(part))
    elif plan.quarters == 4.0:
        length *= part
    return fmin(best_step(start, &extent), length)


cdef double fewest(const Start* start, const Phase* at, double target) noexcept nogil:
    """No plan needs fewer steps than so many from here on: A only falls, B only grows against where the gap is 0."""
    cdef Extent extent
    cdef Effect effect
    locate(start, 0.0, at.drift, &extent)
    if not extent.A > 0.0:
        return INFINITY
    judge(start, &extent, 0.0, FIXED, best_step(start, &extent), &effect)
    return log(at.gap / target) / -log1p(-fmin(effect.gain * (1.0 + 1e-6), 1.0)) if effect.gain > 0.0 else INFINITY


cdef double count_of(const Start* start, const Phase* first, double target, double limit,
                     const Plan* plan) noexcept nogil:
    """How many steps a plan needs to a gap of at most `target`; infinity if more than `limit`."""
    cdef Phase at = first[0]
    cdef Extent extent
    cdef Effect effect
    cdef double taken = 0.0
    while at.gap > target:
        if taken >= limit or not advance(start, &at, FIXED, planned_step(start, &at, plan), &extent, &effect):
            return INFINITY
        taken += 1.0
        if <Py_ssize_t> taken % PRUNE_EVERY == 0 and at.gap > target and (
                taken + fewest(start, &at, target) > limit):
            return INFINITY
    return taken


cdef inline void try_plan(const Start* start, const Phase* first, double target, double limit, double share,
                          double alpha_here, double quarters, Plan* best) noexcept nogil:
    """Count the steps of one plan, and keep it if they are fewer."""
    cdef Plan plan = Plan(length=share * (alpha_here / first.gap), reference=first.gap, quarters=quarters,
                          count=INFINITY)
    plan.count = count_of(start, first, target, fmin(limit, best.count), &plan)
    if plan.count < best.count:
        best[0] = plan


cdef void search_plan(const Start* start, const Phase* first, double target, double limit, Plan* best) noexcept nogil:
    """The plan with fewest steps to a gap of at most `target`; its count is infinite if there is none of at most
    `limit` steps."""
    cdef Extent extent
    cdef double factor, alpha_here, center
    cdef int quarters, i, _i
    best.count, best.length, best.reference, best.quarters = INFINITY, 0.0, first.gap, 0.0
    locate(start, first.gap, first.drift, &extent)
    alpha_here = extent.A
    if not (alpha_here > 0.0 and first.gap > target > 0.0):
        return
    # shares from 4 down to 1/64, then closer to the best
    for quarters in range(5):
        for i in range(9):
            try_plan(start, first, target, limit, 4.0 / (1 << i), alpha_here, quarters, best)
    if not best.count < INFINITY:
        return
    factor = 1.5
    for _i in range(6):
        for quarters in range(5):
            center = best.length * first.gap / alpha_here
            try_plan(start, first, target, limit, center * factor, alpha_here, quarters, best)
            try_plan(start, first, target, limit, center / factor, alpha_here, quarters, best)
        factor = sqrt(factor)
