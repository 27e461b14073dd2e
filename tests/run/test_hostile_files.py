"""Whatever is in a file: a right answer or a refusal in a sentence, and nothing else, then or later."""

import itertools
import json
import pickle

import hostile_files
import hostile_reading
import numpy as np
import pytest
from hostile_files import KINDS, Case, cases
from hostile_reading import Misbehaviour, check
from saved import FILES, PROBLEM, RUNS, edited, packed, parts

from lplfast import Run, train
from lplfast.cli import main
from lplfast.descent.history import COLUMNS
from lplfast.run.archive import LONGEST_DIRECTORY

CASES = 600


@pytest.mark.slow
def test_six_hundred_files(tmp_path):
    # the 6000 of .ci/long are these and more
    outcomes = {}
    for case in itertools.islice(cases(), CASES):
        outcomes.setdefault(case.kind, set()).add(check(case, tmp_path))
    assert len(outcomes) == len(set(KINDS))
    # the kinds are worth something only if they are neither all refused at the door nor all harmless
    for kind in ("members", "values", "matrices", "tables", "archives", "texts", "mutated"):
        assert outcomes[kind] == {"read", "refused"}, kind
    assert outcomes["states"] == {"read"}
    assert outcomes["headers"] == {"refused"}


def test_the_cases_are_those_of_their_seed():
    for a, b, c in itertools.islice(zip(cases(1), cases(1), cases(2), strict=True), 3, 30):
        assert a == b
        assert a.kind == c.kind


class Broken(Run):
    """Reads everything, and trips over it."""

    @classmethod
    def load(cls, path, *, network=None):
        raise {b"key": KeyError("x"), b"silent": ValueError("x")}.get(path.read_bytes(), OSError("expected x"))


def test_what_a_file_must_not_do_is_noticed(tmp_path, monkeypatch):
    whole = FILES["compressed"]
    with pytest.raises(Misbehaviour, match="read as another run"):
        check(Case("mutated", ".npz", FILES["full width"], "compressed"), tmp_path)
    assert check(Case("mutated", ".npz", whole, "compressed"), tmp_path) == "read"
    monkeypatch.setattr(hostile_reading, "Run", Broken)
    for content, said in ((b"key", "KeyError"), (b"silent", "no sentence")):
        with pytest.raises(Misbehaviour, match=said):
            check(Case("values", ".npz", content), tmp_path)
    assert check(Case("values", ".npz", b"x"), tmp_path) == "refused"
    monkeypatch.setattr(hostile_reading, "read_matrix", lambda path: np.ones(10**7).sum())
    with pytest.raises(Misbehaviour, match="bytes of memory"):
        check(Case("tables", ".csv", b"1"), tmp_path)
    monkeypatch.setattr(hostile_reading, "read_matrix", lambda path: pickle.loads(path.read_bytes()))
    with pytest.raises(Misbehaviour, match="a pickle was loaded"):
        check(Case("other files", ".csv", pickle.dumps(hostile_files.Payload())), tmp_path)


@pytest.fixture
def saved():
    return parts(FILES["compressed"])


def load(content, folder):
    (folder / "run.npz").write_bytes(content)
    return Run.load(folder / "run.npz")


# where the state, an array of doubles, has its counts: the first sixteen but times and sizes of gaps, steps and motion
COUNTS = [0, 5, 6, 7, 8, 9, 10, 14]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0, 0.5, 2.0**53, 1e300])
def test_counts_in_a_state_that_are_none(value, saved, tmp_path):
    about, arrays = saved
    state = arrays["continuation/state"]
    steps = [at for at in range(len(state)) if at not in COUNTS and state[at] == 6.0]   # of the checked inequalities
    assert steps
    for at in COUNTS + steps[:1]:
        changed = state.copy()
        changed[at] = value
        run = load(packed(about, {**arrays, "continuation/state": changed}), tmp_path)
        with pytest.raises(ValueError, match=r"^memory: expected finite counts .* below 2\^53, got"):
            train(PROBLEM, run, max_iter=9)


def test_a_first_gap_that_is_none_does_not_end_a_run_as_diverged(saved, tmp_path):
    # infinitely many times a negative gap is less than any, and there is no limit to be told of
    about, arrays = saved
    about = edited(about, "continuation/options/max_growth", None)
    arrays["continuation/state"][2] = -1.0
    run = train(PROBLEM, load(packed(about, arrays), tmp_path), max_iter=9)
    assert run.status == "max_iter"
    assert "raise max_iter" in run.message


