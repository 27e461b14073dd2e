"""Seconds to a tolerance on real data: rules that are certified, rules that are not, and Armijo's search in PyTorch."""

import importlib.util

import numpy as np

from lplfast import LogisticLoss, Network, SoftmaxLoss, train
from lplfast.data import load_data, standardized

from .agreement import DisagreementError, agree
from .table import Row, Table
from .timing import Work, interleaved

__all__ = ["agree_with_armijo", "tables"]

H, MAX_ITER = 1000, 20000

HAS_TORCH = importlib.util.find_spec("torch") is not None

# name -> data of scikit-learn, loss, ridge, tolerance
PROBLEMS = {
    "breast_cancer, logistic, ridge 1, to 1e-8": ("breast_cancer", LogisticLoss, 1.0, 1e-8),
    "digits, softmax, ridge 1, to 1e-6": ("digits", SoftmaxLoss, 1.0, 1e-6),
    "digits, softmax, ridge 0.01, to 1e-6": ("digits", SoftmaxLoss, 0.01, 1e-6),
}

# Rules beside the majorizer, and what is asked of their time over its own.
OTHERS = {"armijo": ">= 1", "exact": ">= 1", "polyak": "", "adgd": ""}

# Of our run with armijo a rival has the first iterates, and the length, up to what rounding makes of a search.
COMPARED, WITHIN = 30, 0.05


def tables(quick, *, torch=HAS_TORCH):
    """Time of a whole run, `train` and compression included; the first problem alone if `quick`."""
    rows, notes = [], "all columns recorded; PyTorch: the steps of armijo, nothing recorded, at both widths"
    if not torch:
        notes = "PyTorch is not installed, left out"
    for what in list(PROBLEMS)[: 1 if quick else None]:
        rows += _rows(what, 3 if quick else 7, torch)
    yield Table("tolerance", "Seconds to a tolerance, times here in us a run", rows, notes=(
        f"h = {H}, one thread, the minimum is known to all; {notes}."))


def _rows(what, repeats, torch):
    """Return the rows of one problem."""
    data, kind, l2, tol = PROBLEMS[what]
    X, labels = load_data(data)
    columns = standardized(X)
    X = columns.X[:, ~columns.constant]
    problem = kind(X, labels, l2=l2)
    network = Network.gaussian(X.shape[1], H, problem.shape[1], std=H**-0.25, rng=0)
    works, runs = {}, {}
    for rule in ("majorizer", *OTHERS):
        runs[rule] = run = _train(problem, network, rule, tol)
        if not run.converged or run.violations:
            raise DisagreementError(f"{what}, {rule}: expected a run that converges and violates nothing, got {run}")
        works[rule] = Work(_ours(problem, network, rule, tol))
    if torch:
        works |= _rivals(what, problem, X, labels, network, runs["armijo"], tol)
    times = interleaved(works, repeats)
    ours = runs["majorizer"].iterations
    return [Row.quotient(times, what, "majorizer", name, target=OTHERS.get(name, ">= 1"),
                         note=f"{ours} to {runs.get(name, runs['armijo']).iterations} iterations")
            for name in works if name != "majorizer"]


def _rivals(what, problem, X, labels, network, run, tol):
    """Return the works of PyTorch, at both widths, which have been seen to do what `run` with armijo did."""
    from .torch_armijo import TorchArmijo

    n, m = problem.shape
    targets = np.eye(m)[labels] if m > 1 else labels[:, np.newaxis].astype(float)
    stack, goal, first = network.stack(), problem.minimum + tol * run.history["gap"][0], run.history["step_size"][0]
    works = {}
    for name, W1, W2 in (("PyTorch", network.W1, network.W2), ("PyTorch at width k", stack[:n], stack[n:].T)):
        rival = TorchArmijo(X, targets, problem.l2, W1, W2)
        agree_with_armijo(f"{what}, {name}", rival.run(goal, first), run.history)
        works[name] = Work(lambda rival=rival: lambda: rival.run(goal, first))
    return works


def _train(problem, network, rule, tol):
    return train(problem, network, rule, tol=tol, max_iter=MAX_ITER)


def _ours(problem, network, rule, tol):
    def prepare():
        fresh = Network(network.W1, network.W2)     # a network remembers its compression
        return lambda: _train(problem, fresh, rule, tol)

    return prepare


def agree_with_armijo(what, theirs, ours):
    """Raise `DisagreementError` unless a rival took our steps to the same losses, and nearly as many of them.

    `theirs` are its losses and its steps, `ours` is the history of our run. Where a search is close to turning a step
    down rounding decides: later steps, and their number, may differ.
    """
    losses, steps = theirs
    agree(f"{what}: loss", ours["loss"][:COMPARED], losses[:COMPARED])
    agree(f"{what}: step_size", ours["step_size"][:COMPARED], steps[:COMPARED])
    agree(f"{what}: iterations", [len(ours["loss"])], [len(losses)], below=WITHIN, above=WITHIN)
