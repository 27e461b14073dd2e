"""A use of every public name, which `mypy --strict` has nothing to say about; tests/test_typed.py runs it, too."""

import os
import tempfile
from collections.abc import Iterator
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import lplfast
from lplfast import (
    AdGD,
    Armijo,
    Arora2018,
    BarzilaiBorwein,
    Constant,
    Contraction,
    CustomLoss,
    Du2018,
    ExactLineSearch,
    GuaranteedRate,
    GuaranteedStationarity,
    InitialBounds,
    Interrupted,
    IterateView,
    Local,
    LocalConstants,
    LogisticLoss,
    LossReport,
    Majorizer,
    MatrixFactorization,
    Network,
    Observer,
    Planned,
    Polyak,
    PredictedCurve,
    Problem,
    PseudoHuberLoss,
    Rule,
    Run,
    Schedule,
    Sharp,
    SoftmaxLoss,
    SquaredLoss,
    Xu2023,
    check_loss,
    compare,
    data,
    explain,
    guaranteed_rate,
    guaranteed_stationarity,
    initial_bounds,
    local_constants,
    plan,
    plots,
    predicted_curve,
    show_versions,
    steps,
    sweep,
    train,
    train_many,
)
from lplfast.losses.function import PythonLoss
from lplfast.losses.loss import Loss
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.reference import RULES as TWINS
from lplfast.spectral.certified import Certified
from lplfast.spectral.exact import Exact
from lplfast.spectral.power import Power
from lplfast.spectral.spectral import Spectral
from lplfast.threads import single_threaded_blas

Array = npt.NDArray[np.float64]
SHAPE = (4, 3)


def losses() -> list[Problem]:
    """Make one of each."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    squared = SquaredLoss(X, Y, l2=0.1, reduction="mean", offset=np.zeros(SHAPE))
    assert_type(squared.minimizer, Array)
    assert_type(squared.mu, float)
    print(squared.rank, squared.condition_number, squared.frame_error, squared.singular_values, squared.conditioning)
    softmax = SoftmaxLoss(X.tolist(), ["a", "b", "c", "a", "b", "c"], l2=1.0)
    logistic = LogisticLoss(X, Y > 0, l2=1.0)
    robust = PseudoHuberLoss(X, Y, delta=1.0, l2=1)
    print(softmax.classes, logistic.minimum_error, robust.minimizer_error, robust.delta, softmax.minimizer)
    factorization = MatrixFactorization(np.ones(SHAPE))
    kernel: Loss = DiagonalQuadratic(np.ones(4), np.zeros(SHAPE))
    own = Problem(kernel, minimizer=np.zeros(SHAPE))
    custom = CustomLoss(square, shape=SHAPE, mu=1.0, K=1.0, minimum=0.0)
    function = PythonLoss(square, SHAPE, mu=1.0, K=1.0)
    assert_type(function.value_and_gradient(np.zeros(SHAPE)), tuple[float, float, Array])
    return [squared, softmax, logistic, robust, factorization, own, custom]


def square(W: Array) -> tuple[float, Array]:
    """Return ||W||^2 / 2 and its gradient."""
    return float((W * W).sum()) / 2, W


def evaluated(problem: Problem) -> float:
    """Look at a loss."""
    W = np.ones(problem.shape)
    assert_type(problem.gradient(W), Array)
    assert_type(problem.minimizer, Array | None)
    report = check_loss(problem, points=[W], rng=0)
    assert_type(report, LossReport)
    print(report.passed, report.problems, [claim.says for claim in report.claims], problem.fingerprint)
    print(problem.K, problem.kernel.hessian, problem.basis, problem.sees_everything, problem.lower_bound)
    return problem.value(W) + problem.gap(W) + problem.minimum + problem.minimum_error + problem.minimizer_error


def networks(folder: str) -> list[Network]:
    """Make one in every way."""
    drawn = Network.gaussian(4, 9, 3, std=(0.5, 0.5), rng=0)
    paths = os.path.join(folder, "W1.npy"), os.path.join(folder, "W2.npy")
    drawn.save_layers(*paths)
    again = Network.from_arrays(drawn.to_arrays(self_contained=True), initial=drawn)
    assert_type(again, Network)
    assert_type(drawn.stack(compress=False), Array)
    print(drawn.n, drawn.m, drawn.width, drawn.compressed_width, drawn.product, drawn.imbalance_eigenvalues())
    return [drawn, again, Network(drawn.W1, drawn.W2), Network.from_files(*paths), drawn.replace(drawn.stack()),
            Network.gaussian_implicit(4, 10**6, 3, std=1e-3, rng=np.random.default_rng(0)),
            Network.balanced(np.eye(4, 3), 50), Network.from_blocks(blocks, 4, 3)]


def blocks() -> Iterator[tuple[Array, Array]]:
    """Yield hidden units, some at a time."""
    for i in range(3):
        yield np.full((20, 4), i + 0.5), np.ones((20, 3))


class Halved(Rule):
    """A rule of one's own."""

    def __init__(self, factor: float = 0.5) -> None:
        self.factor = factor

    def choose(self, iterate: IterateView) -> float:
        """Return a part of the local step."""
        return self.factor / iterate.K_t(0.0)


