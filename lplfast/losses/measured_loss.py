"""A loss as differences of its values and gradients show it, and what rounding may have done to them."""

import dataclasses
from collections.abc import Callable

import numpy as np

from .proof import norm

__all__ = ["EPS", "TINY", "TRUSTED", "MeasuredLoss"]

EPS = float(np.finfo(float).eps)
TINY = float(np.finfo(float).tiny)

# What values and gradients are trusted to, relative to l and to sqrt(2 K l): as training trusts a Python function.
TRUSTED = 500 * EPS

# Without a global K: how much the curvature may have grown where what is known of it at a point is used nearby.
NEARBY = 2.0

# Lanczos steps at each point, two gradients a step.
STEPS = 40

# Between these a minimizer says how large matrices are; a smaller one, of which squares underflow, is as good as 0.
LEAST, MOST = 1e-150, 1e300

# What l(0) comes to at most in the units that it is looked at in.
LARGE = 1e250


@dataclasses.dataclass(frozen=True)
class DeclaredCurvature:
    """What a loss declares of its curvature: its form at W, and how much that may change along U."""

    form: Callable
    change: Callable
    shape: tuple

    @classmethod
    def of(cls, kernel):
        """Return that of a loss by a Python function; None if it declares nothing."""
        form, concordance = (getattr(kernel, name, None) for name in ("hessian_form", "concordance"))
        if form is None:
            return None
        change = concordance if callable(concordance) else lambda U: concordance * norm(U)
        return cls(form, change, kernel.shape)

    def sum_at(self, W):
        """Return the sum of the diagonal of the Hessian, an upper bound on the curvature."""
        return sum(self.form(W, V.reshape(self.shape)) for V in np.eye(W.size))


class MeasuredLoss:
    """A loss as differences show it, in units of its K: of a power of 2 that is about K, so that squares stay float64.

    The power is greater where l(0) is very much more than K. `size` is how large matrices are at which something is to
    be seen; `K` holds near the matrix that was last looked at; `lost` is what products that underflow, inside the loss
    or here, may take from a value or a gradient.
    """

    def __init__(self, problem, rng):
        self.problem, self.rng, self.shape = problem, rng, problem.shape
        size = 0.0 if problem.minimizer is None else norm(problem.minimizer)
        self.size = min(size, MOST) if size > LEAST else 1.0
        self.declared = DeclaredCurvature.of(problem.kernel)
        self.K_is_local = bool(np.isinf(problem.K))
        self.unit = 1.0
        self.look_at(np.zeros(self.shape))
        first = abs(self.value(np.zeros(self.shape)))
        self.unit = 2.0 ** (np.frexp(max(self.K, first / LARGE if first < np.inf else 0.0))[1] - 1)
        self.look_at(np.zeros(self.shape))
        self.mu = problem.mu / self.unit
        self.lost = TINY * problem.shape[0] * problem.shape[1] * (1.0 + 1.0 / max(self.unit, TINY))

    def value(self, W):
        """Return l(W)."""
        return self.problem.value(W) / self.unit

    def gradient(self, W):
        """Return its gradient."""
        return self.problem.gradient(W) / self.unit

    def is_finite(self, W):
        """Whether both are, at W."""
        return bool(np.isfinite(self.problem.value(W)) and np.isfinite(self.problem.gradient(W)).all())

    def look_at(self, W):
        """Find a K that holds near W, if there is none that holds everywhere."""
        K = self.problem.K if not self.K_is_local else NEARBY * self.declared.sum_at(W)
        self.K = K / self.unit

    def near(self, V, h):
        """Return h, or less: as far as what is known at a point holds along V."""
        if not self.K_is_local:
            return h
        change = self.declared.change(V)
        return min(h, np.log(NEARBY) / change) if change > 0 else h

    def seen(self, V):
        """Return the part of V that the loss can see."""
        basis = self.problem.basis
        return V if basis is None else basis @ (basis.T @ V)

    def direction(self):
        """Return a random matrix of norm 1 that the loss can see."""
        V = self.seen(self.rng.standard_normal(self.shape))
        return V / norm(V)

    def noise(self, W):
        """Return how far values near W scatter: second differences beyond the K h^2 that curvature explains.

        h is small beside W: if K is declared too small, what seems to scatter is small as well.
        """
        size, found = norm(W), 0.0
        for h in size * 10.0 ** np.arange(-14, -2) if size > 0 else ():
            V = self.direction()
            values = np.array([self.value(W + step * h * V) for step in (-3, -2, -1, 0, 1, 2, 3)])
            found = max(found, float(abs(np.diff(values, 2)).max()) - self.K * h * h)
        return 8 * found if np.isfinite(found) else 0.0

    def rounding(self, value, gradient):
        """Return what the gradient of norm `gradient` at a loss of size `value` may be off by."""
        return TRUSTED * (gradient + np.sqrt(2 * self.K) * np.sqrt(abs(value))) + self.lost

    def steps(self, W):
        """Return two steps: one on which l hardly bends otherwise, for K, and a long one, for a mu far below K."""
        long = 1e-3 * max(norm(W), self.size)
        short = 0.01 * np.sqrt(abs(self.value(W))) / np.sqrt(self.K)
        return (min(short, long) if short > 1e-6 * long else long), long

    def product(self, W, V, h):
        """Return the mean Hessian from W - h V to W + h V times the unit matrix V, and how far it may be off."""
        above, below = self.gradient(W + h * V), self.gradient(W - h * V)
        value = max(self.value(W + h * V), self.value(W - h * V), key=abs)
        rounding = self.rounding(value, max(norm(above), norm(below)))
        off = rounding / h + 4 * EPS * self.K * (norm(W) + h) / h
        return (above - below) / (2 * h), off

    def extreme_directions(self, W):
        """Return unit matrices along which the curvature is about least and greatest, by Lanczos' method."""
        found, diagonal, beside = [self.direction()], [], []
        h = self.steps(W)[0]
        for _ in range(min(STEPS, W.size)):
            product = self.seen(self.product(W, found[-1], h)[0])
            if not np.isfinite(norm(product)):    # one step from where float64 ends
                break
            diagonal.append(float(np.vdot(found[-1], product)))
            for V in found * 2:     # twice is enough for orthogonality
                product = product - np.vdot(V, product) * V
            size = norm(product)
            if not size > 1e-10 * self.K:
                break
            beside.append(size)
            found.append(product / size)
        size = len(diagonal)
        if size == 0:
            return found * 2
        beside = beside[:size - 1]
        T = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        vectors = np.linalg.eigh(T)[1]
        extremes = [np.tensordot(vectors[:, i], found[:size], axes=1) for i in (0, -1)]
        return [V / norm(V) for V in extremes]
