"""`lplfast train`: train a network; show, plot and save its constants, bounds and rates."""

import numpy as np

from ..data import standardized
from ..network import Network
from ..run.run import Interrupted
from ..run.training import train
from ..spectral.modes import MODES
from ..steps import RULES, rule_from
from ..validation import as_count, as_number
from .inputs import LOSSES, add_data_options, data_from
from .summary import table, write
from .terminal import folder_for, paragraph, say

__all__ = ["add_to"]

# Statuses after which a user's script should not go on as if nothing had happened.
FAILED = ("diverged", "overflow", "guarantee_failed", "interrupted")


def add_to(commands):
    """Declare the command."""
    command = commands.add_parser(
        "train", help="train a network; show, plot and save its constants, bounds and rates",
        description="Train x -> x W1 W2 by gradient descent. Without data, on an embedded problem: 20 inputs, "
        "20 outputs, condition number 10.")
    add_data_options(command)
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


def _train(arguments):
    # bad options and a folder that cannot be written are errors before any work
    step_size = _step_size(arguments.step_size)
    rule_from(step_size)
    for name in ("max_iter", "width"):
        as_count("--" + name.replace("_", "-"), getattr(arguments, name), least=int(name == "width"))
    as_number("--tol", arguments.tol)
    X, Y, source = data_from(arguments)
    constant = []
    if arguments.standardize:
        scaled = standardized(X)
        X, constant = scaled.X, np.flatnonzero(scaled.constant).tolist()
    make, l2 = LOSSES[arguments.loss]
    problem = make(X, Y, l2 if arguments.l2 is None else arguments.l2)
    n, m = problem.shape
    std = arguments.width ** -0.25 if arguments.std is None else arguments.std
    network = Network.gaussian(n, arguments.width, m, std=std, rng=arguments.seed)
    folder_for(arguments.out)

    say(f"data     {source}: X {X.shape[0]} x {n}, Y {X.shape[0]} x {m}")
    if constant:
        shown = ", ".join(map(str, constant[:20])) + ", ..." * (len(constant) > 20)
        say(paragraph(f"Constant columns of X, counted from 0, which are now 0: {shown}.", 9))
    say(f"loss     {arguments.loss}, ridge {problem.l2:g}: mu = {problem.mu:.4g}, K = {problem.K:.4g}, "
        f"l* = {problem.minimum:.6g}")
    say(paragraph(problem.conditioning, 9))
    say(f"network  {n} -> {arguments.width} -> {m}, normal weights of deviation {std:.3g}, "
        f"trained at the equivalent width {network.compressed_width}")
    reach = min(problem.kernel.shape)
    if arguments.width < reach:
        say(f"         Narrower than min(n, m) = {reach}: mu_t = 0, no rate is claimed, and the gap to l* need "
            "not go to 0.")
    code = 0
    try:
        run = train(problem, network, step_size, max_iter=arguments.max_iter, tol=arguments.tol,
                    constants=arguments.constants)
    except Interrupted as interrupt:
        run, code = interrupt.run, 130
    say()
    say(table(run))
    say()
    say(paragraph(run.message))
    say(paragraph(run.verdict))
    say(paragraph(run.certificate))
    say(write(run, arguments.out))
    return code or int(run.status in FAILED or not run.audit().passed)


def _step_size(text):
    """Return the rule's name, or the number."""
    if text in RULES:
        return text
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--step-size: expected a positive number or one of {', '.join(RULES)}, "
                         f"got {text!r}") from None
