"""What the options of `lplfast train` do beside what test_cli.py has: starts, files, recording, words."""

import re
import sys

import numpy as np
import pandas as pd
import pytest

from lplfast import Armijo, Network, Run, SquaredLoss, train
from lplfast.cli.parser import named
from lplfast.cli.terminal import Progress
from lplfast.data import default_data, with_intercept
from lplfast.experiments import EXPERIMENTS


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((12, 5)), rng.standard_normal((12, 3))
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    return X, Y


FILES = ("train", "--x", "x.npy", "--y", "y.npy")


def assert_same(one, other):
    assert one.keys() == other.keys()
    for column in one.keys() - {"time"}:
        np.testing.assert_array_equal(one[column], other[column], err_msg=column)


def test_a_run_goes_on_as_if_it_had_not_stopped(lplfast, data):
    assert lplfast(*FILES, "--max-iter", 40, "--tol", 0, "--step-size", "sharp", "--out", "whole")[0] == 0
    assert lplfast(*FILES, "--max-iter", 15, "--tol", 0, "--step-size", "sharp")[0] == 0
    code, out, err = lplfast(*FILES, "--continue", "lplfast-out/run.npz", "--max-iter", 40)
    assert (code, err) == (0, "")
    assert "as in lplfast-out/run.npz, after 15 iterations" in out
    whole, parts = Run.load("whole/run.npz"), Run.load("lplfast-out/run.npz")
    assert_same(whole.history, parts.history)
    np.testing.assert_array_equal(whole.network.W1, parts.network.W1)
    # without --max-iter, many more; other data are refused
    assert lplfast(*FILES, "--continue", "lplfast-out/run.npz")[0] == 0
    assert Run.load("lplfast-out/run.npz").iterations > 40
    code, _, err = lplfast("train", "--continue", "lplfast-out/run.npz")
    assert code == 2
    assert "expected" in err


def test_a_checkpoint_goes_on_with_and_without_its_network(lplfast, data):
    assert lplfast(*FILES, "--width", 30, "--max-iter", 10, "--checkpoint", "c.npz")[0] == 0
    code, out, err = lplfast(*FILES, "--continue", "c.npz", "--max-iter", 20, "--out", "without")
    assert (code, err) == (0, "")
    assert "The run is without its wide layers" in out
    code, out, err = lplfast(*FILES, "--continue", "c.npz", "--width", 30, "--max-iter", 20, "--out", "with")
    assert (code, err) == (0, "")
    assert "without its wide layers" not in out
    without, whole = Run.load("without/run.npz"), Run.load("with/run.npz")
    assert_same(without.history, whole.history)
    assert whole.network.W1.shape == (5, 30)
    with pytest.raises(ValueError, match="expected its wide layers"):
        without.network.W1  # noqa: B018
    code, _, err = lplfast(*FILES, "--continue", "c.npz", "--width", 30, "--seed", 1)
    assert code == 2
    assert "expected the one that the run began from" in err


def test_layers_come_from_files(lplfast, data, tmp_path):
    network = Network.gaussian(5, 7, 3, std=0.5, rng=3)
    network.save_layers(tmp_path / "W1.npy", tmp_path / "W2.npy")
    code, out, err = lplfast(*FILES, "--layers", "W1.npy", "W2.npy", "--max-iter", 30)
    assert (code, err) == (0, "")
    assert "5 -> 7 -> 3, from W1.npy and W2.npy" in out
    assert_same(Run.load("lplfast-out/run.npz").history, train(SquaredLoss(*data), network, max_iter=30).history)
    for option in (("--width", 7), ("--seed", 0), ("--std", 1), ("--implicit",)):
        code, _, err = lplfast(*FILES, "--layers", "W1.npy", "W2.npy", *option)
        assert code == 2
        assert f"--layers: expected no {option[0]} beside it" in err


def test_any_width_is_drawn_implicitly(lplfast, data):
    assert lplfast(*FILES, "--width", 10**12, "--implicit", "--max-iter", 5)[0] == 0
    network = Network.gaussian_implicit(5, 10**12, 3, std=(10**12) ** -0.25, rng=0)
    assert_same(Run.load("lplfast-out/run.npz").history, train(SquaredLoss(*data), network, max_iter=5).history)
    code, _, err = lplfast(*FILES, "--width", 10**12)
    assert code == 2
    assert "--width: expected layers that fit in memory" in err
    assert "--implicit draws" in err


