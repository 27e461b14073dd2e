"""`lplfast ...` as a user runs it: what it prints, what it writes, and its exit code."""

import os
import subprocess
import sys

import numpy as np
import pytest
import sklearn.datasets

from lplfast import Network, Run, SoftmaxLoss, SquaredLoss, train
from lplfast.data import default_data, standardized

PNG = b"\x89PNG\r\n\x1a\n"
FILES = {"history.csv", "run.npz", "overview.png"}


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((12, 5)), rng.standard_normal((12, 3))
    for name, table in {"x": X, "y": Y}.items():
        np.save(tmp_path / f"{name}.npy", table)
        # 17 significant digits are a float64
        np.savetxt(tmp_path / f"{name}.csv", table, delimiter=",", fmt="%.17g", header="a,b,c", comments="")
        np.savetxt(tmp_path / f"{name}.txt", table, fmt="%.17g")
    return X, Y


def history(folder):
    """Return the columns of history.csv."""
    table = np.genfromtxt(f"{folder}/history.csv", delimiter=",", names=True)
    return {name: np.atleast_1d(table[name]) for name in table.dtype.names}


def written(folder):
    return set(os.listdir(folder))


def assert_same(one, other):
    assert one.keys() == other.keys()
    for column in one.keys() - {"time"}:
        np.testing.assert_array_equal(one[column], other[column], err_msg=column)


def test_without_arguments_it_trains_on_the_embedded_problem(lplfast):
    code, out, err = lplfast("train", rendered=True)
    assert (code, err) == (0, "")
    assert "embedded problem: X 20 x 20, Y 20 x 20" in out
    assert "rank 20 of 20 and condition number 10;" in out
    assert "violations: 0" in out
    assert written("lplfast-out") == FILES
    with open("lplfast-out/overview.png", "rb") as file:
        assert file.read(8) == PNG
    run = Run.load("lplfast-out/run.npz")
    assert run.message in out
    assert run.status == "converged"

    X, Y = default_data()
    expected = train(SquaredLoss(X, Y), Network.gaussian(20, 1000, 20, std=1000**-0.25, rng=0), max_iter=10000)
    assert_same(run.history, expected.history)


def test_the_table_is_the_history_bit_for_bit(lplfast):
    lplfast("train", "--max-iter", 50)
    expected = Run.load("lplfast-out/run.npz").history
    table = history("lplfast-out")
    assert list(table) == list(expected)
    for column in table:
        np.testing.assert_array_equal(table[column], expected[column], err_msg=column)


def test_files_are_as_readable_as_any_other(lplfast):
    before = os.umask(0o022)
    try:
        lplfast("train", "--max-iter", 1)
    finally:
        os.umask(before)
    modes = {name: oct(os.stat(f"lplfast-out/{name}").st_mode & 0o777) for name in FILES}
    assert modes == dict.fromkeys(FILES, "0o644")


def test_digits_have_directions_that_are_left_out(lplfast):
    code, out, err = lplfast("train", "--data", "digits", "--max-iter", 20)
    assert (code, err) == (0, "")
    assert "digits: X 1797 x 64, Y 1797 x 10" in out
    assert "X has rank 61 of 64" in out
    assert "The 3 directions that the data cannot see are left out" in out
    assert written("lplfast-out") == FILES


def test_softmax_on_digits(lplfast):
    code, out, err = lplfast("train", "--data", "digits", "--loss", "softmax", "--l2", 100, "--max-iter", 20)
    assert (code, err) == (0, "")
    assert "digits: X 1797 x 64, Y 1797 x 10" in out
    assert "loss softmax, ridge 100: mu = 100" in out
    assert "violations: 0" in out
    assert written("lplfast-out") == FILES
    bunch = sklearn.datasets.load_digits()
    problem = SoftmaxLoss(bunch.data, bunch.target, l2=100)
    expected = train(problem, Network.gaussian(64, 1000, 10, std=1000**-0.25, rng=0), max_iter=20)
    assert_same(history("lplfast-out"), expected.history)


