"""Local Polyak-Lojasiewicz and smoothness constants of gradient descent on two-layer linear networks."""

# From within a compiled module, this import takes 1.4 times as long.
import scipy.linalg  # noqa: F401

try:
    from .descent import descent as _compiled  # noqa: F401
except ImportError as error:
    raise ImportError(
        "the compiled part of lplfast is missing: this is the source folder. Run `pip install -e .` in it first "
        f"({error})"
    ) from error

from .guarantees.bounds import InitialBounds, initial_bounds
from .guarantees.constants import LocalConstants, local_constants
from .guarantees.curve import PredictedCurve, predicted_curve
from .guarantees.envelope import GuaranteedRate
from .guarantees.rates import guaranteed_rate
from .guarantees.stationarity import GuaranteedStationarity, guaranteed_stationarity
from .losses import catalogue as _losses
from .losses.catalogue import *  # noqa: F403
from .losses.checking import LossReport, check_loss
from .network import Network
from .observer import Observer
from .rules import catalogue as _rules
from .rules.catalogue import *  # noqa: F403
from .run.comparison import compare
from .run.many import train_many
from .run.plan import plan
from .run.run import Interrupted, Run
from .run.training import train
from .steps import IterateView, Rule
from .studies.store import explain
from .studies.sweep import sweep
from .versions import __version__, show_versions

__all__ = [
    "GuaranteedRate",
    "GuaranteedStationarity",
    "InitialBounds",
    "Interrupted",
    "IterateView",
    "LocalConstants",
    "LossReport",
    "Network",
    "Observer",
    "PredictedCurve",
    "Rule",
    "Run",
    "__version__",
    "check_loss",
    "compare",
    "explain",
    "guaranteed_rate",
    "guaranteed_stationarity",
    "initial_bounds",
    "local_constants",
    "plan",
    "predicted_curve",
    "show_versions",
    "sweep",
    "train",
    "train_many",
]
__all__ += _losses.__all__
__all__ += _rules.__all__
