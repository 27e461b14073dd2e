"""The command line: `lplfast train` shows the local constants of a run, `lplfast reproduce` the papers' experiments."""

import argparse
import os
import sys
import tempfile
import textwrap

import numpy as np

from .data import DATASETS, default_data, load_data, one_hot, read_data, standardized
from .experiments import EXPERIMENTS
from .losses.classification import LogisticLoss, SoftmaxLoss
from .losses.problems import SquaredLoss
from .network import Network
from .plots import save_figure
from .run.run import Interrupted, Run
from .run.training import train
from .spectral.modes import MODES
from .steps import RULES, rule_from
from .threads import single_threaded_blas
from .validation import as_count, as_number
from .versions import __version__, show_versions

__all__ = ["main"]

# Statuses after which a user's script should not go on as if nothing had happened.
FAILED = ("diverged", "overflow", "guarantee_failed", "interrupted")

# name -> what makes the problem of X and targets, and the ridge where none is asked for
LOSSES = {
    "squared": (lambda X, Y, l2: SquaredLoss(X, one_hot(Y), l2=l2), 0.0),
    "logistic": (lambda X, Y, l2: LogisticLoss(X, Y, l2=l2), 1e-2),
    "softmax": (lambda X, Y, l2: SoftmaxLoss(X, Y, l2=l2), 1e-2),
}

# The table: history column, heading, format.
TABLE = [
    ("iteration", "t", "{:>6.0f}"),
    ("gap", "gap", "{:>9.2e}"),
    ("step_size", "step size", "{:>9.2e}"),
    ("mu_t", "mu_t", "{:>9.2e}"),
    ("K_t", "K_t", "{:>9.2e}"),
    ("rate_bound", "1 - rate", "{:>9.2e}"),
    ("gap_bound", "gap <=", "{:>9.2e}"),
]


def main(argv=None):
    """Run the command line; return the exit code: 0, 1 if the run failed, 2 for bad input, 130 after Ctrl-C."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except (OSError, ValueError, TypeError, ImportError, MemoryError, OverflowError) as error:
        print(f"lplfast: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser():
    # longer than other functions: one declaration after the other, in the order of `--help`
    parser = argparse.ArgumentParser(
        prog="lplfast", description="Gradient descent on two-layer linear networks, with its local PL and smoothness "
        "constants and guaranteed rates, checked at every step.")
    parser.add_argument("--version", action="version", version=f"lplfast {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "train", help="train a network; show, plot and save its constants, bounds and rates",
        description="Train x -> x W1 W2 by gradient descent. Without data, on an embedded problem: 20 inputs, "
        "20 outputs, condition number 10.")
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
    model = command.add_argument_group("network")
    model.add_argument("--width", type=int, default=1000, metavar="H", help="hidden width (default 1000)")
    model.add_argument("--std", type=float, metavar="S",
                       help="standard deviation of the initial weights (default H^(-1/4))")
    model.add_argument("--seed", type=int, default=0, help="seed of the initial weights (default 0)")
    steps = command.add_argument_group("training")
    steps.add_argument("--step-size", default="local", metavar="RULE",
                       help=f"a positive number or one of {', '.join(RULES)} (default local)")
    steps.add_argument("--max-iter", type=int, default=10000, metavar="T", help="steps at most (default 10000)")
    steps.add_argument("--tol", type=float, default=1e-10, metavar="EPS",
                       help="converged when the gap is EPS times the first (default 1e-10)")
    steps.add_argument("--constants", choices=MODES, default="certified",
                       help="how singular values are found (default certified)")
    command.add_argument("--out", default="lplfast-out", metavar="DIR",
                         help="folder for figure, history and run (default lplfast-out)")
    command.set_defaults(run=_train)

    command = commands.add_parser("audit", help="print whether every inequality of a saved run held",
                                  description="Print the audit of a run.npz; exit code 1 if a theorem failed.")
    command.add_argument("file", help="a run that `lplfast train` or Run.save wrote")
    command.set_defaults(run=_audit)

    command = commands.add_parser(
        "reproduce", help="run an experiment of the papers: figure, table, and whether each claim holds",
        description="Run an experiment, or all; write NAME.png, NAME.pdf and NAME.csv; print every claim, what was "
        "measured, and whether it holds. Exit code 1 if a claim does not hold.")
    command.add_argument("name", choices=[*EXPERIMENTS, "all"], help="which one")
    command.add_argument("--out", default="lplfast-out", metavar="DIR",
                         help="folder for figures and tables (default lplfast-out)")
    command.add_argument("--seeds", type=int, metavar="N",
                         help="random starts of each set-up (default: the paper's 50, 10 where there is no paper)")
    command.set_defaults(run=_reproduce)

    command = commands.add_parser("versions", help="print what a bug report needs")
    command.set_defaults(run=lambda arguments: show_versions())
    return parser


def _say(text=""):
    """Print; a reader that has seen enough (`| head`) must not cost the files that are still to be written."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _train(arguments):
    # bad options and a folder that cannot be written are errors before any work
    step_size = _step_size(arguments.step_size)
    rule_from(step_size)
    for name in ("max_iter", "width"):
        as_count("--" + name.replace("_", "-"), getattr(arguments, name), least=int(name == "width"))
    as_number("--tol", arguments.tol)
    X, Y, source = _data(arguments)
    constant = []
    if arguments.standardize:
        scaled = standardized(X)
        X, constant = scaled.X, np.flatnonzero(scaled.constant).tolist()
    make, l2 = LOSSES[arguments.loss]
    problem = make(X, Y, l2 if arguments.l2 is None else arguments.l2)
    n, m = problem.shape
    std = arguments.width ** -0.25 if arguments.std is None else arguments.std
    network = Network.gaussian(n, arguments.width, m, std=std, rng=arguments.seed)
    _make_folder(arguments.out)

    _say(f"data     {source}: X {X.shape[0]} x {n}, Y {X.shape[0]} x {m}")
    if constant:
        shown = ", ".join(map(str, constant[:20])) + ", ..." * (len(constant) > 20)
        _say(textwrap.fill(f"Constant columns of X, counted from 0, which are now 0: {shown}.", 100,
                           initial_indent=" " * 9, subsequent_indent=" " * 9))
    _say(f"loss     {arguments.loss}, ridge {problem.l2:g}: mu = {problem.mu:.4g}, K = {problem.K:.4g}, "
         f"l* = {problem.minimum:.6g}")
    _say(textwrap.fill(problem.conditioning, 100, initial_indent=" " * 9, subsequent_indent=" " * 9))
    _say(f"network  {n} -> {arguments.width} -> {m}, normal weights of deviation {std:.3g}, "
          f"trained at the equivalent width {network.compressed_width}")
    reach = min(problem.kernel.shape)
    if arguments.width < reach:
        _say(f"         Narrower than min(n, m) = {reach}: mu_t = 0, no rate is claimed, and the gap to l* need "
              "not go to 0.")
    code = 0
    try:
        run = train(problem, network, step_size, max_iter=arguments.max_iter, tol=arguments.tol,
                    constants=arguments.constants)
    except Interrupted as interrupt:
        run, code = interrupt.run, 130
    _say()
    _say(_table(run))
    _say()
    _say(textwrap.fill(run.message, 100))
    _say(textwrap.fill(run.verdict, 100))
    _say(textwrap.fill(run.certificate, 100))
    _say(_save(run, arguments.out))
    return code or int(run.status in FAILED or not run.audit().passed)


