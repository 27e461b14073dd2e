"""Whether a loss is what it declares: its gradient against differences, its curvature against mu and K."""

import dataclasses
import itertools

import numpy as np

from .network import as_generator
from .problems import Problem, as_shaped
from .threads import single_threaded_blas

__all__ = ["LossReport", "check_loss"]

EPS = float(np.finfo(float).eps)

# What values and gradients are trusted to, relative to l and to sqrt(2 K l): as training trusts a Python function.
TRUSTED = 500 * EPS

# Entries of the gradient are tried one by one up to this many; beyond, in random directions that contain them all.
ENTRIES = 1000

# Lanczos steps at each point, two gradients a step.
STEPS = 40


@dataclasses.dataclass
class Claim:
    """One claim: how often it was tried, and what the worst trial found."""

    says: str
    tried: int = 0
    failed: int = 0
    worst: float = -np.inf
    found: str = ""

    def note(self, excess, allowed, found):
        """Count a trial that exceeds the claim by `excess` (or falls short of it, if negative); `found` says where."""
        self.tried += 1
        failed = not excess <= allowed
        self.failed += failed
        if not excess - allowed <= self.worst:
            self.worst, self.found = excess - allowed, found


@dataclasses.dataclass(frozen=True)
class LossReport:
    """What `check_loss` returns; prints as a table.

    Attributes
    ----------
    claims : tuple
        For each claim what it `says`, how often it was `tried` and `failed`, what the worst trial `found`, and its
        excess beyond what rounding and the curvature of l allow, `worst`.
    """

    claims: tuple

    @property
    def passed(self):
        """Whether nothing was found: which proves nothing."""
        return not self.problems

    @property
    def problems(self):
        """A sentence for each claim that was found to be false."""
        return [f"{claim.says}: failed {claim.failed} of {claim.tried} trials; {claim.found}."
                for claim in self.claims if claim.failed]

    def __repr__(self):
        lines = [f"{'claim':<44}{'trials':>8}{'failed':>8}   worst trial"]
        lines += [f"{claim.says:<44}{claim.tried:>8}{claim.failed:>8}   {claim.found}" for claim in self.claims]
        lines.append("No reason to doubt the loss was found, which proves nothing." if self.passed
                     else "The loss is not what it declares.")
        return "\n".join(lines)


def check_loss(problem, *, points=(), rng=0):
    """Look for reasons to doubt a loss: its gradient, its constants mu and K, and its minimum.

    At W = 0, the minimizer if it is known, random W and far ones: the gradient is compared with central differences of
    l, in every entry (or, beyond 1000 entries, in random directions) and in random directions; and the curvature
    `<V, grad l(W + h V) - grad l(W - h V)> / (2 h)` for unit V, which lies in [mu, K] whatever h is, is tried along
    random directions and those that Lanczos' method finds extreme, at these points and where two outputs tie far from
    the others; and l* is compared with l and, if mu > 0, with `l - ||grad l||^2 / (2 mu)`. Allowances: what smoothness
    permits, and rounding.

    A failure is a proof that something declared is wrong, unless the loss rounds by more than 1e-13 of itself. No
    failure proves nothing: curvature may be extreme where nobody looked.

    Parameters
    ----------
    problem : Problem
        The loss.
    points : sequence of (n, m) array_like
        Further matrices to look at.
    rng : numpy.random.Generator, int or None
        Where the random ones come from.

    Returns
    -------
    LossReport
        Its `passed` and `problems`.

    Raises
    ------
    TypeError, ValueError
        If it is no problem, or the points do not fit.

    Examples
    --------
    >>> from lplfast import CustomLoss
    >>> wrong = CustomLoss(lambda W: (float((W**2).sum()), 2 * W), shape=(2, 1), mu=1.0, K=1.0)
    >>> check_loss(wrong).passed, check_loss(wrong).problems[0][:18]
    (False, 'curvature <= K = 1')

    """
    if not isinstance(problem, Problem):
        raise TypeError(f"problem: expected a Problem such as CustomLoss, got {type(problem).__name__}")
    rng = as_generator(rng)
    points = {f"given W {i}": as_shaped(f"points[{i}]", W, problem.shape) for i, W in enumerate(points)}
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        return _Check(problem, rng).report(points)


