"""Gap and drift under steps that are fixed beforehand, in the user's units (docs/theory.md, section 11)."""

import numpy as np

from .constants import K_t as printed_K_t

__all__ = ["phases"]


def phases(bounds, steps, kind="steps", widths=(0.0, 0.0, 0.0)):
    """Yield, before each of the steps and after the last, bounds on gap and drift there and on s_min(T)^2, s_max(T)^2.

    `bounds` are InitialBounds. The steps are these or, of the kinds "sharp" and "local", those of a rule with these
    caps, whose brackets of s_max(T)^2 and s_max(W) are too high by these parts, and by one of s_max(T)^2 in all. It
    ends where nothing more is guaranteed.
    """
    K, margins, D = bounds.K, bounds.margins, bounds.imbalance
    gap, drift, later, weight = bounds.gap, 0.0, np.inf, 0.0
    for eta in [*steps, 0.0]:
        p1, p2 = margins.at(gap)
        alpha, moved = (sum(_phi(a + by, max(b - by, 0.0), p1 if counts else 0.0) for a, b, counts in
                            ((D.bottom, D.nth, D.n <= D.m), (D.top, D.mth, D.m <= D.n))) for by in (0.0, drift))
        A = max(alpha - drift, moved)
        B = sum((top + np.hypot(top, 2 * p2)) / 2 for top in (D.top, D.bottom)) + drift
        yield {"gap": gap, "drift": drift, "A": A, "B": B}
        g = np.sqrt(2 * K * gap)
        K_t = K * B + g + K * B * g * eta + K * p2 * g**2 * eta**2 / 2
        before, weight = weight, eta / (1 - eta * K_t / 2) if eta * K_t < 2 else np.inf
        if kind == "steps":
            gain = _gain(margins.mu * A, K * B, g, K_t, K * np.sqrt(K) * p2 * np.sqrt(2 * gap), eta, margins.quadratic)
        else:
            # eta K s_max(T)^2 <= 1 for these rules, and s_1(W1)^2 >= lam_1(D), s_1(W2)^2 >= lam_1(-D)
            top = (max(D.top - drift, 0.0) + max(D.bottom - drift, 0.0)) * (1 - 1e-5)
            top = max(top, 2 * (margins.greatest - np.sqrt(2 * gap / margins.mu) - margins.error))
            eta = min(eta, 1 / (K * top)) if top > 0 else eta
            K_t = K * B + g + K * B * g * eta + K * p2 * g**2 * eta**2 / 2
            weight = eta / (1 - eta * K_t / 2) if eta * K_t < 2 else np.inf
            seen = _seen(K, B, p2, g, eta, kind, *widths)
            least = min(eta, 1 / seen)
            gain, weight = margins.mu * A * least * (2 - least * seen), min(weight, 2 * eta)
        if not (A > 0 and gain > 0):
            return
        later = min(later + max(weight - before, 0.0) * gap, drift + weight * gap) if weight < np.inf else np.inf
        drift = min(drift + min(2 * K * B * eta**2, weight) * gap, later)
        gap = max(1 - gain, 0.0) * gap


def _phi(a, b, p):
    """The larger root x of (x + a)(x - b) = p^2."""
    return (-a + b + np.sqrt((a + b) ** 2 + 4 * p**2)) / 2


def _gain(low, high, g, K_t, bend, eta, quadratic):
    """By what part of itself a step lowers the gap: descent lemma; normal equations; triangle inequality."""
    gains = [low * eta * (2 - eta * K_t)]
    if quadratic:
        second = K_t - high        # g + K B g eta + K p2 g^2 eta^2 / 2
        gains.append(min(eta * nu * (2 - eta * (nu + second)) for nu in (low, high)))
        short = min(eta * low, 2 - eta * high) - eta**2 * bend
        gains.append(short * (2 - short) if short > 0 else 0.0)
    return max(gains)


def _seen(K, B, p2, g, cap, kind, of_T, of_W, of_all):
    """K_t at the cap, as a rule sees it whose brackets are too wide."""
    s_max, G = B * (1 + of_T), g + of_all * K * B
    W = min(p2 * (1 + of_W) + of_all * B, s_max / 2)
    if kind == "local":
        return printed_K_t({"K": K, "sigma_max_sq": s_max, "sigma_max_W": W, "gap": G**2 / (2 * K)}, cap)
    return K * s_max + G + K * s_max * G * cap + K * W * G**2 * cap**2 / 2
