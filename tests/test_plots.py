"""Figures: every panel shows what the history holds, and nothing that a log scale cannot."""

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from cases import PROBLEMS

from lplfast import CustomLoss, Network, train
from lplfast.plots import compare, plot_constants, plot_gap, plot_step_size, save_figure

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


@pytest.fixture(scope="module")
def runs():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    network = Network.gaussian(6, 50, 4, std=0.4, rng=1)
    return {rule: train(problem, network, rule, max_iter=200) for rule in ("local", "sharp", "majorizer", "exact")}


@pytest.mark.parametrize("x", ["iteration", "time"])
def test_runs_are_compared_with_labels_beside_their_curves(runs, x, tmp_path):
    ax = compare(runs, x=x)
    assert ax.get_legend() is None
    assert [text.get_text() for text in ax.texts] == list(runs)
    assert ax.get_xlabel() == {"iteration": "iteration $t$", "time": "seconds"}[x]
    ax.figure.draw_without_rendering()
    box, boxes = ax.get_window_extent(), [text.get_window_extent() for text in ax.texts]
    for text, extent, line, run in zip(ax.texts, boxes, ax.get_lines(), runs.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), run.history["gap"])
        np.testing.assert_array_equal(line.get_xdata(), run.history[x])
        assert text.get_color() == line.get_color()
        assert box.x0 - 1 <= extent.x0 < extent.x1 <= box.x1 + 1
        assert box.y0 - 1 <= extent.y0 < extent.y1 <= box.y1 + 1
        assert not any(extent.overlaps(other) for other in boxes if other is not extent)
        # 15 dots away at most, and the diagonal
        points = ax.transData.transform(line.get_xydata())
        assert min(np.hypot(max(extent.x0 - x, x - extent.x1, 0), max(extent.y0 - y, y - extent.y1, 0))
                   for a, b in itertools.pairwise(points) for x, y in np.linspace(a, b, 20)) < 22
    save_figure(ax.figure, tmp_path / "compare.png")


def test_what_cannot_be_compared(runs):
    run = runs["local"]
    bare = train(CustomLoss(lambda W: (1.0, 0 * W), shape=(2, 2), mu=1.0, K=1.0), Network.gaussian(2, 5, 2, rng=0),
                 0.1, max_iter=3, record=["mu_t"])
    for bad, named in (([bare], "runs: expected the column 'gap' or 'loss'"), (run, "runs: expected a list"),
                       ([], "runs: expected at least one"), ([1], "runs: expected Run objects")):
        with pytest.raises((TypeError, ValueError), match=named):
            compare(bad)
    with pytest.raises(ValueError, match="x: expected one of 'iteration', 'time'"):
        compare([run], x="steps")
    unknown = train(CustomLoss(lambda W: (float((W * W).sum()), 2 * W), shape=(2, 2), mu=2.0, K=2.0),
                    Network.gaussian(2, 5, 2, rng=0), 0.1, max_iter=30)
    assert compare([unknown]).get_ylabel() == "loss $L(t)$"
