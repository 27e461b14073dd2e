"""Brackets of singular values against 60 digits: they contain the truth, and are as narrow as was promised."""

import pathlib
import pickle

import mpmath
import numpy as np
import pytest
from cases import PROBLEMS

from lplfast import Local, MatrixFactorization, Network, SquaredLoss, local_constants, train
from lplfast.data import default_data
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.spectral.certified import Certified
from lplfast.spectral.exact import Exact
from lplfast.spectral.modes import spectral_from
from lplfast.spectral.power import Power
from lplfast.spectral.spectral import Spectral

U = 2.0**-53


def true_extremes(A):
    """Return the least and greatest eigenvalue of A A^T to 60 digits; the least is 0 for more rows than columns."""
    with mpmath.workdps(60):
        A = mpmath.matrix(A.tolist())
        values = mpmath.eigsy(A * A.T if A.rows <= A.cols else A.T * A, eigvals_only=True)
        return (mpmath.mpf(0) if A.rows > A.cols else max(mpmath.mpf(0), min(values))), max(values)


def truth(W1, W2):
    """Return sigma_min_sq, sigma_max_sq and s_max(W1 W2) to 60 digits."""
    (low1, high1), (low2, high2) = true_extremes(W1), true_extremes(W2.T)
    with mpmath.workdps(60):
        W = mpmath.matrix(W1.tolist()) * mpmath.matrix(W2.tolist())
        rows = [[W[i, j] for j in range(W.cols)] for i in range(W.rows)]
        W = mpmath.matrix(rows)
        top = max(mpmath.eigsy(W * W.T, eigvals_only=True))
        return low1 + low2, high1 + high2, mpmath.sqrt(max(top, mpmath.mpf(0)))


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
    for t in (1, 2, 3, 5, 8, 13, 25, 50, 100, 200, 400):
        descent.advance(rows[descent.filled:], max_iter=t, tol=0.0)
        brackets = descent.local()
        low, high, top = truth(descent.W1, descent.W2)
        assert contains(brackets["sigma_min_sq"], low), t
        assert contains(brackets["sigma_max_sq"], high), t
        assert contains(brackets["sigma_max_W"], top), t
    assert descent.counters["narrow"] == descent.t + 1
    # of two sides of both layers, W, G and the tangent kernel: or none was ever left to drift, and nothing was tested
    assert descent.counters["renewals"] < 0.5 * 7 * (descent.t + 1)


@pytest.mark.parametrize("shape", [(8, 12, 8), (20, 40, 20), (33, 20, 12), (64, 70, 9), (12, 9, 40)], ids=str)
def test_the_three_ways_agree(shape):
    n, h, m = shape
    rng = np.random.default_rng(0)
    problem, _ = PROBLEMS["squared"](rng, n, m)
    stack = Network.gaussian(n, h, m, std=0.3, rng=rng).stack()
    rows, found = np.empty((120, len(COLUMNS))), {}
    for mode in ("exact", "certified", "power"):
        descent = Descent(problem.kernel, Local(cap=1e-3), spectral_from(mode), problem.to_kernel(stack))
        descent.advance(rows, max_iter=120, tol=0.0, budget=np.inf)
        found[mode] = descent.local()
    for name in ("sigma_min_sq", "sigma_max_sq", "sigma_max_W"):
        low, high = found["certified"][name]
        assert low <= found["exact"][name][1]
        assert found["exact"][name][0] <= high
        # within 1%; but s_max(W), of which K_t needs less, and where the layers move so fast that renewals would cost
        # more than the steps: there s_min^2 is known to 10%, s_max^2 to 3%. Power iteration stops at a thousandth of 1%
        fast = shape in [(20, 40, 20), (64, 70, 9)]
        width = {"sigma_min_sq": 0.1 if fast else 0.01, "sigma_max_sq": 0.03 if fast else 0.01,
                 "sigma_max_W": 2.0}[name]
        assert high - low <= width * low
        assert np.isclose(found["power"][name][0], found["exact"][name][0], rtol=0.01)


def test_an_estimate_that_is_wrong_is_noticed_and_redone():
    # power iteration starts orthogonal to the only large direction: K_t is far too small, the step far too long
    W1, W2 = np.diag([10.0, 1.0]), np.diag([10.0, 1.0])
    kernel = DiagonalQuadratic([1.0, 1.0], W1 @ W2 + np.diag([1.0, 1.0]))
    descent = Descent(kernel, Local(), Power(), np.concatenate([W1, W2.T]))
    rows = np.empty((40, len(COLUMNS)))
    descent.advance(rows, max_iter=1, tol=0.0)
    memory = descent.memory
    memory[-16:] = np.tile([0.0, 1.0], 8)
    descent.memory = memory
    outcome = descent.advance(rows[1:], max_iter=20, tol=0.0)
    assert descent.counters["redone"] > 0
    assert outcome != "guarantee_failed"
    assert descent.checks["descent"]["violations"] == 0
    assert (np.diff(rows[: descent.filled, COLUMNS.index("gap")]) < 0).all()


