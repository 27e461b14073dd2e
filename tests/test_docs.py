"""What the documentation shows is what happens: doctests of every module, and the README's Python."""

import doctest
import importlib
import pathlib
import pkgutil
import re

import pytest

import lplfast
from lplfast.descent.descent import COLUMNS

ROOT = pathlib.Path(__file__).parent.parent
MODULES = sorted({"lplfast"} | {module.name for module in pkgutil.walk_packages(lplfast.__path__, "lplfast.")}
                 - {"lplfast.__main__"})
WITH_EXAMPLES = {"lplfast.data", "lplfast.guarantees.bounds", "lplfast.guarantees.constants",
                 "lplfast.losses.checking", "lplfast.losses.classification", "lplfast.losses.custom",
                 "lplfast.losses.quadratic", "lplfast.losses.problems", "lplfast.network", "lplfast.rules.classical",
                 "lplfast.rules.formulas", "lplfast.rules.guaranteed", "lplfast.rules.published",
                 "lplfast.rules.registry", "lplfast.rules.search", "lplfast.rules.signature", "lplfast.run.many",
                 "lplfast.run.training", "lplfast.spectral.spectral"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0
    assert (found.attempted > 0) == (name in WITH_EXAMPLES)


def test_the_readme_trains_in_five_lines_and_goes_on(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks, names = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL), {}
    assert len(blocks) == 2
    for code in blocks:
        assert len(code.splitlines()) <= 5
        exec(compile(code, "README.md", "exec"), names)
    assert "Converged" in capsys.readouterr().out
    assert [run.converged for run in names["runs"]] == [True] * 3
    assert names["run"].converged
    assert names["run"].iterations > 50


def test_the_rule_of_ones_own_runs_and_is_faster(capsys):
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    exec(compile(code, "docs/rules.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed.startswith("Converged")
    assert float(printed.split()[-1]) > 1
    names = set(re.findall(r'"([a-z0-9-]+)"', text.partition("## A rule")[0]))
    assert names == set(lplfast.steps.RULES)


def test_every_relative_link_leads_somewhere():
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_the_history_is_documented_column_by_column():
    text = (ROOT / "docs" / "history.md").read_text(encoding="utf-8").partition("## Glossary")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)) == COLUMNS
