"""Agreement: two histories of one run, before anything is timed."""

import numpy as np

__all__ = ["DisagreementError", "agree", "check"]


class DisagreementError(Exception):
    """Two programs that were to be timed against each other do not compute the same thing."""


def check(ours, follow, steps=50):
    """Compare a rival with our runs over the first `steps` steps, or raise `DisagreementError`.

    Exact: `gap, grad_norm, step_size, K_t, mu_t` agree to 1e-8, each program with its own step sizes.
    Certified: steps are up to 1% shorter, so the rival takes ours; then `gap` and `grad_norm` agree to 1e-8,
    `mu_t` lies at most 2% below the rival's, `K_t` at most 2% above, and our step is the root of our cubic,
    `eta K_t = 1`.

    Parameters
    ----------
    ours : dict of OursRun
        By mode.
    follow : callable
        `follow(steps, given)` returns the rival's history: with its own step sizes, or with the `given` ones.
    steps : int
        How many steps; fewer where a run of ours ended earlier.

    """
    exact, certified = ours["exact"].history, ours["certified"].history
    steps = min(steps, ours["exact"].steps, ours["certified"].steps)
    theirs = follow(steps, None)
    for name in ("gap", "grad_norm", "step_size", "K_t", "mu_t"):
        agree(f"exact {name}", exact[name][:steps], theirs[name][:steps])
    theirs = follow(steps, certified["step_size"])
    for name in ("gap", "grad_norm"):
        agree(f"certified {name}", certified[name][:steps], theirs[name][:steps])
    agree("certified mu_t", certified["mu_t"][:steps], theirs["mu_t"][:steps], below=2e-2)
    agree("certified K_t", certified["K_t"][:steps], theirs["K_t"][:steps], above=2e-2)
    agree("certified eta K_t", certified["step_size"][:steps] * certified["K_t"][:steps], np.ones(steps))


def agree(what, ours, theirs, *, below=1e-8, above=1e-8):
    """Raise `DisagreementError` unless `theirs (1 - below) <= ours <= theirs (1 + above)`, all positive."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    wrong = ~((ours > 0) & (theirs * (1 - below) <= ours) & (ours <= theirs * (1 + above)))
    if ours.shape != theirs.shape or wrong.any():
        t = int(np.argmax(wrong))
        raise DisagreementError(f"{what}: {wrong.sum()} of {wrong.size} differ, first at step {t}: "
                           f"expected {theirs[t]!r}, got {ours[t]!r}")
