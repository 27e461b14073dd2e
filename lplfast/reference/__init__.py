"""The plain NumPy twin of everything compiled: slow, obvious, at full width, `numpy.linalg.svd` at every step.

It shares no code with the kernels; the tests compare the two, and `bench` times them side by side. In: arrays, as a
user has them. Out: dicts of plain numbers and arrays, one an iterate.
"""

from . import problems as _problems
from .constants import K_t, K_t_sharp, K_t_step, local_constants, rate_bound
from .descent import descend
from .phases import phases
from .problems import *  # noqa: F403
from .published import arora2018, xu2023
from .rules import RULES, adgd, armijo

__all__ = ["RULES", "K_t", "K_t_sharp", "K_t_step", "adgd", "armijo", "arora2018", "descend", "local_constants",
           "phases", "rate_bound", "xu2023"]
__all__ += _problems.__all__
