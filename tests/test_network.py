"""Networks: initializations, compression and the way back."""

import pickle
import tracemalloc

import numpy as np
import pytest
from cases import EXPECTED

from lplfast import MatrixFactorization, Network, SquaredLoss, train


@pytest.mark.parametrize("shape", [(3, 5, 4), (3, 7, 4), (3, 6, 4), (3, 500, 4), (1, 1, 1), (5, 2, 3)], ids=str)
def test_compression_keeps_every_gram_matrix_and_comes_back(shape):
    n, h, m = shape
    rng = np.random.default_rng(0)
    W1, W2 = rng.standard_normal((n, h)), rng.standard_normal((h, m))
    network = Network(W1, W2)
    small = network.stack()
    assert small.shape == (n + m, network.compressed_width) == (n + m, min(h, n + m))
    Z = np.vstack([W1, W2.T])
    assert np.allclose(small @ small.T, Z @ Z.T, rtol=0, atol=1e-14 * np.linalg.norm(Z) ** 2)
    # the same coordinates lead back to where it came from, to the rounding of one QR decomposition
    back = network.replace(small.copy())
    assert np.allclose(back.W1, W1, rtol=0, atol=1e-14 * np.linalg.norm(Z))
    assert np.allclose(back.W2, W2, rtol=0, atol=1e-14 * np.linalg.norm(Z))
    assert np.array_equal(network.W1, W1)
    assert back.width == h


def test_compression_and_the_way_back_take_one_copy_of_the_layers():
    W1, W2 = np.ones((20, 50_000)), np.ones((50_000, 20))
    wide = W1.nbytes + W2.nbytes
    tracemalloc.start()
    try:
        network = Network(W1, W2)
        network.stack()
        # the copy, and blocks that fit into a cache
        assert tracemalloc.get_traced_memory()[1] < 1.1 * wide
        trained = network.replace(network.stack().copy())
        tracemalloc.reset_peak()
        layer = trained.W1
        # the copy and the result
        assert tracemalloc.get_traced_memory()[1] < 2.2 * wide
    finally:
        tracemalloc.stop()
    assert np.allclose(layer, W1)


@pytest.mark.parametrize("size", [1e-200, 1e-150, 1e150, 1e200])
def test_compression_of_layers_whose_squares_leave_float64(size):
    stack = np.random.default_rng(0).standard_normal((5, 60))
    small, expected = Network(size * stack[:3], size * stack[3:].T).stack(), Network(stack[:3], stack[3:].T).stack()
    assert np.allclose(small / size, expected, rtol=1e-12)


def test_compression_of_subnormal_layers():
    # multiples of 2^-1074, as are the entries of the factor: rounded by half of it, of which a row of five, times an
    # orthonormal matrix, comes back with sqrt(5)/2 of it at most, and is rounded once more
    W1, W2 = (np.random.default_rng(0).integers(-1000, 1000, shape) * 5e-324 for shape in ((2, 20), (20, 3)))
    network = Network(W1, W2)
    small = network.stack()
    assert small.shape == (5, 5)
    assert abs(network.replace(small).W1 - W1).max() <= 2 * 5e-324


def test_gaussian_has_the_deviations_asked_for():
    network = Network.gaussian(30, 2000, 20, std=(0.1, 3.0), rng=0)
    # 60000 and 40000 samples: the deviation is known to some 0.4%
    assert np.isclose(network.W1.std(), 0.1, rtol=0.02)
    assert np.isclose(network.W2.std(), 3.0, rtol=0.02)
    assert np.array_equal(network.W1, Network.gaussian(30, 2000, 20, std=(0.1, 3.0), rng=0).W1)
    assert (Network.gaussian(2, 5, 2, std=0, rng=0).W1 == 0).all()


@pytest.mark.parametrize("h", [2, 3, 5, 1000, 10**12])
def test_balanced_has_the_product_and_no_imbalance(h):
    rng = np.random.default_rng(1)
    W = rng.standard_normal((3, 2)) @ rng.standard_normal((2, 5))
    network = Network.balanced(W, h)
    assert network.width == h
    assert np.allclose(network.product, W, rtol=0, atol=1e-14)
    assert abs(network.imbalance_eigenvalues()).max() < 1e-14
    with pytest.raises(ValueError, match="expected at least the rank of W, 2, got 1"):
        Network.balanced(W, 1)


def test_imbalance_eigenvalues_are_those_of_the_wide_matrix():
    network = Network.gaussian(3, 40, 4, rng=0)
    wide = np.linalg.eigvalsh(network.W1.T @ network.W1 - network.W2 @ network.W2.T)[::-1]
    ours = network.imbalance_eigenvalues()
    assert ours.shape == (7,)
    wide = wide[np.argsort(-abs(wide))][:7]
    assert np.allclose(ours, np.sort(wide)[::-1], rtol=1e-12, atol=1e-12)


