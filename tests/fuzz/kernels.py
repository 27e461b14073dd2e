"""Every compiled function that Python can reach, called without the library around it."""

import numpy as np

from lplfast.descent.descent import Descent
from lplfast.descent.history import COLUMNS, table_of
from lplfast.linalg.compress import extend_factor, orthonormal_rows, triangular_factor
from lplfast.linalg.factorization import factorize
from lplfast.losses.cross_entropy import Logistic, Softmax
from lplfast.losses.function import PythonLoss
from lplfast.losses.loss import Loss, digest
from lplfast.losses.quadratic import DiagonalQuadratic
from lplfast.rules import formulas
from lplfast.spectral.certified import Certified
from lplfast.spectral.exact import Exact
from lplfast.spectral.modes import spectral_from
from lplfast.spectral.power import Power
from lplfast.spectral.spectral import Spectral
from lplfast.steps import rule_from

from . import objects
from .calls import call


def quadratic(draw):
    n, m = draw.size(), draw.size()
    return call(DiagonalQuadratic, draw.some(draw.rng.random(n)), draw.some(draw.matrix(n, m)), **draw.options(
        minimum=draw.number, mu=draw.number, K=draw.number, frame=draw.number, uncertainty=draw.number,
        target_summary=lambda: (0.1, 1.0, 1)))


def rowwise(draw):
    n, m, N = draw.size(), draw.size(), draw.pick([1, 3, 129])
    given = {"mu": 0.1, "K": 2.0, "minimum": 0.5, "l2": 0.1}

    def used(kind, *args, **options):
        loss = kind(*args, **options)
        return loss, loss.value_and_gradient(np.ones(loss.shape)), loss.options, loss.fingerprint
    return call(used, draw.pick([Softmax, Logistic]), draw.some(draw.rng.standard_normal((N, n))),
                draw.some(draw.rng.standard_normal((N, m))), draw.some(draw.rng.standard_normal((n, m))),
                **{name: draw.some(value) for name, value in given.items()}, **draw.options(weight=draw.number))


def python_loss(draw):
    value = draw.bad()
    function = draw.pick([objects.square, lambda W: value, lambda W: (value, W), lambda W: (0.5, value)])

    def used(*args, **options):
        return PythonLoss(*args, **options).value_and_gradient([[1.0, 2.0]])
    return call(used, draw.pick([function, draw.no_function()]), draw.some((1, 2)), mu=draw.some(1.0), K=draw.some(2.0),
                **draw.options(minimum=draw.number, lower_bound=draw.number, uncertainty=draw.number))


def loss(draw):
    return call(Loss, draw.some((draw.size(), draw.size())), mu=draw.some(1.0), K=draw.some(2.0),
                **draw.options(minimum=draw.number))


def value_and_gradient(draw):
    made = objects.kernel(draw)
    W = draw.matrix(*made.shape)
    if isinstance(made, DiagonalQuadratic):
        d, away = made.hessian[:, np.newaxis], np.array(W) - made.minimizer

        def right(found):
            with np.errstate(all="ignore"):
                return np.allclose(found[2], d * away, equal_nan=True) and np.isclose(
                    found[1], 0.5 * (d * away * away).sum(), equal_nan=True)
        return call(made.value_and_gradient, W, right=right)
    return call(made.value_and_gradient, draw.some(W))


def factors(draw):
    k = draw.size()
    stack = draw.disguised(draw.rng.standard_normal((k, k + draw.pick([-1, 0, 1, 30, 1100]) if k > 1 else 5)))
    if draw.chance(0.5):
        Z = np.array(stack)
        return call(triangular_factor, stack, 2.0, right=lambda R: np.allclose(R @ R.T, 4.0 * Z @ Z.T))
    if draw.chance(0.5):
        return call(orthonormal_rows, stack, 2.0, right=lambda Q: np.allclose(Q @ Q.T, np.eye(len(Q))))
    if draw.chance(0.3):
        return call(extend_factor, draw.some(np.eye(k)), draw.some(stack), 2.0)
    return call(draw.pick([triangular_factor, orthonormal_rows]), draw.some(stack), draw.some(1e-100))


