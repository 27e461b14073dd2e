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

from .guarantees.bounds import GuaranteedRate, InitialBounds, guaranteed_rate, initial_bounds
from .guarantees.constants import LocalConstants, local_constants
from .losses.checking import LossReport, check_loss
from .losses.classification import LogisticLoss, SoftmaxLoss
from .losses.custom import CustomLoss
from .losses.problems import MatrixFactorization, Problem, SquaredLoss
from .network import Network
from .run.many import train_many
from .run.run import Interrupted, Run
from .run.training import train
from .steps import (
    AdGD,
    Armijo,
    Arora2018,
    Constant,
    Contraction,
    Du2018,
    ExactLineSearch,
    IterateView,
    Local,
    Majorizer,
    Polyak,
    Rule,
    Sharp,
    Xu2023,
)
from .versions import __version__, show_versions

__all__ = [
    "AdGD",
    "Armijo",
    "Arora2018",
    "Constant",
    "Contraction",
    "CustomLoss",
    "Du2018",
    "ExactLineSearch",
    "GuaranteedRate",
    "InitialBounds",
    "Interrupted",
    "IterateView",
    "Local",
    "LocalConstants",
    "LogisticLoss",
    "LossReport",
    "Majorizer",
    "MatrixFactorization",
    "Network",
    "Polyak",
    "Problem",
    "Rule",
    "Run",
    "Sharp",
    "SoftmaxLoss",
    "SquaredLoss",
    "Xu2023",
    "__version__",
    "check_loss",
    "guaranteed_rate",
    "initial_bounds",
    "local_constants",
    "show_versions",
    "train",
    "train_many",
]