def test_rules_have_options(lplfast, data):
    assert lplfast(*FILES, "--step-size", "armijo", "--rule-option", "c=0.3", "--rule-option", "shrink=0.7",
                   "--max-iter", 20)[0] == 0
    run = Run.load("lplfast-out/run.npz")
    assert run.facts.rule == repr(Armijo(c=0.3, shrink=0.7))
    assert lplfast(*FILES, "--rule-option", "cap=0.001", "--max-iter", 3)[0] == 0
    assert Run.load("lplfast-out/run.npz").history["step_size"][:-1].max() <= 0.001


@pytest.mark.parametrize(("options", "said"), [
    (("--step-size", "armijo", "--rule-option", "shrnk=1"), "did you mean shrink?"),
    (("--step-size", "armijo", "--rule-option", "c=x"), "c: expected"),
    (("--step-size", "0.1", "--rule-option", "c=1"), "--rule-option: expected the name of a rule"),
    (("--rule-option", "cap"), "--rule-option: expected NAME=VALUE, got 'cap'"),
    (("--step-size", "xu_rho"), "did you mean --step-size 'xu-rho'?"), (("--step-size", "Local"), "'local'?"),
    (("--l2", "1", "--step-size", "du"), "--step-size: Du2018"),
    (("--los", "sofmax"), "did you mean softmax?"), (("--data", "diabets"), "did you mean diabetes?"),
    (("--seeds", "3"), "did you mean --seed?"), (("--record", "gap,loses"), "did you mean 'loss'?"),
    (("--record-every", "0"), "--record-every: expected"), (("--tol", "2"), "--tol: expected a number below 1"),
    (("--grad-tol", "0"), "--grad-tol: expected"), (("--max-growth", ".5"), "--max-growth: expected"),
    (("--max-time", "-1"), "--max-time: expected"), (("--std", "nan"), "--std: expected"),
    (("--seed", "-1"), "--seed: expected"),
    (("--checkpoint", "no/such/file"), "no/such/file: No such file"),
    (("--checkpoint-every", "0"), "--checkpoint-every: expected"),
    (("--out", "x.npy"), "--out: expected a folder, got a file, x.npy"),
    (("--header", "yes"), "--header and --index: expected --x and --y"),
    (("--continue", "x.npy"), "x.npy: expected a run saved by Run.save"),
    (("--layers", "x.npy", "no"), "no: No such file"),
], ids=str)
def test_what_is_said_of_bad_options_is_in_their_words(lplfast, data, options, said):
    code, _, err = lplfast("train", *options)
    assert code == 2
    assert said in err
    # one line, and no words of the library
    assert err.count("\n") == 1
    assert not re.search("step_size[:=]", err)


def test_a_message_keeps_what_is_no_option():
    options = {"tol": "--tol", "record_every": "--record-every", "layers": "--layers", "header": "--header"}
    assert named("run: start anew from the layers: x", options) == "run: start anew from the layers: x"
    assert named("tol: expected 1, got grad_tol=3 and record_every=...", options) == (
        "--tol: expected 1, got grad_tol=3 and --record-every ...")
    assert named("say header=True or header=False", options) == "say --header yes or --header no"


def test_without_tqdm_its_extra_is_named_before_any_work(lplfast, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)     # what an import then finds is that there is none
    code, out, err = lplfast("train", "--progress")
    assert (code, out) == (2, "")
    assert err == 'lplfast: error: --progress needs tqdm: pip install "lplfast[progress]"\n'


def test_the_command_is_suggested(lplfast):
    code, _, err = lplfast("trian")
    assert code == 2
    assert "did you mean train?" in err


def test_recording_less_costs_the_figure_only(lplfast, data):
    code, out, err = lplfast(*FILES, "--record", "iteration,gap", "--record-every", 7, "--max-iter", 20)
    assert (code, err) == (0, "")
    assert "No figure: it needs the column gap_bound" in out
    run = Run.load("lplfast-out/run.npz")
    assert list(run.history) == ["iteration", "gap"]
    assert run.history["iteration"].tolist() == [0, 7, 14, 20]
    assert lplfast(*FILES, "--record", "drift", "--max-iter", 3)[0] == 0
    code, out, err = lplfast(*FILES, "--record", "all", "--record-every", 5, "--max-iter", 9)
    assert (code, err) == (0, "")
    assert "No figure" not in out


@pytest.mark.parametrize("l2", [0, 0.5])
def test_an_intercept_is_a_column_of_ones_under_the_ridge(lplfast, data, l2):
    code, out, _ = lplfast(*FILES, "--intercept", "--l2", l2, "--max-iter", 10)
    assert code == 0
    assert "X 12 x 6" in out
    assert ("which the ridge penalizes like every other coefficient" in out) == (l2 > 0)
    X, Y = data
    network = Network.gaussian(6, 1000, 3, std=1000**-0.25, rng=0)
    expected = train(SquaredLoss(with_intercept(X), Y, l2=l2), network, max_iter=10)
    assert_same(Run.load("lplfast-out/run.npz").history, expected.history)


