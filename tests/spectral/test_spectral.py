"""Brackets of singular values against 60 digits: they contain the truth, and are as narrow as was promised."""

import pathlib

import numpy as np
import pytest
from cases import PROBLEMS
from precise import truth

from lplfast import Local, MatrixFactorization, Network, SquaredLoss, local_constants, train
from lplfast.data import default_data
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.spectral.certified import Certified
from lplfast.spectral.exact import Exact
from lplfast.threads import single_threaded_blas

U = 2.0**-53


def contains(bracket, value):
    return bracket[0] <= value <= bracket[1]


def _with_singular_values(rng, s, columns):
    U_, _ = np.linalg.qr(rng.standard_normal((len(s), len(s))))
    V, _ = np.linalg.qr(rng.standard_normal((columns, len(s))))
    return (U_ * s) @ V.T


def _slightly_apart(rng):
    """Five values within 1e-11 of each other: bidiagonal QR iteration stops while they are 116 u off."""
    return _with_singular_values(rng, 1 + 1e-11 * rng.random(5), 7)


HARD = {
    "graded": lambda rng: _with_singular_values(rng, 10.0 ** -np.arange(0, 12, 2), 9),
    "clustered": lambda rng: _with_singular_values(rng, 1 + 1e-13 * rng.random(6), 9),
    "slightly-apart": _slightly_apart,
    "two-clusters": lambda rng: _with_singular_values(rng, np.array([1, 1, 1, 1e-6, 1e-6, 1e-6]), 9),
    "rank-deficient": lambda rng: np.vstack([(A := rng.standard_normal((5, 9))), A[:1]]),
    "rank-one": lambda rng: np.outer(rng.standard_normal(6), rng.standard_normal(9)),
    "nearly-singular": lambda rng: _with_singular_values(rng, np.array([1, 1, 0.5, 0.5, 0.1, 1e-9]), 9),
    "one-by-one": lambda rng: rng.standard_normal((1, 1)),
    "a-row": lambda rng: rng.standard_normal((1, 9)),
    "square": lambda rng: rng.standard_normal((6, 6)),
    "gaussian-10": lambda rng: rng.standard_normal((10, 20)),
    "more-rows-than-columns": lambda rng: rng.standard_normal((7, 4)),
    "zero": lambda rng: np.zeros((6, 9)),
    "tiny": lambda rng: 1e-30 * rng.standard_normal((6, 9)),
    "huge": lambda rng: 1e30 * rng.standard_normal((6, 9)),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", HARD)
def test_fresh_brackets_contain_the_truth_and_are_narrow(name, seed):
    rng = np.random.default_rng(seed)
    A, B = HARD[name](rng), HARD[name](rng).T
    problem = MatrixFactorization(rng.standard_normal((A.shape[0], B.shape[1])))
    # compress=False would be the layers as given; a compressed width is what local_constants looks at
    network = Network(A, B)
    stack = network.stack()
    brackets = local_constants(problem, network).brackets
    low, high, top = truth(stack[: A.shape[0]], stack[A.shape[0]:].T)
    assert contains(brackets["sigma_min_sq"], low)
    assert contains(brackets["sigma_max_sq"], high)
    assert contains(brackets["sigma_max_W"], top)
    least = brackets["sigma_min_sq"]
    assert least[1] - least[0] <= 40 * stack.shape[1] * U * brackets["sigma_max_sq"][1]


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 2), (5, 7, 8), (9, 30, 10)], ids=str)
@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e15])
def test_drifting_brackets_contain_the_truth(shape, scale):
    n, h, m = shape
    rng = np.random.default_rng([n, h, m])
    problem, _ = PROBLEMS["condition-100"](rng, n, m)
    stack = Network.gaussian(n, h, m, std=0.3, rng=rng).stack()
    kernel = DiagonalQuadratic(problem.kernel.hessian, problem.kernel.minimizer * scale**2)
    descent = Descent(kernel, Local(), Certified(), stack * scale)
    rows = np.empty((400, len(COLUMNS)))
    # of a large one, 60 digits take their time
    for t in (1, 2, 3, 5, 8, 13, 25, 50, 100, 200, 400) if n < 9 else (1, 3, 8, 25, 100, 400):
        descent.advance(rows[descent.filled:], max_iter=t, tol=0.0)
        brackets = descent.local()
        low, high, top = truth(descent.W1, descent.W2)
        assert contains(brackets["sigma_min_sq"], low), t
        assert contains(brackets["sigma_max_sq"], high), t
        assert contains(brackets["sigma_max_W"], top), t
    assert descent.counters["narrow"] == descent.t + 1
    # of two sides of both layers and of the tangent kernel, W and G: or none was ever left to drift, and nothing was
    # tested
    assert descent.counters["renewals"] < 0.5 * 8 * (descent.t + 1)


def test_the_main_job_is_narrow_almost_everywhere():
    run = train(SquaredLoss(*default_data()), Network.gaussian(20, 1000, 20, std=1000**-0.25, rng=0), max_iter=3000)
    assert run.converged
    assert (run.history["bracket_width"] <= 0.01).mean() >= 0.95
    assert run.checks["descent"]["uninformative"] < 0.01 * run.iterations
    assert run.counters["renewals"] < 0.2 * 4 * run.iterations
    assert f"{run.counters['narrow']} of {run.iterations + 1} iterates" in run.certificate


