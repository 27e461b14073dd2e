"""Figures: every panel shows what the history holds, and nothing that a log scale cannot."""

import matplotlib as mpl
import numpy as np
import pytest
from cases import PROBLEMS

from lplfast import Network, train
from lplfast.plots import plot_constants, plot_gap, plot_step_size

mpl.use("Agg")


@pytest.fixture(scope="module")
def run():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    return train(problem, Network.gaussian(6, 50, 4, std=0.4, rng=1), max_iter=100)


def test_overview_has_three_labelled_panels(run, tmp_path):
    figure = run.plot()
    panels = figure.get_axes()
    assert len(panels) == 3
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in panels)
    for name in ("overview.png", "overview.pdf"):
        figure.savefig(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5000


def test_panels_draw_the_columns(run):
    from matplotlib.figure import Figure

    for draw, columns in ((plot_gap, ["gap_bound", "gap"]), (plot_step_size, ["step_size"]),
                          (plot_constants, ["K_t", "K_t_sharp", "mu_t"])):
        ax = Figure().add_subplot()
        assert draw(run, ax) is ax
        lines = ax.get_lines()[: len(columns)]
        for line, column in zip(lines, columns, strict=True):
            values = run.history[column]
            assert np.array_equal(line.get_ydata(), values[np.isfinite(values)])


def test_a_run_without_a_rate_is_drawn_too():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 5, 4)
    for run in (train(problem, Network.gaussian(5, 2, 4, rng=0), max_iter=10),
                train(problem, Network.gaussian(5, 9, 4, rng=0), max_iter=0)):
        run.plot().canvas.draw()
