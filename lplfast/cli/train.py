"""`lplfast train`: train a network; show, plot and save its constants, bounds and rates."""

import argparse

from ..descent.history import COLUMNS
from ..progress import bar_class
from ..run.options import RunOptions
from ..run.run import Interrupted
from ..run.training import train
from ..spectral.modes import MODES
from ..validation import as_count, as_number
from .inputs import add_data_options, problem_from
from .parser import add_command
from .rules import add_rule_options, rule_of
from .starts import add_start_options, check_start, start_from
from .summary import table, write
from .terminal import entry, folder_for, say

__all__ = ["add_to"]

# Statuses after which a user's script should not go on as if nothing had happened.
FAILED = ("diverged", "overflow", "guarantee_failed", "interrupted")

# Steps at most, where nothing is said.
STEPS = 10000


def add_to(commands):
    """Declare the command."""
    command = add_command(
        commands, "train", _train, failed="the run diverged or left float64, or a theorem failed",
        help="train a network; show, plot and save its constants, bounds and rates",
        description="Train x -> x W1 W2 by gradient descent. Without data, on an embedded problem: 20 inputs, "
        "20 outputs, condition number 10.")
    add_data_options(command)
    add_start_options(command)
    steps = command.add_argument_group("training", "Where a run is continued, the defaults are its own.")
    add_rule_options(steps)
    steps.add_argument("--max-iter", type=int, metavar="T",
                       help=f"steps at most, those of a continued run included (default {STEPS}, or that many more)")
    steps.add_argument("--max-time", type=float, metavar="SECONDS", help="seconds at most (default: no limit)")
    steps.add_argument("--threads", type=_threads, dest="n_threads", metavar="N", default=1,
                       help="threads that share the products of a large run, or auto (default 1): no result depends "
                       "on it")
    steps.add_argument("--tol", type=float, metavar="EPS",
                       help="converged when the gap is EPS times the first (default 1e-10)")
    steps.add_argument("--grad-tol", type=float, metavar="EPS",
                       help="converged, too, when the norm of the gradient is EPS times the first (default: no)")
    steps.add_argument("--max-growth", type=float, metavar="FACTOR",
                       help="diverged when the gap is FACTOR times the first (default: no limit)")
    steps.add_argument("--constants", choices=MODES, help="how singular values are found (default certified)")
    steps.add_argument("--layer-scales", type=float, nargs=2, metavar=("A", "B"),
                       help="steps of A^2 times the step size for W1 and B^2 times for W2 (default 1 1)")
    _add_output_options(command)


def _add_output_options(command):
    group = command.add_argument_group("output")
    group.add_argument("--out", default="lplfast-out", metavar="DIR",
                       help="folder for figure, history and run (default lplfast-out)")
    group.add_argument("--record", metavar="COLUMNS",
                       help=f"columns of the history, between commas (default all): {', '.join(COLUMNS)}")
    group.add_argument("--record-every", type=int, metavar="N", help="keep one iterate in N (default 1)")
    group.add_argument("--checkpoint", metavar="FILE",
                       help="keep the run so far in this file, for --continue, should the process be killed")
    group.add_argument("--checkpoint-every", type=float, default=60.0, metavar="SECONDS",
                       help="how often (default 60)")
    group.add_argument("--progress", action="store_true", help="show a bar of steps (needs tqdm)")


def _train(arguments):
    # bad options and a folder that cannot be written are errors before any work
    rule = rule_of(arguments)
    options = _options(arguments, rule)
    check_start(arguments)
    folder_for(arguments.out)
    problem = problem_from(arguments)
    n, m = problem.shape
    start = start_from(arguments, n, m)
    layers = start.layers
    entry("network", f"{layers.n} -> {layers.width} -> {layers.m}, {start.said}, trained at the equivalent width "
          f"{layers.compressed_width}")
    reach = min(problem.kernel.shape)
    if layers.width < reach:
        entry("", f"Narrower than min(n, m) = {reach}: mu_t = 0, no rate is claimed, and the gap to l* need not go "
              "to 0.")
    code = 0
    max_iter = start.taken + STEPS if arguments.max_iter is None else arguments.max_iter
    try:
        run = train(problem, start.network, rule, max_iter=max_iter, **options)
    except Interrupted as interrupt:
        run, code = interrupt.run, 130
    # an interrupted run is written, too
    found = _report(run, arguments.out)
    return code or found


def _options(arguments, rule):
    """Return what `train` is given beside problem, network, step size and max_iter, checked."""
    if arguments.max_iter is not None:
        as_count("--max-iter", arguments.max_iter, least=0)
    if arguments.tol is not None and as_number("--tol", arguments.tol) >= 1.0:
        raise ValueError("--tol: expected a number below 1, the part of the first gap to stop at, "
                         f"got {arguments.tol:g}")
    if arguments.progress:
        bar_class()
    record = arguments.record
    if record not in (None, "all"):
        record = [name.strip() for name in record.split(",")]
    own = {"record": record, **{name: getattr(arguments, name) for name in
                                ("tol", "grad_tol", "max_growth", "constants", "record_every",
                                 "layer_scales")}}
    RunOptions.new(step_size=rule, compress=None, **own)
    return {**own, **{name: getattr(arguments, name) for name in
                      ("max_time", "n_threads", "checkpoint", "checkpoint_every", "progress")}}


def _threads(word):
    """Return a number of threads; None, as many as pay, for auto."""
    if word == "auto":
        return None
    if not word.isascii() or not word.isdigit() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer >= 1, or auto, got {word!r}")
    return int(word)


def _report(run, folder):
    """Print and write a run; return the exit code."""
    say()
    say(table(run))
    say()
    entry("result", run.message)
    entry("checks", run.verdict)
    entry("brackets", run.certificate)
    entry("files", write(run, folder))
    return int(run.status in FAILED or not run.audit().passed)
