"""`python -m bench.publish [FILE]`: tables and the figure, from what `python -m bench --json` stored.

The README and docs/comparison.md have a short one, docs/benchmarks.md all of them.
"""

import argparse
import json
import pathlib

from . import environment, scaling, scaling_figure
from .cores import RIVALS_OF_ALL_CORES
from .products import speed
from .table import Table, short

__all__ = ["PARTS", "between", "details", "load", "missing", "summary"]

ROOT = pathlib.Path(__file__).parent.parent
STORED, FIGURES = ROOT / "docs" / "bench.json", ROOT / "docs" / "figures"
BEGIN, END = "<!-- speed: written by python -m bench.publish -->\n", "<!-- speed: end -->\n"

# How the tables call what ours is compared with, in their order; whatever was not measured is left out.
NAMES = {
    "NumPy": "NumPy", "NumPy svd": "NumPy, `svd`", "PyTorch": "PyTorch", "JAX": "JAX, compiled",
    "Numba": "Numba, compiled", "NumPy, compressed": "NumPy at width k", "JAX, compressed": "JAX at width k",
    "Numba, compressed": "Numba at width k", "twin, compressed": "our NumPy twin at width k",
    "native": "ours, not compressed", "exact": "ours, LAPACK at every step", "compression": "compression, once a run",
}

# What the README shows of them, and at which sizes: the typical one, a wide network, many inputs, and one where
# compression can do nothing.
SHOWN = ("NumPy", "PyTorch", "JAX", "Numba", "NumPy, compressed", "JAX, compressed", "Numba, compressed")
SIZES = ("n=20 m=20 h=1000, 150 steps", "n=20 m=20 h=100000, 150 steps", "n=100 m=10 h=10000, 150 steps",
         "n=512 m=512 h=512, 150 steps")


# Every table of `python -m bench`, in the order in which it makes them.
TABLES = ("bare", "compiling", "rivals", "calls", "memory", *scaling.SWEEPS, "speed", "softmax", "over N", "minimizer",
          "tolerance", "many", "studies", "cores")


def load(path=STORED):
    """Return the environment and a dict of the Tables by name."""
    found = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    return found["environment"], {table["name"]: Table.from_dict(table) for table in found["tables"]}


def summary(found, tables):
    """Return the README's part as Markdown: a step of ours and of the main rivals, at four sizes."""
    ours = _ours(tables["rivals"].rows)
    lines = _against_ours({size: ours[size] for size in SIZES}, SHOWN)
    parts = [
        "Time of one iteration in us, with everything that is recorded, and in brackets how many times ours that is.\n"
        "k = min(h, n + m) is the width that compression leaves; \"at width k\": others, with our compression.",
        _grid(lines),
        f"{environment.sentence(found)}.",
    ]
    return "\n\n".join(parts) + "\n"


def details(found, tables):
    """Return the part of docs/benchmarks.md as Markdown: everything that was compared, losses included."""
    names = ("calls", "memory", "softmax", "minimizer", "tolerance", "many", "studies", "cores")
    rest = [row for name in names if name in tables for row in tables[name].rows if row.target or name == "tolerance"]
    parts = [
        "One iteration with everything that is recorded, in us, and how many times ours that is (k = min(h, n + m) is\n"
        "the width that compression leaves):",
        _rivals(tables["rivals"].rows),
        *_compiling(tables),
        "Against the limit, the three matrix products that no step can do without (dgemm, called from Cython), in us:",
        _limit(tables["bare"].rows),
        "The speed of these products in GFLOP/s, 6nmk operations over the time of dgemm alone and over that of a\n"
        "whole step of ours, m = n, h = 4n; all cores: dgemm by OpenBLAS's own threads, and on each core for itself:",
        _speeds(tables),
        "And whole calls:",
        _grid([["", "measured"], *([f"{row.kind}; {row.what}", _ratio(row)] for row in rest)]),
        "**Bold**: slower than a rival, or short of the aim that `python -m bench` prints beside it. "
        f"{environment.sentence(found)}.",
    ]
    return "\n\n".join(parts) + "\n"


