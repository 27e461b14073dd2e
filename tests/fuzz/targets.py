"""Everything public, and how good arguments for it are drawn."""

import inspect
import pathlib
import types

import numpy as np

import lplfast
from lplfast import (
    CustomLoss,
    LogisticLoss,
    MatrixFactorization,
    Network,
    Problem,
    PseudoHuberLoss,
    SoftmaxLoss,
    SquaredLoss,
    check_loss,
    data,
    explain,
    guaranteed_rate,
    guaranteed_stationarity,
    initial_bounds,
    local_constants,
    plan,
    predicted_curve,
    steps,
    sweep,
    train,
    train_many,
)

from . import objects
from .calls import call


def squared(draw):
    n, m, N = draw.size(), draw.size(), draw.size()
    return call(SquaredLoss, draw.some(draw.matrix(N, n)), draw.some(draw.matrix(N, m)), **draw.options(
        l2=draw.number, reduction=lambda: draw.pick(["sum", "mean"]), offset=lambda: draw.matrix(n, m)))


def labelled(draw):
    n, m, N = draw.size(), draw.size(), draw.size() + 2
    Y = draw.pick([lambda: (draw.rng.random((N, m)) > 0.5).astype(int), lambda: _labels(draw, N),
                   lambda: draw.rng.dirichlet([1.0] * (m + 1), N)])()
    return call(draw.pick([LogisticLoss, SoftmaxLoss]), draw.some(draw.matrix(N, n)), draw.some(Y),
                l2=draw.some(draw.number()), **draw.options(reduction=lambda: "mean", offset=lambda: draw.matrix(n, m)))


def robust(draw):
    n, m, N = draw.size(), draw.size(), draw.size() + 2
    return call(PseudoHuberLoss, draw.some(draw.matrix(N, n)), draw.some(draw.matrix(N, m)),
                delta=draw.some(draw.number()), l2=draw.some(draw.number()),
                **draw.options(reduction=lambda: "mean", offset=lambda: draw.matrix(n, m)))


def _labels(draw, N):
    return draw.disguised(np.resize(draw.pick([[0, 1], [-1, 1], ["a", "b"], [True, False], [0, 1, 2]]), N))


def solved(draw):
    """The minimizer of data of any scale, with a ridge of any size."""
    n, N = draw.size(), draw.size() + 2
    scale, l2 = 10.0 ** draw.random.uniform(-40, 40), 10.0 ** draw.random.uniform(-40, 20)
    X = draw.rng.standard_normal((N, n)) * scale

    def solve(kind, X, labels, l2):
        made = kind(X, labels, l2=l2)
        return made.minimum, made.minimizer, made.lower_bound, made.gradient(made.minimizer)

    kind = draw.pick([LogisticLoss, SoftmaxLoss])
    return call(solve, kind, X, _labels(draw, N), l2, documents=(kind,), finite=True)


def custom(draw):
    n, m = draw.size(), draw.size()
    value = draw.bad()
    function = draw.pick([objects.square, lambda W: value, lambda W: (value, W), lambda W: (1.0, value),
                          draw.no_function()])

    def used(*args, **options):
        made = CustomLoss(*args, **options)
        W = [[1.0] * m] * n
        return made.value(W), made.gap(W), made.gradient(W)

    return call(used, function, shape=draw.some((n, m)), mu=draw.some(2.0), K=draw.some(2.0), **draw.options(
        minimum=lambda: 0.0, minimizer=lambda: draw.matrix(n, m), lower_bound=lambda: -1.0,
        mu_kind=lambda: draw.pick(["strong", "pl", "PL"])),
        documents=(CustomLoss, Problem.value))


def factorized(draw):
    n, m = draw.size(), draw.size()
    return call(MatrixFactorization, draw.some(draw.matrix(n, m)), **draw.options(offset=lambda: draw.matrix(n, m)))


def evaluated(draw):
    made = objects.problem(draw)
    name = draw.pick(["value", "gap", "gradient"])
    if draw.chance(0.5):
        return call(getattr(made, name), draw.some(draw.matrix(*made.shape)))
    known = made.minimum == made.minimum
    W = draw.rng.standard_normal(made.shape)
    return call(getattr(made, name), W, finite=known or name != "gap")


def projected(draw):
    made, given = objects.pair(draw)
    return call(made.project, draw.some(given), right=lambda found: found.width == given.width)


