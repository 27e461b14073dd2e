"""What is printed, where files go, and how far long work has come."""

import os
import shutil
import sys
import tempfile
import textwrap
import time

__all__ = ["Progress", "entry", "folder_for", "paragraph", "say"]

# Characters a line at most, and those of a label.
WIDTH, LABEL = 100, 10


def say(text=""):
    """Print; a reader that has seen enough (`| head`) must not cost the files that are still to be written."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def paragraph(text, *, label="", indent=0):
    """Return a text in lines as wide as the terminal, of at most `WIDTH` characters."""
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
    return textwrap.fill(text, max(width, 40), initial_indent=label.ljust(indent), subsequent_indent=" " * indent,
                         break_long_words=False, break_on_hyphens=False)


def entry(label, text):
    """Print a text beside its label."""
    say(paragraph(text, label=label, indent=LABEL))


def folder_for(path, option="--out"):
    """Make the folder for what is going to be written, see that it can be, and return its path."""
    try:
        os.makedirs(path, exist_ok=True)
    except FileExistsError:
        raise OSError(f"{option}: expected a folder, got a file, {path}") from None
    tempfile.TemporaryFile(dir=path).close()
    return path


class Progress:
    """How far named work has come, on standard error: one line that changes on a terminal, else a line now and then.

    A context manager that gives a function to call with the part that was just done.
    """

    def __init__(self, name):
        self.name, self.done, self.begun = name, 0.0, time.perf_counter()
        self.terminal = sys.stderr.isatty()
        self.every = 0.1 if self.terminal else 10.0
        self.due = self.begun + self.every

    def advance(self, part):
        """Count, and show what has been counted if it is time."""
        self.done += part
        if time.perf_counter() >= self.due:
            self._show(f"{self.name}: {self.done:4.0%}, {time.perf_counter() - self.begun:.0f} s")
            self.due = time.perf_counter() + self.every

    def __enter__(self):
        if self.terminal:
            self._show(f"{self.name}: running")
        return self.advance

    def __exit__(self, *exc):
        if self.terminal:
            self._show("")

    def _show(self, text):
        # back to the start of the line, and clear it
        begin, end = ("\r\x1b[K", "") if self.terminal else ("", "\n")
        print(f"{begin}{text}", end=end, file=sys.stderr, flush=True)
