"""The three ways of finding singular values, by class or by name: they agree; an estimate that is wrong is noticed."""

import pickle

import numpy as np
import pytest
from cases import PROBLEMS

from lplfast import Local, Network
from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.spectral.certified import Certified
from lplfast.spectral.exact import Exact
from lplfast.spectral.modes import spectral_from
from lplfast.spectral.power import Power
from lplfast.spectral.spectral import Spectral


@pytest.mark.parametrize("shape", [(8, 12, 8), (20, 40, 20), (33, 20, 12), (64, 70, 9), (12, 9, 40)], ids=str)
def test_the_three_ways_agree(shape):
    n, h, m = shape
    rng = np.random.default_rng(0)
    problem, _ = PROBLEMS["squared"](rng, n, m)
    stack = Network.gaussian(n, h, m, std=0.3, rng=rng).stack()
    rows, found = np.empty((120, len(COLUMNS))), {}
    for mode in ("exact", "certified", "power"):
        descent = Descent(problem.kernel, Local(cap=1e-3), spectral_from(mode), problem.to_kernel(stack))
        descent.advance(rows, max_iter=120, tol=0.0)
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