def test_headers_and_indices_are_asked_about_in_the_words_of_the_command_line(lplfast, data, tmp_path):
    X, Y = data
    pd.DataFrame(X).to_csv(tmp_path / "x.csv")
    pd.DataFrame(Y).to_csv(tmp_path / "y.csv", index=False)
    files = ("train", "--x", "x.csv", "--y", "y.csv", "--max-iter", 5)
    code, _, err = lplfast(*files)
    assert code == 2
    assert "x.csv, line 1: expected" in err
    assert "--header yes or --header no" in err
    assert "--index yes or --index no; yes and no are said of both files, x or y of that one alone" in err
    code, out, err = lplfast(*files, "--header", "yes", "--index", "x")
    assert (code, err) == (0, "")
    assert "X 12 x 5, Y 12 x 3" in out
    network = Network.gaussian(5, 1000, 3, std=1000**-0.25, rng=0)
    assert_same(Run.load("lplfast-out/run.npz").history, train(SquaredLoss(X, Y), network, max_iter=5).history)
    code, _, err = lplfast(*files, "--header", "x", "--index", "x")
    assert code == 2
    assert "got 12 and 13" in err


def test_other_ends_and_their_codes(lplfast):
    for option, status in ((("--grad-tol", 0.5), "converged"), (("--max-time", 0), "max_time"),
                           (("--max-growth", 1, "--step-size", 0.1), "diverged")):
        code, out, _ = lplfast("train", *option, "--max-iter", 1000)
        run = Run.load("lplfast-out/run.npz")
        assert (run.status, code) == (status, int(status == "diverged"))
        assert run.message in out


def test_no_guarantee_is_none(lplfast):
    # a step of twice what descends: the bound of its ratio of gaps is above 1
    out = lplfast("train", "--step-size", "polyak", "--max-iter", 8)[1]
    bounds = Run.load("lplfast-out/run.npz").history["rate_bound"]
    assert out.count("none") >= (bounds > 1).sum()
    assert (bounds > 1).any()


def test_every_command_says_its_exit_codes(lplfast):
    for command in ((), ("train",), ("audit",), ("reproduce",)):
        out = lplfast(*command, "--help")[1]
        assert re.search(r"Exit codes: 0 .*; 1 .*; 2 .*; 130 ", out), command


def test_ctrl_c_before_the_first_step(lplfast, monkeypatch):
    def pressed(**options):
        raise KeyboardInterrupt

    monkeypatch.setattr(EXPERIMENTS["steps"], "reproduce", pressed)
    code, _, err = lplfast("reproduce", "steps")
    assert (code, err) == (130, "lplfast: interrupted\n")


def test_progress_shows_where_there_is_somebody_to_see_it(capsys, monkeypatch):
    with Progress("steps") as advance:
        advance(0.5)
    assert capsys.readouterr().err == ""
    progress = Progress("steps")
    progress.due = 0.0      # long ago
    with progress as advance:
        advance(0.25)
        advance(0.25)
    assert re.fullmatch(r"steps:  25%, \d+ s\n", capsys.readouterr().err)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress = Progress("steps")
    progress.due = 0.0
    with progress as advance:
        advance(0.5)
    # each in place of the one before, and nothing left at the end
    shown = capsys.readouterr().err.split("\r\x1b[K")
    assert shown[1:] == ["steps: running", "steps:  50%, 0 s", ""]


def test_the_embedded_problem_takes_an_intercept(lplfast):
    X, _ = default_data()
    assert with_intercept(X).shape == (20, 21)
    assert lplfast("train", "--intercept", "--standardize", "--max-iter", 3)[0] == 0


def test_means_that_centred_columns_cannot_fit_are_told(lplfast, data, tmp_path):
    said = "of the targets' squares are their means, which columns of mean 0 cannot fit: --intercept adds"
    np.save(tmp_path / "y.npy", data[1] - data[1].mean(axis=0))
    assert said not in " ".join(lplfast(*FILES, "--standardize", "--max-iter", 1)[1].split())
    np.save(tmp_path / "y.npy", data[1] + 5.0)
    for more, told in ((["--standardize"], True), ([], False), (["--standardize", "--intercept"], False)):
        assert (said in " ".join(lplfast(*FILES, *more, "--max-iter", 1)[1].split())) == told, more