def test_logistic_on_breast_cancer_raw_and_standardized(lplfast):
    code, out, err = lplfast("train", "--data", "breast_cancer", "--loss", "logistic", "--max-iter", 20)
    assert (code, err) == (0, "")
    assert "breast_cancer: X 569 x 30, Y 569 x 1" in out
    assert "condition number 1.49e+06" in out
    assert "standardize the columns of X" in out
    assert "raise the ridge" in out
    raw = Run.load("lplfast-out/run.npz").facts
    # nothing was changed: K is that of the data as measured
    X = sklearn.datasets.load_breast_cancer().data
    assert np.isclose(raw["K"], np.linalg.norm(X, 2) ** 2 / 4 + 0.01)
    code, out, _ = lplfast("train", "--data", "breast_cancer", "--loss", "logistic", "--standardize", "--l2", 1,
                           "--max-iter", 20)
    assert code == 0
    assert "condition number 1.49e+06" not in out
    code, out, _ = lplfast("train", "--data", "breast_cancer", "--loss", "logistic", "--standardize", "--l2", 1e-8,
                           "--max-iter", 20)
    assert (code, out.count("raise the ridge"), out.count("standardize")) == (0, 2, 0)


def test_diabetes_as_measured_and_standardized(lplfast):
    code, out, err = lplfast("train", "--data", "diabetes", "--max-iter", 20)
    assert (code, err) == (0, "")
    assert "diabetes: X 442 x 10, Y 442 x 1" in out
    assert "standardize the columns of X" in out
    measured = Run.load("lplfast-out/run.npz").facts
    code, out, err = lplfast("train", "--data", "diabetes", "--standardize", "--max-iter", 20)
    assert (code, err) == (0, "")
    assert "standardize the columns of X" not in out
    scaled = Run.load("lplfast-out/run.npz").facts
    # trace(X.T X) is then N n: the largest eigenvalue is between N and that
    assert 442 <= scaled["K"] <= 4420 < measured["K"]


def test_constant_columns_are_named(lplfast):
    # pixels at the edge that no digit touches; 0, 32 and 39 are those that NumPy's ptp finds
    code, out, err = lplfast("train", "--data", "digits", "--standardize", "--max-iter", 1)
    assert (code, err) == (0, "")
    X = sklearn.datasets.load_digits().data
    assert np.flatnonzero(np.ptp(X, axis=0) == 0).tolist() == [0, 32, 39]
    assert "Constant columns of X, counted from 0, which are now 0: 0, 32, 39." in out
    code, out, _ = lplfast("train", "--data", "diabetes", "--standardize", "--max-iter", 1)
    assert code == 0
    assert "onstant columns" not in out


@pytest.mark.parametrize("loss", ["softmax", "logistic"])
def test_quantities_are_not_taken_for_labels(lplfast, loss):
    code, _, err = lplfast("train", "--data", "diabetes", "--loss", loss)
    assert code == 2
    assert "got 214 distinct numbers among 442, which look like quantities: use SquaredLoss" in err


def test_classes_of_a_file_may_be_any_numbers(lplfast, data, tmp_path):
    np.savetxt(tmp_path / "years.csv", [1990, 2010, 2000] * 4)
    code, out, err = lplfast("train", "--x", "x.npy", "--y", "years.csv", "--loss", "softmax", "--max-iter", 5)
    assert (code, err) == (0, "")
    assert "X 12 x 5, Y 12 x 3" in out


@pytest.mark.parametrize("kind", ["csv", "txt"])
def test_text_and_npy_give_identical_runs(lplfast, data, kind):
    for name in ("npy", kind):
        code, out, err = lplfast("train", "--x", f"x.{name}", "--y", f"y.{name}", "--max-iter", 30, "--out", name)
        assert (code, err) == (0, "")
        assert f"x.{name}, y.{name}: X 12 x 5, Y 12 x 3" in out
    assert_same(history("npy"), history(kind))


