"""Gap and drift under steps that are fixed beforehand, in the user's units (docs/theory.md, section 11)."""

import numpy as np

from .constants import K_t as printed_K_t

__all__ = ["phases", "plan"]

START = {"drift": 0.0, "later": np.inf, "weight": 0.0}


def phases(bounds, steps, kind="steps", widths=(0.0, 0.0, 0.0)):
    """Yield, before each of the steps and after the last, bounds on gap and drift there and on s_min(T)^2, s_max(T)^2.

    `bounds` are InitialBounds. The steps are these or, of the kinds "sharp" and "local", those of a rule with these
    caps, whose brackets of s_max(T)^2 and s_max(W) are too high by these parts, and by one of s_max(T)^2 in all. It
    ends where nothing more is guaranteed.
    """
    at = {"gap": bounds.gap, **START}
    for eta in [*steps, 0.0]:
        here = _extent(bounds, at["gap"], at["drift"])
        yield {"gap": at["gap"], "drift": at["drift"], "A": here["A"], "B": here["B"]}
        at = _advance(bounds, at, here, eta, kind, widths)
        if at is None:
            return


def plan(bounds, target, limit):
    """Return the steps of the schedule with fewest guaranteed iterations to a gap of `target`; None if above `limit`.

    They are the best at each phase, at most share A_0 / g_0 (g_0 / g_t)^(quarters / 4) long; shares are looked for from
    4 down to 1/64, then closer to the best.
    """
    best = None

    def attempt(share, quarters):
        nonlocal best
        steps = _planned(bounds, target, limit if best is None else min(limit, len(best[0]) - 1), share, quarters)
        if steps is not None:
            best = steps, share

    for quarters in range(5):
        for power in range(9):
            attempt(4 / 2**power, quarters)
    factor = 1.5
    for _ in range(6 if best else 0):
        for quarters in range(5):
            center = best[1]
            attempt(center * factor, quarters)
            attempt(center / factor, quarters)
        factor = np.sqrt(factor)
    return best[0] if best else None


def _planned(bounds, target, limit, share, quarters):
    """Return the steps of one plan, None if it takes more than `limit` or is not guaranteed."""
    at, steps = {"gap": bounds.gap, **START}, []
    longest = share * _extent(bounds, bounds.gap, 0.0)["A"] / bounds.gap
    while at["gap"] > target:
        here = _extent(bounds, at["gap"], at["drift"])
        eta = min(_best(bounds, here), longest * (bounds.gap / at["gap"]) ** (quarters / 4))
        at = _advance(bounds, at, here, eta) if len(steps) < limit else None
        if at is None:
            return None
        steps.append(eta)
    return steps


def _extent(bounds, gap, drift):
    """What holds wherever gap and drift are at most these."""
    K, margins, D = bounds.K, bounds.margins, bounds.imbalance
    p1, p2 = margins.at(gap)
    alpha, moved = (sum(_phi(a + by, max(b - by, 0.0), p1 if counts else 0.0) for a, b, counts in
                        ((D.bottom, D.nth, D.n <= D.m), (D.top, D.mth, D.m <= D.n))) for by in (0.0, drift))
    B = sum((top + np.hypot(top, 2 * p2)) / 2 for top in (D.top, D.bottom)) + drift
    # s_1(W1)^2 >= lam_1(D), s_1(W2)^2 >= lam_1(-D), of which rounding has raised what is stored
    top = (max(D.top - drift, 0.0) + max(D.bottom - drift, 0.0)) * (1 - 1e-5)
    top = max(top, 2 * (margins.greatest - np.sqrt(2 * gap / margins.mu) - margins.error))
    return {"A": max(alpha - drift, moved), "B": B, "p2": p2, "g": np.sqrt(2 * K * gap), "top": top}


def _phi(a, b, p):
    """The larger root x of (x + a)(x - b) = p^2."""
    return (-a + b + np.sqrt((a + b) ** 2 + 4 * p**2)) / 2


def _second(K, here, eta):
    """Return what K_t_sharp has beyond K B: `g + K B g eta + K p2 g^2 eta^2 / 2`."""
    return here["g"] * (1 + K * here["B"] * eta) + K * here["p2"] * here["g"] ** 2 * eta**2 / 2


def _advance(bounds, at, here, eta, kind="steps", widths=(0.0, 0.0, 0.0)):
    """Return the next phase, or None."""
    K, mu, gap = bounds.K, bounds.margins.mu, at["gap"]
    if kind != "steps" and here["top"] > 0:
        eta = min(eta, 1 / (K * here["top"]))       # eta K s_max(T)^2 <= 1 for these rules
    K_t = K * here["B"] + _second(K, here, eta)
    weight = eta / (1 - eta * K_t / 2) if eta * K_t < 2 else np.inf
    if kind == "steps":
        gain = _gain(bounds, here, gap, eta)
    else:
        seen = _seen(K, here, eta, kind, *widths)
        least = min(eta, 1 / seen)
        gain, weight = mu * here["A"] * least * (2 - least * seen), min(weight, 2 * eta)
    if not (here["A"] > 0 and gain > 0):
        return None
    later = np.inf
    if weight < np.inf:
        later = min(at["later"] + max(weight - at["weight"], 0.0) * gap, at["drift"] + weight * gap)
    drift = min(at["drift"] + min(2 * K * here["B"] * eta**2, weight) * gap, later)
    return {"gap": max(1 - gain, 0.0) * gap, "drift": drift, "later": later, "weight": weight}


def _gain(bounds, here, gap, eta):
    """By what part of itself a step lowers the gap: descent lemma; squares; triangle inequality."""
    K, low, high = bounds.K, bounds.margins.mu * here["A"], bounds.K * here["B"]
    second = _second(K, here, eta)
    gains = [low * eta * (2 - eta * (high + second))]
    if bounds.margins.quadratic:
        gains.append(min(eta * nu * (2 - eta * (nu + second)) for nu in (low, high)))
        short = min(eta * low, 2 - eta * high) - eta**2 * K * np.sqrt(K) * here["p2"] * np.sqrt(2 * gap)
        gains.append(short * (2 - short) if short > 0 else 0.0)
    return max(gains)


def _best(bounds, here):
    """Return about the step with the greatest gain."""
    K, low, high, g = bounds.K, bounds.margins.mu * here["A"], bounds.K * here["B"], here["g"]
    eta = 1 / (high + g)
    if bounds.margins.quadratic:
        for _ in range(3):
            second = _second(K, here, eta)
            eta = min(1 / (low + second), 2 / (low + high + second))
        return eta
    # Newton's method for the maximum of 2 eta - eta^2 K(eta)
    first, second, third = high + g, high * g, K * here["p2"] * g**2 / 2
    for _ in range(4):
        eta += ((2 - 2 * first * eta - 3 * second * eta**2 - 4 * third * eta**3)
                / (2 * first + 6 * second * eta + 12 * third * eta**2))
    return eta


def _seen(K, here, cap, kind, of_T, of_W, of_all):
    """K_t at the cap, as a rule sees it whose brackets are too wide."""
    s_max, G = here["B"] * (1 + of_T), here["g"] + of_all * K * here["B"]
    W = min(here["p2"] * (1 + of_W) + of_all * here["B"], s_max / 2)
    if kind == "local":
        return printed_K_t({"K": K, "sigma_max_sq": s_max, "sigma_max_W": W, "gap": G**2 / (2 * K)}, cap)
    return K * s_max + G + K * s_max * G * cap + K * W * G**2 * cap**2 / 2