def of_kernel(draw):
    kernel = objects.kernel(draw)
    return call(Problem, draw.some(kernel), **draw.options(
        rows=draw.size, basis=lambda: draw.matrix(draw.size(), kernel.n), minimizer=lambda: draw.matrix(*kernel.shape)))


def network(draw):
    n, h, m = draw.size(), draw.size(), draw.size()
    if draw.chance(0.5):
        W1, W2 = (draw.disguised(draw.rng.standard_normal(shape)) for shape in ((n, h), (h, m)))
        return call(Network, W1, W2, right=lambda made: np.allclose(made.product, np.array(W1) @ np.array(W2))
                    and np.array_equal(made.W1, W1) and np.array_equal(made.W2, W2))
    return call(Network, draw.some(draw.matrix(n, h)), draw.some(draw.matrix(h, m)))


def blocked(draw):
    """A network from blocks of its hidden units."""
    n, m, sizes = draw.size(), draw.size(), [draw.size() + draw.pick([0, 20]) for _ in range(draw.random.randrange(4))]
    pairs = [draw.some((draw.some(draw.matrix(b, n)), draw.some(draw.matrix(b, m)))) for b in sizes]

    def used(*args):
        made = Network.from_blocks(*args)
        return made.W1, made.product, made.stack()
    return call(used, draw.pick([lambda: pairs, lambda: pairs, draw.no_function()]), draw.some(n), draw.some(m),
                documents=(Network.from_blocks, Network, Network.product), finite=True)


def observed(draw):
    """Layers that are anything, moved anyhow."""
    problem, start = objects.pair(draw)
    if start.width > 10**4:
        return call(lplfast.Observer, draw.some(problem), draw.bad())
    with np.errstate(over="ignore"):
        W1, W2 = (draw.some(draw.disguised(draw.random.choice([1.0, 1.01, 1e200]) * W)) for W in (start.W1, start.W2))

    def used(problem, start, W1, W2, **options):
        made = lplfast.Observer(problem, start)
        made.update(W1, W2, **options)
        return made.run.audit()
    return call(used, draw.some(problem), draw.some(start), W1, W2, **draw.options(step_size=draw.number),
                documents=(lplfast.Observer, lplfast.Observer.update, Network.stack))


def linear(draw):
    """Layers as PyTorch has them."""
    n, h, m = draw.size(), draw.size(), draw.size()
    layers = [types.SimpleNamespace(weight=draw.some(draw.matrix(*shape)), bias=draw.pick([None, None, None, 0.5]))
              for shape in ((h, n), (m, h))]
    return call(Network.from_torch, *(draw.some(layer) for layer in layers), documents=(Network.from_torch, Network))


def drawn_network(draw):
    function = draw.pick([Network.gaussian, Network.gaussian_implicit])
    return call(function, *(draw.some(draw.size()) for _ in range(3)), **draw.options(
        std=lambda: draw.pick([0.1, (1.0, 2), 1e308, 0.0]), rng=lambda: draw.pick([0, None, draw.rng])))


def spectral(draw):
    problem, _ = objects.pair(draw)
    return draw.pick([
        lambda: call(Network.spectral, draw.some(problem), draw.some(2), scale=10.0 ** draw.random.uniform(-200, 200)),
        lambda: call(problem.minimum_at_rank, draw.some(draw.pick([1, 2, 10**12])))])()


def balanced(draw):
    W = draw.matrix(draw.size(), draw.size())
    return call(Network.balanced, draw.some(W), draw.some(draw.pick([6, 9, 10**12])))


def of_network(draw):
    made = objects.network(draw)
    names = ["n", "m", "width", "compressed_width", "product", "imbalance_eigenvalues", "stack", "to_arrays", "repr"]
    if made.width < 10**6:
        names += ["W1", "W2", "save_layers"]
    name = draw.pick(names)
    if name == "save_layers":
        return call(made.save_layers, draw.some("W1.npy"), draw.some("W2.npy"))

    def read():
        found = repr(made) if name == "repr" else getattr(made, name)
        return found() if callable(found) else found
    return call(read, documents=(getattr(Network, name, None),), finite=True)


def parts(draw):
    """A network from what another one is made of."""
    made = objects.network(draw).to_arrays()
    for name in list(made):
        made[name] = draw.some(made[name])
    if draw.chance(draw.wicked):
        made.pop(draw.pick(made))
    return call(Network.from_arrays, draw.some(made))


