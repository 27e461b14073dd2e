"""The studies of docs/examples/studies, at small size: what they return, and their figures."""

import importlib.util
import pathlib

import cloudpickle
import numpy as np
import pytest

from lplfast import sweep
from lplfast.plots import save_figure
from lplfast.studies.description import read_study
from lplfast.studies.grid import Grid

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "examples" / "studies"

SMALL = {"widths": {"loss": ["factorization", "diabetes"], "rule": ["local", "majorizer"], "width": [10, 640],
                    "std": [1.0]},
         "certified": {"rule": ["local", "sharp", "majorizer"], "l2": [0.3, 0.1], "width": [16]}}

# At full size, which `python -m bench studies` times.
CELLS = {"widths": 2 * 6 * 8 * 3 * 20, "certified": 3 * 4 * 4 * 10}


def module(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize("name", SMALL)
def test_a_study_at_small_size(name, tmp_path):
    study = module(name)
    experiment, grid, options = read_study(FOLDER / f"{name}.toml")
    assert (grid, options["name"], experiment.__name__) == (study.GRID, name, "experiment")
    assert len(Grid(grid, options["seeds"])) == CELLS[name]
    # as processes are sent it, which cannot import its file
    experiment = cloudpickle.loads(cloudpickle.dumps(experiment))
    found = sweep(experiment, SMALL[name], seeds=2, store=tmp_path, name=name)
    assert found.failed == 0
    assert (found.status == "converged").all()
    assert (found.violations == 0).all()
    # by far, on ill-conditioned data
    ratio = found.iterations.sel(rule="local") / found.iterations.sel(rule="majorizer")
    assert (ratio.sel(loss="diabetes") > 5).all() if name == "widths" else (ratio > 5).all()
    figure = study.figure(found)
    save_figure(figure, tmp_path / "figure.png")
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert set(texts) == set(SMALL[name]["rule"])
    if name == "certified":
        share = study.guaranteed_share(found)
        assert ((share > 0) & (share <= 1)).all()
        assert (found.final_gap <= found.final_bound).all()
    else:
        # wider is faster: the tangent kernel is better conditioned
        factorized = found.iterations.sel(loss="factorization")
        assert (factorized.isel(width=1) < factorized.isel(width=0)).all()
    assert np.isfinite(found.final_gap).all()
