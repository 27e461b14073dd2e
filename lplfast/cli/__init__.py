"""The command line: `lplfast train` shows the local constants of a run, `lplfast reproduce` the papers' experiments.

In: words. Out: files, printed lines and an exit code. Each command is a file with `add_to(commands)`, which declares
its arguments and names the function that carries it out; `program` has them all, and turns exceptions into exit codes.
"""

from .program import main

__all__ = ["main"]
