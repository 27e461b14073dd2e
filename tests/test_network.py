"""Networks: initializations, compression and the way back."""

import numpy as np
import pytest

from lplfast import MatrixFactorization, Network, train


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
