"""`lplfast audit`: whether every inequality of a saved run held."""

from ..run.run import Run
from .terminal import say

__all__ = ["add_to"]


def add_to(commands):
    """Declare the command."""
    command = commands.add_parser("audit", help="print whether every inequality of a saved run held",
                                  description="Print the audit of a run.npz; exit code 1 if a theorem failed.")
    command.add_argument("file", help="a run that `lplfast train` or Run.save wrote")
    command.set_defaults(run=_audit)


def _audit(arguments):
    run = Run.load(arguments.file)
    say(repr(run))
    say(run.audit())
    return int(not run.audit().passed)
