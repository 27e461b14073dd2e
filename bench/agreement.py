"""Agreement: two histories of one run, before anything is timed."""

import numpy as np

__all__ = ["DisagreementError", "agree", "check_certified", "check_exact"]

COMPARED = ("loss", "gap", "grad_norm", "mu_t", "sigma_min_sq", "sigma_max_sq", "sigma_max_W", "step_size", "K_t",
            "K_t_sharp")


class DisagreementError(Exception):
    """Two programs that were to be timed against each other do not compute the same thing."""


def check_exact(ours, follow, steps):
    """Raise `DisagreementError` unless a rival's history, with its own step sizes, is our exact one to 1e-8.

    Parameters
    ----------
    ours : dict of arrays
        Our history.
    follow : callable
        `follow(steps, given)` returns the rival's history: with its own step sizes, or with the `given` ones.
    steps : int
        How many steps are compared; fewer where our run ended earlier.

    """
    steps = min(steps, len(ours["loss"]))
    theirs = follow(steps, None)
    for name in COMPARED:
        agree(f"exact {name}", ours[name][:steps], theirs[name][:steps])


def check_certified(ours, follow, steps):
    """Raise `DisagreementError` unless a rival that takes our certified steps finds the same.

    The steps are up to a few percent shorter than its own. Loss, gap and gradient agree to 1e-8, `mu_t` lies below the
    rival's by no more than our bracket says, `K_t` at most 4% above, and our step is the root of our cubic,
    `eta K_t = 1`. Parameters as above.
    """
    steps = min(steps, len(ours["loss"]))
    theirs = follow(steps, ours["step_size"][:steps])
    for name in ("loss", "gap", "grad_norm"):
        agree(f"certified {name}", ours[name][:steps], theirs[name][:steps])
    width = ours["bracket_width"][:steps]
    known = np.isfinite(width)      # where one step leaves nothing of a lower bound, mu_t is 0
    agree("certified mu_t", ours["mu_t"][:steps][known], theirs["mu_t"][:steps][known], below=width[known] + 1e-8)
    if ours["mu_t"][:steps][~known].any():
        raise DisagreementError("certified mu_t: expected 0 where its bracket is infinitely wide")
    agree("certified K_t", ours["K_t"][:steps], theirs["K_t"][:steps], above=4e-2)
    agree("certified eta K_t", ours["step_size"][:steps] * ours["K_t"][:steps], np.ones(steps))


def agree(what, ours, theirs, *, below=1e-8, above=1e-8):
    """Raise `DisagreementError` unless `theirs (1 - below) <= ours <= theirs (1 + above)`, all positive."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        raise DisagreementError(f"{what}: expected {theirs.size} numbers, got {ours.size}")
    wrong = ~((ours > 0) & (theirs * (1 - below) <= ours) & (ours <= theirs * (1 + above)))
    if wrong.any():
        t = int(np.argmax(wrong))
        raise DisagreementError(f"{what}: {wrong.sum()} of {wrong.size} differ, first at step {t}: "
                                f"expected {theirs[t]!r}, got {ours[t]!r}")
