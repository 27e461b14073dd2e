"""`lplfast audit`: whether every inequality of a saved run held."""

from ..run.run import Run
from .parser import add_command
from .terminal import say

__all__ = ["add_to"]


def add_to(commands):
    """Declare the command."""
    command = add_command(commands, "audit", _audit, failed="a theorem failed",
                          help="print whether every inequality of a saved run held",
                          description="Print the audit of a run.npz.")
    command.add_argument("file", help="a run that `lplfast train` or Run.save wrote")


def _audit(arguments):
    run = Run.load(arguments.file)
    say(repr(run))
    say(run.audit())
    return int(not run.audit().passed)