@pytest.mark.parametrize(("option", "make"), [
    (("--l2", "0.3"), lambda X, Y: SquaredLoss(X, Y, l2=0.3)),
    (("--standardize",), lambda X, Y: SquaredLoss(standardized(X), Y)),
], ids=["l2", "standardize"])
def test_options_of_the_data_are_those_of_the_library(lplfast, data, option, make):
    assert lplfast("train", "--x", "x.npy", "--y", "y.npy", "--width", 40, "--max-iter", 30, *option)[0] == 0
    expected = train(make(*data), Network.gaussian(5, 40, 3, std=40**-0.25, rng=0), max_iter=30)
    assert_same(history("lplfast-out"), expected.history)


@pytest.mark.parametrize("option", [("--seed", 7), ("--std", 0.1), ("--step-size", "sharp"), ("--step-size", 1e-3),
                                    ("--constants", "exact"), ("--tol", 1e-2), ("--width", 7)], ids=str)
def test_every_option_arrives(lplfast, data, option):
    name, value = option
    assert lplfast("train", "--x", "x.npy", "--y", "y.npy", "--max-iter", 40, name, value)[0] == 0
    width = value if name == "--width" else 1000
    network = Network.gaussian(5, width, 3, std=value if name == "--std" else width**-0.25,
                               rng=value if name == "--seed" else 0)
    options = {name[2:].replace("-", "_"): value} if name not in ("--seed", "--std", "--width") else {}
    assert_same(history("lplfast-out"), train(SquaredLoss(*data), network, max_iter=40, **options).history)


def test_a_narrow_network_is_said(lplfast, data):
    code, out, _ = lplfast("train", "--x", "x.npy", "--y", "y.npy", "--width", 2, "--max-iter", 30)
    assert code == 0
    assert "Narrower than min(n, m) = 3: mu_t = 0, no rate is claimed" in out
    assert not history("lplfast-out")["mu_t"].any()


def test_what_is_said_of_a_narrow_network_is_true_of_data_of_low_rank(lplfast, data):
    # X of rank 2: width 2 reaches every matrix that the data can tell apart, and mu_t is positive
    X, _ = data
    X[:, 2:] = X[:, :3]
    X[:, 1:] = X[:, :1] + X[:, 1:2] * np.arange(4)
    np.save("x.npy", X)
    _, out, _ = lplfast("train", "--x", "x.npy", "--y", "y.npy", "--width", 2, "--max-iter", 30)
    assert "X has rank 2 of 5" in out
    assert ("mu_t = 0" in out) == (not history("lplfast-out")["mu_t"].any())


@pytest.mark.parametrize("option", [("--max-iter", 0), ("--max-iter", 1), ("--max-iter", 5, "--tol", 1e-320),
                                    ("--width", 1), ("--std", 0, "--max-iter", 3)], ids=str)
def test_odd_but_good_runs(lplfast, option):
    code, _, err = lplfast("train", *option)
    assert (code, err) == (0, "")
    assert written("lplfast-out") == FILES


@pytest.mark.parametrize(("option", "status"), [
    (("--step-size", 5), "overflow"), (("--step-size", 1e200), "overflow"), (("--std", 1e100), "overflow"),
], ids=str)
def test_a_failed_run_exits_with_1_and_is_written(lplfast, option, status):
    code, out, err = lplfast("train", *option)
    assert (code, err) == (1, "")
    assert written("lplfast-out") == FILES
    run = Run.load("lplfast-out/run.npz")
    assert run.status == status
    assert run.message in out
    assert len(history("lplfast-out")["gap"]) == run.iterations + 1


