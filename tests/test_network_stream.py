"""Layers that are never in memory as a whole: files and functions."""

import os
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from lplfast import MatrixFactorization, Network, Run, SquaredLoss, train
from lplfast.layer_sources import LayerFiles
from lplfast.linalg.compress import columns_per_piece

U = 2.0**-53
N, M = 3, 4
# two whole pieces and a part of one
WIDTH = 2 * columns_per_piece(N + M) + 1000


@pytest.fixture(scope="module")
def layers():
    rng = np.random.default_rng(0)
    return rng.standard_normal((N, WIDTH)), rng.standard_normal((WIDTH, M))


def saved(folder, layers, kind=np.asarray):
    """The paths of both layers, written as `kind` makes them."""
    paths = [folder / "W1.npy", folder / "W2.npy"]
    for path, layer in zip(paths, layers, strict=True):
        np.save(path, kind(layer))
    return paths


def streamed(folder, layers, kind=np.asarray):
    return Network._streamed(LayerFiles(*saved(folder, layers, kind)))


def blocks_of(layers, sizes):
    """What `from_blocks` takes: the hidden units in blocks of these sizes, again and again."""
    W1, W2 = layers

    def blocks():
        at = 0
        while at < len(W2):
            for size in sizes:
                if at < len(W2):
                    yield W1[:, at:at + size].T, W2[at:at + size]
                at += size
    return blocks


KINDS = {"C": np.asarray, "Fortran": np.asfortranarray, "float32": lambda W: W.astype("f4"),
         "Fortran float32": lambda W: np.asfortranarray(W, "f4"), "big-endian": lambda W: W.astype(">f8"),
         "integers": lambda W: np.rint(10 * W).astype("i2"), "booleans": lambda W: W > 0}


@pytest.mark.parametrize("kind", KINDS)
def test_files_give_the_bits_of_arrays(kind, layers, tmp_path):
    network = streamed(tmp_path, layers, KINDS[kind])
    arrays = Network(*(KINDS[kind](layer) for layer in layers))
    assert np.array_equal(network.stack(), arrays.stack())
    assert (network.n, network.width, network.m) == (N, WIDTH, M)
    assert np.array_equal(network.W1, arrays.W1)
    assert np.array_equal(network.W2, arrays.W2)


@pytest.mark.parametrize("sizes", [[1000], [WIDTH], [1, 5000, 77], [columns_per_piece(N + M)]], ids=str)
def test_blocks_of_any_sizes_give_the_bits_of_arrays(sizes, layers):
    network, arrays = Network.from_blocks(blocks_of(layers, sizes), N, M), Network(*layers)
    assert network.width == WIDTH
    assert np.array_equal(network.stack(), arrays.stack())
    assert np.array_equal(network.W1, arrays.W1)


@pytest.mark.parametrize("size", [1e-200, 1e-150, 1e150, 1e200])
def test_layers_whose_squares_leave_float64(size, layers):
    wide = [size * layer for layer in layers]
    network = Network.from_blocks(blocks_of(wide, [5000]), N, M)
    assert np.array_equal(network.stack(), Network(*wide).stack())
    assert np.array_equal(network.W2, wide[1])


def problem_for(kind):
    rng = np.random.default_rng(1)
    if kind == "null space":        # half of W1 is not seen, and stays
        return SquaredLoss(rng.standard_normal((20, 2)) @ rng.standard_normal((2, N)), rng.standard_normal((20, M)))
    return MatrixFactorization(rng.standard_normal((N, M)))


def start_for(kind, layers):
    W1, W2 = layers[0][:, :1500] / np.sqrt(1500), layers[1][:1500] / np.sqrt(1500)
    if kind == "zero":
        W2 = np.zeros_like(W2)      # of deficient rank, as in many a recipe
    elif kind == "duplicated":
        W1[1] = W1[0]
    elif kind == "scales":
        W1, W2 = W1 * 1e-3, W2 * 1e3
    return W1, W2


