"""A table of rows: what was done, our time, the rival's, their ratio, and what was asked."""

import dataclasses

__all__ = ["Row", "Table"]


@dataclasses.dataclass
class Row:
    """One comparison, times in microseconds a step; `targets` are the ratios asked, as in `">= 8"`."""

    what: str
    ours: float
    rival: float
    ratio: float
    least: float
    greatest: float
    targets: tuple = ()
    note: str = ""

    @classmethod
    def quotient(cls, what, ours, rival, *, targets=(), note=""):
        """Return the row of two Timings, of which `ours` came first: how many times slower the rival is."""
        return cls(what, 1e6 * ours.seconds, 1e6 * rival.seconds, *rival[1:], targets, note)

    @classmethod
    def excess(cls, what, ours, rival, *, targets=(), note=""):
        """Return the row of two Timings, of which `rival` came first: how many times slower we are."""
        return cls(what, 1e6 * ours.seconds, 1e6 * rival.seconds, *ours[1:], targets, note)

    @property
    def verdicts(self):
        """Which targets were met, in words."""
        said = []
        for target in self.targets:
            sign, asked = target.split()
            met = self.ratio >= float(asked) if sign == ">=" else self.ratio <= float(asked)
            said.append(f"{target} {'met' if met else 'MISSED'}")
        return ", ".join(said)


@dataclasses.dataclass
class Table:
    """Rows under a title; `ours`, `rival` and `ratio` are the names of those columns."""

    title: str
    rows: list
    ours: str = "lplfast us"
    rival: str = "rival us"
    ratio: str = "rival / lplfast"
    notes: str = ""

    def to_dict(self):
        """Return everything, plain enough for JSON."""
        return dataclasses.asdict(self)

    def __str__(self):
        cells = [("", self.ours, self.rival, self.ratio, "over rounds", "target", "")]
        cells += [(row.what, _short(row.ours), _short(row.rival), _short(row.ratio),
                   f"{_short(row.least)} .. {_short(row.greatest)}", row.verdicts, row.note)
                  for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [self.title, ""]
        for row in cells:
            lines.append("  ".join(cell.ljust(width) if i in (0, 5, 6) else cell.rjust(width)
                                   for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip())
        lines.insert(3, "-" * max(map(len, lines[2:])))
        if self.notes:
            lines += ["", self.notes]
        return "\n".join(lines)


def _short(number):
    """Three significant digits, without an exponent."""
    return f"{number:.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"
