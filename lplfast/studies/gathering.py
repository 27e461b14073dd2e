"""Results of cells, gathered into a shard."""

import numpy as np

from .results import ATTRS, HISTORY, LINE
from .shard import Layout, Shard, Variable

__all__ = ["gathered"]


def gathered(keys, errors, seconds, results):
    """Return the shard of cells whose `results` are dicts, name -> (dims, array, attrs); None where there is none."""
    histories = {number: result.pop(HISTORY) for number, result in enumerate(results) if result and HISTORY in result}
    if _alike(histories, results):
        variables = _columns(histories)
    else:
        variables = []
        for number, history in histories.items():
            results[number] |= history.variables()
    return Shard(keys, errors, np.array(seconds), [*_gathered(results), *variables])


def _alike(histories, results):
    """Whether all histories have the same columns, and nothing else has their names."""
    names = {history.names for history in histories.values()}
    return len(names) == 1 and not any({"iteration", *names.copy().pop()} & set(result) for result in results if result)


def _columns(histories):
    """Return the variables of histories with the same columns: they share their shapes."""
    cells, histories = np.array(list(histories)), list(histories.values())
    layout = Layout(cells, np.array([[history.rows] for history in histories]))
    values = {name: np.concatenate([history.columns[name][:history.rows] for history in histories])
              for name in histories[0].kept()}
    values["iteration"] = np.concatenate([history.iterations() for history in histories])
    return [Variable(name, LINE, ATTRS[name], layout, column) for name, column in values.items()]


def _gathered(results):
    """Return the variables of dicts: of a name, one for each kind of thing that cells have returned by it."""
    parts = {}
    for number, result in enumerate(results):
        for name, (dims, array, attrs) in (result or {}).items():
            _, cells, arrays = parts.setdefault((name, dims, array.dtype.kind == "U"), (attrs, [], []))
            cells.append(number)
            arrays.append(array)
    variables, of_scalars = [], {}
    for (name, dims, _), (attrs, cells, arrays) in parts.items():
        shapes = np.array([array.shape for array in arrays], dtype=np.int64).reshape(len(arrays), len(dims))
        layout = Layout(np.array(cells), shapes)
        if not dims:
            layout = of_scalars.setdefault(tuple(cells), layout)
        variables.append(Variable(name, dims, attrs, layout, np.concatenate([array.reshape(-1) for array in arrays])))
    return variables
