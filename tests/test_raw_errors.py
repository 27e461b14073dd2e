"""What is handed over at the ends of float64, or does not fit: never an error of NumPy's or Python's own."""

import numpy as np
import pytest
from test_hostile import ONES, SCALAR, refused

from lplfast import (
    Constant,
    CustomLoss,
    Local,
    LogisticLoss,
    MatrixFactorization,
    Network,
    Problem,
    SoftmaxLoss,
    SquaredLoss,
    check_loss,
    guaranteed_rate,
    initial_bounds,
    local_constants,
    plots,
    train,
)
from lplfast.data import default_data
from lplfast.steps import RULES, missing_for


def _scaled_square(K):
    """A custom loss K ||W||^2 / 2."""
    def value_and_gradient(W):
        with np.errstate(over="ignore"):
            return 0.5 * K * float((W * W).sum()), K * W
    return CustomLoss(value_and_gradient, shape=(1, 1), mu=K, K=K, minimum=0.0, minimizer=[[0.0]])


@pytest.mark.parametrize("K", [1e-300, 1e-200, 1e-100, 1e100, 1e200, 1e300])
@pytest.mark.parametrize("layer", [1e-150, 1e-50, 1.0, 1e50])
def test_constants_at_the_ends_of_float64_raise_nothing_raw(K, layer):
    problem, network = _scaled_square(K), Network([[layer, 2 * layer]], [[layer], [3 * layer]])
    for known in (local_constants, initial_bounds, guaranteed_rate):
        try:
            known(problem, network)
        except OverflowError as error:      # as it says, and with the remedy
            assert "leaves float64 at this network; rescale" in str(error)      # noqa: PT017


@pytest.mark.parametrize("kind", [SoftmaxLoss, LogisticLoss])
@pytest.mark.parametrize("scale", [1e-60, 1.0, 1e4, 1e60])
@pytest.mark.parametrize("l2", [1e-60, 1e-8, 1e20])
def test_minimizers_of_any_scale_are_found_without_a_raw_error(kind, scale, l2):
    rng = np.random.default_rng(0)
    problem = kind(scale * rng.standard_normal((12, 3)), np.arange(12) % 2, l2=l2)
    assert np.isfinite(problem.minimum)
    assert np.isfinite(problem.minimizer).all()
    assert problem.minimum_error >= 0.0


@pytest.mark.parametrize("rule", RULES)
def test_a_loss_beyond_float64_is_an_outcome_or_a_refusal_of_every_rule(rule):
    network = Network([[1e200, 1.0]], [[1e200], [1.0]])
    try:
        assert train(SCALAR, network, rule, max_iter=3).status in ("overflow", "stalled")
    except ValueError as error:
        assert "needs" in str(error)        # noqa: PT017


def test_what_a_network_cannot_say_within_float64_is_an_overflow():
    network = Network([[1e200, 1.0]], [[2e200], [1.0]])
    for call in (lambda: network.product, network.imbalance_eigenvalues):
        with pytest.raises(OverflowError, match="expected numbers within float64"):
            call()
    assert np.isfinite(Network.balanced([[1e308] * 2] * 2, 4).product).all()


def test_numbers_that_only_look_like_some():
    for bad in (np.timedelta64(1, "s"), np.ma.masked, np.ma.array(1.0, mask=True), np.dtype("f8")):
        refused(Constant, bad)
        refused(local_constants(SCALAR, ONES).K_t, bad)


def test_seeds_that_are_none():
    # of a matrix, NumPy takes the first row for ever
    for bad in (np.zeros((1, 2), "M8[s]").view(np.matrix), np.array([0.5]), np.array(["x"])):
        refused(check_loss, SCALAR, rng=bad)


def test_a_loss_beyond_float64_is_no_warning():
    data = SquaredLoss([[1.0, 1.0, 0.0], [1.0, 1.0, 1e-3]], [1.0, 2.0])
    for W in (np.full((3, 1), 1.7e308), [[1.7e308], [-1.7e308], [1.0]]):
        assert not np.isfinite(data.value(W))
        data.gradient(W)


@pytest.mark.parametrize("value", [1j, np.complex64(1), np.ma.masked])
def test_a_value_of_a_function_that_is_no_number(value):
    refused(CustomLoss(lambda W: (value, W), shape=(1, 1), mu=1.0, K=1.0).value, [[1.0]])


def test_a_basis_that_does_not_fit_a_compiled_loss():
    kernel = MatrixFactorization([[2.0], [1.0]]).kernel
    for options in ({"rows": 3}, {"rows": 0}, {"rows": "x"}, {"rows": 3, "basis": np.eye(3)},
                    {"rows": 3, "basis": np.ones((3, 2))}, {"basis": [[1.0]]}):
        refused(Problem, kernel, **options)
    assert Problem(kernel, rows=3, basis=np.eye(3)[:, :2]).shape == (3, 1)


@pytest.mark.parametrize("bad", [
    None, {}, {"n": 1}, {"n": 1, "wide": [[1.0]]}, {"n": 0, "wide": [[1.0], [1.0]]},
    {"n": 1, "wide": [[np.nan], [1.0]]},
    {"n": 1, "small": [[1.0], [1.0]]}, {"n": 1, "small": [[1.0], [1.0]], "width": 0},
    {"n": 1, "small": [[1.0], [1.0]], "width": 3, "basis": [[1.0]]},
    {"n": 1, "small": [[1.0], [1.0]], "width": 3, "seed": ["x"]}, {"n": 1.5, "wide": [[1.0], [1.0]]},
], ids=repr)
def test_what_is_no_network_taken_apart(bad):
    refused(Network.from_arrays, bad)


def test_other_things_than_runs_and_rules():
    refused(plots.overview, None)
    refused(plots.plot_gap, train(SCALAR, ONES, max_iter=1), "x")
    refused(missing_for, "local", SCALAR, ONES)
    refused(missing_for, Local(), None, ONES)
    refused(Network.replace, ONES, [[1.0]])
    refused(initial_bounds(SCALAR, ONES).after, -1.0)
    refused(initial_bounds(SCALAR, ONES).after, "x")
    refused(default_data, n=0)
    refused(check_loss, SCALAR, points=5)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\0v\0" + b"{" * 118,
                                     b"\x93NUMPY\x01\0v\0" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (9, "
                                     b"1000000000000)}".ljust(117) + b"\n"])
def test_npy_files_with_another_header(tmp_path, content):
    path = tmp_path / "layer.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"layer\.npy: expected a \.npy file"):
        Network.from_files(path, path)
