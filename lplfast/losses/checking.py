"""Whether a loss is what it declares: its gradient against differences, its curvature against mu and K.

docs/theory.md, section 12.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable

import numpy as np

from ..annotations import ArrayLike, Rng
from ..threads import single_threaded_blas
from ..validation import as_generator, as_shaped, shown
from .problems import Problem

__all__ = ["LossReport", "check_loss"]

EPS = float(np.finfo(float).eps)
TINY = float(np.finfo(float).tiny)

# What values and gradients are trusted to, relative to l and to sqrt(2 K l): as training trusts a Python function.
TRUSTED = 500 * EPS

# Entries of the gradient are tried one by one up to this many; beyond, in random directions that contain them all.
ENTRIES = 1000

# Without a global K: how much the curvature may have grown where what is known of it at a point is used nearby.
NEARBY = 2.0

# Lanczos steps at each point, two gradients a step.
STEPS = 40

# Where an honest loss may overflow: nothing is checked there if it does.
FAR = ("far W", "very far W")
TIE = "a tie of outputs"

# How many times what is random may be made a hundred times smaller.
SHRINK = 20


@dataclasses.dataclass
class Claim:
    """One claim: how often it was tried, and what the worst trial found."""

    says: str
    tried: int = 0
    failed: int = 0
    worst: float = -np.inf
    found: str = ""
    refutes: bool = True

    def note(self, excess: float, allowed: float, found: str) -> None:
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

    claims: tuple[Claim, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was found: which proves nothing."""
        return not self.problems

    @property
    def problems(self) -> list[str]:
        """A sentence for each claim that was found to be false."""
        return [f"{claim.says}: failed {claim.failed} of {claim.tried} trials; {claim.found}."
                for claim in self.claims if claim.failed and claim.refutes]

    def __repr__(self):
        lines = [f"{'claim':<44}{'trials':>8}{'failed':>8}   worst trial"]
        lines += [f"{claim.says:<44}{claim.tried:>8}{claim.failed:>8}   {claim.found}" for claim in self.claims]
        lines.append("No reason to doubt the loss was found, which proves nothing." if self.passed
                     else "The loss is not what it declares.")
        return "\n".join(lines)