def test_training_leaves_the_network_as_it_was():
    network = Network.gaussian(3, 40, 4, rng=0)
    before = network.W1.tobytes(), network.W2.tobytes()
    trained = train(MatrixFactorization(np.ones((3, 4))), network).network
    assert before == (network.W1.tobytes(), network.W2.tobytes())
    assert not np.array_equal(trained.W1, network.W1)


def test_layers_are_copies_and_cannot_be_written():
    W1, W2 = np.ones((2, 3)), np.ones((3, 2))
    network = Network(W1, W2)
    W1[:] = 5.0
    assert (network.W1 == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        network.W1[0, 0] = 2.0


def test_files(tmp_path):
    network = Network.gaussian(3, 40, 4, rng=0)
    network.save_layers(tmp_path / "W1.npy", tmp_path / "W2.npy")
    again = Network.from_files(tmp_path / "W1.npy", tmp_path / "W2.npy")
    assert np.array_equal(again.W1, network.W1)
    assert np.array_equal(again.W2, network.W2)


@pytest.mark.parametrize("h", [8, 9, 40])
def test_implicit_layers_have_the_moments_of_gaussian_ones(h):
    # 7 columns: h = 8 is the first width at which nothing is dense
    rng, draws = np.random.default_rng(0), 4000
    grams = []
    for _ in range(draws):
        stack = Network.gaussian_implicit(3, h, 4, std=(1.0, 2.0), rng=rng).stack()
        grams.append(stack @ stack.T)
    grams = np.array(grams)
    var = np.array([1.0] * 3 + [4.0] * 4)
    # E[Z^T Z] = h diag(var); Var of an entry: h var_i var_j (1 + [i = j]); the mean of `draws` is 5 sigma at most off
    deviation = np.sqrt(h * np.outer(var, var) * (1 + np.eye(7)))
    assert (abs(grams.mean(axis=0) - h * np.diag(var)) < 5 * deviation / np.sqrt(draws)).all()
    # kurtosis makes variances of a sample known to some 5 sqrt(8 / draws) of themselves
    assert np.allclose(grams.std(axis=0) ** 2, deviation**2, rtol=5 * np.sqrt(8 / draws) + 3 / h)


def test_implicit_layers_of_one_input_and_one_output():
    # n = m = 1: ||w1||^2 is chi-squared of h degrees, whose mean h and deviation sqrt(2 h) are seen at any width
    h, rng = 10**10, np.random.default_rng(1)
    squares = [np.sum(Network.gaussian_implicit(1, h, 1, rng=rng).stack() ** 2, axis=1) for _ in range(400)]
    z = (np.array(squares) - h) / np.sqrt(2 * h)
    assert (abs(z.mean(axis=0)) < 5 / np.sqrt(400)).all()
    assert np.allclose(z.std(axis=0), 1, atol=5 / np.sqrt(800))


def test_the_basis_of_implicit_layers_is_uniformly_distributed():
    # entries of both layers are N(0, 1): a basis of the signs that Householder reflectors leave would make the first
    # ones negative, each time. Means and products of two are known to 5 of their deviations
    draws, rng = 400, np.random.default_rng(2)
    layers = np.array([np.vstack([network.W1, network.W2.T]).ravel() for network in (
        Network.gaussian_implicit(1, 5, 2, rng=rng) for _ in range(draws))])
    assert (abs(layers.mean(axis=0)) < 5 / np.sqrt(draws)).all()
    products = layers.T @ layers / draws
    assert (abs(products - np.eye(15)) < 5 * np.sqrt(1 + np.eye(15)) / np.sqrt(draws)).all()


def test_implicit_layers_are_drawn_the_same_each_time_and_keep_their_products(tmp_path):
    network = Network.gaussian_implicit(3, 500, 4, rng=3)
    stack, wide = network.stack(), np.vstack([network.W1, network.W2.T])
    assert np.allclose(wide @ wide.T, stack @ stack.T, rtol=0, atol=1e-12 * 500)
    again = pickle.loads(pickle.dumps(Network.gaussian_implicit(3, 500, 4, rng=3)))
    assert np.array_equal(again.W1, network.W1)
    assert np.array_equal(Network.from_arrays(network.to_arrays()).W1, network.W1)
    # entries look normal of deviation 1: 1500 of them
    assert abs(network.W1.std() - 1) < 0.1
    run = train(MatrixFactorization(np.ones((3, 4))), network)
    assert run.network.W1.shape == (3, 500)
    assert np.allclose(run.network.W1 @ run.network.W2, run.network.product, rtol=0, atol=1e-10)


def test_a_network_of_a_trillion_units_trains():
    network = Network.gaussian_implicit(20, 10**12, 20, std=1e-3, rng=0)
    run = train(MatrixFactorization(np.random.default_rng(0).standard_normal((20, 20))), network)
    assert run.converged
    assert run.violations == 0
    assert run.network.width == 10**12


@pytest.mark.parametrize(("shapes", "said"), [
    (((8, 3), (4, 8)), r"Network\(W1.T, W2.T\) would fit.*torch.nn.Linear.*Network\(W2, W1\)"),
    (((8, 4), (3, 8)), r"Network\(W1.T, W2.T\) would fit.*torch.nn.Linear.*Network\(W2, W1\)"),
])
def test_layers_that_are_turned_are_told_how_they_would_fit(shapes, said):
    first, second = (np.ones(shape) for shape in shapes)
    with pytest.raises(ValueError, match=rf"W1, W2: expected shapes .*{said}"):
        Network(first, second)
    assert Network(first.T, second.T).width == Network(second, first).width == 8
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(4, 5\)$"):
        Network(np.ones((2, 3)), np.ones((4, 5)))


def test_a_network_for_the_transposed_problem_is_told_so():
    problem, network = MatrixFactorization(np.ones((2, 3))), Network.gaussian(3, 4, 2, rng=0)
    with pytest.raises(ValueError, match=r"transposed problem: use Network\(network.W2.T, network.W1.T\)"):
        train(problem, network)
    assert train(problem, Network(network.W2.T, network.W1.T), max_iter=1).iterations == 1


@pytest.mark.parametrize("width", [10**12, 2**62])
def test_layers_beyond_memory_point_to_those_that_are_not_kept(width):
    with pytest.raises(MemoryError, match=rf"h: expected .*Network.gaussian_implicit\(20, {width}, 20\)"):
        Network.gaussian(20, width, 20)


def test_products_beyond_float64():
    assert np.allclose(Network.balanced([[1e308] * 2] * 2, 4).product, 1e308, rtol=1e-14)
    wide = Network([[1e200]], [[1e200]])
    with pytest.raises(OverflowError, match="product: expected numbers within float64"):
        _ = wide.product
    with pytest.raises(OverflowError, match="imbalance_eigenvalues: expected numbers within float64"):
        Network([[1e200]], [[1.0]]).imbalance_eigenvalues()
    assert np.allclose(Network([[1e-200]], [[0.0]]).imbalance_eigenvalues(), 0.0)


@pytest.mark.parametrize("h", [1, 2, 4, 1000])
def test_spectral_layers_go_down_the_gradient(h):
    rng = np.random.default_rng(0)
    problem = SquaredLoss(rng.standard_normal((9, 4)), rng.standard_normal((9, 3)), offset=rng.standard_normal((4, 3)))
    G = problem.gradient(np.zeros((4, 3)))
    U, s, Vt = np.linalg.svd(G, full_matrices=False)
    rank = min(h, 3)
    network = Network.spectral(problem, h, scale=0.5)
    # relative to the largest: products of orthonormal factors
    assert abs(network.product + 0.25 / s[0] * (U[:, :rank] * s[:rank]) @ Vt[:rank]).max() < 1e-15 * 10
    assert network.width == h
    assert abs(network.imbalance_eigenvalues()).max() < 1e-15 * 10
    assert np.linalg.norm(network.W1, 2) == pytest.approx(0.5, rel=1e-14)
    # a step that is short enough goes down
    assert problem.value(Network.spectral(problem, h, scale=1e-3).product) < problem.value(np.zeros((4, 3)))


def test_spectral_layers_need_a_gradient():
    at_rest = MatrixFactorization([[1.0, 2.0]], offset=[[1.0, 2.0]])
    with pytest.raises(ValueError, match="expected a gradient at W = 0 that is finite and not zero"):
        Network.spectral(at_rest, 1, scale=1.0)
    problem = MatrixFactorization([[1.0, 2.0]])
    for h, scale in ((0, 1.0), (1, 0.0), (1, -1.0), (1, np.inf), ("1", 1.0), (1, 1e-200),
                     (1, 1e160)):
        with pytest.raises((TypeError, ValueError), match=EXPECTED):
            Network.spectral(problem, h, scale=scale)
    with pytest.raises(TypeError, match="problem: expected a Problem"):
        Network.spectral(np.eye(2), 1, scale=1.0)
