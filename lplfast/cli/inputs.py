"""The data of a command: files, a named dataset, or the embedded problem."""

from ..data import DATASETS, default_data, load_data, one_hot, read_data
from ..losses.classification import LogisticLoss, SoftmaxLoss
from ..losses.problems import SquaredLoss

__all__ = ["LOSSES", "add_data_options", "data_from"]

# name -> what makes the problem of X and targets, and the ridge where none is asked for
LOSSES = {
    "squared": (lambda X, Y, l2: SquaredLoss(X, one_hot(Y), l2=l2), 0.0),
    "logistic": (lambda X, Y, l2: LogisticLoss(X, Y, l2=l2), 1e-2),
    "softmax": (lambda X, Y, l2: SoftmaxLoss(X, Y, l2=l2), 1e-2),
}


def add_data_options(command):
    """Declare the options that say what is learned."""
    data = command.add_argument_group("data")
    data.add_argument("--data", choices=DATASETS, help="a dataset that comes with scikit-learn")
    data.add_argument("--x", metavar="FILE", help="inputs, one sample a row: .npy or text")
    data.add_argument("--y", metavar="FILE", help="targets or labels, one sample a row: .npy or text")
    data.add_argument("--loss", choices=LOSSES, default="squared",
                      help="squared; logistic, for two distinct labels; softmax, for one of several classes a row "
                      "(default squared)")
    data.add_argument("--standardize", action="store_true", help="give the columns of X mean 0 and deviation 1")
    data.add_argument("--l2", type=float, metavar="LAMBDA",
                      help="ridge penalty (default 0; for logistic and softmax, which need one, 0.01)")


def data_from(arguments):
    """Return X, Y, and what they are."""
    files = (arguments.x, arguments.y)
    if arguments.data is not None and files != (None, None):
        raise ValueError("--data and --x, --y: expected one or the other, got both")
    if arguments.data is not None:
        return *load_data(arguments.data), arguments.data
    if files == (None, None):
        return *default_data(), "embedded problem"
    if None in files:
        raise ValueError("--x and --y: expected both or none, got one")
    return *read_data(*files), f"{arguments.x}, {arguments.y}"