def check_loss(problem: Problem, *, points: Iterable[ArrayLike] = (), rng: Rng = 0) -> LossReport:
    """Look for reasons to doubt a loss: its gradient, its constants mu and K, and its minimum.

    At W = 0, the minimizer if it is known, random W and far ones: the gradient is compared with central differences of
    l, in every entry (or, beyond 1000 entries, in random directions) and in random directions; and the curvature
    `<V, grad l(W + h V) - grad l(W - h V)> / (2 h)` for unit V, which lies in [mu, K] whatever h is, is tried along
    random directions and those that Lanczos' method finds extreme, at these points and where two outputs tie far from
    the others; what a `CustomLoss` declares by `hessian_form` and `concordance`, with such differences and at both ends
    of random ways; and l* is compared with l and, if mu > 0, with `l - ||grad l||^2 / (2 mu)`. Allowances: what
    smoothness permits, and rounding.

    A failure is a proof that something declared is wrong, unless the loss rounds by more than 1e-13 of itself or than
    second differences of nearby values show. No failure proves nothing: curvature may be extreme where
    nobody looked. Far out, a value beyond float64 refutes nothing (`log(cosh(1000))` is infinite in NumPy): what is
    random is made smaller until the loss is finite, and where it is not, nothing is checked, which the report says.

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
    try:
        points = list(points)
    except TypeError:
        raise TypeError(f"points: expected a list of matrices, got {shown(points)}") from None
    points = {f"given W {i}": as_shaped(f"points[{i}]", W, problem.shape) for i, W in enumerate(points)}
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        return _Check(problem, rng).report(points)


@dataclasses.dataclass(frozen=True)
class _Curvature:
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
        change = concordance if callable(concordance) else lambda U: concordance * float(np.linalg.norm(U))
        return cls(form, change, kernel.shape)

    def sum_at(self, W):
        """Return the sum of the diagonal of the Hessian, an upper bound on the curvature."""
        return sum(self.form(W, V.reshape(self.shape)) for V in np.eye(W.size))


class _Check:
    """One check under way."""

    def __init__(self, problem, rng):
        self.problem, self.rng, self.shape = problem, rng, problem.shape
        self._is_pl = problem.mu_kind == "pl"
        self.finite = Claim("value and gradient are finite")
        self.far = Claim("the same far out (no refutation)", refutes=False)
        self.gradient = Claim("gradient = differences of l")
        self.form = Claim("hessian_form = differences of the gradient")
        self.concordance = Claim("curvature changes no faster than concordance")
        self.K = Claim(f"curvature <= K = {problem.K:.6g}")
        self.mu = Claim(f"curvature >= mu = {problem.mu:.6g}")
        self.bound = Claim(f"l >= l* = {problem.lower_bound:.6g}")
        self.minimum = Claim("l - |gradient|^2 / (2 mu) <= l*" + (", the PL inequality" if self._is_pl else ""))
        minimizer = problem.minimizer
        self.size = 1.0 if minimizer is None or not minimizer.any() else float(np.linalg.norm(minimizer))
        # everything is looked at in units of K, of a power of 2 that is about K: squares of gradients stay float64
        self.declared = _Curvature.of(problem.kernel)
        self.K_is_local = bool(np.isinf(problem.K))
        self.unit = 1.0
        self._look_at(np.zeros(self.shape))
        self.unit = 2.0 ** (np.frexp(self.scaled_K)[1] - 1)
        self._look_at(np.zeros(self.shape))
        self.scaled_mu = problem.mu / self.unit
        # what products that underflow, inside the loss or here, may take from a value or a gradient
        self.noise = 0.0
        self.lost = TINY * problem.shape[0] * problem.shape[1] * (1.0 + 1.0 / max(self.unit, TINY))

    def report(self, points):
        n, m = self.shape
        points = {"W = 0": np.zeros(self.shape), **points}
        if self.problem.minimizer is not None:
            points["the minimizer"] = np.array(self.problem.minimizer)
        near = self._unit()
        for _ in range(SHRINK):
            if self._is_finite(near * self.size):
                break
            self.size *= 1e-2
        points["random W"] = near * self.size
        for name, scale in (("far W", 1e3), ("very far W", 1e6)):
            points[name] = self._unit() * self.size * scale
        top = None
        for name, W in points.items():
            self._look_at(W)
            finite = self._is_finite(W) and np.isfinite(self.scaled_K)
            self._finite_claim(name).note(0.0 if finite else np.inf, 1.0, f"at {name}")
            if not finite:
                continue
            value, gradient, self.noise = self._value(W), self._gradient(W), self._noise(W)
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
                self._change(name, W)
            extremes = self._lanczos(W)
            for direction in extremes:
                self._curvature(name, W, direction, "a direction of Lanczos'")
            top = extremes[-1] if top is None else top
        if top is not None and m > 1 and not self.K_is_local:
            self._ties(top)
        claims = (self.finite, self.far, self.gradient, self.form, self.concordance, self.K, self.mu, self.bound,
                  self.minimum)
        return LossReport(tuple(claim for claim in claims if claim.tried))

    def _look_at(self, W):
        """Find a K that holds near W, if there is none that holds everywhere."""
        K = self.problem.K if not self.K_is_local else NEARBY * self.declared.sum_at(W)
        self.scaled_K = K / self.unit

    def _near(self, V, h):
        """Return h, or less: as far as what is known at a point holds along V."""
        if not self.K_is_local:
            return h
        change = self.declared.change(V)
        return min(h, np.log(NEARBY) / change) if change > 0 else h

    def _unit(self):
        """Return a random matrix of norm 1 that the loss can see."""
        V = self._seen(self.rng.standard_normal(self.shape))
        return V / np.linalg.norm(V)

    def _seen(self, V):
        basis = self.problem.basis
        return V if basis is None else basis @ (basis.T @ V)

    def _is_finite(self, W):
        return bool(np.isfinite(self._value(W)) and np.isfinite(self._gradient(W)).all())

    def _finite_claim(self, name):
        return self.far if name in FAR or name.startswith(TIE) else self.finite

    def _noise(self, W):
        """Return how far values near W scatter: second differences beyond the K h^2 that curvature explains.

        h is small beside W: if K is declared too small, what seems to scatter is small as well.
        """
        size, found = np.linalg.norm(W), 0.0
        for h in size * 10.0 ** np.arange(-14, -2) if size > 0 else ():
            V = self._unit()
            values = np.array([self._value(W + step * h * V) for step in (-3, -2, -1, 0, 1, 2, 3)])
            found = max(found, float(abs(np.diff(values, 2)).max()) - self.scaled_K * h * h)
        return 8 * found if np.isfinite(found) else 0.0

    def _value(self, W):
        return self.problem.value(W) / self.unit

    def _gradient(self, W):
        return self.problem.gradient(W) / self.unit

    def _minimum(self, name, value, gradient):
        """Compare l* with what strong convexity, or the PL inequality, allows it to be, from here."""
        unit, size = self.unit, float(np.linalg.norm(gradient))
        bound, minimum = self.problem.lower_bound / unit, self.problem.minimum / unit
        off = TRUSTED * (abs(value) + abs(bound)) + self.lost
        if not np.isnan(bound):
            self.bound.note(bound - value, off, f"l is {value * unit:.8g} at {name}")
        if not np.isnan(minimum) and self.scaled_mu > 0:
            least = value - size * (size / (2 * self.scaled_mu))
            self.minimum.note(least - minimum, off + self._rounding(value, size) * size / self.scaled_mu,
                              f"l* is at least {least * unit:.8g} by {name}")

    def _rounding(self, value, gradient):
        """What the gradient of norm `gradient` at a loss of size `value` may be off by."""
        return TRUSTED * (gradient + np.sqrt(2 * self.scaled_K * abs(value))) + self.lost

    def _difference(self, name, W, gradient, direction, which):
        """Compare <gradient, direction> with a central difference: they differ by K h / 4 at most, and rounding."""
        K, value, unit = self.scaled_K, self._value, self.unit
        off = TRUSTED * abs(value(W)) + self.lost + self.noise
        h = 2 * np.sqrt(off / K)
        h = self._near(direction, max(h, 16 * EPS * np.linalg.norm(W)))
        above, below = value(W + h * direction), value(W - h * direction)
        measured, declared = (above - below) / (2 * h), float(np.vdot(gradient, direction))
        if not (np.isfinite(above) and np.isfinite(below)):
            return      # one step from where float64 ends
        off = max(off, TRUSTED * max(abs(above), abs(below)) + self.noise)
        # W + h direction is rounded, too
        moved = EPS * np.linalg.norm(W) * (np.linalg.norm(gradient) + K * h) / h
        allowed = K * h / 4 + off / h + moved + self._rounding(value(W), np.linalg.norm(gradient))
        self.gradient.note(abs(measured - declared), allowed,
                           f"{which} at {name}: the difference is {measured * unit:.8g}, the gradient has "
                           f"{declared * unit:.8g}, {allowed * unit:.1e} is allowed")

    def _steps(self, W):
        """Return two steps: one on which l hardly bends otherwise, for K, and a long one, for a mu far below K."""
        long = 1e-3 * max(np.linalg.norm(W), self.size)
        short = 0.01 * np.sqrt(abs(self._value(W)) / self.scaled_K)
        return (min(short, long) if short > 1e-6 * long else long), long

    def _product(self, W, V, h):
        """Return the mean Hessian from W - h V to W + h V times the unit matrix V, and how far it may be off."""
        above, below = self._gradient(W + h * V), self._gradient(W - h * V)
        value = max(self._value(W + h * V), self._value(W - h * V), key=abs)
        rounding = self._rounding(value, max(np.linalg.norm(above), np.linalg.norm(below)))
        off = rounding / h + 4 * EPS * self.scaled_K * (np.linalg.norm(W) + h) / h
        return (above - below) / (2 * h), off

    def _curvature(self, name, W, V, which):
        for h in (self._near(V, h) for h in self._steps(W)):
            product, off = self._product(W, V, h)
            if not (np.isfinite(product).all() and np.isfinite(off)):
                self._finite_claim(name).note(np.inf, 1.0, f"near {name}")
                continue
            found = float(np.vdot(V, product) / np.vdot(V, V))
            where = f"{found * self.unit:.8g} along {which} at {name}"
            if not self.K_is_local:
                self.K.note(found - self.scaled_K, off + 8 * EPS * self.scaled_K, where)
            if self.declared:
                form, t = self.declared.form(W, V) / self.unit, h * self.declared.change(V)
                # the mean of what lies between exp(-s) and exp(s) times the form, s up to t, on either side
                most = form * (np.expm1(t) / t if t > 0 else 1.0)
                least = form * (-np.expm1(-t) / t if t > 0 else 1.0)
                self.form.note(max(found - most, least - found), off + TRUSTED * form,
                               f"{where}, between {least * self.unit:.8g} and {most * self.unit:.8g} is declared")
            if not self._is_pl:
                self.mu.note(self.scaled_mu - found, off + 8 * EPS * self.scaled_mu, where)

    def _change(self, name, W):
        """Compare the form along a random direction at two ends of a random way."""
        if not self.declared:
            return
        U, V = self._unit(), self._unit()
        change = self.declared.change(U)
        far = 1.0 / change if change > 0 else self.size
        here, there = self.declared.form(W, V), self.declared.form(W + far * U, V)
        if np.isfinite([here, there]).all() and here > 0:
            ratio, most = max(there / here, here / max(there, TINY)), np.exp(far * change)
            self.concordance.note(ratio - most, TRUSTED * most,
                                  f"by a factor of {ratio:.6g} near {name}, {most:.6g} is declared")

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
            if not size > 1e-10 * self.scaled_K:
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
                self._curvature(f"{TIE} {j} and {k}", W, side * apart, "their difference")