@pytest.mark.parametrize("kind", ["gaussian", "zero", "duplicated", "scales", "null space"])
def test_trained_layers_are_those_of_direct_wide_training(kind, layers):
    """The derived bound of docs/theory.md, section 5: both loops round, and gradient descent hardly spreads it."""
    W1, W2 = start_for(kind, layers)
    problem = problem_for(kind)
    K = problem.K
    size = (np.linalg.norm(W1, 2) + np.linalg.norm(W2, 2) + 3) ** 2
    # small enough for 1000 steps, before there is nothing left to learn
    eta, steps = (0.01 if kind == "scales" else 0.3) / (K * size), 1000
    run = train(problem, Network.from_blocks(blocks_of((W1, W2), [777]), N, M), eta, max_iter=steps, tol=0.0)
    gap = run.history["gap"]
    assert run.iterations == steps
    for _ in range(steps):
        G = problem.gradient(W1 @ W2)
        W1, W2 = W1 - eta * G @ W2.T, W2 - eta * W1.T @ G
    # per step, as a part of the layers' norm: sums of h, n, m numbers in the product, its gradient and the step
    norm = np.sqrt(max(size, np.sum(W1**2) + np.sum(W2**2)))
    rounding = (1500 + 10 * (N + M) + 40) * U * norm * (1 + eta * K * size)
    spread = np.exp(eta * np.sqrt(2 * K * gap).sum())
    bound = 2 * (steps + 1) * rounding * spread
    assert bound < 1e-3 * norm      # or the test would say nothing
    off = np.hypot(np.linalg.norm(run.network.W1 - W1), np.linalg.norm(run.network.W2 - W2))
    assert off <= bound
    # rounding errors do not add up like that: what is found is far below, and says that nothing else is wrong
    assert off <= 1e-11 * norm


def test_trained_layers_are_written_back_piece_by_piece(layers, tmp_path):
    network = streamed(tmp_path, layers)
    run = train(problem_for("gaussian"), network, max_iter=20)
    run.network.save_layers(tmp_path / "V1.npy", tmp_path / "V2.npy")
    assert np.array_equal(np.load(tmp_path / "V1.npy"), run.network.W1)
    assert np.array_equal(np.load(tmp_path / "V2.npy"), run.network.W2)
    other = train(problem_for("gaussian"), Network(*layers), max_iter=20)
    assert np.array_equal(run.history["gap"], other.history["gap"])
    # two ways back, each right to rounding relative to the layers' length
    assert np.allclose(run.network.W1, other.network.W1, rtol=0, atol=1e-13 * np.linalg.norm(layers[0]))
    # over the files that they come from: read to the end before they are replaced
    run.network.save_layers(tmp_path / "W1", tmp_path / "W2")
    again = Network.from_files(tmp_path / "W1.npy", tmp_path / "W2.npy")
    assert np.allclose(again.product, run.network.product, rtol=1e-9, atol=1e-9)
    before = (tmp_path / "V1.npy").read_bytes()
    with pytest.raises(ValueError, match="path2: expected another file than path1"):
        run.network.save_layers(tmp_path / "V1.npy", tmp_path / "x" / ".." / "V1")
    assert (tmp_path / "V1.npy").read_bytes() == before
    with pytest.raises(ValueError, match="one that has changed"):
        network.save_layers(tmp_path / "V1.npy", tmp_path / "V2.npy")


