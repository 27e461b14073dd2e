"""Good problems, networks, rules and runs, of small and extreme sizes; and some that have not been through __init__."""

import functools

import numpy as np

import lplfast
from lplfast import (
    CustomLoss,
    LogisticLoss,
    MatrixFactorization,
    Network,
    Problem,
    SoftmaxLoss,
    SquaredLoss,
    steps,
    train,
)
from lplfast.descent.descent import Descent
from lplfast.losses.cross_entropy import CrossEntropy, Logistic, Softmax
from lplfast.losses.function import PythonLoss
from lplfast.losses.loss import Loss
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.rules.rule import Capped
from lplfast.spectral.certified import Certified
from lplfast.spectral.exact import Exact
from lplfast.spectral.power import Power
from lplfast.spectral.spectral import Spectral

COMPILED = [Loss, DiagonalQuadratic, CrossEntropy, Softmax, Logistic, PythonLoss, Spectral, Certified, Exact, Power,
            Capped, steps.Rule, steps.IterateView, steps.CallableRule,
            *map(steps.__dict__.get, lplfast.rules.catalogue.__all__)]


def by_new(draw):
    """Return an object that has not been through its __init__."""
    kind = draw.pick(COMPILED)
    made = kind.__new__(kind)
    if draw.chance(0.2) and kind not in (Certified, Exact, Power):      # these are final
        class Subclass(kind):
            def __init__(self):
                pass
        made = Subclass()
    return made


def square(W):
    with np.errstate(all="ignore"):
        return float((W * W).sum()), 2 * W


def problem(draw, n=None, m=None):
    """Return a problem of this shape, or of any."""
    n, m, N = n or draw.size(), m or draw.size(), draw.size() + 1
    kind = draw.pick(["factorization", "squared", "ridge", "logistic", "softmax", "custom", "unknown", "kernel"])
    scale = 10.0 ** draw.pick([0, 0, 0, 0, -100, -8, 8, 60])
    X = draw.rng.standard_normal((N, n)) * scale
    if kind == "factorization":
        return MatrixFactorization(draw.rng.standard_normal((n, m)) * scale)
    if kind == "squared":
        return SquaredLoss(X, draw.rng.standard_normal((N, m)))
    if kind == "ridge":
        return SquaredLoss(X, draw.rng.standard_normal((N, m)), l2=draw.pick([1e-9, 0.1, 1e3]), reduction="mean")
    if kind == "logistic":
        return LogisticLoss(X, np.resize([0, 1, 1, 0, 1], (N, m)) if N * m > 1 else [0, 1], l2=draw.pick([1e-3, 1.0]))
    if kind == "softmax" and m > 1 and m <= N:
        if draw.chance(0.2):    # every row with labels that no map separates
            return SoftmaxLoss(X, np.full((N, m), 1 / m), l2=0.0)
        return SoftmaxLoss(X, np.resize(np.arange(m), N), l2=draw.pick([1e-3, 1.0]))
    if kind == "custom":
        return CustomLoss(square, shape=(n, m), mu=2.0, K=2.0, minimum=0.0, minimizer=np.zeros((n, m)))
    if kind == "kernel":
        return Problem(DiagonalQuadratic(np.full(n, scale**2), draw.rng.standard_normal((n, m)),
                                         mu=draw.pick([None, 0.0]), target_summary=draw.pick([None, (0.1, 1.0, 1)])))
    if draw.pick([True, False]):
        return CustomLoss(square, shape=(n, m), mu=draw.pick([0.0, 2.0]), K=draw.pick([None, 2.0]), concordance=0.1,
                          hessian_form=lambda W, M: 2.0 * float((M**2).sum()))
    return CustomLoss(square, shape=(n, m), mu=draw.pick([0.0, 2.0]), K=2.0, lower_bound=draw.pick([None, -1.0]),
                      mu_kind=draw.pick(["strong", "pl"]))


