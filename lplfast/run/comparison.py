"""Runs side by side."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..validation import shown
from .run import Run

if TYPE_CHECKING:   # an extra
    import pandas as pd

__all__ = ["Runs", "compare", "labelled"]

# Runs alone, or with their labels.
Runs = Sequence[Run] | Mapping[str, Run]


def compare(runs: Runs, labels: Sequence[str] | None = None) -> "pd.DataFrame":
    """Return a table of runs, one a row: how each ended, what it cost, and what was guaranteed.

    Columns: `status`; `iterations`; `seconds` in the compiled loop; `work`, evaluations of the loss and of its gradient
    together; `gap`, the last one, L - l*; `guaranteed`, what the rates of all steps guarantee for it, an upper
    bound. NaN where a number was not recorded. `.to_markdown()` and `.to_latex(float_format="%.3g")` are pandas' own.

    Parameters
    ----------
    runs : list of Run, or dict
        Label -> run, or runs alone.
    labels : list of str, optional
        What to call each; of a list, the rules, numbered where they are the same.

    Returns
    -------
    pandas.DataFrame
        With the labels as its index.

    Raises
    ------
    TypeError, ValueError
        On bad arguments.
    ImportError
        If pandas is not installed.

    Examples
    --------
    >>> from lplfast import MatrixFactorization, Network, compare, train_many
    >>> runs = train_many(MatrixFactorization([[2.0]]), Network([[1.0]], [[1.0]]), ["local", "sharp"])
    >>> compare(runs).status.tolist()
    ['converged', 'converged']

    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError('compare needs pandas: pip install "lplfast[frames]"') from error
    named = labelled(runs, labels)
    rows = [{"status": run.status, "iterations": run.iterations, "seconds": _last(run, "time"),
             "work": run.counters["loss_evaluations"] + run.counters["gradient_evaluations"],
             "gap": _last(run, "gap"), "guaranteed": _last(run, "gap_bound")} for run in named.values()]
    return pd.DataFrame(rows, index=pd.Index(list(named), name="run", dtype=object))


def labelled(runs, labels=None):
    """Return runs by their labels, at least one."""
    if isinstance(runs, dict):
        if labels is not None:
            raise ValueError("labels: expected None where runs are a dict, whose keys they are, got labels")
        runs, labels = list(runs.values()), list(runs)
    elif isinstance(runs, (list, tuple)):
        runs = list(runs)
    else:
        raise TypeError(f"runs: expected a list of Run, or a dict of them by their labels, got {shown(runs)}")
    for run in runs:
        if not isinstance(run, Run):
            raise TypeError(f"runs: expected Run objects, got {shown(run)}")
    if not runs:
        raise ValueError("runs: expected at least one, got none")
    labels = _rules(runs) if labels is None else _checked(labels, len(runs))
    return dict(zip(labels, runs, strict=True))


def _checked(labels, count):
    if not isinstance(labels, (list, tuple)) or not all(isinstance(label, str) for label in labels):
        raise TypeError(f"labels: expected a list of text, got {shown(labels)}")
    if len(labels) != count or len(set(labels)) < count:
        raise ValueError(f"labels: expected {count} distinct ones, one for each run, got {shown(labels)}")
    return labels


def _rules(runs):
    """Return what the rules are called, numbered from the second of the same on."""
    found, seen = [], {}
    for run in runs:
        rule = run.facts.rule.removesuffix("()")
        seen[rule] = seen.get(rule, 0) + 1
        found.append(f"{rule} {seen[rule]}" if seen[rule] > 1 else rule)
    return found


def _last(run, column):
    return float(run.history[column][-1]) if column in run.history else float("nan")
