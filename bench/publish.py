"""`python -m bench.publish [FILE]`: from what `python -m bench --json FILE` stored, the README's table and the figure."""

import argparse
import json
import pathlib

from . import environment, scaling
from .table import Table, short

__all__ = ["between", "load", "render"]

ROOT = pathlib.Path(__file__).parent.parent
STORED, README, FIGURES = ROOT / "docs" / "bench.json", ROOT / "README.md", ROOT / "docs" / "figures"
BEGIN, END = "<!-- speed: written by python -m bench.publish -->\n", "<!-- speed: end -->\n"

NAMES = {"native": "ours, not compressed", "exact": "ours, exact", "compression": "compression, once"}


def load(path=STORED):
    """Return the environment and a dict of the Tables by name."""
    found = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    return found["environment"], {table["name"]: Table.from_dict(table) for table in found["tables"]}


def render(found, tables):
    """Return the README's part as Markdown, losses included."""
    rows = [row for row in tables["rivals"].rows if row.name == "lplfast"]
    exact = [row for row in tables["rivals"].rows if row.name == "exact"]
    others = list(dict.fromkeys(row.other for row in rows))
    lines = [
        "One iteration with everything that is recorded, in us, and how many times ours it takes:", "",
        _line(["", "lplfast", *(NAMES.get(other, other) for other in others)]), _line(["---", *["---:"] * (len(others) + 1)]),
    ]
    for what in dict.fromkeys(row.what for row in rows):
        cells = {row.other: row for row in rows if row.what == what}
        lines.append(_line([what, short(next(iter(cells.values())).time),
                            *(_against(cells[other]) if other in cells else "" for other in others)]))
    lines += ["", "Where we are slower, or not much faster: with `constants=\"exact\"`, LAPACK at every step, the fastest rival takes "
              + "; ".join(f"{_ratio(row)} ours at {row.what.removesuffix(', exact')}" for row in exact) + ".", ""]

    lines += ["The limit: a step over the three dgemm calls that it cannot avoid, timed from Cython:", "",
              _line(["", "measured", "asked"]), _line(["---", "---:", "---:"])]
    lines += [_line([row.what, _ratio(row), row.target]) for row in tables["bare"].rows]
    rest = [row for name in ("calls", "memory", "softmax", "many") for row in tables[name].rows if row.target]
    lines += ["", "Beside these, measured and asked: "
              + "; ".join(f"{row.kind} ({row.what}) {_ratio(row)}, {row.target}" for row in rest) + ".", "",
              f"Bold: slower than the rival, or short of what was asked. {environment.sentence(found)}.", ""]
    return "\n".join(lines)


def _against(row):
    asked = f", asked {row.target}" if row.target else ""
    return f"{short(row.other_time)} ({_ratio(row)}{asked})"


def _ratio(row):
    """Return the ratio, in bold where it is nothing to be proud of."""
    said = f"{short(row.ratio)}x"
    slower = row.ratio < 1 and row.kind == f"{row.other} / {row.name}" and row.other != "compression"
    return f"**{said}**" if slower or not row.met else said


def _line(cells):
    return f"| {' | '.join(cells)} |"


def between(text):
    """Return what comes before the README's part, the part, and what comes after."""
    before, begin, rest = text.partition(BEGIN)
    part, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md: expected the lines {BEGIN.strip()!r} and {END.strip()!r}")
    return before + begin, part, end + after


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.publish", description=__doc__)
    parser.add_argument("file", nargs="?", metavar="FILE", default=STORED, help="default: docs/bench.json")
    found, tables = load(parser.parse_args().file)
    before, _, after = between(README.read_text(encoding="utf-8"))
    README.write_text(before + render(found, tables) + after, encoding="utf-8")
    print(f"Wrote {README}, {', '.join(map(str, scaling.draw(tables, FIGURES)))}.")


if __name__ == "__main__":
    main()
