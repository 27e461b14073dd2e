"""What an experiment returns: a table, what was found of each claim, and a figure; and how far it has come."""

import contextlib
import contextvars
import csv
import dataclasses
import io
import math
import os
import textwrap
from collections.abc import Callable

import numpy as np

from ..files import replace_file
from ..plots import STYLE, pyplot, save_figure

__all__ = ["Finding", "Report", "followed", "following", "spread", "summary"]

# Characters a line, and those of what it opens with.
LINE, LABEL = 100, 10

QUANTILES = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1.0}


_follower = contextvars.ContextVar("_follower", default=None)


@contextlib.contextmanager
def following(advance):
    """Call `advance` with the part of its work that an experiment has just done, while this is entered."""
    token = _follower.set(advance)
    try:
        yield
    finally:
        _follower.reset(token)


def followed(parts, of=1):
    """Go through the parts of an experiment's work, one of so many such lists, for whoever follows it."""
    parts, advance = list(parts), _follower.get()
    for part in parts:
        yield part
        if advance is not None:
            advance(1 / len(parts) / of)


@dataclasses.dataclass(frozen=True)
class Finding:
    """A claim, what was measured, and whether the claim holds.

    `refuted` is why theory says that it cannot hold here; empty where it should.
    """

    claim: str
    measured: str
    holds: bool
    refuted: str = ""

    @property
    def verdict(self):
        """What became of the claim, in a word: "holds", "refuted" where theory says that it cannot hold, "fails"."""
        return "holds" if self.holds else "refuted" if self.refuted else "fails"

    def __str__(self):
        lines = [_lines(self.verdict, self.claim), _lines("", f"measured: {self.measured}")]
        if self.verdict == "refuted":
            lines.append(_lines("", f"theory: {self.refuted}"))
        return "\n".join(lines)


def _lines(label, text):
    """Return a text in lines beside its label."""
    return textwrap.fill(text, LINE, initial_indent=label.rjust(LABEL - 2) + "  ", subsequent_indent=" " * LABEL,
                         break_long_words=False, break_on_hyphens=False)


@dataclasses.dataclass(frozen=True)
class Report:
    """What `reproduce` of an experiment returns.

    Attributes
    ----------
    name : str
        The experiment.
    table : dict of str to array
        Columns of one length: everything that the figure shows.
    findings : list of Finding
        The claims.
    notes : list of str
        What else has to be said: which rules did not apply, and where.
    draw : callable
        Takes the table, returns a matplotlib Figure.

    """

    name: str
    table: dict
    findings: list
    notes: list
    draw: Callable

    @property
    def holds(self):
        """Whether every claim holds but those that theory refutes."""
        return all(finding.holds or finding.refuted for finding in self.findings)

    def write(self, folder):
        """Write NAME.csv, NAME.png and NAME.pdf into an existing folder; return their paths.

        Each is replaced at once or not at all.

        Raises
        ------
        OSError
            If one cannot be written, or is no regular file.
        ImportError
            If matplotlib is not installed; the table is written before.

        """
        path = {kind: os.path.join(folder, f"{self.name}.{kind}") for kind in ("csv", "png", "pdf")}
        replace_file(path["csv"], lambda file: file.write(self._csv().encode("ascii")))
        with pyplot().rc_context(STYLE):
            figure = self.draw(self.table)
            save_figure(figure, path["png"])
            save_figure(figure, path["pdf"])
        return list(path.values())

    def _csv(self):
        """Return the table as comma-separated values."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.table)
        columns = [np.asarray(column).tolist() for column in self.table.values()]
        for row in zip(*columns, strict=True):
            writer.writerow("" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row)
        return text.getvalue()

    def __str__(self):
        return "\n".join([self.name, *map(str, self.findings), *(_lines("note", note) for note in self.notes)])


def summary(reports):
    """Return a line on the claims of some reports: how many hold, are refuted by theory, and fail, and where."""
    where = {verdict: [report.name for report in reports for finding in report.findings if finding.verdict == verdict]
             for verdict in ("holds", "refuted", "fails")}
    said = [f"{len(where['holds'])} of {sum(map(len, where.values()))} claims hold"]
    for verdict, words in (("refuted", "cannot hold here, as theory says"), ("fails", "fail, though they should hold")):
        if where[verdict]:
            said.append(f"{len(where[verdict])} {words} ({', '.join(dict.fromkeys(where[verdict]))})")
    return "; ".join(said) + "."


def spread(name, samples):
    """Return columns with the quantiles of `samples` over their first axis, the seeds.

    Each is a value that occurred, so that a run that never converged may count as infinitely long.
    """
    return {f"{name}_{quantile}": np.quantile(samples, p, axis=0, method="nearest")
            for quantile, p in QUANTILES.items()}
