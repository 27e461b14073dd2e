"""Gradient descent at full width, with everything that is known along the way."""

import numpy as np

from .constants import K_t, K_t_sharp, K_t_step, local_constants, rate_bound

__all__ = ["descend"]


def descend(loss, W1, W2, choose, steps):
    """Take `steps` steps of gradient descent with the sizes `choose(constants, t)`.

    Returns
    -------
    W1, W2 : arrays
        The layers at the end.
    history : list of dict
        Of each iterate `local_constants`, and for the step from it `step_size, K_t, K_t_sharp, K_t_step, rate_bound`
        and the slacks.

    """
    history = []
    for t in range(steps + 1):
        at = local_constants(loss, W1, W2)
        P = at["grad_norm"] ** 2
        checked = at["mu_t"] if loss.hessian is not None else at["nu_lo"]
        at["slack_pl"] = 1 - checked * at["gap"] / (P / 2) if P else np.nan
        if history:
            before = history[-1]
            eta, K = before["step_size"], min(before["K_t"], before["K_t_sharp"])
            decrease = (before["gap"] - at["gap"]) / (eta * before["grad_norm"] ** 2)
            before["slack_descent"] = decrease - (1 - eta * K / 2)
            before["slack_drift"] = 2 * decrease - 1
            before["slack_rate"] = before["rate_bound"] - at["gap"] / before["gap"]
        history.append(at)
        if t == steps:
            return W1, W2, history
        eta = at["step_size"] = choose(at, t)
        at["K_t"], at["K_t_sharp"], at["K_t_step"] = K_t(at, eta), K_t_sharp(at, eta), K_t_step(at, eta)
        at["rate_bound"] = rate_bound(at, eta)
        G = loss.gradient(W1 @ W2)
        W1, W2 = W1 - eta * G @ W2.T, W2 - eta * W1.T @ G