def rules() -> list[Rule]:
    """Make one of each."""
    rule: Rule = steps.rule_from("local")
    xu = Xu2023("rho-hat", c1=0.5, c2=1.5)
    print(rule.options, rule.needs, rule.needs_tau, rule.needs_B, rule.needs_previous, rule.take_error(), xu.bound)
    print(sorted(steps.RULES), sorted(steps.NEEDS), sorted(TWINS))
    return [rule, xu, Halved(), Local(cap=0.1, growth_from=1.0), Sharp(cap=None), Majorizer(relax=0.5),
            Contraction(cap=1.0), ExactLineSearch(), Arora2018(), Du2018(eps=1e-3), Polyak(), Armijo(c=0.3, shrink=0.5),
            Schedule([0.1, 0.05]), Planned(), AdGD(initial=1e-8), BarzilaiBorwein(initial=None), Constant(0.1),
            steps.CallableRule(chosen)]


def chosen(iterate: IterateView) -> float:
    """Return the local step, and remember it."""
    iterate.memory[0] = iterate.eta
    assert_type(iterate.W1, Array)
    print(iterate, iterate.t, iterate.mu, iterate.K, iterate.loss, iterate.gap, iterate.grad_norm, iterate.mu_t,
          iterate.unreached,
          iterate.sigma_min_sq, iterate.sigma_max_W, iterate.G_max, iterate.G_norm, iterate.nu_lo, iterate.nu_hi,
          iterate.W2, iterate.W, iterate.G, iterate.g1, iterate.g2, iterate.previous_g1, iterate.previous_g2)
    return 1 / max(iterate.K_t(0.0), iterate.K_t_sharp(0.0), iterate.K * iterate.sigma_max_sq)


def before_the_first_step(problem: Problem, network: Network) -> str:
    """Ask what is known."""
    at = local_constants(problem, network)
    assert_type(at, LocalConstants)
    print(at.mu_t, at.K_t(0.1), at.K_t_sharp(0.1), at.brackets["G_max"][1], at.kernel_extremes, at.kind)
    bounds = initial_bounds(problem, network, margins="best")
    assert_type(bounds, InitialBounds)
    print(bounds.alpha, bounds.beta, bounds.after(0.1), bounds.K_upper(0.1), bounds.imbalance.top, bounds.mu_lower)
    spectral: Spectral = Exact()
    found = guaranteed_rate(problem, network, rule=Sharp(cap=1e-3), constants=spectral)
    assert_type(found, GuaranteedRate)
    print(found.rate, found.contraction, found.rule, found.iterations_to(1e-6), found.vacuous, Power().upper_widths)
    seen: GuaranteedStationarity = guaranteed_stationarity(problem, network, rule=Sharp(cap=1e-3))
    assert_type(seen.grad_norm_after(10), float)
    Network.spectral(problem, 2, scale=problem.minimum_at_rank(2))
    curve = predicted_curve(problem, network, 0.01, 5, order=1)
    assert_type(curve, PredictedCurve)
    print(curve.gap_lower, curve.gap_upper, curve.linear_gap, curve.distance, curve.width)
    print(steps.missing_for(Polyak(), problem, network))
    print(found.gaps, found.drifts, found.tail, found.gap_at(3), found.drift_at(3))
    assert_type(problem.project(network), Network)
    return found.message


