"""What is printed, and where files go."""

import os
import sys
import tempfile
import textwrap

__all__ = ["WIDTH", "folder_for", "paragraph", "say"]

# Characters a line.
WIDTH = 100


def say(text=""):
    """Print; a reader that has seen enough (`| head`) must not cost the files that are still to be written."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def paragraph(text, indent=0):
    """Return a text in lines of at most `WIDTH` characters."""
    return textwrap.fill(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent)


def folder_for(path):
    """Make the folder for what is going to be written, see that it can be, and return its path."""
    os.makedirs(path, exist_ok=True)
    tempfile.TemporaryFile(dir=path).close()
    return path