def replaced(draw):
    made = objects.network(draw)
    return call(made.replace, draw.some(draw.matrix(*made.stack().shape)))


def files(draw):
    draw.rng.standard_normal((2, 2)).dump("pickled.npy")
    with open("text.csv", "wb") as file:
        file.write(draw.pick([b"1,2\n3,4\n", b"", b"1,2\n3\n", b"a,b\n1,2\n", b"\xff\xfe", b"1_0,2\n", b"nan,1\n",
                              b"1e999,1\n", b"1;2\n", b"\0\0", b",0,1\n0,5,6\n",
                              b"0,1\n.5,2\n", b"# 1\n2\n", "\ufeff1 2\n".encode()]))
    np.save("any.npy", np.asarray(draw.array()), allow_pickle=True)
    with open("raw.npy", "wb") as file:
        file.write(draw.pick([b"", b"\x93NUMPY", b"\x93NUMPY\x01\0\xff\xff", b"\x93NUMPY\x01\0v\0" + b"{" * 118,
                              b"PK\x03\x04", pathlib.Path("any.npy").read_bytes()[:draw.random.randrange(200)]]))
    paths = [draw.some(draw.pick(["pickled.npy", "text.csv", "any.npy", "raw.npy", ".", "missing"])) for _ in range(2)]
    if draw.chance(0.5):
        return call(Network.from_files, *paths, documents=(lplfast.tables.read_matrix,))
    answers = {name: lambda: draw.some(draw.pick([True, False, (None, True)])) for name in ("header", "index")}
    return call(data.read_data, *paths, **draw.options(**answers), documents=(lplfast.tables.read_matrix,))


def trained(draw):
    problem, start = objects.pair(draw)
    if draw.chance(0.2):
        problem, start = objects.run(draw)
    options = draw.options(
        tol=lambda: draw.pick([0.0, 1e-10]), grad_tol=lambda: 1e-3, max_growth=lambda: 10.0, max_time=lambda: 0.05,
        constants=lambda: draw.pick(["certified", "exact", "power", objects.spectral(draw)]), compress=lambda: False,
        layer_scales=lambda: draw.pick([(1.0, 16.0), (0.3, 2), [1e-100, 1e100]]),
        record=lambda: draw.pick(["all", ["gap"], ["iteration", "loss", "gap"]]),
        record_every=lambda: draw.pick([1, 3]))
    step_size = draw.some(objects.rule(draw))
    if draw.chance(0.2):
        problems = draw.pick([problem, [problem, problem]])
        return call(train_many, draw.some(problems), draw.some([start, start]), step_size, n_threads=draw.some(2),
                    max_iter=draw.pick([0, 3, 12]), **options, documents=(train_many, Network.stack))
    options.update(draw.options(
        callback=lambda: draw.pick([lambda run: run.verdict, lambda run: run.iterations > 2, repr]),
        n_threads=lambda: draw.pick([None, 1, 2]),
        callback_every=lambda: 2, checkpoint=lambda: "run.npz", checkpoint_every=lambda: 1e-3))
    return call(train, draw.some(problem), draw.some(start), step_size,
                max_iter=draw.pick([0, 3, 12, 12, draw.some(5)]), **options, documents=(train, Network.stack))


def planned(draw):
    problem, start = objects.pair(draw)
    return call(plan, draw.some(problem), draw.some(start), draw.some(objects.rule(draw)), **draw.options(
        max_iter=lambda: 3, tol=lambda: 0.1, record=lambda: ["gap"], callback=lambda: repr),
        documents=(plan, Network.stack))


def studied(draw):
    problem, start = objects.pair(draw)
    value = draw.bad()
    experiment = draw.pick([
        lambda rng, **given: plan(problem, start, max_iter=3), lambda rng, **given: given, lambda rng: value,
        lambda rng, **given: {"x": value}, lambda rng, **given: {"x": (("y",), rng.random(rng.integers(3)))},
        draw.no_function()])
    grid = {name: draw.some(draw.pick([[1, 2], ["a"], {"b": value}, [0.5, 1], [True]])) for name in draw.pick(
        [["a"], ["a", "b"], []])}
    if draw.chance(0.1):
        return call(explain, draw.some("studies"), draw.some("missing"))
    return call(sweep, experiment, draw.some(grid), n_jobs=draw.some(1), seeds=draw.some(2), **draw.options(
        store=lambda: "studies", name=lambda: f"study{draw.size()}", on_mismatch=lambda: "keep",
        progress=lambda: False, backend=lambda: "threading"))


