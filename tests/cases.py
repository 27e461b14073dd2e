"""Registries that the tests run over: problems with their twins, networks, rules."""

import numpy as np

from lplfast import (
    AdGD,
    Armijo,
    Constant,
    CustomLoss,
    Local,
    LogisticLoss,
    MatrixFactorization,
    Network,
    PseudoHuberLoss,
    Schedule,
    SoftmaxLoss,
    SquaredLoss,
    reference,
)
from lplfast.guarantees.constants import local_constants
from lplfast.steps import RULES as BY_NAME
from lplfast.steps import missing_for

# What every refusal says, "name: expected ..., got ...", and what Python says of a call that a test got wrong does not:
# "got an unexpected keyword argument"
EXPECTED = "(?<!un)expected"


def _data(rng, rows, n, m, condition):
    """Return X of singular values evenly spaced from 1/condition to 1, and normal targets."""
    rank = min(rows, n)
    U, _ = np.linalg.qr(rng.standard_normal((rows, rank)))
    V, _ = np.linalg.qr(rng.standard_normal((n, rank)))
    return (U * np.linspace(1, 1 / condition, rank)) @ V.T, rng.standard_normal((rows, m))


def _squared(rng, n, m, *, rows=None, condition=3.0, **options):
    X, Y = _data(rng, n + 5 if rows is None else rows, n, m, condition)
    return SquaredLoss(X, Y, **options), reference.squared_loss(X, Y, **options)


def _offset(rng, n, m):
    return _squared(rng, n, m, offset=rng.standard_normal((n, m)), l2=0.2, reduction="mean")