def factorized(draw):
    return call(factorize, draw.matrix(draw.size(), draw.size()))


def copied(draw):
    rows, columns = draw.pick([1, 7, 9]), draw.pick([1, 3, 28])
    chosen = [draw.random.randrange(columns) for _ in range(2)]
    if draw.chance(draw.wicked):
        bad = draw.bad()
        return call(lambda rows: table_of(rows, bad, chosen), draw.matrix(rows, columns))
    numbers, last = draw.matrix(rows, columns), draw.rng.standard_normal(columns)
    expected = np.vstack([np.array(numbers), last])[:, chosen].T
    return call(table_of, numbers, last, chosen, right=lambda table: np.array_equal(table, expected))


def formula(draw):
    function, count = draw.pick([(formulas.K_t, 5), (formulas.K_t_sharp, 6)])
    return call(function, *(draw.some(draw.number()) for _ in range(count)))


def digested(draw):
    return call(digest, {"a": draw.some(draw.number()), "b": draw.some(draw.matrix(2, 2))})


def spectral(draw):
    return draw.pick([
        lambda: call(draw.pick([Certified, Exact, Power, Spectral]), **draw.options(tolerance=lambda: 0.1)),
        lambda: call(spectral_from, draw.some(draw.pick(["exact", objects.spectral(draw), objects.by_new(draw)])),
                     **draw.options(tolerance=lambda: 0.1))])()


def descent(draw):
    kernel = objects.kernel(draw)
    return call(Descent, draw.some(kernel), draw.some(rule_from(draw.pick(["sharp", "bb", "exact"]))),
                draw.some(objects.spectral(draw)), draw.some(draw.matrix(sum(kernel.shape), draw.size())))


def descent_of_new(draw):
    """A descent one part of which has not been through __init__, advanced."""
    parts = [objects.kernel(draw), rule_from("sharp"), Certified()]
    made = objects.by_new(draw)
    for i, base in enumerate((Loss, type(parts[1]).__mro__[-2], Spectral)):
        if isinstance(made, base):
            parts[i] = made

    def advanced(*parts):
        stack = np.ones((sum(objects.kernel(draw).shape) if not isinstance(parts[0], Loss) else sum(parts[0].shape), 2))
        return Descent(*parts, stack).advance(np.zeros((4, len(COLUMNS))))
    return call(advanced, *parts)


def descended(draw):
    """Any calls of the methods of a descent, one after the other."""
    made = objects.descent(draw)
    rows = np.zeros((draw.pick([1, 3, 50]), len(COLUMNS)))
    kept = made.state()
    steps = [draw.pick([
        lambda: made.advance(draw.some(rows), **draw.options(
            every=lambda: draw.pick([1, 2]), max_iter=lambda: 40, tol=lambda: 0.0, grad_tol=lambda: 0.1,
            max_growth=lambda: 10.0, budget=lambda: 0.01)),
        lambda: made.restore(draw.some(kept), **draw.options(same_rule=lambda: draw.chance(0.5))),
        lambda: setattr(made, "memory", draw.some(made.memory)), lambda: made.restore(noisy(draw, kept)),
        made.local, made.last_row, made.state, lambda: made.checks, lambda: made.counters, lambda: made.first_gap,
        lambda: made.gap_above, lambda: made.failure, lambda: made.search_failure, lambda: made.W1, lambda: made.W2])
        for _ in range(6)]
    return call(lambda: [step() for step in steps], documents=(Descent.advance,))


def noisy(draw, state):
    """Return a state of which one number is another: a file may hold anything."""
    state = state.copy()
    state[draw.random.randrange(state.size)] = draw.pick([np.nan, np.inf, -1.0, 1e308, 5e-324, 1e18, -1e300])
    return state


TARGETS = {name: function for name, function in list(vars().items())
           if callable(function) and getattr(function, "__module__", "") == __name__ and name != "noisy"}