@pytest.mark.parametrize("change", ["size", "time", "bits", "gone"])
def test_files_that_change_are_refused(change, layers, tmp_path):
    network = streamed(tmp_path, layers)
    path = tmp_path / "W2.npy"
    stamp = os.stat(path)
    if change == "size":
        with open(path, "ab") as file:
            file.write(b"more")
    elif change == "time":
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 10**9))
    elif change == "bits":      # with its old time: the checksum sees it
        with open(path, "r+b") as file:
            file.seek(-100, os.SEEK_END)
            file.write(b"\1")
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    else:
        path.unlink()
    (tmp_path / "V1.npy").write_bytes(b"before")
    for use in (lambda: network.W1, lambda: network.save_layers(tmp_path / "V1.npy", tmp_path / "V2.npy")):
        with pytest.raises(FileNotFoundError if change == "gone" else ValueError, match=r"W2\.npy|got others"):
            use()
    assert (tmp_path / "V1.npy").read_bytes() == b"before"
    assert not (tmp_path / "V2.npy").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".lplfast")]
    # what training needs has been read
    assert train(problem_for("gaussian"), network, max_iter=1).iterations == 1


def test_numbers_in_files_that_are_none_are_found(layers, tmp_path):
    W1, W2 = layers
    bad = W2.copy()
    bad[WIDTH - 2, 3] = np.nan
    with pytest.raises(ValueError, match=rf"W2\.npy: expected finite numbers, got nan at \[{WIDTH - 2}, 3\]"):
        streamed(tmp_path, (W1, bad))
    bad = W1.copy()
    bad[2, 5] = np.inf
    with pytest.raises(ValueError, match=r"W1\.npy: expected finite numbers, got inf at \[2, 5\]"):
        streamed(tmp_path, (bad, W2))
    with pytest.raises(ValueError, match="one width h"):
        streamed(tmp_path, (W1, W2[1:]))
    with pytest.raises(ValueError, match=r"W1\.npy: expected a matrix of real numbers, got dtype complex128"):
        streamed(tmp_path, (W1 * 1j, W2))
    saved(tmp_path, layers)
    (tmp_path / "W1.npy").write_bytes((tmp_path / "W1.npy").read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"W1\.npy: expected \d+ bytes of numbers, got \d+"):
        LayerFiles(tmp_path / "W1.npy", tmp_path / "W2.npy")