def test_a_least_value_that_costs_too_much_is_proved_to_be_where_it_is_and_less_narrowly():
    # of so many rows, rounding makes the proof wider than asked for: and singular values would cost some ten steps
    p, least = 680, 1.5e-8
    rng = np.random.default_rng(0)
    s = np.r_[np.ones(p - 1), np.sqrt(least)]
    W1, W2 = _with_singular_values(rng, s, p), _with_singular_values(rng, s, p)
    kernel = DiagonalQuadratic(np.ones(p), W1 @ W2)
    with single_threaded_blas():
        descent = Descent(kernel, Local(), Certified(), np.concatenate([W1, W2.T]))
        lower = dict(zip(COLUMNS, descent.last_row(), strict=True))["sigma_min_sq"]
    assert descent.counters["eigenproblems"] == 0
    # half a tenth of either, ten times the tolerance
    assert 0.9 * 2 * least <= lower <= 2 * least
    assert lower < 0.995 * 2 * least


def test_layers_whose_products_underflow_when_squared():
    for seed in range(20):
        for scale in (1e-40, 1e-41, 1e-42):
            rng = np.random.default_rng(seed)
            network = Network(rng.standard_normal((2, 5)) * scale, rng.standard_normal((5, 2)) * scale)
            problem = MatrixFactorization(2 * rng.standard_normal((2, 2)) * scale**2)
            assert train(problem, network, "sharp", max_iter=100).violations == 0


def small_start(kind, n, h, seed):
    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((n, n)) / np.sqrt(n)
    if kind == "gaussian":
        return Y, Network.gaussian(n, h, n, std=1e-3, rng=rng)
    return Y, Network.balanced(1e-3 * rng.standard_normal((n, n)), h)


def digits_gained(problem, network, rule, constants):
    history = train(problem, network, rule, max_iter=1200, tol=1e-9, constants=constants).history
    return np.log10(history["gap_bound"][-1] / history["gap"][0])


@pytest.mark.parametrize("rule", ["local", "exact"])
@pytest.mark.parametrize("kind", ["gaussian", "balanced"])
@pytest.mark.parametrize("shape", [(4, 8), (4, 1000), (20, 40), (20, 1000)], ids=str)
def test_from_a_small_start_the_bound_falls_as_it_does_with_exact_constants(shape, kind, rule):
    # s_min grows from 1e-3 or less by a few percent a step: as many of the digits as exact constants give, but a fifth
    Y, network = small_start(kind, *shape, seed=0)
    problem = MatrixFactorization(Y)
    assert digits_gained(problem, network, rule, None) < 0.8 * digits_gained(problem, network, rule, "exact")


@pytest.mark.parametrize("kind", ["gaussian", "balanced"])
def test_the_tangent_kernel_is_looked_at_again_as_the_layers_grow(kind):
    X = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0] * np.linspace(1, 3**-0.5, 4)
    for seed in range(3):
        Y, network = small_start(kind, 4, 8, seed)
        problem = SquaredLoss(X, X @ Y)
        assert digits_gained(problem, network, "local", None) < 0.8 * digits_gained(problem, network, "local", "exact")


@pytest.mark.parametrize("spectral", [Certified(), Certified(tolerance=0.3), Exact()], ids=str)
def test_no_upper_end_is_farther_off_than_is_said(spectral):
    of_T, of_W = spectral.upper_widths
    worst = 0.0
    for n, h, std in ((1, 3, 1.0), (3, 8, 0.5), (6, 40, 0.4), (12, 300, 0.24), (8, 16, 1e-3)):
        rng = np.random.default_rng(n)
        problem = MatrixFactorization(rng.standard_normal((n, n)))
        stack = Network.gaussian(n, h, n, std=std, rng=rng).stack()
        descent = Descent(problem.kernel, Local(), spectral, stack)
        row = np.empty((1, len(COLUMNS)))
        for t in range(1, 80):
            at = dict(zip(COLUMNS, descent.last_row(), strict=True))
            s1, s2, s = (np.linalg.svd(A, compute_uv=False)[0] for A in (descent.W1, descent.W2,
                                                                          descent.W1 @ descent.W2))
            # NumPy's are right to some u
            assert at["sigma_max_sq"] <= (1 + of_T) * (s1**2 + s2**2)
            assert at["sigma_max_W"] <= (1 + of_W) * s * (1 + 1e-12)
            worst = max(worst, at["sigma_max_sq"] / (s1**2 + s2**2) - 1)
            descent.advance(row, max_iter=t, tol=0.0)
    if spectral.mode == "certified":
        assert worst > 0.1 * spectral.tolerance     # or nothing was tested


def printed_widths():
    """Return the table of docs/theory.md: n -> six numbers, percent."""
    text = (pathlib.Path(__file__).parent.parent.parent / "docs" / "theory.md").read_text(encoding="utf-8")
    lines = text.partition("| n = m | width: half")[2].splitlines()[2:]
    rows = [[float(x) for x in line.strip(" |").split("|")] for line in lines[:3]]
    return {int(row[0]): np.array(row[1:]) / 100 for row in rows}


@pytest.mark.parametrize(("n", "every"), [(4, 1), (20, 1), (100, 10)])
def test_brackets_are_as_narrow_as_the_theory_prints(n, every):
    problem, exact = SquaredLoss(*default_data(n=n, m=n)), {}

    def see(run):
        exact[run.iterations] = local_constants(problem, run.network)

    run = train(problem, Network.gaussian(n, 1000, n, std=1000**-0.25, rng=0), max_iter=150, tol=0.0, callback=see,
                callback_every=every)
    h = run.history
    above = [h["K_t"][t] / at.K_t(h["step_size"][t]) - 1 for t, at in exact.items() if t < run.iterations]
    found = np.concatenate([np.quantile(h["bracket_width"], [0.5, 0.9, 1]), np.quantile(above, [0.5, 0.9, 1])])
    printed = printed_widths()[n]
    assert (found <= printed).all()
    assert (printed <= 1.5 * found).all()       # so that the table says what is so
