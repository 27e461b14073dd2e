"""Runs as a table, and one run as an xarray.Dataset."""

import pathlib
import re

import numpy as np
import pytest
import xarray

from lplfast import MatrixFactorization, Network, compare, train, train_many
from lplfast.descent import history
from lplfast.run.columns import COLUMNS, described

HISTORY = pathlib.Path(__file__).parents[2] / "docs" / "history.md"

PROBLEM = MatrixFactorization(np.diag([3.0, 2.0, 1.0]))
NETWORK = Network.gaussian(3, 20, 3, std=0.5, rng=0)


def test_a_table_of_runs():
    runs = train_many(PROBLEM, NETWORK, ["local", "sharp", 1e-3, 2e-3], max_iter=60)
    table = compare(runs)
    assert list(table.index) == ["Local", "Sharp", "Constant(eta=0.001)", "Constant(eta=0.002)"]
    assert table.status.tolist() == [run.status for run in runs]
    assert table.iterations.tolist() == [run.iterations for run in runs]
    assert table.gap.tolist() == [run.history["gap"][-1] for run in runs]
    assert (table.gap <= table.guaranteed).all()
    assert table.work.tolist() == [run.history["loss_evaluations"][-1] + run.history["gradient_evaluations"][-1]
                                   for run in runs]
    assert (table.seconds > 0).all()
    assert compare({"a": runs[0], "b": runs[1]}).index.tolist() == ["a", "b"]
    assert compare(runs[:2], ["a", "b"]).equals(compare({"a": runs[0], "b": runs[1]}))
    assert compare([runs[0], runs[0]]).index.tolist() == ["Local", "Local 2"]
    assert compare(runs).to_markdown().count("\n") == 5
    assert r"\toprule" in compare(runs).to_latex(float_format="%.3g")
    short = compare([train(PROBLEM, NETWORK, record=["loss"])])
    assert short[["gap", "guaranteed", "seconds"]].isna().all(axis=None)


@pytest.mark.parametrize(("labels", "named"), [
    ("ab", "labels: expected a list of text"), ([1, 2], "labels: expected a list of text"),
    (["a"], "labels: expected 2 distinct"), (["a", "a"], "labels: expected 2 distinct"),
])
def test_labels_that_do_not_fit(labels, named):
    run = train(PROBLEM, NETWORK)
    with pytest.raises((TypeError, ValueError), match=named):
        compare([run, run], labels)
    with pytest.raises(ValueError, match="labels: expected None where runs are a dict"):
        compare({"a": run}, ["a"])


@pytest.mark.parametrize("options", [{}, {"record_every": 7}, {"record_every": 7, "record": ["gap", "time"]},
                                     {"max_iter": 0}])
def test_a_run_as_a_dataset(options, tmp_path):
    run = train(PROBLEM, NETWORK, **{"max_iter": 50, **options})
    found = run.to_xarray()
    every = options.get("record_every", 1)
    assert found.iteration.values.tolist() == sorted({*range(0, run.iterations, every), run.iterations})
    for name, column in run.history.items():
        np.testing.assert_array_equal(found[name].values, column)
        assert found[name].attrs == {"units": "s" if name == "time" else "1", "long_name": COLUMNS[name]}
    assert (found.status, found.iterations, found.rule) == (run.status, run.iterations, "Local()")
    found.to_netcdf(tmp_path / "run.nc", engine="h5netcdf")
    with xarray.open_dataset(tmp_path / "run.nc", engine="h5netcdf") as again:
        assert again.load().identical(found)


def test_every_column_has_a_description():
    documented = re.findall(r"^\| `(\w+)` \| (?:iterate|step|up to it) \|", HISTORY.read_text(encoding="utf-8"), re.M)
    assert tuple(documented) == history.COLUMNS
    for name in documented:
        assert described(name)["long_name"] != name
