"""Words of a command line into arguments: short errors that say what was probably meant."""

import argparse
import difflib
import re

__all__ = ["Parser", "add_command", "meant", "named"]

EXIT_CODES = ("Exit codes: 0 if all is well; 1 if {failed}; 2 for bad input, with a sentence on standard error; 130 "
              "after Ctrl-C, when what there is has been written.")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line with a suggestion, and point to the help."""

    def error(self, message):
        """Exit with code 2 and a sentence."""
        self.exit(2, f"{self.prog}: error: {message}{self._suggestion(message)} (see {self.prog} --help)\n")

    def options(self):
        """Return the option of each argument, by its name in the library; of a flag, by its name and what it means."""
        return {f"{action.dest}={action.const}" if action.nargs == 0 and action.const is True else action.dest:
                action.option_strings[-1] for action in self._actions if action.option_strings}

    def _suggestion(self, message):
        """Return what was probably meant by a choice or an option that there is not."""
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        choice = re.match(r"argument .*invalid choice: '(.*)' \(choose from (.*)\)", message)
        if unknown:
            return meant(unknown[1], self._option_string_actions)
        if choice:
            return meant(choice[1], re.findall(r"[\w-]+", choice[2]))
        return ""


def meant(word, names):
    """Return a question after the name that was probably meant, or nothing."""
    close = difflib.get_close_matches(word.lower().replace("_", "-"), list(names), 1)
    return f"; did you mean {close[0]}?" if close else ""


def add_command(commands, name, function, *, failed="", **texts):
    """Return the parser of a new command, which `function` carries out; `failed` says when it exits with 1, if ever."""
    command = commands.add_parser(name, epilog=failed and EXIT_CODES.format(failed=failed), **texts)
    command.set_defaults(run=function, parser=command)
    return command


def named(message, options):
    """Return a message of the library with the options of the command line in place of its arguments' names.

    Examples
    --------
    >>> named("tol: expected 1. Use tol=5, or header=True", {"tol": "--tol", "header": "--header"})
    '--tol: expected 1. Use --tol 5, or --header yes'
    >>> named("progress=True needs tqdm", {"progress=True": "--progress"})
    '--progress needs tqdm'
    """
    answers = {"True": "yes", "False": "no"}
    for name, option in options.items():
        if "=" in name:
            message = re.sub(rf"\b{name}\b", option, message)
            continue
        message = re.sub(rf"\b{name}=(True|False|'[^']*'|)", lambda found, option=option:
                         f"{option} {answers.get(found[1], found[1])}", message)
        message = re.sub(rf"^{name}:(?= )", f"{option}:", message)
    return message
