"""What the documentation shows is what happens: doctests of every module, and the README's Python."""

import doctest
import importlib
import pathlib
import pkgutil
import re

import pytest

import lplfast
import lplfast.plots
from lplfast.descent.history import COLUMNS
from lplfast.experiments import EXPERIMENTS
from lplfast.run.schema import SCHEMA

ROOT = pathlib.Path(__file__).parent.parent
MODULES = sorted({"lplfast"} | {module.name for module in pkgutil.walk_packages(lplfast.__path__, "lplfast.")}
                 - {"lplfast.__main__"})
WITH_EXAMPLES = {"lplfast.cli.parser", "lplfast.data", "lplfast.guarantees.bounds", "lplfast.guarantees.constants",
                 "lplfast.guarantees.curve", "lplfast.guarantees.envelope", "lplfast.guarantees.rates",
                 "lplfast.guarantees.stationarity",
                 "lplfast.losses.checking",
                 "lplfast.losses.concordance", "lplfast.losses.custom", "lplfast.losses.logistic",
                 "lplfast.losses.problems",
                 "lplfast.losses.quadratic", "lplfast.losses.robust", "lplfast.losses.softmax",
                 "lplfast.losses.squared", "lplfast.network",
                 "lplfast.observer",
                 "lplfast.rules.classical", "lplfast.rules.formulas", "lplfast.rules.guaranteed",
                 "lplfast.rules.planned", "lplfast.rules.published", "lplfast.rules.registry", "lplfast.rules.rule",
                 "lplfast.rules.schedule",
                 "lplfast.rules.search",
                 "lplfast.rules.signature", "lplfast.run.comparison", "lplfast.run.many", "lplfast.run.plan",
                 "lplfast.run.run", "lplfast.run.training", "lplfast.spectral.certified",
                 "lplfast.spectral.exact", "lplfast.spectral.modes", "lplfast.spectral.power",
                 "lplfast.studies.sweep"}


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


def test_the_study_of_the_guide_is_carried_out(capsys):
    text = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    (code,), names = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL), {}
    exec(compile(code, "docs/studies.md", "exec"), names)
    assert "majorizer" in capsys.readouterr().out
    assert names["found"].failed == 0
    assert (names["found"].status == "converged").all()


def test_the_rule_of_ones_own_runs_and_is_faster(capsys):
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    exec(compile(code, "docs/rules.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed.startswith("Converged")
    assert float(printed.split()[-1]) > 1
    names = set(re.findall(r'"([a-z0-9-]+)"', text.partition("## A rule")[0]))
    assert names == set(lplfast.steps.RULES)


GUIDE = [ROOT / "docs" / "start.md", *(path for path in sorted((ROOT / "docs" / "guide").glob("*.md"))
                                       if "```python" in path.read_text(encoding="utf-8"))]
NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]\d+)?")


@pytest.mark.parametrize("path", GUIDE, ids=lambda path: path.name)
def test_the_guide_prints_what_it_shows(path, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)     # a page may write files
    blocks = re.findall(r"^```python\n(.*?)^```\n(?:\n^```text\n(.*?)^```)?", path.read_text(encoding="utf-8"),
                        flags=re.MULTILINE | re.DOTALL)
    names = {}
    for code, shown in blocks:
        exec(compile(code, path.name, "exec"), names)
        printed = capsys.readouterr().out
        assert NUMBER.sub("0", printed) == NUMBER.sub("0", shown)
        # another processor has other last digits, and with them a few more iterations, or another smallest slack
        for ours, theirs in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
            assert float(ours) == pytest.approx(float(theirs), rel=0.1, abs=2 if theirs.isdigit() else 0)


