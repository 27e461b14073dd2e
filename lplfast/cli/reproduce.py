"""`lplfast reproduce`: the papers' experiments, with what was claimed and what was measured."""

from ..experiments import EXPERIMENTS
from ..experiments.report import following, summary
from ..threads import single_threaded_blas
from ..validation import as_count
from .parser import add_command
from .terminal import Progress, folder_for, say

__all__ = ["add_to"]


def add_to(commands):
    """Declare the command."""
    command = add_command(
        commands, "reproduce", _reproduce, failed="a claim does not hold that theory does not refute",
        help="run an experiment of the papers: figure, table, and whether each claim holds",
        description="Run an experiment, or all; write NAME.png, NAME.pdf and NAME.csv; print every claim with what was "
        "measured: it holds, it fails, or theory refutes it here. Standard error shows how far it has come.")
    command.add_argument("name", choices=[*EXPERIMENTS, "all"], help="which one")
    command.add_argument("--out", default="lplfast-out", metavar="DIR",
                         help="folder for figures and tables (default lplfast-out)")
    command.add_argument("--seeds", type=int, metavar="N",
                         help="random starts of each set-up (default: the paper's 50, 10 where there is no paper)")


def _reproduce(arguments):
    # before any folder is made
    options = {} if arguments.seeds is None else {"seeds": as_count("--seeds", arguments.seeds)}
    folder_for(arguments.out)
    reports = []
    for name, experiment in EXPERIMENTS.items():
        if arguments.name in (name, "all"):
            with single_threaded_blas(), Progress(name) as advance, following(advance):
                report = experiment.reproduce(**options)
            reports.append(report)
            say(report)
            try:
                say(f"Wrote {', '.join(report.write(arguments.out))}.\n")
            except ImportError as error:
                say(f"Wrote the table only: {error}.\n")
    if len(reports) > 1:
        say(summary(reports))
    return int(not all(report.holds for report in reports))
