"""`python -m bench.publish [FILE]`: the README's tables and the figure, from what `python -m bench --json` stored."""

import argparse
import json
import pathlib

from . import environment, scaling
from .table import Table, short

__all__ = ["between", "load", "render"]

ROOT = pathlib.Path(__file__).parent.parent
STORED, README, FIGURES = ROOT / "docs" / "bench.json", ROOT / "README.md", ROOT / "docs" / "figures"
BEGIN, END = "<!-- speed: written by python -m bench.publish -->\n", "<!-- speed: end -->\n"

# How the README calls what ours is compared with, in its order; whatever was not measured is left out.
NAMES = {
    "NumPy": "NumPy", "NumPy svd": "NumPy, `svd`", "PyTorch": "PyTorch", "JAX": "JAX, compiled",
    "NumPy, compressed": "NumPy at width k", "twin, compressed": "our NumPy twin at width k",
    "native": "ours, not compressed", "exact": "ours, LAPACK at every step", "compression": "compression, once a run",
}


def load(path=STORED):
    """Return the environment and a dict of the Tables by name."""
    found = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    return found["environment"], {table["name"]: Table.from_dict(table) for table in found["tables"]}


def render(found, tables):
    """Return the README's part as Markdown, losses included."""
    rest = [row for name in ("calls", "memory", "softmax", "many") if name in tables
            for row in tables[name].rows if row.target]
    parts = [
        "One iteration with everything that is recorded, in us, and how many times ours that is (k = min(h, n + m) is\n"
        "the width that compression leaves):",
        _rivals(tables["rivals"].rows),
        "Against the limit, the three matrix products that no step can do without (dgemm, called from Cython), in us:",
        _limit(tables["bare"].rows),
        "And whole calls:",
        _grid([["", "measured", "asked"], *([f"{row.kind}; {row.what}", _ratio(row), row.target] for row in rest)]),
        f"**Bold**: slower than a rival, or short of what was asked. {environment.sentence(found)}.",
    ]
    return "\n\n".join(parts) + "\n"


def _rivals(rows):
    """Return the table with a column for every size and a row for everything that ours is compared with."""
    ours = {}
    for row in rows:
        if row.name == "lplfast":
            ours.setdefault(row.what, {})[row.other] = row
    exact = {row.what: row for row in rows if row.name == "exact"}
    columns = list(ours.values())
    lines = [["", *ours], ["lplfast", *(short(column["NumPy"].time) for column in columns)]]
    for other, name in NAMES.items():
        if any(other in column for column in columns):
            lines.append([name, *(_against(column.get(other)) for column in columns)])
    lines.append(["fastest at full width / ours, LAPACK at every step", *(_ratio(exact[what]) for what in ours)])
    lines.append(["asked", *(", ".join(f"{row.other} {row.target}" for row in column.values() if row.target)
                             for column in columns)])
    return _grid(lines)


def _limit(rows):
    return _grid([["", *(row.what for row in rows)], ["lplfast", *(short(row.time) for row in rows)],
                  ["products", *(short(row.other_time) for row in rows)],
                  ["lplfast / products", *(_ratio(row) for row in rows)], ["asked", *(row.target for row in rows)]])


def _against(row):
    return "" if row is None else f"{short(row.other_time)} ({_ratio(row)})"


def _ratio(row):
    """Return the ratio, in bold where it is nothing to be proud of."""
    ours_is_slower = row.kind == f"{row.other} / {row.name}" and row.other != "compression" and row.ratio < 1
    said = f"{short(row.ratio)}x"
    return f"**{said}**" if ours_is_slower or not row.met else said


def _grid(lines):
    """Return a Markdown table; numbers to the right."""
    head, *body = (f"| {' | '.join(cells)} |" for cells in lines)
    return "\n".join([head, f"|---{'|---:' * (len(lines[0]) - 1)}|", *body])


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
