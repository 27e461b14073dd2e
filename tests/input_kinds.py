"""Every public call that takes arrays, with all of its arrays put through one function: what kinds of arrays are tested
on."""

import functools
import hashlib

import numpy as np

import lplfast
from lplfast import (
    CustomLoss,
    LogisticLoss,
    MatrixFactorization,
    Network,
    Observer,
    Problem,
    PseudoHuberLoss,
    SoftmaxLoss,
    SquaredLoss,
    check_loss,
    data,
    train,
)
from lplfast.losses.quadratic import DiagonalQuadratic

# numbers that float32 holds, so that single and double precision mean the same; matrices only, as DataFrames are
RNG = np.random.default_rng(0)
N, n, h, m = 12, 3, 5, 2


def single(*shape):
    return RNG.standard_normal(shape).astype(np.float32).astype(np.float64)


X, Y, OFFSET, W = single(N, n), single(N, m), single(n, m), single(n, m)
W1, W2, STACK = single(n, h), single(h, m), single(n + m, h)
HUNDREDS, LABELS, TWO = np.floor(100 * single(N, n)), np.resize([0.0, 1.0, 2.0], N), np.resize([0.0, 1.0], (N, m))
CHANCES = np.resize([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]], (N, 2))


def of_problem(problem):
    return (problem.mu, problem.K, problem.minimum, problem.minimizer, problem.value(W), problem.gradient(W),
            problem.fingerprint)


def of_network(network):
    return network.W1, network.W2, network.stack(), network.product


def custom(c):
    def value_and_gradient(V):
        # in single precision, whatever it is handed over in
        return 0.5 * np.sum((V - W) ** 2), c((V - W).astype("f4").astype("f8"))

    problem = CustomLoss(value_and_gradient, shape=(n, m), mu=1.0, K=1.0, minimum=0.0, minimizer=c(W))
    run = train(problem, Network(W1, W2), "local", max_iter=3)
    return problem.minimizer, problem.gradient(OFFSET), run.history["gap"], run.network.W1


def observed(c):
    observer = Observer(MatrixFactorization(W), Network(W1, W2))
    observer.update(c(0.5 * W1), c(2.0 * W2), step_size=0.1)
    run = observer.run
    return [column for name, column in run.history.items() if name != "time"], run.network.W1


def parts(c):
    arrays = Network(W1, W2).to_arrays()
    return of_network(Network.from_arrays({**arrays, "wide": c(arrays["wide"])}))


SQUARED = SquaredLoss(X, Y)
BOUNDS = lplfast.initial_bounds(SQUARED, Network(W1, W2))
CALLS = {
    "Network": lambda c: of_network(Network(c(W1), c(W2))),
    "Network, compressed": lambda c: of_network(Network(c(np.tile(W1, 4)), c(np.tile(W2, (4, 1))))),
    "Network.balanced": lambda c: of_network(Network.balanced(c(W), h)),
    "Network.from_blocks": lambda c: of_network(Network.from_blocks(
        lambda: [(c(W1.T), c(W2)), (c(2.0 * W1.T), c(W2))], n, m)),
    "Network.replace": lambda c: of_network(Network(W1, W2).replace(c(STACK))),
    "Network.from_arrays": parts,
    "SquaredLoss": lambda c: of_problem(SquaredLoss(c(X), c(Y), l2=0.5, offset=c(OFFSET))),
    "SquaredLoss, one target": lambda c: SquaredLoss(c(X), c(Y[:, 0])).minimizer,
    "MatrixFactorization": lambda c: of_problem(MatrixFactorization(c(W), offset=c(OFFSET))),
    "PseudoHuberLoss": lambda c: of_problem(PseudoHuberLoss(c(X), c(Y), delta=1.0, l2=0.5, offset=c(OFFSET))),
    "LogisticLoss": lambda c: of_problem(LogisticLoss(c(X), c(TWO), l2=0.5, offset=c(OFFSET))),
    "SoftmaxLoss": lambda c: SoftmaxLoss(c(X), c(LABELS), l2=0.5, offset=c(np.tile(OFFSET[:, :1], 3))).minimizer,
    "SoftmaxLoss, probabilities": lambda c: of_problem(SoftmaxLoss(c(X), c(CHANCES), l2=0.5)),
    "CustomLoss": custom,
    "Problem": lambda c: of_problem(Problem(DiagonalQuadratic(np.ones(n), W), rows=n, basis=c(np.eye(n)),
                                            minimizer=c(W))),
    "DiagonalQuadratic": lambda c: DiagonalQuadratic(c(np.arange(1.0, n + 1)), c(W)).value_and_gradient(c(OFFSET)),
    "Problem.value": lambda c: SQUARED.value(c(W)),
    "Problem.gap": lambda c: SQUARED.gap(c(W)),
    "Problem.gradient": lambda c: SQUARED.gradient(c(W)),
    "check_loss": lambda c: str(check_loss(SQUARED, points=[c(W), c(OFFSET)])),
    "Observer.update": observed,
    "Schedule": lambda c: lplfast.Schedule(c(np.array([0.25, 0.125]))).options["steps"],
    "predicted_curve": lambda c: lplfast.predicted_curve(
        SQUARED, Network(W1, W2), c(np.array([0.0625, 0.03125])), 2).gap_upper,
    "InitialBounds.after": lambda c: BOUNDS.after(c(abs(OFFSET))),
    "data.standardized": lambda c: [getattr(data.standardized(c(X)), name) for name in ("X", "mean", "scale")],
    "data.restore": lambda c: data.standardized(X).restore(c(W)),
    "data.with_intercept": lambda c: data.with_intercept(c(X)),
    "data.one_hot": lambda c: data.one_hot(c(LABELS)),
}


@functools.cache
def expected(name):
    """Return the bits for float64 arrays in C order."""
    return bits(CALLS[name](lambda array: array))


def bits(value):
    """Return a digest of numbers, arrays and texts, within lists and tuples too."""
    if isinstance(value, (list, tuple)):
        return [bits(part) for part in value]
    if isinstance(value, (str, bool)):
        return value
    array = np.ascontiguousarray(np.asarray(value, dtype=np.float64))
    return array.shape, hashlib.sha256(array.tobytes()).hexdigest()
