"""Many rows are summed in parts, by several threads: the sums are right, and no bit depends on the threads."""

import numpy as np
import pytest

from lplfast import Local
from lplfast.descent.descent import Descent
from lplfast.losses.cross_entropy import Logistic, Softmax
from lplfast.losses.pseudo_huber import PseudoHuber
from lplfast.spectral.modes import spectral_from
from lplfast.threads import single_threaded_blas

# eight parts of blocks of 128, the last one shorter, with rows that fill no tile; and a slice that is one part
ROWS, N, M, SLICE = 5003, 61, 7, 600


def kernels(kind):
    """The loss of all rows, and those of slices of them, which add up to it."""
    rng = np.random.default_rng(5)
    X, W_star = rng.standard_normal((ROWS, N)), rng.standard_normal((N, M)) / 8

    def kernel(rows):
        options = {"mu": 0.0, "K": 0.5 * np.linalg.norm(X, 2) ** 2, "minimum": 0.0, "l2": 0.0}
        if kind is PseudoHuber:
            return kind(rows, np.cos(rows[:, :M]), W_star, delta=0.7, **options)
        return kind(rows, rows @ W_star, W_star, **options)

    return kernel(X), [kernel(X[i: i + SLICE]) for i in range(0, ROWS, SLICE)], W_star, rng


@pytest.mark.parametrize("kind", [Softmax, Logistic, PseudoHuber])
def test_parts_add_up_and_have_the_bits_of_one_thread(probe, kind):
    whole, slices, W_star, rng = kernels(kind)
    W, B = W_star + rng.standard_normal((N, M)) / 20, rng.standard_normal((N, M)) / 50
    with single_threaded_blas():
        value, gap, G = whole.value_and_gradient(W)
        said = [one.value_and_gradient(W) for one in slices]
        # sums of positive numbers in another order: some hundred u
        assert gap == pytest.approx(sum(one[1] for one in said), rel=1e-12)
        assert abs(G - sum(one[2] for one in said)).max() <= 1e-12 * abs(G).max()
        ray = probe.along(whole, W, G, B, 1e-4)
        rays = [probe.along(one, W, G, B, 1e-4) for one in slices]
        for name in ("change", "slope", *(["growth"] if kind is not PseudoHuber else [])):
            # a change cancels a little, and a growth allows for rounding
            assert ray[name] == pytest.approx(sum(one[name] for one in rays), rel=1e-9), name
        for count in (2, 3, 9):
            with probe.Team(count):
                again = whole.value_and_gradient(W)
                assert again[:2] == (value, gap)
                assert np.array_equal(again[2], G)
                assert repr(probe.along(whole, W, G, B, 1e-4)) == repr(ray)


def test_threads_are_no_more_than_parts():
    whole, (one, *_), W_star, _ = kernels(Softmax)
    stack = np.concatenate([W_star, np.eye(M)])
    for kernel, asked, given in ((whole, 2, 2), (whole, 100, 8), (one, 100, 1)):
        assert Descent(kernel, Local(), spectral_from("certified"), stack, n_threads=asked).n_threads == given