@pytest.mark.parametrize("arguments", [
    (), ("fly",), ("train", "--fly"), ("train", "--data", "iris"), ("train", "--width", "0"),
    ("train", "--width", "-3"),
    ("train", "--width", "1.5"), ("train", "--width", "x"), ("train", "--width", "1000000000000"),
    ("train", "--std", "-1"), ("train", "--std", "nan"), ("train", "--std", "1e308"), ("train", "--seed", "-1"),
    ("train", "--seed", "x"), ("train", "--step-size", "0"), ("train", "--step-size", "-1"),
    ("train", "--step-size", "nan"),
    ("train", "--step-size", "inf"), ("train", "--step-size", "fast"), ("train", "--step-size", ""),
    ("train", "--max-iter", "-1"), ("train", "--max-iter", "1e3"), ("train", "--tol", "-1"), ("train", "--tol", "nan"),
    ("train", "--constants", "guessed"), ("train", "--l2", "-1"), ("train", "--l2", "nan"), ("train", "--l2", "inf"),
    ("train", "--x", "x.npy"), ("train", "--y", "y.npy"), ("train", "--data", "digits", "--x", "x.npy", "--y", "y.npy"),
    ("train", "--x", "missing.npy", "--y", "y.npy"), ("train", "--x", "x.npy", "--y", "short.npy"),
    ("train", "--x", "ragged.csv", "--y", "y.npy"), ("train", "--x", ".", "--y", "y.npy"), ("train", "--out", "x.npy"),
    ("train", "--loss", "hinge"), ("train", "--data", "digits", "--loss", "logistic"),
    ("train", "--data", "diabetes", "--loss", "logistic"), ("train", "--loss", "softmax"),
    ("train", "--data", "digits", "--loss", "softmax", "--l2", "0"),
    ("reproduce",), ("reproduce", "fly"),
    ("reproduce", "width", "--seeds", "x"), ("reproduce", "width", "--seeds", "0"),
    ("reproduce", "width", "--out", "x.npy"),
    ("train", "--x", "zero.npy", "--y", "y.npy"), ("train", "--x", "x.npy", "--y", "broken.npy"),
], ids=" ".join)
def test_bad_arguments_exit_with_2_and_a_sentence(lplfast, data, tmp_path, arguments):
    np.save(tmp_path / "short.npy", np.ones((3, 1)))
    np.save(tmp_path / "zero.npy", np.zeros((12, 2)))
    (tmp_path / "ragged.csv").write_text("1,2\n3\n")
    (tmp_path / "broken.npy").write_bytes(b"PK\x03\x04 and no zip file")
    code, _, err = lplfast(*arguments)
    assert code == 2
    assert "lplfast" in err.splitlines()[-1]
    assert "error: " in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not os.path.exists("lplfast-out/history.csv")


@pytest.mark.parametrize("arguments", [("--help",), ("train", "--help"), ("reproduce", "--help"),
                                       ("versions", "--help")], ids=" ".join)
def test_help(lplfast, arguments):
    code, out, err = lplfast(*arguments)
    assert (code, err) == (0, "")
    assert out.startswith("usage: lplfast")


def test_versions(lplfast):
    code, out, err = lplfast("versions")
    assert (code, err) == (0, "")
    for name in ("lplfast", "python", "numpy", "scipy", "blas"):
        assert name in out


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["train", "--step-size", "fast"], 2)], ids=str)
def test_as_a_program(tmp_path, arguments, code):
    done = subprocess.run([sys.executable, "-m", "lplfast", *arguments], cwd=tmp_path, capture_output=True, text=True,
                          check=False)
    assert done.returncode == code
    assert (done.stdout if code == 0 else done.stderr).startswith("lplfast")
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_costs_no_file(tmp_path):
    # `lplfast train | head -1`
    with subprocess.Popen([sys.executable, "-u", "-m", "lplfast", "train", "--max-iter", "50"], cwd=tmp_path,
                          env={**os.environ, "MPLBACKEND": "Agg"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert written(tmp_path / "lplfast-out") == FILES
