"""The program: its commands, and what becomes of an exception."""

import sys

from ..versions import __version__, show_versions
from . import audit, reproduce, sweep, train
from .parser import Parser, add_command, named

__all__ = ["main"]


def main(argv=None):
    """Run the command line; return the exit code: 0, 1 if the run failed, 2 for bad input, 130 after Ctrl-C."""
    arguments, unknown = _parser().parse_known_args(argv)
    if unknown:
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        return arguments.run(arguments)
    except (OSError, ValueError, TypeError, ImportError, MemoryError, OverflowError) as error:
        print(f"lplfast: error: {_sentence(error, arguments)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lplfast: interrupted", file=sys.stderr)
        return 130


def _sentence(error, arguments):
    """Return what an exception says, in the words of the command line."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, MemoryError) and not str(error):
        return "not enough memory"
    return named(str(error), arguments.parser.options())


def _parser():
    parser = Parser(
        prog="lplfast", description="Gradient descent on two-layer linear networks, with its local PL and smoothness "
        "constants and guaranteed rates, checked at every step.",
        epilog="Exit codes: 0 if all is well; 1 if a run, a theorem or a claim failed; 2 for bad input; 130 after "
        "Ctrl-C.")
    parser.add_argument("--version", action="version", version=f"lplfast {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (train, audit, reproduce, sweep):
        command.add_to(commands)
    add_command(commands, "versions", lambda arguments: show_versions(),
                help="print what a bug report needs")
    return parser
