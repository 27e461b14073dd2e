"""Figures: every panel shows what the history holds, and nothing that a log scale cannot."""

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from cases import PROBLEMS
from matplotlib.figure import Figure

from lplfast import CustomLoss, Network, train
from lplfast.direct_labels import label_curves
from lplfast.plots import compare, plot_constants, plot_gap, plot_rate, plot_step_size, save_figure

mpl.use("Agg")


@pytest.fixture(scope="module")
def run():
    return train(*start(), max_iter=100)


def start():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    return problem, Network.gaussian(6, 50, 4, std=0.4, rng=1)


def test_overview_has_four_labelled_panels(run, tmp_path):
    figure = run.plot()
    panels = figure.get_axes()
    assert len(panels) == 4
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in panels)
    for name in ("overview.png", "overview.pdf"):
        figure.savefig(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5000


def test_panels_draw_the_columns(run):
    for draw, columns in ((plot_gap, ["gap_bound", "gap"]), (plot_step_size, ["step_size"]),
                          (plot_constants, ["K_t", "K_t_sharp", "mu_t"])):
        ax = Figure().add_subplot()
        assert draw(run, ax) is ax
        lines = ax.get_lines()[: len(columns)]
        for line, column in zip(lines, columns, strict=True):
            values = run.history[column]
            assert np.array_equal(line.get_ydata(), values[np.isfinite(values)])


def test_curves_have_labels_beside_them_that_cover_nothing(run):
    figure = run.plot()
    figure.draw_without_rendering()
    for ax in figure.get_axes():
        assert ax.get_legend() is None
        box, boxes = ax.get_window_extent(), [text.get_window_extent() for text in ax.texts]
        labels = {line.get_label() for line in ax.get_lines() if not line.get_label().startswith("_")}
        assert {text.get_text() for text in ax.texts} == labels
        for text, extent in zip(ax.texts, boxes, strict=True):
            assert box.x0 - 1 <= extent.x0 < extent.x1 <= box.x1 + 1
            assert box.y0 - 1 <= extent.y0 < extent.y1 <= box.y1 + 1
            assert not any(extent.overlaps(other) for other in boxes if other is not extent)
            for line in ax.get_lines():
                points = ax.transData.transform(line.get_xydata())
                x, y = np.concatenate([points, (points[1:] + points[:-1]) / 2]).T
                assert not ((x > extent.x0) & (x < extent.x1) & (y > extent.y0) & (y < extent.y1)).any(), text


def test_labels_are_those_of_the_curves_that_are_new(run):
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    ax.plot([0, 50], [1e-3, 1e-3], label="mine")
    ax.axhline(1e-2, label="_not this one")
    plot_gap(run, ax)
    assert "mine" not in {text.get_text() for text in ax.texts}
    assert "measured" in {text.get_text() for text in ax.texts}
    plot_constants(run, Figure().subfigures(1, 2)[0].add_subplot())


def test_a_label_without_room_beside_its_line_is_joined_to_it():
    from matplotlib.figure import Figure

    ax = Figure(figsize=(3, 3)).add_subplot()
    lines = [ax.plot([0, 1], [0.5 + i / 100, 0.5 + i / 100])[0] for i in range(-8, 9)]
    ax.set_ylim(0, 1)
    label_curves(ax, lines[8:9], ["the one between"], clear_of=lines[:8] + lines[9:])
    (joint,) = ax.collections
    assert np.allclose(joint.get_segments()[0][0, 1], 0.5, atol=0.01)
    assert len(ax.get_lines()) == 17


def test_the_rate_is_drawn_as_far_as_rounding_lets_see_it():
    from matplotlib.figure import Figure

    run = train(*start(), max_iter=300, tol=0.0)
    ax = plot_rate(run, Figure().add_subplot())
    measured, guaranteed = ax.get_lines()
    gap, floor = run.history["gap"], run.history["floor"]
    t = measured.get_xdata().astype(int)
    assert 0 < t.size < gap.size - 1        # it has come to where rounding is all that is left
    assert (gap[t + 1] > 1e3 * floor[t + 1]).all()
    # 1 - x loses a digit or two
    np.testing.assert_allclose(measured.get_ydata(), 1 - gap[t + 1] / gap[t], rtol=1e-12)
    np.testing.assert_array_equal(guaranteed.get_ydata(), (1 - run.history["rate_bound"])[:-1])
    # a thinned history: of as many steps
    thin = train(*start(), max_iter=100, record_every=7)
    measured = plot_rate(thin, Figure().add_subplot()).get_lines()[0]
    gap = thin.history["gap"]
    assert np.isclose(measured.get_ydata()[0], 1 - (gap[1] / gap[0]) ** (1 / 7), rtol=1e-12)


@pytest.mark.parametrize(("iterations", "scale"), [(60, "linear"), (400, "symlog")])
def test_the_first_iterations_have_room_where_there_are_many(iterations, scale):
    problem, network = start()
    figure = train(problem, network, 1e-4, max_iter=iterations).plot()
    assert [ax.get_xscale() for ax in figure.get_axes()] == ["linear", scale, scale, scale]


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
    figure = compare(runs, x=x)
    (ax,) = figure.axes
    assert ax.get_legend() is None
    assert [text.get_text() for text in ax.texts] == list(runs)
    assert ax.get_xlabel() == {"iteration": "iteration $t$", "time": "seconds"}[x]
    figure.draw_without_rendering()
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
    save_figure(figure, tmp_path / "compare.png")
    # as that of a run, a notebook shows it; and given axes, it is drawn there
    assert figure._repr_png_()
    panels = Figure().subplots(1, 2)
    assert compare(runs, x=x, ax=panels[1]) is panels[1].figure
    assert [len(ax.get_lines()) for ax in panels] == [0, len(runs)]


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
    assert compare([unknown]).axes[0].get_ylabel() == "loss $L(t)$"
