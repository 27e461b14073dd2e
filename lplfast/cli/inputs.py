"""The data of a command: files, a named dataset, or the embedded problem; and the loss on them."""

import numpy as np

from ..data import DATASETS, default_data, load_data, one_hot, read_data, standardized, with_intercept
from ..losses.logistic import LogisticLoss
from ..losses.softmax import SoftmaxLoss
from ..losses.squared import SquaredLoss
from .terminal import entry

__all__ = ["LOSSES", "add_data_options", "problem_from"]

# name -> what makes the problem of X and targets, and the ridge where none is asked for
LOSSES = {
    "squared": (lambda X, Y, l2: SquaredLoss(X, one_hot(Y), l2=l2), 0.0),
    "logistic": (lambda X, Y, l2: LogisticLoss(X, Y, l2=l2), 1e-2),
    "softmax": (lambda X, Y, l2: SoftmaxLoss(X, Y, l2=l2), 1e-2),
}

# A part of the targets' squares that is worth a sentence, where their means are that.
FITTED_BY_INTERCEPT = 0.01

# what --header and --index may be -> of x, of y
ANSWERS = {"yes": (True, True), "no": (False, False), "x": (True, False), "y": (False, True)}


def add_data_options(command):
    """Declare the options that say what is learned."""
    data = command.add_argument_group("data")
    data.add_argument("--data", choices=DATASETS, help="a dataset that comes with scikit-learn")
    data.add_argument("--x", metavar="FILE", help="inputs, one sample a row: .npy or text")
    data.add_argument("--y", metavar="FILE",
                      help="targets or labels, one sample a row: .npy or text; labels are numbers, too, one a class")
    data.add_argument("--header", choices=ANSWERS,
                      help="whether a text has names of columns in its first line: both files, none, or one of them; "
                      "asked for where numbers may be names")
    data.add_argument("--index", choices=ANSWERS,
                      help="whether a text has labels of rows in its first column, as pandas, R and Excel write them")
    data.add_argument("--loss", choices=LOSSES, default="squared",
                      help="squared; logistic, for two distinct labels; softmax, for one of several classes a row "
                      "(default squared)")
    data.add_argument("--standardize", action="store_true", help="give the columns of X mean 0 and deviation 1")
    data.add_argument("--intercept", action="store_true",
                      help="give X a last column of ones; a ridge penalizes the intercept, too")
    data.add_argument("--l2", type=float, metavar="LAMBDA",
                      help="ridge penalty (default 0; for logistic and softmax, which need one, 0.01)")


def problem_from(arguments):
    """Return the problem, and print what it is made of.

    Raises
    ------
    OSError, TypeError, ValueError, ImportError
        If the data cannot be read, or do not fit the loss.

    """
    X, Y, source = _data(arguments)
    said = []
    if arguments.standardize:
        scaled = standardized(X)
        X, constant = scaled.X, np.flatnonzero(scaled.constant).tolist()
        if constant:
            shown = ", ".join(map(str, constant[:20])) + ", ..." * (len(constant) > 20)
            said.append(f"Constant columns of X, counted from 0, which are now 0: {shown}.")
    make, l2 = LOSSES[arguments.loss]
    l2 = l2 if arguments.l2 is None else arguments.l2
    if arguments.standardize and not arguments.intercept and arguments.loss == "squared":
        said += _unfit_means(one_hot(Y))
    if arguments.intercept:
        X = with_intercept(X)
        said.append("The last column of X is ones, for an intercept"
                    + (", which the ridge penalizes like every other coefficient." if l2 else "."))
    problem = make(X, Y, l2)
    entry("data", f"{source}: X {X.shape[0]} x {X.shape[1]}, Y {X.shape[0]} x {problem.shape[1]}")
    for sentence in said:
        entry("", sentence)
    entry("loss", f"{arguments.loss}, ridge {problem.l2:g}: mu = {problem.mu:.4g}, K = {problem.K:.4g}, "
          f"l* = {problem.minimum:.6g}")
    entry("", problem.conditioning)
    return problem


def _unfit_means(Y):
    """Return a sentence about the means of the targets, which centred columns cannot fit; none where they are small."""
    total = float((Y * Y).sum())
    part = len(Y) * float((Y.mean(axis=0) ** 2).sum()) / total if 0.0 < total < np.inf else 0.0
    return [f"{part:.0%} of the targets' squares are their means, which columns of mean 0 cannot fit: --intercept adds "
            "a column that can."] if part >= FITTED_BY_INTERCEPT else []


def _data(arguments):
    """Return X, Y, and what they are."""
    files = (arguments.x, arguments.y)
    if arguments.data is not None and files != (None, None):
        raise ValueError("--data and --x, --y: expected one or the other, got both")
    if None in files and files != (None, None):
        raise ValueError("--x and --y: expected both or none, got one: inputs and targets are in files of their own")
    if None in files and (arguments.header, arguments.index) != (None, None):
        raise ValueError("--header and --index: expected --x and --y beside them, got none")
    if arguments.data is not None:
        return *load_data(arguments.data), arguments.data
    if files == (None, None):
        return *default_data(), "embedded problem"
    header, index = (ANSWERS.get(answer) for answer in (arguments.header, arguments.index))
    try:
        return *read_data(*files, header=header, index=index), f"{arguments.x}, {arguments.y}"
    except ValueError as error:
        if "=True" not in str(error):
            raise
        raise ValueError(f"{error}; yes and no are said of both files, x or y of that one alone") from None