def network(draw, n=None, m=None):
    """Return a network of this shape, or of any."""
    n, m, h = n or draw.size(), m or draw.size(), draw.pick([1, 2, 5, 30])
    kind = draw.pick(["gaussian", "gaussian", "implicit", "balanced", "dense", "zero"])
    std = 10.0 ** draw.pick([0, 0, 0, -1, -150, -300, 3, 150, 200, 300])
    if kind == "implicit":
        return Network.gaussian_implicit(n, draw.pick([3, 50, 10**12]), m, std=std, rng=0)
    if kind == "balanced":
        return Network.balanced(draw.rng.standard_normal((n, m)), min(n, m) + h)
    if kind == "dense":
        return Network(draw.rng.standard_normal((n, h)) * std, draw.rng.standard_normal((h, m)))
    return Network.gaussian(n, h, m, std=0.0 if kind == "zero" else std, rng=draw.rng)


def pair(draw):
    """Return a problem, and a network that mostly fits it."""
    made = problem(draw)
    return made, network(draw, *made.shape) if draw.chance(0.95) else network(draw)


def view_function(draw):
    """Return a rule that is a function: a good one, or one of the kinds that are none."""
    def looks(it):
        for name in dir(it):
            if not name.startswith("_") and not callable(getattr(it, name)):
                getattr(it, name)
        it.memory[1] += it.K_t(0.1) + it.K_t_sharp(1.0)
        return 0.5 / it.K_t_sharp(0.0)

    def meddles(it):
        draw.pick([lambda: setattr(it.memory, "shape", (2, 4)), lambda: setattr(it.memory.flags, "writeable", False),
                   lambda: setattr(it.memory, "dtype", draw.pick(["i8", "f4", ">f8", "V8", "S64", "f8"])),
                   lambda: it.memory.fill(np.nan), lambda: it.memory.resize(3, refcheck=False)])()
        return 0.01

    kept = []

    def keeps(it):
        kept.append(it)
        for old in kept[:-1]:
            try:
                old.W1      # noqa: B018
            except RuntimeError:
                continue
            raise AssertionError("an iterate that is over has been read")
        return 0.01

    value = draw.bad()
    return draw.pick([looks, meddles, keeps, lambda it: value, lambda it: 0.01])


def rule(draw):
    """Return a rule that can be made without arguments, a name, a number, or a function."""
    return draw.pick([None, "local", 0.01, *steps.RULES, *steps.RULES, view_function(draw), lplfast.Local(cap=0.1),
                      lplfast.Sharp(cap=1e-3), lplfast.Constant(1e-3), lplfast.Schedule([1e-3, 1e-2])])


@functools.cache
def some_runs():
    """Return a few runs: of all that ends differently."""
    Y = MatrixFactorization([[2.0, 1.0], [0.0, 1.0]])
    start = Network.gaussian(2, 9, 2, std=0.5, rng=0)
    unknown = CustomLoss(square, shape=(2, 2), mu=2.0, K=2.0)
    return [(Y, train(Y, start, max_iter=5)), (Y, train(Y, start, "armijo", max_iter=7, record=["gap", "iteration"])),
            (Y, train(Y, start, 1e6, max_iter=9)), (unknown, train(unknown, start, "sharp", max_iter=3)),
            (Y, train(Y, start, "adgd", max_iter=0, constants="power")),
            (Y, train(Y, start, "sharp", max_iter=6, record_every=4, compress=False, constants="exact"))]


def run(draw):
    return draw.pick(some_runs())


def kernel(draw, n=None, m=None):
    """Return a compiled loss."""
    return problem(draw, n, m).kernel


def spectral(draw):
    return draw.pick([Certified, Exact, Power])(tolerance=draw.pick([0.01, 0.5, 1e-12]))


def descent(draw):
    """Return a descent of good parts."""
    made = kernel(draw)
    stack = draw.rng.standard_normal((sum(made.shape), draw.size())) * 10.0 ** draw.pick([0, 0, -100, 100])
    chosen = steps.rule_from(draw.pick(["sharp", "local", 0.01, "adgd", "exact", "armijo", "contraction", "majorizer"]))
    return Descent(made, chosen, spectral(draw), stack)
