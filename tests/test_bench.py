"""Benchmarks time what they say: a rival that computes something else is refused; documents show what was stored."""

import dataclasses
import sys

import numpy as np
import pytest

from bench import __main__ as command
from bench import bits, choosing, minimizer, publish, rivals, scaling, scaling_figure, tolerance
from bench.agreement import DisagreementError, check_certified, check_exact
from bench.cases import Case
from bench.compiled import compiled
from bench.numpy_rival import GramDescent, SvdDescent
from bench.table import Row
from bench.timing import Rounds
from bench.tolerance import agree_with_armijo
from lplfast import LogisticLoss

STEPS = 12


class Longer(GramDescent):
    """Steps a millionth longer than those it says it takes."""

    def move(self, eta):
        super().move(eta * (1 + 1e-6))


class Careless(GramDescent):
    """One of its constants is off by 1e-7: nothing that a step would show at once."""

    def extremes(self):
        s_min, s_max, W_max, G_max = super().extremes()
        return s_min * (1 + 1e-7), s_max, W_max, G_max


@pytest.fixture(scope="module", params=[(5, 5, 40), (6, 3, 20), (3, 6, 20), (4, 4, 6)], ids=str)
def case(request):
    return Case.make(*request.param)


def follow_at_both_widths(rival, case):
    return [rivals.follow(rival, case), rivals.follow(rival, case.compressed())]


@pytest.mark.parametrize("rival", [GramDescent, SvdDescent, rivals.TwinDescent])
def test_rivals_do_what_we_do(case, rival):
    small = case.compressed()
    for follow in follow_at_both_widths(rival, case):
        check_exact(small.run("exact", STEPS).history, follow, STEPS)
        check_certified(small.run("certified", STEPS).history, follow, STEPS)


def test_we_do_the_same_without_compression(case):
    follow = rivals.follow(GramDescent, case)
    check_exact(case.run("exact", STEPS).history, follow, STEPS)
    check_certified(case.run("certified", STEPS).history, follow, STEPS)


def test_a_wrong_rival_is_refused(case):
    small = case.compressed()
    exact, certified = (small.run(mode, STEPS).history for mode in ("exact", "certified"))
    for wrong in (Longer, Careless):
        with pytest.raises(DisagreementError, match="exact"):
            check_exact(exact, rivals.follow(wrong, case), STEPS)
    with pytest.raises(DisagreementError, match="certified loss"):
        check_certified(certified, rivals.follow(Longer, case), STEPS)


def test_a_history_of_nan_is_refused(case):
    exact = case.run("exact", STEPS).history
    for name in ("gap", "K_t"):
        broken = exact | {name: np.full(STEPS, np.nan)}
        with pytest.raises(DisagreementError, match=name):
            check_exact(broken, rivals.follow(GramDescent, case), STEPS)
        with pytest.raises(DisagreementError, match=name):
            check_exact(exact, lambda steps, given, broken=broken: broken, STEPS)


def test_ratios_are_the_medians_of_rounds_and_targets_are_judged():
    times = Rounds({"ours": [1.0, 2.0, 4.0], "theirs": [3.0, 20.0, 16.0]})
    row = Row.quotient(times, "a case", "ours", "theirs", target=">= 4")
    assert (row.kind, row.ratio, row.least, row.greatest) == ("theirs / ours", 4.0, 3.0, 10.0)
    assert row.time == 2e6
    assert row.verdict == ">= 4 met"
    row = Row.excess(times, "a case", "ours", "theirs", target="<= 0.2")
    assert (row.kind, row.ratio, row.least, row.greatest) == ("ours / theirs", 0.25, 0.1, 1 / 3)
    assert row.verdict == "<= 0.2 MISSED"


@pytest.mark.parametrize(("path", "render"), publish.PARTS.items(), ids=lambda part: getattr(part, "name", ""))
def test_the_documentation_shows_what_was_stored(path, render):
    _, part, _ = publish.between(path.read_text(encoding="utf-8"))
    assert part == render(*publish.load())


def test_the_table_of_rules_shows_what_runs_take():
    _, _, rest = choosing.PAGE.read_text(encoding="utf-8").partition(choosing.BEGIN)
    table, end, _ = rest.partition(choosing.END)
    head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines())
    assert end
    assert [row[0].strip("`") for row in rows] == list(choosing.NAMES)
    problems = choosing.problems()
    assert head[-len(problems):] == list(problems)
    shown = dict(zip(choosing.NAMES, rows, strict=True))["majorizer"][head.index("diabetes, squared")]
    taken, certified = choosing.measured("majorizer", problems["diabetes, squared"], 5)
    # from another processor's last digits on, a search may go another way
    assert sorted(taken)[2] == pytest.approx(float(shown), rel=0.2)
    assert certified == 1


def test_the_readme_has_four_columns():
    table = [line.split("|")[1:-1] for line in publish.summary(*publish.load()).splitlines() if line.startswith("|")]
    assert len(table) == 2 + 1 + len(publish.SHOWN)
    assert all(len(line) == 1 + 4 for line in table)
    assert all(len(cell.split()) == 2 for line in table[3:] for cell in line[1:])


def test_what_was_not_measured_is_named_and_left_out():
    environment, tables = publish.load()
    assert not {"table 'rivals'", "'NumPy' in table 'rivals'"} & {*publish.missing(tables)}
    # where it is the fastest at full width, that is another one then
    rows = [dataclasses.replace(row, other="NumPy") if (row.name, row.other) == ("exact", "PyTorch") else row
            for row in tables["rivals"].rows if row.name == "exact" or row.other != "PyTorch"]
    fewer = tables | {"rivals": dataclasses.replace(tables["rivals"], rows=rows)}
    del fewer["many"]
    assert {*publish.missing(fewer)} - {*publish.missing(tables)} == {"table 'many'", "'PyTorch' in table 'rivals'"}
    assert not [line for line in publish.summary(environment, fewer).splitlines() if "|" in line and "PyTorch" in line]
    assert "runs, n=20" not in publish.details(environment, fewer)


