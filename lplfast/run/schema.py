"""What a saved run consists of: one table, by which it is written, read and documented (docs/files.md).

An entry whose dtype is NumPy's is an array of the .npz file. The others are members of its entry `about`, a JSON text:
`facts/mu` is `about["facts"]["mu"]`.
"""

from typing import NamedTuple

from ..descent.history import COLUMNS
from ..descent.state import CHECKS

__all__ = ["ALTERNATIVES", "ARRAYS", "ENTRIES", "FORMAT", "MEMBERS", "PREFIXES", "SCHEMA"]

FORMAT = 6


class Entry(NamedTuple):
    """A row of the table.

    A name with `<...>` stands for all that ALTERNATIVES lists. A shape is made of the sizes that members say (`n`, `m`,
    `width`, `run_width`, `rows`) and of others, which are what the file says and the same wherever they stand. Entries
    of a `group` are there all or none, those of none always.
    """

    name: str
    dtype: str
    shape: tuple
    finite: bool
    group: str
    meaning: str


def _entry(name, dtype, meaning, shape=(), *, finite=False, group=""):
    return Entry(name, dtype, shape, finite, group, meaning)


SCHEMA = (
    _entry("format", "integer", "format of the file, 6"),
    _entry("status", "text", "how the run ended"),
    _entry("message", "text", "the same in a sentence"),
    _entry("iterations", "integer", "steps taken"),
    _entry("checks/<inequality>/steps", "integer", "how often the inequality was checked"),
    _entry("checks/<inequality>/violations", "integer", "how often it failed by more than rounding explains"),
    _entry("checks/<inequality>/uninformative", "integer", "how often rounding may take more than its slack"),
    _entry("checks/<inequality>/smallest", "number or null", "smallest slack of the other checks; null if none"),
    _entry("checks/<inequality>/smallest_at", "integer or null", "its iteration"),
    _entry("counters/<counter>", "integer", "`Run.counters`"),
    _entry("facts/problem", "text", "repr of the problem"),
    _entry("facts/mu", "number", "its PL constant"),
    _entry("facts/K", "number", "its smoothness constant"),
    _entry("facts/minimum", "number", "l*; NaN where it is not known"),
    _entry("facts/rule", "text", "repr of the rule, or of all rules in turn"),
    _entry("facts/constants", "text", "how singular values were found"),
    _entry("facts/tolerance", "number", "to which part of themselves", finite=True),
    _entry("facts/tol", "number", "the part of the first gap at which the run has converged", finite=True),
    _entry("facts/unreached", "number", "the least gap of a network of this width; NaN where it is not known"),
    _entry("facts/n", "integer", "rows of W1"),
    _entry("facts/m", "integer", "columns of W2"),
    _entry("facts/width", "integer", "columns of W1, rows of W2"),
    _entry("facts/run_width", "integer", "the same of the layers that were trained"),
    _entry("facts/versions/<package>", "text", "with which versions"),
    _entry("guarantee/contraction", "number or null", "guaranteed contraction of a step from the start; null if none"),
    _entry("guarantee/bounds/alpha", "number", "lower bound on s_min(T)^2, from the start", group="bounds"),
    _entry("guarantee/bounds/beta", "number", "upper bound on s_max(T)^2", group="bounds"),
    _entry("guarantee/bounds/p1", "number", "lower bound on s_min(W)", group="bounds"),
    _entry("guarantee/bounds/p2", "number", "upper bound on s_max(W)", group="bounds"),
    _entry("guarantee/bounds/mu_lower", "number", "lower bound on mu_t", group="bounds"),
    _entry("guarantee/bounds/gap", "number", "the gap that the bounds hold for", group="bounds"),
    _entry("guarantee/bounds/K", "number", "smoothness constant that they were made with", group="bounds"),
    _entry("guarantee/bounds/imbalance/n", "integer", "rows of W1 that the loss sees", group="bounds"),
    _entry("guarantee/bounds/imbalance/m", "integer", "columns of W2", group="bounds"),
    _entry("guarantee/bounds/imbalance/top", "number", "largest eigenvalue of the imbalance D, or 0", group="bounds"),
    _entry("guarantee/bounds/imbalance/bottom", "number", "largest of -D, or 0", group="bounds"),
    _entry("guarantee/bounds/imbalance/nth", "number", "n-th largest of D, or 0", group="bounds"),
    _entry("guarantee/bounds/imbalance/mth", "number", "m-th largest of -D, or 0", group="bounds"),
    _entry("guarantee/bounds/margins/mu", "number", "mu of the loss that is trained", group="bounds"),
    _entry("guarantee/bounds/margins/K", "number", "K of it", group="bounds"),
    _entry("guarantee/bounds/margins/quadratic", "boolean", "whether it is a squared loss", group="bounds"),
    _entry("guarantee/bounds/margins/least", "number", "least singular value of the minimizer, or of the first W",
           group="bounds"),
    _entry("guarantee/bounds/margins/greatest", "number", "the greatest", group="bounds"),
    _entry("guarantee/bounds/margins/error", "number", "how far the minimizer may be from there", group="bounds"),
    _entry("guarantee/bounds/margins/data_least", "number or null", "the least in the units of the data; null if none",
           group="bounds"),
    _entry("guarantee/bounds/margins/data_greatest", "number or null", "the greatest in them", group="bounds"),
    _entry("guarantee/bounds/margins/slack", "number", "what rounding may take of a difference", group="bounds"),
    _entry("continuation/options/rule/class", "text", "name of the rule's class; after `*.` where it is not lplfast's"),
    _entry("continuation/options/rule/options", "object",
           'what the class is called with; `{"tuple": [...]}` is a tuple, `{"not kept": text}` what JSON cannot hold'),
    _entry("continuation/options/constants/mode", "text", "how singular values are found"),
    _entry("continuation/options/constants/tolerance", "number", "to which part of themselves", finite=True),
    _entry("continuation/options/tol", "number", "as in `train`", finite=True),
    _entry("continuation/options/grad_tol", "number or null", "as in `train`", finite=True),
    _entry("continuation/options/max_growth", "number or null", "as in `train`", finite=True),
    _entry("continuation/options/compress", "boolean", "whether at the equivalent width"),
    _entry("continuation/options/record", "text", "names of the columns of the history", ("columns",)),
    _entry("continuation/options/record_every", "integer", "one iterate in so many is kept"),
    _entry("continuation/options/layer_scales/W1", "number", "unit of W1 in training: its square is what its steps are "
           "multiplied by", finite=True),
    _entry("continuation/options/layer_scales/W2", "number", "unit of W2", finite=True),
    _entry("continuation/fingerprint", "text", "of the problem: only the same one goes on"),
    _entry("continuation/layout", "text", "of the state: only a version with the same one goes on"),
    _entry("continuation/loss", "number", "loss at the last iterate"),
    _entry("continuation/run_width", "integer", "width of the layers in the state"),
    _entry("history/<column>", "float64", "a recorded column (docs/history.md)", ("rows",), group="history"),
    _entry("network/n", "int64", "rows of W1"),
    _entry("network/width", "int64", "columns of W1, rows of W2"),
    _entry("network/wide", "float64", "the layers at the end, the stack [W1; W2.T]", ("n + m", "width"), finite=True,
           group="wide"),
    _entry("network/small", "float64", "or the same in fewer coordinates", ("n + m", "run_width"), finite=True,
           group="small"),
    _entry("network/basis", "float64", "the orthonormal basis that they refer to", ("run_width", "width"), finite=True,
           group="basis"),
    _entry("network/seed", "int64", "or the seed that it is drawn with", ("4",), group="seed"),
    _entry("network/origin", "int64", "or the SHA-256 of the initial layers that it is made of; with none of these "
           "three, the first axes", ("4",), group="origin"),
    _entry("continuation/state", "float64", "memory, what the loss carries along, and layers of the compiled loop",
           ("numbers",)),
    _entry("continuation/start", "float64", "W1 at t = 0, if the problem cannot see all of it", ("n", "run_width"),
           finite=True, group="start"),
)

ALTERNATIVES = {
    "<inequality>": CHECKS,
    "<counter>": ("loss_evaluations", "gradient_evaluations", "eigenproblems", "backtracks", "renewals", "redone",
                  "narrow"),
    "<package>": ("lplfast", "python", "numpy", "scipy"),
    "<column>": COLUMNS,
}


def _expanded(entry):
    for pattern, names in ALTERNATIVES.items():
        if pattern in entry.name:
            return [entry._replace(name=entry.name.replace(pattern, name)) for name in names]
    return [entry]


# every entry that a file may have, by its name
ENTRIES = {entry.name: entry for row in SCHEMA for entry in _expanded(row)}

PREFIXES = {name[:at] for name in ENTRIES for at, letter in enumerate(name) if letter == "/"}

ARRAYS = {name: entry for name, entry in ENTRIES.items() if entry.dtype in ("float64", "int64")}

MEMBERS = {name: entry for name, entry in ENTRIES.items() if name not in ARRAYS}
