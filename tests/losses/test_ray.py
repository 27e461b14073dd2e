"""What a loss says along a ray, on which the product moves."""

import numpy as np
import pytest
from cases import PROBLEMS


@pytest.mark.parametrize("name", ["squared", "softmax", "weighted"])
def test_what_a_loss_says_along_a_ray(probe, name):
    rng = np.random.default_rng(0)
    kernel = probe.Weighted([1.0, 2.0, 5.0, 0.5], 3) if name == "weighted" else PROBLEMS[name](rng, 4, 3)[0].kernel
    W, V, B = rng.standard_normal((3, *kernel.shape))
    value, _, G = kernel.value_and_gradient(W)
    tau = G + 0.1 * V      # <G, tau> > 0

    def at(eta):
        return kernel.value_and_gradient(W - eta * tau + eta**2 * B)

    for eta in (1e-3, 0.1, 2.0):
        said = probe.along(kernel, W, tau, B, eta)
        moved, _, gradient = at(eta)
        assert said["change"] == pytest.approx(moved - value, rel=1e-10)
        assert 0 < said["rounding"] < 1e-11 * (abs(moved) + abs(value))
        assert said["slope"] == pytest.approx(np.vdot(gradient, 2 * eta * B - tau), rel=1e-12)
        M = eta**2 * B - eta * tau
        if name == "softmax":
            assert said["change"] <= said["upper"] <= np.vdot(G, M) + kernel.K / 2 * np.vdot(M, M) + 1e-11
            assert said["change"] - np.vdot(G, M) <= said["growth"]
        else:
            assert said["upper"] == pytest.approx(said["change"], rel=1e-10)
        assert said["work"] == (2, 1)
        # first minimisers: lower than all before them, and flat; of a softmax nearly
        best = said["upper_minimiser"]
        near = 0.05 if name == "softmax" else 1e-3
        grid = [probe.along(kernel, W, tau, B, x * best)["upper"] for x in (0.5, 0.9, 1 - near, 1.0, 1 + near)]
        assert grid[0] > grid[1] > grid[3]
        assert name == "softmax" or grid[1] > grid[2] > grid[3] < grid[4]
        assert min(grid) >= 1.005 * grid[3]
        assert said["known"] == kernel.quadratic == (name != "softmax")
        if said["known"]:
            best = said["minimiser"]
            assert abs(probe.along(kernel, W, tau, B, best)["slope"]) < 1e-12 * np.vdot(G, tau)


def test_a_ray_whose_squares_underflow_has_no_minimiser(probe):
    kernel = probe.Weighted([1.0, 2.0], 1)
    W, tau, B = np.ones((2, 1)), np.full((2, 1), 1e-150), np.full((2, 1), 1e-150)
    said = probe.along(kernel, W, tau, B, 1.0)
    assert (said["upper"], said["upper_minimiser"], said["known"], said["minimiser"]) == (np.inf, 0.0, True, 0.0)
