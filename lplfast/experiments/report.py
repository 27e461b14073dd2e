"""What an experiment returns: a table, what was found of each claim, and a figure; and how far it has come."""

import contextlib
import contextvars
import csv
import dataclasses
import io
import math
import os
from collections.abc import Callable

import numpy as np

from ..files import replace_file
from ..plots import STYLE, pyplot, save_figure

__all__ = ["Finding", "Report", "followed", "following", "spread"]

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

    def __str__(self):
        said = "holds" if self.holds else f"does not hold{self.refuted and ', as theory says: '}{self.refuted}"
        return f"{self.claim} / {self.measured} / {said}"


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
        return "\n".join([f"{self.name}: claim / measured / holds or does not hold",
                          *(f"  {finding}" for finding in self.findings), *(f"  note: {note}" for note in self.notes)])


def spread(name, samples):
    """Return columns with the quantiles of `samples` over their first axis, the seeds.

    Each is a value that occurred, so that a run that never converged may count as infinitely long.
    """
    return {f"{name}_{quantile}": np.quantile(samples, p, axis=0, method="nearest")
            for quantile, p in QUANTILES.items()}