def test_options_that_are_nested_deeply_are_refused(saved, tmp_path):
    # a walk through them, from deeper in a program than this one, would not come back
    about, arrays = saved
    for levels in (10, 500):
        options = json.loads("[" * levels + "]" * levels)
        content = packed(edited(about, "continuation/options/rule/options", {"cap": options}), arrays)
        if levels < 20:
            assert load(content, tmp_path)
        else:
            with pytest.raises(ValueError, match="continuation/options/rule/options: expected at most 20 levels"):
                load(content, tmp_path)


def test_half_a_character_is_refused(saved, tmp_path):
    # printing it would be an error, wherever that is
    about, arrays = saved
    with pytest.raises(ValueError, match="message: expected text, got half a character"):
        load(packed(edited(about, "message", "\ud800"), arrays), tmp_path)


def test_an_offset_that_no_file_can_have(tmp_path):
    # the system says "Invalid argument", which would tell nobody anything
    content = FILES["compressed"]
    offset = int.from_bytes(content[-6:-2], "little")
    with pytest.raises(ValueError, match=r"expected a run saved by Run\.save, got something else or a damaged file"):
        load(content[:-6] + (offset + 1000).to_bytes(4, "little") + content[-2:], tmp_path)


def test_a_history_of_other_iterations_is_refused(saved, tmp_path):
    # audit and figures take them for integers
    about, arrays = saved
    for value in (np.nan, np.inf, -1.0, 2.5, 3.0):
        iterations = arrays["history/iteration"].copy()
        iterations[2] = value
        with pytest.raises(ValueError, match="history/iteration: expected 2 in row 2, one in 1 up to iterations = 6"):
            load(packed(about, {**arrays, "history/iteration": iterations}), tmp_path)


def test_a_run_without_the_layer_that_its_problem_needs(tmp_path):
    about, arrays = parts(FILES["null space"])
    del arrays["continuation/start"]
    run = load(packed(about, arrays), tmp_path)
    with pytest.raises(ValueError, match=r"^run: expected the first layer at t = 0"):
        train(RUNS["null space"][0], run, max_iter=9)


@pytest.mark.parametrize(("rule", "options", "said"), [
    ("CallableRule", {}, "made with a function"), ("*.Capped", {}, "a rule that chooses"),
    ("Armijo", {"c": 10**400}, "c: expected"), ("Local", {"x": 1}, "to take what its `options` say"),
    ("Local", {"cap": {"tuple": 5}}, "to take what its `options` say"),
    ("Local", {"cap": {"not kept": 5}}, "cap could not be kept"),
])
def test_rules_that_are_none(rule, options, said, saved, tmp_path):
    about, arrays = saved
    about = edited(edited(about, "continuation/options/rule/class", rule), "continuation/options/rule/options", options)
    run = load(packed(about, arrays), tmp_path)
    with pytest.raises(ValueError, match=said):
        train(PROBLEM, run, max_iter=9)


def test_a_directory_that_is_too_long_is_not_read(tmp_path):
    # Python makes an object of each of its entries, of some twenty times their size
    content = FILES["compressed"]
    with pytest.raises(ValueError, match=f"expected a directory of at most {LONGEST_DIRECTORY} bytes, got 65537"):
        load(content[:-10] + (LONGEST_DIRECTORY + 1).to_bytes(4, "little") + content[-6:], tmp_path)
    with pytest.raises(ValueError, match="expected an archive to its last byte"):
        load(content + b"x", tmp_path)


def test_a_run_whose_numbers_no_figure_can_show(tmp_path):
    about, arrays = parts(FILES["compressed"])
    for name in ("gap", "gap_bound", "step_size", "K_t"):
        arrays[f"history/{name}"] = np.array([1.7e308, 1e299, 5e-324, 0.0, -1.0, np.inf, np.nan])
    run = load(packed(about, arrays), tmp_path)
    assert set(run.history) == set(COLUMNS)
    run.plot().savefig(tmp_path / "figure.png")
    assert str(run.audit())


def test_the_command_line_says_what_is_wrong_and_ends_with_2(tmp_path, capsys):
    for i, case in enumerate(itertools.islice(cases(3), 60)):
        path = tmp_path / f"{i}{case.ending}"
        path.write_bytes(case.content)
        if case.ending == ".npz":
            arguments = ["audit", str(path)]
        else:
            arguments = ["train", "--x", str(path), "--y", str(path), "--max-iter", "2", "--out", str(tmp_path / "out")]
        code = main(arguments)
        said = capsys.readouterr()
        assert code in (0, 1) or (code == 2 and said.err.startswith("lplfast: error: ") and "expected" in said.err), i
