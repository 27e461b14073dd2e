"""A checkpoint of a wide network: what is in it, what it takes to go on, and to have the wide layers again."""

import os
import pickle

import numpy as np
import pytest
from runs import same
from saved import PROBLEM

from lplfast import Network, Run, train
from lplfast.network_bases import Factor

WIDTH = 20_000


@pytest.fixture(scope="module")
def network():
    return Network.gaussian(3, WIDTH, 2, std=0.05, rng=0)


@pytest.fixture(scope="module")
def run(network):
    return train(PROBLEM, network, max_iter=6)


@pytest.fixture
def path(network, tmp_path):
    """The checkpoint of a run that has ended."""
    path = tmp_path / "run.npz"
    train(PROBLEM, network, max_iter=6, checkpoint=path)
    return path


def test_it_does_not_grow_with_the_width(path, run, tmp_path):
    # with the basis, 5 rows of WIDTH doubles, it would be 800 kB
    assert path.stat().st_size < 40_000
    run.save(tmp_path / "whole.npz")
    assert (tmp_path / "whole.npz").stat().st_size > 8 * 5 * WIDTH


def test_with_its_initial_network_everything_is_there(path, run, network):
    # the one that was trained, its copy, and one that is made again
    for initial in (network, pickle.loads(pickle.dumps(network)), Network(network.W1, network.W2)):
        loaded = Run.load(path, network=initial)
        assert same(loaded, run)
        assert same(train(PROBLEM, loaded, max_iter=12), train(PROBLEM, run, max_iter=12))


def test_without_it_everything_else_is_there(path, run, network, tmp_path):
    loaded = Run.load(path)
    assert loaded.audit() == run.audit()
    assert loaded.network.width == WIDTH
    assert np.array_equal(loaded.network.product, run.network.product)
    on = train(PROBLEM, loaded, max_iter=12, checkpoint=path)
    for ask in (lambda: on.network.W1, lambda: on.network.W2, lambda: on.save(tmp_path / "whole.npz"),
                lambda: on.network.to_arrays(), lambda: on.network.save_layers(tmp_path / "a", tmp_path / "b"),
                lambda: pickle.loads(pickle.dumps(on)).network.W1):
        with pytest.raises(ValueError, match=r"^network: expected its wide layers.*Run\.load\(path, network=\.\.\.\)"):
            ask()
    assert os.listdir(tmp_path) == ["run.npz"]
    assert same(Run.load(path, network=network), train(PROBLEM, run, max_iter=12))


def test_another_network_is_refused(path, network):
    W1 = network.W1.copy()
    W1[0, 0] = np.nextafter(W1[0, 0], 1.0)
    for other in (Network(W1, network.W2), Network.gaussian(3, WIDTH, 2, std=0.05, rng=1), Network.gaussian(3, 4, 2),
                  Network.gaussian_implicit(3, WIDTH, 2, rng=0), Network.gaussian(3, WIDTH - 1, 2),
                  train(PROBLEM, network, max_iter=1).network.replace(np.ones((5, WIDTH)))):
        with pytest.raises(ValueError, match=r"^network: expected the one that the run began from, to the last bit"):
            Run.load(path, network=other)
    with pytest.raises(TypeError, match=r"^network: expected the Network that the run began from, got ndarray"):
        Run.load(path, network=W1)


def test_a_file_that_has_everything_needs_no_network(run, network, tmp_path):
    run.save(tmp_path / "run.npz")
    for given in (None, network, Network.gaussian(3, 4, 2)):
        assert same(Run.load(tmp_path / "run.npz", network=given), run)


def test_a_run_from_such_a_file_has_small_checkpoints_too(run, network, tmp_path):
    # its basis is the matrix that was in the file, which then has to be given
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    run.save(first)
    on = train(PROBLEM, Run.load(first), max_iter=12, checkpoint=second)
    assert second.stat().st_size < 40_000
    assert same(Run.load(second, network=Run.load(first).network), on)
    with pytest.raises(ValueError, match=r"^network: expected the one that the run began from"):
        Run.load(second, network=network)


@pytest.mark.parametrize("network", [Network.gaussian_implicit(3, 10**12, 2, rng=0), Network.gaussian(3, 4, 2, rng=0),
                                     Network.balanced(np.ones((3, 2)), 10**9)], ids=["implicit", "narrow", "balanced"])
def test_networks_that_are_small_are_kept_whole(network, tmp_path):
    run = train(PROBLEM, network, max_iter=3, checkpoint=tmp_path / "run.npz")
    loaded = Run.load(tmp_path / "run.npz").network
    assert np.array_equal(loaded.stack(), run.network.stack())
    assert {name: array.tolist() for name, array in loaded.to_arrays().items()} == {
        name: array.tolist() for name, array in run.network.to_arrays().items()}


def test_the_layers_are_digested_once(network, tmp_path, monkeypatch):
    # 2 GB take seconds, and the initial layers do not change
    asked = []
    digest = Factor.__dict__["origin"].func
    monkeypatch.setattr(Factor.__dict__["origin"], "func", lambda basis: asked.append(1) or digest(basis))
    train(PROBLEM, Network(network.W1, network.W2), max_iter=50, tol=0.0, checkpoint=tmp_path / "run.npz",
          checkpoint_every=1e-6)
    assert len(asked) == 1