SOURCES = sorted(path for suffix in ("py", "pyx", "pxd") for path in (ROOT / "lplfast").rglob(f"*.{suffix}"))
# "section 4.1 of Xu et al. (2023)" and "Xu et al. (2023), section 4.1" are not ours
SECTIONS = re.compile(r"(?<!\(2023\), )\bsections?\s+(\d+(?:\.\d+)?(?:(?:, | and | to )\d+(?:\.\d+)?)*)(?! of Xu)")


@pytest.mark.parametrize("folder", ["lplfast", "tests", "bench", "docs"])
def test_every_section_of_the_theory_that_is_cited_exists(folder):
    theory = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^##+ (\d+(?:\.\d+)?)\.? ", theory, flags=re.MULTILINE))
    cited = {}
    for path in [*(ROOT / folder).rglob("*.p*[yxd]"), *(ROOT / folder).rglob("*.md")]:
        for numbers in SECTIONS.findall(path.read_text(encoding="utf-8")):
            cited.update(dict.fromkeys(re.findall(r"\d+(?:\.\d+)?", numbers), path.name))
    assert cited or folder == "bench"
    assert {number: name for number, name in cited.items() if number not in headings} == {}


TESTED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_theorem_names_the_test_that_checks_it():
    text = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    # a proof ends in the box; what follows, up to the next proof or section, says who tests it
    for proof in text.split("∎")[1:]:
        assert "*Tested by* `" in re.split(r"^##", proof, flags=re.MULTILINE)[0], proof[:200]
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[2:-1]:
        assert TESTED.search(section), section.partition("\n")[0]


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/**/*.md")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_test_that_is_named_exists(page):
    for path, name in TESTED.findall(page.read_text(encoding="utf-8")):
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE), name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_derived_cites_its_section(path):
    text = path.read_text(encoding="utf-8")
    for rest in re.findall(r"docs/theory\.md(.{0,20})", text, flags=re.DOTALL):
        assert re.match(r",\s+sections? \d", rest), f"which section? ...{rest!r}"
    # an allowance for rounding is a multiple of u
    if re.search(r"rounding cimport .*\bU\b", text):
        assert re.search(r"docs/theory\.md,\s+section", text)


def test_every_relative_link_leads_somewhere():
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_no_cell_of_a_table_is_cut_by_a_norm():
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        rows = re.findall(r"^\|.*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert [row for row in rows if re.search(r"`[^`|]+\|\||\|\|[^`|]+`", row)] == [], path.name


def test_everything_public_is_in_the_reference():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^   ([\w.]+)$", text, flags=re.MULTILINE))
    assert {*lplfast.__all__, *lplfast.plots.__all__} - {"__version__"} <= listed
    assert {*lplfast.steps.__all__} - {"NEEDS", "RULES"} <= {name.removeprefix("steps.") for name in listed}


def test_every_experiment_has_its_section():
    text = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == list(EXPERIMENTS)


def test_recipes_touch_files_that_exist_and_five_at_most():
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    for recipe in text.split("\n## ")[1:]:
        files = re.findall(r"^\| [1-9] \| `([\w./]+)`", recipe, flags=re.MULTILINE)
        assert len(files) <= 5
        for name in files:
            assert (ROOT / name).exists() or "NAME" in name, name
    # tests are named without their folder, which is that of the code
    tests = {path.name for path in (ROOT / "tests").rglob("*.py")}
    assert set(re.findall(r"`(?:tests/)?(test_\w+\.py)`", text)) <= tests


def test_the_history_is_documented_column_by_column():
    text = (ROOT / "docs" / "history.md").read_text(encoding="utf-8").partition("## Glossary")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)) == COLUMNS


def test_the_saved_file_is_documented_entry_by_entry():
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    rows = [f"| `{entry.name}` | {entry.dtype} | ({', '.join(entry.shape)}{',' if len(entry.shape) == 1 else ''}) | "
            f"{'yes' if entry.finite else ''} | {entry.group or 'always'} | {entry.meaning} |" for entry in SCHEMA]
    assert re.findall(r"^\| `.*$", text, flags=re.MULTILINE) == rows
