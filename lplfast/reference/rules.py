"""Step-size rules: functions of (constants, t), made anew for each run if they remember something."""

import numpy as np
from scipy.optimize import brentq

from .constants import K_t, K_t_sharp, curvature, normal_rate
from .planned import planned
from .polynomials import fall, first_minimiser, quartic_of, root
from .published import arora2018, du2018, xu2023

__all__ = ["RULES", "adgd", "armijo", "barzilai_borwein"]


def _exact_curve(at):
    """Have the contraction bound use B itself, as the rules do that compute it."""
    at["curve"] = np.sqrt(curvature(at, at["B"], at["B"])) if at["hessian"] is not None else np.nan


def _along(at):
    """Return the quartic that a quadratic loss is along a step, and that K keeps others below."""
    K, tau, B = at["K"], at["tau"], at["B"]
    if at["hessian"] is not None:
        return quartic_of(at, (curvature(at, tau, tau), curvature(at, tau, B), curvature(at, B, B)))
    return quartic_of(at, (K * np.vdot(tau, tau), K * np.vdot(tau, B), K * np.vdot(B, B)))


def _majorizer(at, t):
    _exact_curve(at)
    quartic = _along(at)
    eta, a = first_minimiser(*quartic), at["grad_norm"] ** 2

    def decrease(eta):
        return fall(quartic, eta)

    if at["growth"]:
        growth = at["growth"](at["W"], at["tau"], at["B"])

        def decrease(eta):
            own = -eta**2 * np.vdot(at["G"], at["B"]) + eta * a - growth(eta)
            return max(own, fall(quartic, eta))

        # the decrease is a eta - lack eta^2, and this lack at 0
        lack = np.vdot(at["G"], at["B"]) + growth.bend / 2
        eta = _near_minimiser(decrease, a, a / (2 * lack) if lack > 0 else eta, lack)
    return max((0.9 * eta, root(K_t_sharp, at)), key=decrease)


def _near_minimiser(decrease, a, eta, at_before):
    """Return about where `decrease`, `a eta - lack eta^2` with the lack `at_before` at 0, is most, from eta on."""
    before = 0.0
    for _ in range(8):
        # lack = A + B eta by 0 and the first step, then the last two
        lack = (a * eta - decrease(eta)) / eta**2
        if lack <= 0:
            return before
        B = (lack - at_before) / (eta - before)
        A = lack - B * eta
        root = A * A + 3 * a * B
        found = a / (A + np.sqrt(root)) if root > 0 and A + np.sqrt(root) > 0 else a / (2 * lack)
        before, at_before, eta = eta, lack, min(found, 100 * eta)
        if abs(eta - before) <= 0.05 * eta:
            break
    return eta


def _exact(at, t):
    tau, B = at["tau"], at["B"]
    _exact_curve(at)
    if at["hessian"] is not None:
        return first_minimiser(*_along(at))
    gradient = at["evaluate"][1]

    def slope(eta):
        return np.vdot(gradient(at["W"] - eta * tau + eta**2 * B), 2 * eta * B - tau)

    low = 0.0
    high = first_minimiser(*_along(at))
    while slope(high) < 0:
        low, high = high, 2 * high
    return brentq(slope, low, high, xtol=1e-300, rtol=1e-14)


def _contraction(at, t):
    _exact_curve(at)
    q = at["curve"] / np.sqrt(2 * at["gap"])
    eta, sharp = 2 / (at["nu_lo"] + at["nu_hi"]), root(K_t_sharp, at)
    if 2 * q * eta > at["nu_lo"]:
        eta = at["nu_lo"] / (2 * q)
    c = max(1 - eta * at["nu_lo"], eta * at["nu_hi"] - 1) + q * eta**2
    normal = 1 / (at["K"] * at["sigma_max_sq"] + at["G_max"])
    for _ in range(4):
        bent = K_t_sharp(at, normal) - at["K"] * at["sigma_max_sq"]
        normal = min(1 / (at["nu_lo"] + bent), 2 / (at["nu_lo"] + at["nu_hi"] + bent))
    rates = {sharp: 1 - at["nu_lo"] * sharp * (2 - sharp * K_t_sharp(at, sharp)), eta: c**2,
             normal: normal_rate(at, normal) if at["nu_lo"] > 1e-12 * at["nu_hi"] else np.inf}
    return min(rates, key=rates.get)


def armijo(c=0.5, shrink=0.5):
    """Return the backtracking rule, which remembers its last step."""
    last = {}

    def choose(at, t):
        _exact_curve(at)
        eta = 2 * last["eta"] if t else 1 / (at["K"] * at["sigma_max_sq"])
        gap = at["evaluate"][0]
        while at["gap"] - gap(at["W"] - eta * at["tau"] + eta**2 * at["B"]) < c * eta * at["grad_norm"] ** 2:
            eta *= shrink
        last["eta"] = eta
        return eta

    return choose


def adgd(initial=1e-10):
    """Return the rule of Malitsky and Mishchenko (2020), which remembers two steps and a gradient."""
    etas, gradients = [], []

    def choose(at, t):
        gradients.append(at["gradient"])
        if t == 0:
            etas.append(initial)
        else:
            growth = np.sqrt(1 + etas[-1] / etas[-2]) * etas[-1] if t > 1 else np.inf
            bend = np.linalg.norm(gradients[-1] - gradients[-2]) / np.linalg.norm(gradients[-2]) / etas[-1]
            etas.append(min(growth, 1 / (2 * bend)))
        return etas[-1]

    return choose


def barzilai_borwein(initial=None):
    """Return the longer step of Barzilai and Borwein (1988), which remembers a step and a gradient."""
    last = {}

    def choose(at, t):
        bent = np.vdot(last["gradient"], last["gradient"] - at["gradient"]) if t else 0.0
        if bent > 0:
            last["eta"] *= np.vdot(last["gradient"], last["gradient"]) / bent
        else:
            last["eta"] = root(K_t_sharp, at) if t or initial is None else initial
        last["gradient"] = at["gradient"]
        return last["eta"]

    return choose


# name -> function without arguments that returns the rule, a function of (constants, t)
RULES = {
    "local": lambda: lambda at, t: root(K_t, at),
    "sharp": lambda: lambda at, t: root(K_t_sharp, at),
    "majorizer": lambda: _majorizer,
    "contraction": lambda: _contraction,
    "planned": planned,
    "exact": lambda: _exact,
    "xu-rho": lambda: xu2023("rho"),
    "xu-rho-hat": lambda: xu2023("rho-hat"),
    "xu-f": lambda: xu2023("f"),
    "xu-f0": lambda: xu2023("f0"),
    "arora": arora2018,
    "du": lambda: du2018,
    "polyak": lambda: lambda at, t: (at["gap"] - at["unreached"]) / at["grad_norm"] ** 2,
    "armijo": armijo,
    "adgd": adgd,
    "bb": barzilai_borwein,
}