def missing(tables):
    """Return what a whole `python -m bench` would have stored and these Tables do not have."""
    absent = [f"table {name!r}" for name in TABLES if name not in tables]
    for name, others in (("rivals", NAMES), ("cores", RIVALS_OF_ALL_CORES)):
        if name in tables:
            found = {row.other for row in tables[name].rows}
            absent += [f"{other!r} in table {name!r}" for other in others if other not in found]
    return absent


def _ours(rows):
    """Return the rows that compare a step of ours, by size and by what it is compared with."""
    ours = {}
    for row in rows:
        if row.name == "lplfast":
            ours.setdefault(row.what, {})[row.other] = row
    return ours


def _against_ours(ours, others):
    """Return the cells of a table with a column for every size and a row for each of the others that was measured."""
    columns = list(ours.values())
    lines = [["", *ours], ["lplfast", *(short(column["NumPy"].time) for column in columns)]]
    for other in others:
        if any(other in column for column in columns):
            lines.append([NAMES[other], *(_against(column.get(other)) for column in columns)])
    return lines


def _rivals(rows):
    """Return the table with a column for every size and a row for everything that ours is compared with."""
    ours = _ours(rows)
    exact = {row.what: row for row in rows if row.name == "exact"}
    lines = _against_ours(ours, NAMES)
    lines.append(["fastest at full width / ours, LAPACK at every step", *(_ratio(exact[what]) for what in ours)])
    return _grid(lines)


def _compiling(tables):
    """Yield what compiling takes, in a sentence, if it was measured."""
    if "compiling" in tables:
        rows = tables["compiling"].rows
        said = ", ".join(f"{row.other.removesuffix(', compiling')} {short(row.other_time / 1e6)} s" for row in rows)
        yield (f"Not in the table is what is compiled before the first step, by JAX for each size, by Numba once a\n"
               f"process: {said} at {rows[0].what}. Ours takes all these steps in {short(rows[0].time)} us.")


def _limit(rows):
    return _grid([["", *(row.what for row in rows)], ["lplfast", *(short(row.time) for row in rows)],
                  ["products", *(short(row.other_time) for row in rows)],
                  ["lplfast / products", *(_ratio(row) for row in rows)]])


def _speeds(tables):
    one = [row for row in tables["over n"].rows if row.other == "bare"]
    every = tables["speed"].rows if "speed" in tables else []
    together, aside = ([row for row in every if (row.name == "lplfast") == ours] for ours in (True, False))
    found = {"dgemm, one core": (one, "other_time"), "lplfast, one core": (one, "time"),
             "dgemm, all cores": (together, "other_time"), "lplfast, all cores": (together, "time"),
             "dgemm, each core for itself": (aside, "other_time")}
    sizes = [row.size for row in one]
    lines = [["", *(f"n={n}" for n, _, _ in sizes)]]
    for name, (rows, time) in found.items():
        speeds = {row.size: speed(row.size, getattr(row, time)) for row in rows}
        if speeds:
            lines.append([name, *(short(speeds[size]) if size in speeds else "" for size in sizes)])
    return _grid(lines)


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
    """Return what comes before the part that is written here, the part, and what comes after."""
    before, begin, rest = text.partition(BEGIN)
    part, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the lines {BEGIN.strip()!r} and {END.strip()!r}")
    return before + begin, part, end + after


# file -> function that returns its part
PARTS = {ROOT / "README.md": summary, ROOT / "docs" / "comparison.md": summary,
         ROOT / "docs" / "benchmarks.md": details}


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.publish", description=__doc__)
    parser.add_argument("file", nargs="?", metavar="FILE", default=STORED, help="default: docs/bench.json")
    file = parser.parse_args().file
    found, tables = load(file)
    for absent in missing(tables):
        print(f"{file} has no {absent}: left out")
    for path, render in PARTS.items():
        before, _, after = between(path.read_text(encoding="utf-8"))
        path.write_text(before + render(found, tables) + after, encoding="utf-8")
    print(f"Wrote {', '.join(map(str, [*PARTS, *scaling_figure.draw(tables, FIGURES)]))}.")


if __name__ == "__main__":
    main()
