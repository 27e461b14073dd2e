"""What a notebook shows, by a real kernel without a screen: tables, and figures as last expressions."""

import base64
import html.parser
import pathlib

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import lplfast
from lplfast import (
    CustomLoss,
    MatrixFactorization,
    Network,
    SoftmaxLoss,
    SquaredLoss,
    guaranteed_rate,
    local_constants,
    train,
)
from lplfast.markup import number, table_html

PNG = b"\x89PNG\r\n\x1a\n"


class Balanced(html.parser.HTMLParser):
    """Sees that every tag is closed in its turn, and keeps the texts."""

    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def texts(markup):
    parser = Balanced()
    parser.feed(markup)
    parser.close()
    assert not parser.open
    return parser.texts


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(0)
    return train(MatrixFactorization(rng.standard_normal((3, 2))), Network.gaussian(3, 9, 2, std=0.5, rng=rng),
                 "sharp", max_iter=20)


def test_a_table_shows_texts_as_they_are():
    shown = texts(table_html("<b>", [("<script>", "a & b")], heads=('"x"', "y"), note="1 < 2"))
    assert shown == ["<b>", '"x"', "y", "<script>", "a & b", "1 < 2"]


@pytest.mark.parametrize(("value", "shown"), [(None, ""), (float("nan"), ""), (float("inf"), "inf"), (1 / 3, "0.3333"),
                                              (0.0, "0"), (12, "12")], ids=repr)
def test_a_number_in_a_table(value, shown):
    assert number(value) == shown


def test_everything_has_a_table(run):
    X = np.random.default_rng(0).standard_normal((12, 3))
    squared = SquaredLoss(X, X[:, :2])
    network = Network.gaussian(3, 50, 2, std=0.5, rng=0)
    shown = texts(run._repr_html_())
    assert f"Run: {run.status} after 20 iterations" in shown
    assert run.message in shown
    assert "Audit: every theorem held" in texts(run.audit()._repr_html_())
    assert "50 x 2" in texts(network._repr_html_())
    assert squared.conditioning in texts(squared._repr_html_())
    assert f"{squared.K:.4g}" in texts(squared._repr_html_())
    at = local_constants(squared, network)
    assert {"nu_hi", f"{at.sigma_max_W:.4g}"} <= set(texts(at._repr_html_()))
    found = guaranteed_rate(squared, network)
    assert found.message in texts(found._repr_html_())
    unknown = CustomLoss(lambda W: (0.0, 0 * W), shape=(2, 1), mu=0.0, K=1.0)
    assert "CustomLoss" in texts(unknown._repr_html_())


def test_a_table_is_no_reason_to_solve():
    problem = SoftmaxLoss(np.eye(3), [0, 1, 2], l2=1.0)
    assert "l*" not in texts(problem._repr_html_())
    assert problem.minimum > 0
    assert "l*" in texts(problem._repr_html_())


CELLS = [
    "from lplfast import *\nfrom lplfast import plots\n"
    "problem, network = MatrixFactorization([[2.0]]), Network([[1.0]], [[1.0]])\n"
    "run = train(problem, network)\nrun",
    "run.audit()", "guaranteed_rate(problem, network)", "local_constants(problem, network)", "problem", "network",
    "run.plot()", "plots.compare([run])",
]
BAR = "sweep(lambda rng: {'x': 1}, {}, seeds=6, progress=True).failed"


@pytest.mark.slow
def test_a_kernel_shows_tables_figures_and_bars(tmp_path, monkeypatch):
    # as in a fresh kernel that nobody has told of a backend
    monkeypatch.delenv("MPLBACKEND", raising=False)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    # the package that is tested, wherever it is
    monkeypatch.setenv("PYTHONPATH", str(pathlib.Path(lplfast.__file__).parent.parent))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (*CELLS, BAR)])
    NotebookClient(notebook, timeout=120, kernel_name="python3",
                   resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [cell["outputs"][-1]["data"] for cell in notebook.cells]
    for data in shown[:-3]:
        assert texts(data["text/html"])
    for data in shown[-3:-1]:
        assert base64.b64decode(data["image/png"]).startswith(PNG)
    # a bar of text, since there are no widgets to draw one
    bar = "".join(output["text"] for output in notebook.cells[-1]["outputs"] if output["output_type"] == "stream")
    assert "6/6" in bar
    assert "cell/s" in bar