HOSTILE = {
    "no function": (None, TypeError, "blocks: expected a callable, got None"),
    "no iterator": (lambda: 3, TypeError, "blocks: expected a function that returns an iterator of pairs"),
    "no pairs": (lambda: [np.ones((9, 7))], TypeError, "expected pairs of rows of W1.T and rows of W2, got ndarray"),
    "none": (list, ValueError, "expected hidden units, got none"),
    "few": (lambda: [(np.ones((6, 3)), np.ones((6, 4)))], ValueError, "width of at least n \\+ m = 7, got 6"),
    "turned": (lambda: [(np.ones((3, 9)), np.ones((9, 4)))], ValueError, "of W1, take the transpose"),
    "uneven": (lambda: [(np.ones((8, 3)), np.ones((9, 4)))], ValueError, r"got \(8, 3\) and \(9, 4\) in block 0"),
    "text": (lambda: [([["a"] * 3] * 9, np.ones((9, 4)))], TypeError, "block 0 of W1.T: expected real numbers"),
    "NaN": (lambda: [(np.full((9, 3), np.nan), np.ones((9, 4)))], ValueError, "block 0 of W1.T: expected finite"),
    "beyond": (lambda: [(np.full((9, 3), 1e308), np.ones((9, 4)))], ValueError, "whose norms are float64 numbers"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_blocks(what):
    blocks, error, said = HOSTILE[what]
    with pytest.raises(error, match=said):
        Network.from_blocks(blocks, 3, 4)


def test_blocks_that_are_not_the_same_again_are_refused(layers):
    rng = np.random.default_rng(0)
    network = Network.from_blocks(lambda: [(rng.standard_normal((99, 3)), np.ones((99, 4)))], 3, 4)
    with pytest.raises(ValueError, match="a source of layers has to return the same each time"):
        _ = network.W1
    for later in ([(np.ones((50, 3)), np.ones((50, 4)))], [(np.ones((99, 3)), np.ones((99, 4)))] * 2, []):
        kept = [[(np.ones((99, 3)), np.ones((99, 4)))], later]
        network = Network.from_blocks(lambda kept=kept: kept.pop(0), 3, 4)
        with pytest.raises(ValueError, match="a source of layers has to return the same each time"):
            _ = network.W1
    # hidden units in another order, which no sum would see
    orders = [slice(None), slice(None, None, -1)]
    network = Network.from_blocks(lambda: [(layers[0][:, :99].T[order := orders.pop(0)], layers[1][:99][order])], 3, 4)
    with pytest.raises(ValueError, match="a source of layers has to return the same each time"):
        _ = network.W1


def test_a_stack_that_no_step_leads_to_is_refused(layers):
    network = Network.from_blocks(blocks_of((layers[0], np.zeros((WIDTH, M))), [9999]), N, M)
    with pytest.raises(ValueError, match="expected one that gradient descent reaches"):
        _ = network.replace(np.random.default_rng(0).standard_normal((N + M, N + M))).W1


def test_checkpoints_know_the_layers_from_wherever_they_come(layers, tmp_path):
    network, problem = streamed(tmp_path, layers), problem_for("gaussian")
    run = train(problem, network, max_iter=9)
    run.save(tmp_path / "run.npz", self_contained=False)
    for start in (network, Network(*layers), Network.from_blocks(blocks_of(layers, [4321]), N, M)):
        again = Run.load(tmp_path / "run.npz", network=start).network
        assert np.allclose(again.W1, run.network.W1, rtol=0, atol=1e-13 * np.linalg.norm(layers[0]))
    run.save(tmp_path / "whole.npz")
    assert np.allclose(Run.load(tmp_path / "whole.npz").network.W2, run.network.W2, rtol=0,
                       atol=1e-13 * np.linalg.norm(layers[1]))
    copied = pickle.loads(pickle.dumps(run.network))
    assert np.array_equal(copied.W1, run.network.W1)


def test_memory_is_that_of_a_piece():
    def blocks():
        rng = np.random.default_rng(0)
        for _ in range(150):
            yield rng.standard_normal((2000, 20)), rng.standard_normal((2000, 20))
    tracemalloc.start()
    try:
        network = Network.from_blocks(blocks, 20, 20)
        # of 96 MB: a piece of 4 MB, its checksum's products and multipliers, a block and its copies
        assert tracemalloc.get_traced_memory()[1] < 20e6
        tracemalloc.reset_peak()
        for _ in network._pieces():
            pass
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_large_files_are_trained_and_written_back_in_little_memory(tmp_path):
    # 2 x 160 MB; an interpreter with NumPy and SciPy has some 80 MB before
    program = """
import resource, sys
import numpy as np
from lplfast import MatrixFactorization, Network, train
folder, h = sys.argv[1], 10**6
for name, shape in (("W1", (20, h)), ("W2", (h, 20))):
    array = np.lib.format.open_memmap(f"{folder}/{name}.npy", "w+", "f8", shape)
    del array
with open(f"{folder}/W1.npy", "r+b") as W1, open(f"{folder}/W2.npy", "r+b") as W2:
    rng = np.random.default_rng(0)
    for file in (W1, W2):
        file.seek(128)
        for _ in range(100):
            file.write(1e-3 * rng.standard_normal(200_000))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
network = Network.from_files(f"{folder}/W1.npy", f"{folder}/W2.npy")
run = train(MatrixFactorization(np.diag(np.arange(1.0, 21.0))), network)
assert run.converged, run
run.network.save_layers(f"{folder}/V1.npy", f"{folder}/V2.npy")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    said = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert not said.stderr
    assert int(said.stdout) < 60_000      # kilobytes
    W1, W2 = (np.load(tmp_path / name, mmap_mode="r") for name in ("V1.npy", "V2.npy"))
    assert np.allclose(W1 @ W2, np.diag(np.arange(1.0, 21.0)), atol=1e-3)
