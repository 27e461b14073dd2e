"""A table of rows: what was done, our time, that of what it is compared with, their ratio, and what was asked."""

import dataclasses
import statistics

__all__ = ["Row", "Table", "short"]


@dataclasses.dataclass
class Row:
    """One comparison: the times of `name` and of `other` a step or call, in microseconds, and their ratio.

    `ratio`, with its range over the rounds, is `other / name` where we are to be faster, `name / other` where it says
    how much more something costs: `kind` says which. `target` is the ratio asked, as in `">= 8"`; `size` is (n, m, h).
    """

    what: str
    name: str
    other: str
    time: float
    other_time: float
    kind: str
    ratio: float
    least: float
    greatest: float
    target: str = ""
    note: str = ""
    size: tuple = ()

    @classmethod
    def quotient(cls, times, what, name, other, **options):
        """Return the row of two works of a Rounds: how many times slower the other one is."""
        return cls(what, name, other, 1e6 * times.seconds(name), 1e6 * times.seconds(other), f"{other} / {name}",
                   *times.quotient(other, name), **options)

    @classmethod
    def excess(cls, times, what, name, other, **options):
        """Return the row of two works of a Rounds: how many times slower `name` is."""
        return cls(what, name, other, 1e6 * times.seconds(name), 1e6 * times.seconds(other), f"{name} / {other}",
                   *times.quotient(name, other), **options)

    @classmethod
    def within(cls, taken, what, name, allowed, **options):
        """Return the row of what was taken in each round, in us, beside the time that is allowed."""
        taken = sorted(taken)
        median = statistics.median(taken)
        return cls(what, name, "allowed", median, allowed, f"{name} / allowed", median / allowed, taken[0] / allowed,
                   taken[-1] / allowed, "<= 1", **options)

    @property
    def met(self):
        """Whether the target was met; True if there is none."""
        sign, _, asked = self.target.partition(" ")
        return not asked or (self.ratio >= float(asked) if sign == ">=" else self.ratio <= float(asked))

    @property
    def verdict(self):
        """The target and whether it was met, in words."""
        return self.target and f"{self.target} {'met' if self.met else 'MISSED'}"


@dataclasses.dataclass
class Table:
    """Rows under a title."""

    name: str
    title: str
    rows: list
    notes: str = ""

    def to_dict(self):
        """Return everything, plain enough for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, found):
        """Return the table that `to_dict` took apart."""
        return cls(**found | {"rows": [Row(**row | {"size": tuple(row["size"])}) for row in found["rows"]]})

    def __str__(self):
        cells = [("", "ratio of", "lplfast us", "other us", "ratio", "over rounds", "target", "")]
        cells += [(row.what, row.kind, short(row.time), short(row.other_time), short(row.ratio),
                   f"{short(row.least)} .. {short(row.greatest)}", row.verdict, row.note) for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [self.title, ""]
        for row in cells:
            lines.append("  ".join(cell.rjust(width) if 2 <= i <= 5 else cell.ljust(width)
                                   for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip())
        lines.insert(3, "-" * max(map(len, lines[2:])))
        if self.notes:
            lines += ["", self.notes]
        return "\n".join(lines)


def short(number):
    """Three significant digits, without an exponent."""
    return f"{number:.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"