class _Check:
    """One check under way."""

    def __init__(self, problem, rng):
        self.problem, self.rng, self.shape = problem, rng, problem.shape
        self.finite = Claim("value and gradient are finite")
        self.gradient = Claim("gradient = differences of l")
        self.K = Claim(f"curvature <= K = {problem.K:.6g}")
        self.mu = Claim(f"curvature >= mu = {problem.mu:.6g}")
        self.bound = Claim(f"l >= l* = {problem.lower_bound:.6g}")
        self.minimum = Claim("l - |gradient|^2 / (2 mu) <= l*")
        minimizer = problem.minimizer
        self.size = 1.0 if minimizer is None or not minimizer.any() else float(np.linalg.norm(minimizer))

    def report(self, points):
        n, m = self.shape
        points = {"W = 0": np.zeros(self.shape), **points}
        if self.problem.minimizer is not None:
            points["the minimizer"] = np.array(self.problem.minimizer)
        for name, scale in (("random W", 1.0), ("far W", 1e3), ("very far W", 1e6)):
            points[name] = self._unit() * self.size * scale
        top = None
        for name, W in points.items():
            value, gradient = self._at(name, W)
            if not (np.isfinite(value) and np.isfinite(gradient).all()):
                continue
            self._minimum(name, value, gradient)
            for _ in range(10):
                sign = self.rng.choice([-1.0, 1.0], self.shape) / np.sqrt(n * m)
                self._difference(name, W, gradient, sign, "a random direction")
            if name == "random W" and n * m <= ENTRIES:
                for i, j in itertools.product(range(n), range(m)):
                    direction = np.zeros(self.shape)
                    direction[i, j] = 1.0
                    self._difference(name, W, gradient, direction, f"entry [{i}, {j}]")
            for _ in range(5):
                self._curvature(name, W, self._unit(), "a random direction")
            extremes = self._lanczos(W)
            for direction in extremes:
                self._curvature(name, W, direction, "a direction of Lanczos'")
            top = extremes[-1] if top is None else top
        if top is not None and m > 1:
            self._ties(top)
        claims = (self.finite, self.gradient, self.K, self.mu, self.bound, self.minimum)
        return LossReport(tuple(claim for claim in claims if claim.tried))

    def _unit(self):
        """Return a random matrix of norm 1 that the loss can see."""
        V = self._seen(self.rng.standard_normal(self.shape))
        return V / np.linalg.norm(V)

    def _seen(self, V):
        basis = self.problem.basis
        return V if basis is None else basis @ (basis.T @ V)

    def _at(self, name, W):
        value, gradient = self.problem.value(W), self.problem.gradient(W)
        self.finite.note(0.0 if np.isfinite(value) and np.isfinite(gradient).all() else np.inf, 1.0, f"at {name}")
        return value, gradient

    def _minimum(self, name, value, gradient):
        """Compare l* with what strong convexity allows it to be, from here."""
        problem = self.problem
        off = TRUSTED * (abs(value) + abs(problem.lower_bound))
        if not np.isnan(problem.lower_bound):
            self.bound.note(problem.lower_bound - value, off, f"l is {value:.8g} at {name}")
        if not np.isnan(problem.minimum) and problem.mu > 0:
            least = value - np.vdot(gradient, gradient) / (2 * problem.mu)
            self.minimum.note(least - problem.minimum, off + self._rounding(value, np.linalg.norm(gradient))
                              * np.linalg.norm(gradient) / problem.mu, f"l* is at least {least:.8g} by {name}")

    def _rounding(self, value, gradient):
        """What the gradient of norm `gradient` at a loss of size `value` may be off by."""
        return TRUSTED * (gradient + np.sqrt(2 * self.problem.K * abs(value)))

    def _difference(self, name, W, gradient, direction, which):
        """Compare <gradient, direction> with a central difference: they differ by K h / 4 at most, and rounding."""
        K, value = self.problem.K, self.problem.value
        off = TRUSTED * abs(value(W)) + np.finfo(float).tiny
        h = 2 * np.sqrt(off / K)
        h = max(h, 16 * EPS * np.linalg.norm(W))
        above, below = value(W + h * direction), value(W - h * direction)
        measured, declared = (above - below) / (2 * h), float(np.vdot(gradient, direction))
        off = max(off, TRUSTED * max(abs(above), abs(below)))
        # W + h direction is rounded, too
        moved = EPS * np.linalg.norm(W) * (np.linalg.norm(gradient) + K * h) / h
        allowed = K * h / 4 + off / h + moved + self._rounding(value(W), np.linalg.norm(gradient))
        self.gradient.note(abs(measured - declared), allowed, f"{which} at {name}: the difference is {measured:.8g}, "
                           f"the gradient has {declared:.8g}, {allowed:.1e} is allowed")

    def _steps(self, W):
        """Return two steps: one on which l hardly bends otherwise, for K, and a long one, for a mu far below K."""
        long = 1e-3 * max(np.linalg.norm(W), self.size)
        short = 0.01 * np.sqrt(abs(self.problem.value(W)) / self.problem.K)
        return (min(short, long) if short > 1e-6 * long else long), long

    def _product(self, W, V, h):
        """Return the mean Hessian from W - h V to W + h V times the unit matrix V, and how far it may be off."""
        above, below = self.problem.gradient(W + h * V), self.problem.gradient(W - h * V)
        value = max(self.problem.value(W + h * V), self.problem.value(W - h * V), key=abs)
        rounding = self._rounding(value, max(np.linalg.norm(above), np.linalg.norm(below)))
        off = rounding / h + 4 * EPS * self.problem.K * (np.linalg.norm(W) + h) / h
        return (above - below) / (2 * h), off

    def _curvature(self, name, W, V, which):
        for h in self._steps(W):
            product, off = self._product(W, V, h)
            if not np.isfinite(product).all():
                self.finite.note(np.inf, 1.0, f"near {name}")
                continue
            found = float(np.vdot(V, product) / np.vdot(V, V))
            where = f"{found:.8g} along {which} at {name}"
            self.K.note(found - self.problem.K, off + 8 * EPS * self.problem.K, where)
            self.mu.note(self.problem.mu - found, off + 8 * EPS * self.problem.mu, where)

    def _lanczos(self, W):
        """Return unit matrices along which the curvature is about least and greatest, by Lanczos' method."""
        found, diagonal, beside = [self._unit()], [], []
        h = self._steps(W)[0]
        for _ in range(min(STEPS, W.size)):
            product = self._seen(self._product(W, found[-1], h)[0])
            diagonal.append(float(np.vdot(found[-1], product)))
            for V in found * 2:     # twice is enough for orthogonality
                product = product - np.vdot(V, product) * V
            size = np.linalg.norm(product)
            if not size > 1e-10 * self.problem.K:
                break
            beside.append(size)
            found.append(product / size)
        size = len(diagonal)
        beside = beside[:size - 1]
        T = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        vectors = np.linalg.eigh(T)[1]
        extremes = [np.tensordot(vectors[:, i], found[:size], axes=1) for i in (0, -1)]
        return [V / np.linalg.norm(V) for V in extremes]

    def _ties(self, top):
        """Try the curvature between two outputs where these two tie, far above or below all others."""
        m = self.shape[1]
        side = self._seen(np.linalg.svd(top)[0][:, :1])
        pairs = list(itertools.combinations(range(m), 2))
        for i in self.rng.choice(len(pairs), min(3, len(pairs)), replace=False):
            j, k = pairs[i]
            together, apart = np.zeros((2, m))
            together[[j, k]], apart[[j, k]] = 1.0, (np.sqrt(0.5), -np.sqrt(0.5))
            for power, sign in itertools.product(range(5), (-1.0, 1.0)):
                W = side * together * (sign * 10.0**power * self.size / np.sqrt(2))
                self._curvature(f"a tie of outputs {j} and {k}", W, side * apart, "their difference")