def bounded(draw):
    function = draw.pick([local_constants, initial_bounds, guaranteed_rate, guaranteed_stationarity])
    problem, start = objects.pair(draw)
    options = {}
    if function is initial_bounds:
        options = draw.options(margins=lambda: draw.pick(["best", "xu2023"]))
    if function is guaranteed_rate:
        cap = 10.0 ** draw.random.uniform(-200, 200)
        theirs = [lplfast.Sharp(cap=cap), lplfast.Local(cap=cap), lplfast.Constant(cap),
                  lplfast.Schedule([cap, 2 * cap])]
        options = draw.options(rule=lambda: draw.pick(theirs), factor=lambda: draw.pick([1e-6, 0.5, 1e-300]),
                               constants=lambda: draw.pick(["exact", "power", objects.spectral(draw)]))
    if function is guaranteed_stationarity:
        cap = 10.0 ** draw.random.uniform(-200, 200)
        options = draw.options(rule=lambda: draw.pick([lplfast.Sharp(cap=cap), lplfast.Local(cap=cap)]),
                               constants=lambda: draw.pick(["exact", "power", objects.spectral(draw)]))
    return call(function, draw.some(problem), draw.some(start), **options)


def foreseen(draw):
    problem, start = objects.pair(draw)
    some = 10.0 ** draw.random.uniform(-200, 200)
    etas = draw.pick([some, [some, 1.0], np.array([0.1, some]), [], [-1.0], "local"])
    return call(predicted_curve, draw.some(problem), draw.some(start), draw.some(etas),
                draw.some(draw.pick([1, 3, 12])), **draw.options(order=lambda: draw.pick([0, 1, 2])))


def tiny_constants(draw):
    """Constants from one end of float64 to the other."""
    K = 10.0 ** draw.random.uniform(-300, 300)
    def scaled(W):
        with np.errstate(all="ignore"):
            return 0.5 * K * float((W * W).sum()), K * W
    problem = CustomLoss(scaled, shape=(1, 1), mu=K * draw.pick([1, 0.5, 1e-9]),
                         K=K, minimum=0.0, **draw.options(minimizer=lambda: [[0.0]]))
    scale = 10.0 ** draw.random.uniform(-200, 150)
    start = Network([[scale, 2 * scale]], [[scale], [-3 * scale]])

    def both(problem, start):
        found = guaranteed_rate(problem, start)
        return found.iterations_to(0.5), initial_bounds(problem, start).K_upper(0.1), local_constants(problem, start)
    return call(both, problem, start, documents=(guaranteed_rate,))


def doubted(draw):
    made = objects.problem(draw)
    return call(check_loss, draw.some(made), **draw.options(points=lambda: [draw.matrix(*made.shape)], rng=lambda: 1))


def of_data(draw):
    scaled = data.standardized(draw.rng.standard_normal((4, 3)))
    return draw.pick([
        lambda: call(data.default_data, **draw.options(n=draw.size, m=draw.size, condition=lambda: 10.0,
                                                       seed=draw.size)),
        lambda: call(data.load_data, draw.some(draw.pick(["digits", "diabetes"]))),
        lambda: call(data.one_hot, draw.some(_labels(draw, 5))),
        lambda: call(data.with_intercept, draw.some(draw.matrix(5, 3)), finite=True),
        lambda: call(data.standardized, draw.some(draw.matrix(5, 3)), finite=True),
        lambda: call(scaled.restore, draw.some(draw.matrix(3, 2)), finite=True)])()


def rules(draw):
    kind = draw.pick([steps.__dict__[name] for name in lplfast.rules.catalogue.__all__])
    names = list(inspect.signature(kind).parameters)
    return call(kind, **{name: draw.some(draw.pick([0.5, 1.5, "rho", 0.1])) for name in names if draw.chance(0.6)})


def rule_from(draw):
    problem, start = objects.pair(draw)
    return draw.pick([
        lambda: call(steps.rule_from, draw.some(objects.rule(draw))),
        lambda: call(steps.CallableRule, draw.some(objects.square)),
        lambda: call(steps.missing_for, draw.some(steps.rule_from(draw.pick(steps.RULES))), draw.some(problem),
                     draw.some(start))])()


TARGETS = {name: function for name, function in list(vars().items())
           if inspect.isfunction(function) and function.__module__ == __name__ and not name.startswith("_")}
