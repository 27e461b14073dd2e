"""What is guaranteed of the rest of a run holds for the rest of it, from wherever it is asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases

from lplfast import (
    Constant,
    Local,
    LogisticLoss,
    MatrixFactorization,
    Network,
    Run,
    Schedule,
    Sharp,
    SoftmaxLoss,
    SquaredLoss,
    train,
)
from lplfast.plots import plot_gap

U = np.finfo(float).eps / 2


@settings(max_examples=100, deadline=None)
@given(cases(), st.sampled_from(["local", "sharp", "constant", "schedule", "capped"]), st.data())
def test_the_rest_of_a_run_stays_below_its_curve(case, name, data):
    problem, network = case
    first = train(problem, network, "sharp", max_iter=1, tol=0.0)
    eta = first.history["step_size"][0] if first.iterations else 0.1
    rule = {"local": Local(), "sharp": Sharp(), "constant": Constant(eta), "capped": Sharp(cap=0.3 * eta),
            "schedule": Schedule([0.1 * eta, 0.5 * eta, eta])}[name]
    run = train(problem, network, rule, max_iter=30, tol=0.0)
    if run.guarantee.bounds is None:
        return
    t = data.draw(st.integers(0, run.iterations))
    found, h = run.guarantee_from(t), run.history
    if found.vacuous:
        return
    if t == run.iterations:
        run = train(problem, run, max_iter=t + 20, tol=0.0)
        h = run.history
    ahead = np.arange(run.iterations + 1 - t)
    rounding = np.sqrt(2 * abs(h["gap"]) * h["floor"]) + h["floor"] + h["rounding"]
    assert (h["gap"][t:] <= found.gap_at(ahead) * (1 + 1e-12) + rounding[t:]).all()
    # both drifts are bounds, the run's own one from t = 0 on; that of the curve may begin anew at the last iterate
    # the run's is rounded up by 8 u of itself a step, and that twice rounds
    rounded = 10 * U * ahead * h["drift"][t:]
    assert (h["drift"][t:] - h["drift"][t] <= found.drift_at(ahead) * (1 + 1e-9) + rounded).all()
    width = np.minimum(h["bracket_width"], 1.0)
    assert (h["sigma_max_sq"][t:] * (1 - width[t:]) <= found.B * (1 + 1e-9)).all()
    eta = h["step_size"][t:-1]
    assert (eta >= found.eta_min * (1 - 1e-12)).all()
    assert (eta <= found.eta_cap).all()


@pytest.fixture(scope="module")
def narrow():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 6))
    problem = SquaredLoss(X, X @ rng.standard_normal((6, 4)), reduction="mean")
    return problem, Network.gaussian(6, 40, 4, std=40**-0.25, rng=rng)


def test_a_run_of_which_nothing_is_known_at_first_is_guaranteed_later(narrow, tmp_path):
    problem, network = narrow
    run = train(problem, network, "local", max_iter=300, tol=1e-8)
    late = run.guarantee_from(run.iterations // 2)
    assert not late.vacuous
    assert late.rule == Local()
    assert run.guarantee_from(0).iterations_to(1e-6) >= run.guarantee_from(-1).iterations_to(1e-6)
    run.save(tmp_path / "run.npz")
    again = Run.load(tmp_path / "run.npz")
    assert again.guarantee_from(np.int64(-1)) == run.guarantee_from(run.iterations)
    assert again.continuation == again.continuation != run.continuation
    # of a rule without a theorem it is what one could go on with, and keeps
    other = train(problem, network, "polyak", max_iter=10, tol=0.0)
    found = other.guarantee_from(-1)
    assert not found.vacuous
    went_on = train(problem, other, found.rule, max_iter=30, tol=0.0)
    assert (went_on.history["gap"][10:] <= found.gap_at(np.arange(21)) * (1 + 1e-12)).all()
    # and only from there on, with the steps that are left
    assert went_on.guarantee_from(30).rule.steps == (found.rule.steps[20:] or found.rule.steps[-1:])
    with pytest.raises(ValueError, match=r"^t: expected a recorded iterate from 10 to 30, got 9"):
        went_on.guarantee_from(9)


@pytest.mark.parametrize("product", [1.0, 2.0])
@pytest.mark.parametrize(("loss", "l2"), [(LogisticLoss, 0.0), (LogisticLoss, 1e-3), (SoftmaxLoss, 1e-3)])
def test_a_constant_of_the_first_gap_says_nothing_of_a_larger_one(loss, l2, product):
    problem = loss([[1.0], [1.0]], [0, 1], l2=l2)
    side = np.array([[1.0, -1.0]])[:, :problem.shape[1]]
    network = Network([[9.0, 0.0, 0.0]], np.vstack([0.05 * side, 9.0 * side, 3.0 * side]))
    run = train(problem, network, Schedule(np.array([1.0, 0.01]) / product**2), max_iter=40, tol=0.0,
                layer_scales=(0.5, 2.0 * product))
    gap = run.history["gap"]
    grown = np.flatnonzero(gap > gap[0])
    assert grown.size > 20
    for t in grown:
        found = run.guarantee_from(int(t))
        assert found.vacuous or (gap[t:] <= found.gap_at(np.arange(gap.size - t)) * (1 + 1e-12)).all()
        assert found.vacuous or l2 > 0.0


def test_what_cannot_be_asked_is_said(narrow):
    problem, network = narrow
    run = train(problem, network, max_iter=6, record_every=4)
    for t, said in ((1, "a recorded iterate from 0 to 6"), (7, "a recorded"), (-2, "expected an integer"),
                    (0.5, "expected an integer")):
        with pytest.raises((ValueError, TypeError), match=f"^t: .*{said}" if "recorded" in said else f"^t: {said}"):
            run.guarantee_from(t)
    with pytest.raises(ValueError, match="expected the column 'floor'"):
        train(problem, network, max_iter=3, record=["iteration", "gap"]).guarantee_from(0)
    far = train(MatrixFactorization(np.ones((2, 2))), Network(1e150 * np.ones((2, 2)), 1e150 * np.ones((2, 2))))
    with pytest.raises(ValueError, match="from layers whose gap is known"):
        far.guarantee_from(0)


def test_the_overview_draws_them_beside_the_measured_gap(narrow):
    from matplotlib.figure import Figure

    problem, network = narrow
    run = train(problem, network, "local", max_iter=100)
    ax = plot_gap(run, Figure().add_subplot())
    drawn = [line for line in ax.get_lines() if line.get_linestyle() == "-."]
    assert 1 <= len(drawn) <= 4
    for line in drawn:
        t = int(line.get_xdata()[0])
        assert np.array_equal(line.get_ydata(), run.guarantee_from(t).gap_at(np.arange(line.get_ydata().size)))
        assert (line.get_ydata() >= run.history["gap"][t:]).all()
    # nothing is guaranteed of a rule that no theorem speaks of
    ax = plot_gap(train(problem, network, "polyak", max_iter=20), Figure().add_subplot())
    assert not [line for line in ax.get_lines() if line.get_linestyle() == "-."]
