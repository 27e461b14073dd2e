"""Barzilai and Borwein's step: its formula, where it has none, and that it is worth having."""

import numpy as np
from cases import PROBLEMS

from lplfast import BarzilaiBorwein, MatrixFactorization, Network, train


def test_barzilai_borwein_divides_by_the_curvature_it_has_met():
    problem, twin = PROBLEMS["squared"](np.random.default_rng(3), 6, 4)
    network = Network.gaussian(6, 40, 4, std=0.4, rng=4)
    run = train(problem, network, BarzilaiBorwein(initial=1e-3), max_iter=4, tol=0.0)
    assert run.history["step_size"][0] == 1e-3
    layers, x, gradients = [network.W1, network.W2], [], []
    for eta in run.history["step_size"][:3]:
        G = twin.gradient(layers[0] @ layers[1])
        step = [G @ layers[1].T, layers[0].T @ G]
        x.append(np.concatenate([layer.ravel() for layer in layers]))
        gradients.append(np.concatenate([one.ravel() for one in step]))
        layers = [layer - eta * one for layer, one in zip(layers, step, strict=True)]
    for t in (1, 2):
        s, y = x[t] - x[t - 1], gradients[t] - gradients[t - 1]
        # s is a difference of layers that have hardly moved: some u 1e4
        assert np.isclose(run.history["step_size"][t], s @ s / (s @ y), rtol=1e-9)


def test_barzilai_borwein_takes_the_sharp_step_where_the_curvature_is_negative():
    # a saddle nearby: the gradient grows along the step
    problem = MatrixFactorization([[1.0]])
    network = Network([[1e-3]], [[1e-3]])
    run, sharp = (train(problem, network, rule, max_iter=3, tol=0.0) for rule in ("bb", "sharp"))
    assert (np.diff(run.history["grad_norm"]) > 0).all()
    assert np.array_equal(run.history["step_size"], sharp.history["step_size"], equal_nan=True)


def test_barzilai_borwein_is_faster_than_the_local_step():
    problem, _ = PROBLEMS["squared"](np.random.default_rng(0), 6, 4)
    network = Network.gaussian(6, 40, 4, std=0.4, rng=1)
    runs = [train(problem, network, rule, max_iter=10_000, tol=1e-8) for rule in ("bb", "local")]
    assert all(run.converged and run.violations == 0 for run in runs)
    assert 2 * runs[0].iterations < runs[1].iterations, [run.iterations for run in runs]