def test_the_main_job_is_narrow_almost_everywhere():
    run = train(SquaredLoss(*default_data()), Network.gaussian(20, 1000, 20, std=1000**-0.25, rng=0), max_iter=3000)
    assert run.converged
    assert (run.history["bracket_width"] <= 0.01).mean() >= 0.95
    assert run.checks["descent"]["uninformative"] < 0.01 * run.iterations
    assert run.counters["renewals"] < 0.2 * 4 * run.iterations
    assert f"{run.counters['narrow']} of {run.iterations + 1} iterates" in run.certificate


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


def test_the_imbalance_bounds_what_the_bracket_does_not():
    # one pair of units is long, and moves the layers by 1e-5 a step; s_min is made of squares of 9e-8, and the
    # imbalance moves by 1e-10 only
    W1, W2 = np.zeros((2, 4)), np.zeros((4, 2))
    W1[0, 0], W2[0, 0], W1[1, 1], W2[2, 1] = 1.2, 1.0, 3e-4, 3e-4
    kernel = DiagonalQuadratic([1.0, 1.0], np.diag([2.2, 0.0]))
    descent = Descent(kernel, Local(cap=1e-5), Certified(), np.concatenate([W1, W2.T]))
    row, lower, drift = np.empty((1, len(COLUMNS))), [], []
    for t in range(1, 201):
        at = dict(zip(COLUMNS, descent.last_row(), strict=True))
        lower.append(at["sigma_min_sq"])
        drift.append(at["drift"])
        if t % 20 == 1:
            assert lower[-1] <= truth(descent.W1, descent.W2)[0]
        descent.advance(row, max_iter=t, tol=0.0)
    # computed at t = 1. Rounding may take, of D and in every step, some 20 u of the squares of the long units: 1e-12
    bound, lower = 9e-8 - (np.array(drift) - drift[1])[1:], np.array(lower)[1:]
    assert (lower >= bound - 1e-12).all()
    assert (lower <= bound).sum() > 100     # the others are the bracket's, in the steps after it was computed
    assert bound[-1] < 0.9 * 9e-8       # or the drift would not show
    assert descent.counters["eigenproblems"] == 1
    assert descent.counters["renewals"] < 60


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("shape", [(2, 3, 2), (3, 5, 3), (15, 29, 15)], ids=str)
def test_the_imbalance_claims_nothing_that_rounding_has_made(shape, scale):
    # layers of rank one but for 1e-9: s_min^2 is 1e-18, and the eigenvalues of D that would bound it are rounding
    n, h, m = shape
    for seed in range(10 if n < 10 else 1):
        rng = np.random.default_rng(seed)
        W1 = scale * (np.outer(rng.standard_normal(n), rng.standard_normal(h)) + 1e-9 * rng.standard_normal((n, h)))
        W2 = scale * (np.outer(rng.standard_normal(h), rng.standard_normal(m)) + 1e-9 * rng.standard_normal((h, m)))
        kernel = DiagonalQuadratic(np.ones(n), W1 @ W2 + scale**2 * rng.standard_normal((n, m)))
        descent = Descent(kernel, Local(cap=1e-9 / scale**2), Certified(), np.concatenate([W1, W2.T]))
        row = np.empty((1, len(COLUMNS)))
        for t in range(1, 4):
            descent.advance(row, max_iter=t, tol=0.0)
            assert descent.last_row()[COLUMNS.index("sigma_min_sq")] <= truth(descent.W1, descent.W2)[0]
        assert descent.counters["eigenproblems"] > 0


@pytest.mark.parametrize("kind", [Certified, Exact, Power])
def test_a_way_of_finding_constants_is_made_by_its_class_or_by_name(kind):
    made = spectral_from(kind.mode, tolerance=0.2)
    assert type(made) is kind
    assert made.tolerance == 0.2
    assert repr(made) == f"{kind.__name__}(tolerance=0.2)"
    assert spectral_from(made) is made
    again = pickle.loads(pickle.dumps(made))
    assert (type(again), again.tolerance) == (kind, 0.2)
    with pytest.raises(ValueError, match=r"^tolerance: expected a number between 0 and 1"):
        kind(tolerance=1.0)


def test_what_is_no_way_of_finding_constants_is_refused():
    assert type(spectral_from()) is Certified
    with pytest.raises(TypeError, match=r"^Spectral: expected Certified, Exact or Power"):
        Spectral()
    with pytest.raises(TypeError, match=r"^constants: expected 'certified', 'exact' or 'power', got 3"):
        spectral_from(3)
    with pytest.raises(ValueError, match=r"^constants: expected one of 'certified', 'exact', 'power', got 'svd'"):
        spectral_from("svd")


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
    text = (pathlib.Path(__file__).parent.parent / "docs" / "theory.md").read_text(encoding="utf-8")
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