def test_what_compiling_takes_and_speeds_on_all_cores_are_shown_where_they_were_measured():
    environment, tables = publish.load()
    few = {name: table for name, table in tables.items() if name not in ("compiling", "speed")}
    row = Row("n=2", "lplfast, a run", "Numba, compiling", 596.0, 4.24e6, "", 7e3, 7e3, 7e3)
    # 6 * 512^2 * 1024 operations
    both = [Row("n=512", name, other, ours, theirs, "", 2.0, 2.0, 2.0, size=(512, 512, 2048))
            for name, other, ours, theirs in (("lplfast", "dgemm, all threads", 32212.3, 16106.1),
                                              ("dgemm, all threads", "one on each core", 16106.1, 10737.4))]
    more = few | {"compiling": publish.Table("compiling", "", [row]), "speed": publish.Table("speed", "", both)}
    was, part = publish.details(environment, few), publish.details(environment, more)
    assert "Numba 4.24 s" in part
    assert "| lplfast, all cores |  |  |  |  |  |  |  | 50.0 |  |" in part
    assert "| dgemm, each core for itself |  |  |  |  |  |  |  | 150 |  |" in part
    assert "Numba 4.24 s" not in was
    assert "all cores |" not in was


def test_what_was_missed_or_lost_is_bold():
    environment, tables = publish.load()
    rows = [row for name in ("rivals", "bare", "calls", "memory", "softmax", "many") for row in tables[name].rows]
    missed = [row for row in rows if not row.met]
    lost = [row for row in tables["rivals"].rows if row.ratio < 1 and row.other != "compression"]
    assert len(missed) < len(rows)
    part = publish.details(environment, tables)
    assert part.count("x**") >= len(missed)
    for row in missed + lost:
        assert f"**{publish.short(row.ratio)}x**" in part


@pytest.mark.slow
def test_the_figure_has_every_size_that_was_stored(tmp_path):
    _, tables = publish.load()
    for path in scaling_figure.draw(tables, tmp_path):
        assert path.stat().st_size > 10_000
    for name, sizes in scaling.SWEEPS.items():
        assert [row.size for row in tables[name].rows if row.other == "bare"] == sizes


def test_bits_tell_runs_apart(tmp_path, capsys, monkeypatch):
    made, networks = bits.problems()
    few = {name: made[name] for name in ("squared", "custom")}
    monkeypatch.setattr(bits, "problems", lambda: (few, networks))
    file = str(tmp_path / "bits.json")
    assert bits.main([file]) == 0
    assert bits.main([file, "--compare"]) == 0
    assert "0 of" in capsys.readouterr().out
    # one unit in the last place of one number
    nudged = networks["near"].stack().copy()
    nudged[0, 0] = np.nextafter(nudged[0, 0], np.inf)
    monkeypatch.setattr(bits, "problems", lambda: (few, {**networks, "near": networks["near"].replace(nudged)}))
    assert bits.main([file, "--compare"]) == 1
    said = capsys.readouterr().out
    assert "squared/near/sharp/certified" in said
    assert "squared/wide/sharp/certified" not in said


def test_another_search_is_refused():
    ours = {"loss": np.geomspace(1.0, 1e-3, 40), "step_size": np.full(40, 0.1)}
    losses, steps = ours["loss"], ours["step_size"][:-1]
    agree_with_armijo("x", (np.append(losses, 1e-4), steps), ours)
    for wrong, what in (((losses * (1 + 1e-6), steps), "loss"), ((losses, steps / 2), "step_size"),
                        ((np.append(losses, np.full(3, 1e-4)), steps), "iterations")):
        with pytest.raises(DisagreementError, match=f"x: {what}"):
            agree_with_armijo("x", wrong, ours)


def test_seconds_to_a_tolerance_do_without_pytorch(monkeypatch):
    monkeypatch.setattr(tolerance, "PROBLEMS", {"x": ("breast_cancer", LogisticLoss, 1.0, 1e-2)})
    (table,) = tolerance.tables(True, torch=False)
    assert [row.other for row in table.rows] == list(tolerance.OTHERS)
    assert all(row.name == "majorizer" and row.ratio > 0 for row in table.rows)
    assert "PyTorch is not installed" in table.notes


def test_minimizers_are_compared_with_solvers_that_come_as_close(monkeypatch):
    monkeypatch.setattr(minimizer, "SHAPES", {"x": (60, 3, 3, "ill-conditioned"), "y": (60, 3, 1, "")})
    monkeypatch.setattr(minimizer, "QUICK", ("x", "y"))
    (table,) = minimizer.tables(True)
    assert [row.what for row in table.rows] == ["x", "y"]
    assert all(row.other in minimizer.SOLVERS and row.ratio > 0 and "ours at most" in row.note for row in table.rows)
    monkeypatch.setattr(minimizer, "CLOSE", -1.0)
    with pytest.raises(DisagreementError, match="x: expected a solver"):
        next(minimizer.tables(True))


def test_without_cython_the_extra_is_named(monkeypatch, capsys):
    compiled.cache_clear()
    monkeypatch.setitem(sys.modules, "pyximport", None)  # what an import then finds is that there is none
    monkeypatch.setattr(sys, "argv", ["bench"])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert 'pip install -e ".[bench]"' in capsys.readouterr().err
