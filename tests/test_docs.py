"""What the documentation shows is what happens: doctests of every module, and the README's Python."""

import doctest
import importlib
import pathlib
import pkgutil
import re

import pytest

import lplfast
from lplfast.descent.history import COLUMNS
from lplfast.run.schema import SCHEMA

ROOT = pathlib.Path(__file__).parent.parent
MODULES = sorted({"lplfast"} | {module.name for module in pkgutil.walk_packages(lplfast.__path__, "lplfast.")}
                 - {"lplfast.__main__"})
WITH_EXAMPLES = {"lplfast.data", "lplfast.guarantees.bounds", "lplfast.guarantees.constants",
                 "lplfast.losses.checking", "lplfast.losses.classification", "lplfast.losses.custom",
                 "lplfast.losses.quadratic", "lplfast.losses.problems", "lplfast.network", "lplfast.rules.classical",
                 "lplfast.rules.formulas", "lplfast.rules.guaranteed", "lplfast.rules.published",
                 "lplfast.rules.registry", "lplfast.rules.search", "lplfast.rules.signature", "lplfast.run.many",
                 "lplfast.run.training", "lplfast.spectral.certified", "lplfast.spectral.exact",
                 "lplfast.spectral.modes", "lplfast.spectral.power"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0
    assert (found.attempted > 0) == (name in WITH_EXAMPLES)


def test_the_readme_trains_in_five_lines(capsys):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,), names = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL), {}
    assert len(code.splitlines()) <= 5
    exec(compile(code, "README.md", "exec"), names)
    assert capsys.readouterr().out.startswith("Converged")
    assert names["run"].violations == 0


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


def test_the_saved_file_is_documented_entry_by_entry():
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    rows = [f"| `{entry.name}` | {entry.dtype} | ({', '.join(entry.shape)}{',' if len(entry.shape) == 1 else ''}) | "
            f"{'yes' if entry.finite else ''} | {entry.group or 'always'} | {entry.meaning} |" for entry in SCHEMA]
    assert re.findall(r"^\| `.*$", text, flags=re.MULTILINE) == rows
