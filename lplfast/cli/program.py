"""The program: its commands, and what becomes of an exception."""

import argparse
import sys

from ..versions import __version__, show_versions
from . import audit, reproduce, train

__all__ = ["main"]


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
    parser = argparse.ArgumentParser(
        prog="lplfast", description="Gradient descent on two-layer linear networks, with its local PL and smoothness "
        "constants and guaranteed rates, checked at every step.")
    parser.add_argument("--version", action="version", version=f"lplfast {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (train, audit, reproduce):
        command.add_to(commands)
    command = commands.add_parser("versions", help="print what a bug report needs")
    command.set_defaults(run=lambda arguments: show_versions())
    return parser
