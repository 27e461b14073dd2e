"""Local Polyak-Lojasiewicz and smoothness constants of gradient descent on two-layer linear networks."""

# From within a compiled module, this import takes 1.4 times as long.
import scipy.linalg  # noqa: F401

try:
    from .kernels import descent as _compiled  # noqa: F401
except ImportError as error:
    raise ImportError(
        "the compiled part of lplfast is missing: this is the source folder. Run `pip install -e .` in it first "
        f"({error})"
    ) from error

from .bounds import GuaranteedRate, InitialBounds, guaranteed_rate, initial_bounds
from .checking import LossReport, check_loss
from .classification import LogisticLoss, SoftmaxLoss
from .constants import LocalConstants, local_constants
from .custom import CustomLoss
from .many import train_many
from .network import Network
from .problems import MatrixFactorization, Problem, SquaredLoss
from .run import Interrupted, Run
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
from .training import train
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
