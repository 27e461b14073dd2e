"""Mistakes that a type checker finds, each with the code of the error that it reports on that line, and on no other."""

from lplfast import Armijo, IterateView, Network, Run, SquaredLoss, guaranteed_rate, train

problem = SquaredLoss([[1.0]], [[1.0]], l2="0.1")  # error: arg-type
network = Network.gaussian(1, 10.5, 1)  # error: arg-type
rule = Armijo(c1=0.5)  # error: call-arg
run: Run = train(problem, network, step=0.1)  # error: call-arg
gap: str = run.history["gap"]  # error: assignment
rate = guaranteed_rate(problem, network).rates  # error: attr-defined


def chosen(iterate: IterateView) -> float:
    """Return a step size, but for what is a method."""
    return 1 / iterate.K_t  # error: operator


def misnamed(iterate: IterateView) -> str:
    """Return a word."""
    return "long"


train(problem, network, misnamed)  # error: arg-type
print(run.converged())  # error: operator
train(problem, network, constants="exactly")  # error: arg-type