def _make_folder(path):
    """Make the folder for what is going to be written, and see that it can be."""
    os.makedirs(path, exist_ok=True)
    tempfile.TemporaryFile(dir=path).close()


def _audit(arguments):
    run = Run.load(arguments.file)
    _say(repr(run))
    _say(run.audit())
    return int(not run.audit().passed)


def _reproduce(arguments):
    # before any folder is made
    options = {} if arguments.seeds is None else {"seeds": as_count("--seeds", arguments.seeds)}
    _make_folder(arguments.out)
    holds = True
    for name, experiment in EXPERIMENTS.items():
        if arguments.name in (name, "all"):
            with single_threaded_blas():
                report = experiment.reproduce(**options)
            holds = holds and report.holds
            _say(report)
            try:
                _say(f"Wrote {', '.join(report.write(arguments.out))}.\n")
            except ImportError as error:
                _say(f"Wrote the table only: {error}.\n")
    return int(not holds)


def _data(arguments):
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


def _step_size(text):
    """Return the rule's name, or the number."""
    if text in RULES:
        return text
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--step-size: expected a positive number or one of {', '.join(RULES)}, "
                         f"got {text!r}") from None


def _table(run, rows=16):
    """Return the history at some iterations, as text: close together first, where most happens."""
    count = len(run.history["iteration"])
    picked = np.unique(np.append(np.geomspace(1, count, rows).round() - 1, count - 1).astype(int))
    lines = ["  ".join(heading.rjust(len(shape.format(0))) for _, heading, shape in TABLE)]
    for i in picked:
        cells = []
        for column, _, shape in TABLE:
            value = run.history[column][i]
            if column == "rate_bound":
                value = 1.0 - value     # a guaranteed rate of 1 - 1e-6 would print as 1
            cells.append(" " * len(shape.format(0)) if np.isnan(value) else shape.format(value))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _save(run, folder):
    """Write history, run and figure, and say so; a missing matplotlib costs the figure only."""
    path = {name: os.path.join(folder, name) for name in ("history.csv", "run.npz", "overview.png")}
    run.to_csv(path["history.csv"])
    run.save(path["run.npz"])
    written, missing = [path["history.csv"], path["run.npz"]], ""
    try:
        save_figure(run.plot(), path["overview.png"])
        written.append(path["overview.png"])
    except ImportError as error:
        missing = f" No figure: {error}."
    return f"Wrote {', '.join(written)}.{missing}"