def _null_space(rng, n, m):
    return _squared(rng, n, m, rows=max(1, n // 2))


def _null_space_ridge(rng, n, m):
    return _squared(rng, n, m, rows=max(1, n // 2), l2=0.1)


def _duplicated_columns(rng, n, m):
    X, Y = _data(rng, n + 5, n, m, 3.0)
    X[:, -1] = X[:, 0]
    return SquaredLoss(X, Y), reference.squared_loss(X, Y)


def _zero_column(rng, n, m):
    X, Y = _data(rng, n + 5, n, m, 3.0)
    X[:, 1:2] = 0.0
    return SquaredLoss(X, Y), reference.squared_loss(X, Y)


def _factorization(rng, n, m):
    Y, offset = rng.standard_normal((2, n, m))
    return MatrixFactorization(Y, offset=offset), reference.matrix_factorization(Y, offset=offset)


def _logistic(rng, n, m, **options):
    X, Y = _data(rng, n + 5, n, m, 3.0)
    Y, options = np.where(Y > 0, 1.0, -1.0), {"l2": 0.05, **options}
    if abs(Y.sum()) == Y.size:
        Y[0, 0] *= -1       # one class leaves nothing to learn
    return LogisticLoss(X, Y, **options), reference.logistic_loss(X, Y, **options)


def _softmax(rng, n, m, *, certain=True, **options):
    if m == 1:      # one class leaves nothing to learn
        return _logistic(rng, n, m, **options)
    X, Z = _data(rng, n + 5, n, m, 3.0)
    P = np.eye(m)[Z.argmax(axis=1)] if certain else np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    options = {"l2": 0.05, **options}
    return SoftmaxLoss(X, P, **options), reference.softmax_loss(X, P, **options)


def _logistic_no_ridge(rng, n, m):
    # every row twice, with both labels, but for some: no linear map separates them
    X, Y = _data(rng, n + 5, n, m, 3.0)
    Y = np.where(Y > 0, 1.0, -1.0)
    X, Y = np.concatenate([X, X, X]), np.concatenate([Y, Y, -Y])
    return LogisticLoss(X, Y, l2=0.0), reference.logistic_loss(X, Y, l2=0.0)


def _softmax_no_ridge(rng, n, m, **options):
    if m == 1:
        return _logistic_no_ridge(rng, n, m)
    return _softmax(rng, n, m, certain=False, l2=0.0, **options)


def _pseudo_huber(rng, n, m, **options):
    X, Y = _data(rng, n + 5, n, m, 3.0)
    Y[0] *= 100         # an outlier
    options = {"delta": 0.5, "l2": 0.05, **options}
    return PseudoHuberLoss(X, Y, **options), reference.pseudo_huber_loss(X, Y, **options)


def _custom(rng, n, m):
    _, twin = _logistic(rng, n, m)

    def function(W):
        with np.errstate(over="ignore", invalid="ignore"):      # a step may be far too long
            return twin.value(W), twin.gradient(W)

    problem = CustomLoss(function, shape=(n, m), mu=twin.mu, K=twin.K, minimum=twin.minimum, minimizer=twin.minimizer)
    return problem, twin._replace(growth=None, pl=None)     # of a function, no more than mu and K is known


# name -> function of (rng, n, m) that returns a problem and its twin
QUADRATIC = {
    "squared": _squared,
    "mean": lambda rng, n, m: _squared(rng, n, m, reduction="mean"),
    "ridge": lambda rng, n, m: _squared(rng, n, m, l2=0.3),
    "condition-100": lambda rng, n, m: _squared(rng, n, m, condition=100.0),
    "offset": _offset,
    "null-space": _null_space,
    "null-space-ridge": _null_space_ridge,
    "duplicated-columns": _duplicated_columns,
    "zero-column": _zero_column,
    "factorization": _factorization,
}
CONVEX = {
    "logistic": _logistic,
    "logistic-offset": lambda rng, n, m: _logistic(rng, n, m, offset=rng.standard_normal((n, m)), reduction="mean"),
    "softmax": _softmax,
    "softmax-offset": lambda rng, n, m: _softmax(rng, n, m, offset=rng.standard_normal((n, m)), reduction="mean",
                                                 certain=False),
    "custom": _custom,
    "pseudo-huber": _pseudo_huber,
    "pseudo-huber-offset": lambda rng, n, m: _pseudo_huber(rng, n, m, offset=rng.standard_normal((n, m)),
                                                           reduction="mean"),
    "without-ridge-logistic": _logistic_no_ridge,
    "without-ridge-softmax": _softmax_no_ridge,
}
PROBLEMS = {**QUADRATIC, **CONVEX}


def _rank_one(rng, n, h, m):
    return Network(np.outer(rng.standard_normal(n), rng.standard_normal(h)),
                   np.outer(rng.standard_normal(h), rng.standard_normal(m)))


def _one_zero(rng, n, h, m):
    return Network(np.zeros((n, h)), rng.standard_normal((h, m)))


def _duplicated_units(rng, n, h, m):
    W1, W2 = rng.standard_normal((n, h)), rng.standard_normal((h, m))
    W1[:, h // 2:] = W1[:, : h - h // 2]
    W2[h // 2:] = W2[: h - h // 2]
    return Network(W1, W2)


def labels(rng, kind, N, m):
    if kind is LogisticLoss:
        return rng.integers(0, 2, (N, m))
    return np.append(np.arange(m), rng.integers(0, m, N - m))


# name -> function of (rng, n, h, m)
NETWORKS = {
    "gaussian": lambda rng, n, h, m: Network.gaussian(n, h, m, std=h**-0.25, rng=rng),
    "unbalanced": lambda rng, n, h, m: Network.gaussian(n, h, m, std=(1.0, 1e-3), rng=rng),
    "balanced": lambda rng, n, h, m: Network.balanced(rng.standard_normal((n, min(h, m))) @ rng.standard_normal(
        (min(h, m), m)) / n, h),
    "rank-one": _rank_one,
    "one-zero": _one_zero,
    "duplicated-units": _duplicated_units,
}


def _named(name):
    return lambda problem, network: (BY_NAME[name](), reference.RULES[name]())


def small_loss(rng, Y, h, *, distance=0.1):
    """Return layers whose product is near Y, with an imbalance: what the rules of earlier papers start from."""
    network = Network.balanced(Y + distance * rng.standard_normal(Y.shape) / np.sqrt(Y.size), h)
    scale = 1 + 0.5 * rng.random(h)
    return Network(network.W1 * scale, network.W2 / scale[:, np.newaxis])


def start(seed=0, n=5, h=40, m=4):
    """Return a factorization and layers near its solution, which every rule applies to."""
    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((n, m))
    return Y, MatrixFactorization(Y), small_loss(rng, Y, h)


# name -> function of (problem, network): the rule, and its twin, a function of (constants, t)
RULES = {
    "constant": lambda problem, network: _constant(0.5 / local_constants(problem, network).K_t_sharp(0.0)),
    **{name: _named(name) for name in BY_NAME if name not in ("adgd", "armijo")},
    # with c = 1/2 the condition is an equality at the minimizer of a quadratic in one variable
    "armijo": lambda problem, network: (Armijo(c=0.4), reference.armijo(c=0.4)),
    "adgd": lambda problem, network: _adgd(0.1 / local_constants(problem, network).K_t_sharp(0.0)),
    "schedule": lambda problem, network: _schedule(0.3 / local_constants(problem, network).K_t_sharp(0.0)),
    "local-capped": lambda problem, network: _capped(problem, network),
    "local-grown": lambda problem, network: _grown(problem, network),
}


def _adgd(initial):
    # its default first step is so short that the change of the gradient drowns in rounding
    return AdGD(initial=initial), reference.adgd(initial)


def _constant(eta):
    return Constant(eta), lambda at, t: eta


def _schedule(eta):
    steps = [eta, 2 * eta, 1.5 * eta]
    return Schedule(steps), lambda at, t: steps[min(t, 2)]


def _capped(problem, network):
    cap = 1.5 / local_constants(problem, network).K_t(0.0)
    return Local(cap=cap), lambda at, t: min(cap, reference.RULES["local"]()(at, t))


def _grown(problem, network):
    first = 0.1 / local_constants(problem, network).K_t(0.0)
    return (Local(growth_from=first),
            lambda at, t: min(first * (1 + first**2) ** (t / 2), reference.RULES["local"]()(at, t)))


def with_rule(name, rng, n, h, m):
    """Return a problem, its twin, a network that the rule applies to, the rule, and its twin."""
    problem, twin = PROBLEMS["squared"](rng, n, m)
    network = NETWORKS["gaussian"](rng, n, h, m)
    rule, choose = RULES[name](problem, network)
    if missing_for(rule, problem, network):
        # what the rules of earlier papers want: orthogonal data and a small loss
        Y = rng.standard_normal((n, m))
        problem, twin = MatrixFactorization(Y), reference.matrix_factorization(Y)
        network = small_loss(rng, Y, h)
    return problem, twin, network, rule, choose


# (n, h, m): around every switch of the code, h = n+m-1, n+m, n+m+1 among them, and h below n or m
SHAPES = [(1, 1, 1), (1, 7, 1), (3, 2, 5), (5, 3, 2), (4, 6, 3), (4, 7, 3), (4, 8, 3), (2, 40, 6), (20, 39, 20),
          (20, 40, 20), (20, 41, 20), (64, 30, 1), (17, 200, 64)]