def trained(problem: Problem, network: Network, folder: str) -> Run:
    """Train in every way."""
    path = os.path.join(folder, "run.npz")
    run = train(problem, network, "sharp", max_iter=5, tol=1e-8, grad_tol=1e-9, max_growth=1e3, max_time=10.0,
                n_threads=None, constants=Certified(tolerance=0.05), compress=True, layer_scales=(2.0, 0.5),
                record="all", record_every=1, callback=stop, callback_every=2, checkpoint=path, checkpoint_every=30.0,
                progress=False)
    run = train(problem, run, chosen, max_iter=8)
    many = train_many(problem, [network, network], [0.01, "local"], n_threads=2, max_iter=3, constants="exact",
                      callback=lambda i, run: i > 5, record=["iteration", "gap"])
    assert_type(many, list[Run])
    run.save(path, self_contained=True)
    run.to_csv(os.path.join(folder, "history.csv"))
    return Run.load(path, network=network)


def observed(problem: Problem, network: Network) -> Run:
    """Watch a step that is taken elsewhere."""
    observer = Observer(problem, network)
    W1, W2 = network.W1, network.W2
    G = problem.gradient(W1 @ W2)
    assert_type(observer.update(W1 - 0.01 * G @ W2.T, W2 - 0.01 * W1.T @ G, step_size=0.01), bool)
    return observer.run


def stop(run: Run) -> bool:
    """Whether a run should."""
    return bool(run.history["gap"][-1] < 1e-9)


def looked_at(run: Run) -> bool:
    """Look at a run."""
    assert_type(run.history, dict[str, Array])
    print(run.status, run.message, run.network.product, run.iterations, run.converged, run.violations, run.verdict)
    print(run.certificate, run.counters["backtracks"], run.checks["pl"], run.facts.rule, run.facts["mu"])
    assert_type(run.guarantee_from(-1), GuaranteedRate)
    print(run.continuation.fingerprint, run.guarantee.contraction, run.guarantee.bounds, run.to_dataframe())
    audit = run.audit()
    print([(claim.title, claim.smallest, claim.at) for claim in audit.claims], audit.violations)
    figure = plots.overview(run)
    panels = (plots.plot_gap, plots.plot_rate, plots.plot_step_size, plots.plot_constants)
    for draw, ax in zip(panels, figure.axes, strict=True):
        draw(run, ax)
    run.plot()
    plots.compare({"a": run, "b": run}, x="time")
    print(run.to_xarray(), compare([run, run], labels=["a", "b"]))
    return audit.passed


def interrupted(problem: Problem, network: Network) -> Run | None:
    """Keep what there is."""
    try:
        return train(problem, network)
    except Interrupted as interrupt:
        print(interrupt.runs)
        return interrupt.run


def with_data(folder: str) -> Array:
    """Read, load, standardize."""
    X, Y = data.default_data(n=4, m=3, condition=5.0, seed=1)
    paths = os.path.join(folder, "x.csv"), os.path.join(folder, "y.csv")
    for path, table in zip(paths, (X, Y), strict=True):
        np.savetxt(path, table, delimiter=",")
    X, Y = data.read_data(*paths, header=False, index=(None, False))
    scaled = data.standardized(X)
    W, intercept = scaled.restore(np.ones(SHAPE))
    assert_type(scaled.mean, Array)
    print(scaled.scale, scaled.constant, intercept, data.one_hot(["a", "b"]), data.load_data("diabetes")[0].shape)
    with single_threaded_blas():
        return data.with_intercept(scaled) @ np.vstack([W, W[:1]])


def cell(rng: np.random.Generator, *, width: int) -> Any:
    """Return what a study carries out."""
    return plan(MatrixFactorization(np.eye(3)), Network.gaussian(3, width, 3, std=0.5, rng=rng), "sharp", max_iter=5,
                record=["gap"])


def studied(folder: str) -> str:
    """Carry out a study."""
    found = sweep(cell, {"width": [4, 8]}, seeds=2, store=folder, name="study", n_jobs=1, backend="threading",
                  on_mismatch="refuse", progress=False)
    print(found["final_loss"].shape)
    return explain(folder, "study")


def main() -> None:
    """Use everything."""
    show_versions()
    print(lplfast.__version__, rules())
    with tempfile.TemporaryDirectory() as folder:
        problem, *others = losses()
        network, *_ = networks(folder)
        print(evaluated(problem), len(others), before_the_first_step(problem, network), with_data(folder))
        print(looked_at(trained(problem, network, folder)), interrupted(problem, network), studied(folder))
        print(observed(problem, network))


if __name__ == "__main__":
    main()
