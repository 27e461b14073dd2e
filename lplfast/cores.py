"""How many cores there are for this process."""

import os

__all__ = ["available_cores"]


def available_cores():
    """Return how many cores this process may use: as many threads at once are of use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
