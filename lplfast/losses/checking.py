"""Whether a loss is what it declares: its gradient against differences, its curvature against mu and K.

docs/theory.md, section 12.
"""

import itertools
from collections.abc import Iterable

import numpy as np

from ..annotations import ArrayLike, Rng
from ..threads import single_threaded_blas
from ..validation import as_generator, as_shaped, shown
from .loss_report import Claim, LossReport
from .measured_loss import EPS, TINY, TRUSTED, MeasuredLoss
from .problems import Problem
from .proof import norm

__all__ = ["LossReport", "check_loss"]

# Entries of the gradient are tried one by one up to this many; beyond, in random directions that contain them all.
ENTRIES = 1000

# Where an honest loss may overflow: nothing is checked there if it does.
FAR = ("far W", "very far W")
TIE = "a tie of outputs"

# How many times what is random may be made a hundred times smaller.
SHRINK = 20


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
        given = iter(points)
    except TypeError:
        raise TypeError(f"points: expected a list of matrices, got {shown(points)}") from None
    # one by one: the first that is none ends it, however many there are
    points = {f"given W {i}": as_shaped(f"points[{i}]", W, problem.shape) for i, W in enumerate(given)}
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        return _Check(problem, rng).report(points)


class _Check:
    """One check under way."""

    def __init__(self, problem, rng):
        self.problem, self.rng, self.loss = problem, rng, MeasuredLoss(problem, rng)
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
        self.noise = 0.0

    def report(self, points):
        n, m = self.loss.shape
        points = {"W = 0": np.zeros(self.loss.shape), **points}
        if self.problem.minimizer is not None:
            points["the minimizer"] = np.array(self.problem.minimizer)
        near = self.loss.direction()
        for _ in range(SHRINK):
            if self.loss.is_finite(near * self.loss.size):
                break
            self.loss.size *= 1e-2
        points["random W"] = near * self.loss.size
        for name, scale in (("far W", 1e3), ("very far W", 1e6)):
            points[name] = self.loss.direction() * self.loss.size * scale
        top = None
        for name, W in points.items():
            self.loss.look_at(W)
            finite = self.loss.is_finite(W) and np.isfinite(self.loss.K)
            self._finite_claim(name).note(0.0 if finite else np.inf, 1.0, f"at {name}")
            value, gradient = self.loss.value(W), self.loss.gradient(W)
            # squares, and what is finite in units of its own, may be beyond float64 here
            if not (finite and np.isfinite([value, norm(gradient), norm(W)]).all()):
                continue
            self.noise = self.loss.noise(W)
            self._minimum(name, value, gradient)
            for _ in range(10):
                sign = self.rng.choice([-1.0, 1.0], self.loss.shape) / np.sqrt(n * m)
                self._difference(name, W, gradient, sign, "a random direction")
            if name == "random W" and n * m <= ENTRIES:
                for i, j in itertools.product(range(n), range(m)):
                    direction = np.zeros(self.loss.shape)
                    direction[i, j] = 1.0
                    self._difference(name, W, gradient, direction, f"entry [{i}, {j}]")
            for _ in range(5):
                self._curvature(name, W, self.loss.direction(), "a random direction")
                self._change(name, W)
            extremes = self.loss.extreme_directions(W)
            for direction in extremes:
                self._curvature(name, W, direction, "a direction of Lanczos'")
            top = extremes[-1] if top is None else top
        if top is not None and m > 1 and not self.loss.K_is_local:
            self._ties(top)
        claims = (self.finite, self.far, self.gradient, self.form, self.concordance, self.K, self.mu, self.bound,
                  self.minimum)
        return LossReport(tuple(claim for claim in claims if claim.tried))

    def _finite_claim(self, name):
        return self.far if name in FAR or name.startswith(TIE) else self.finite

    def _minimum(self, name, value, gradient):
        """Compare l* with what strong convexity, or the PL inequality, allows it to be, from here."""
        loss, unit, size = self.loss, self.loss.unit, norm(gradient)
        bound, minimum = self.problem.lower_bound / unit, self.problem.minimum / unit
        off = TRUSTED * (abs(value) + abs(bound)) + loss.lost
        if not np.isnan(bound):
            self.bound.note(bound - value, off, f"l is {value * unit:.8g} at {name}")
        if not np.isnan(minimum) and loss.mu > 0:
            least = value - size * (size / (2 * loss.mu))
            self.minimum.note(least - minimum, off + loss.rounding(value, size) * size / loss.mu,
                              f"l* is at least {least * unit:.8g} by {name}")

    def _difference(self, name, W, gradient, direction, which):
        """Compare <gradient, direction> with a central difference: they differ by K h / 4 at most, and rounding."""
        K, value, unit = self.loss.K, self.loss.value, self.loss.unit
        off = TRUSTED * abs(value(W)) + self.loss.lost + self.noise
        h = 2 * np.sqrt(off) / np.sqrt(K)
        h = self.loss.near(direction, max(h, 16 * EPS * norm(W)))
        above, below = value(W + h * direction), value(W - h * direction)
        measured, declared = (above - below) / (2 * h), float(np.vdot(gradient, direction))
        if not (np.isfinite(above) and np.isfinite(below)):
            return      # one step from where float64 ends
        off = max(off, TRUSTED * max(abs(above), abs(below)) + self.noise)
        # W + h direction is rounded, too
        moved = EPS * norm(W) * (norm(gradient) + K * h) / h
        allowed = K * h / 4 + off / h + moved + self.loss.rounding(value(W), norm(gradient))
        self.gradient.note(abs(measured - declared), allowed,
                           f"{which} at {name}: the difference is {measured * unit:.8g}, the gradient has "
                           f"{declared * unit:.8g}, {allowed * unit:.1e} is allowed")

    def _curvature(self, name, W, V, which):
        loss = self.loss
        for h in (loss.near(V, h) for h in loss.steps(W)):
            product, off = loss.product(W, V, h)
            if not (np.isfinite(product).all() and np.isfinite(off)):
                if not (loss.is_finite(W + h * V) and loss.is_finite(W - h * V)):
                    self._finite_claim(name).note(np.inf, 1.0, f"near {name}")
                continue
            found = float(np.vdot(V, product) / np.vdot(V, V))
            where = f"{found * loss.unit:.8g} along {which} at {name}"
            if not loss.K_is_local:
                self.K.note(found - loss.K, off + 8 * EPS * loss.K, where)
            if loss.declared:
                form, t = loss.declared.form(W, V) / loss.unit, h * loss.declared.change(V)
                # the mean of what lies between exp(-s) and exp(s) times the form, s up to t, on either side
                most = form * (np.expm1(t) / t if t > 0 else 1.0)
                least = form * (-np.expm1(-t) / t if t > 0 else 1.0)
                self.form.note(max(found - most, least - found), off + TRUSTED * form,
                               f"{where}, between {least * loss.unit:.8g} and {most * loss.unit:.8g} is declared")
            if not self._is_pl:
                self.mu.note(loss.mu - found, off + 8 * EPS * loss.mu, where)

    def _change(self, name, W):
        """Compare the form along a random direction at two ends of a random way."""
        loss = self.loss
        if not loss.declared:
            return
        U, V = loss.direction(), loss.direction()
        change = loss.declared.change(U)
        far = 1.0 / change if change > 0 else loss.size
        here, there = loss.declared.form(W, V), loss.declared.form(W + far * U, V)
        if np.isfinite([here, there]).all() and here > 0:
            ratio, most = max(there / here, here / max(there, TINY)), np.exp(far * change)
            self.concordance.note(ratio - most, TRUSTED * most,
                                  f"by a factor of {ratio:.6g} near {name}, {most:.6g} is declared")

    def _ties(self, top):
        """Try the curvature between two outputs where these two tie, far above or below all others."""
        m = self.loss.shape[1]
        side = self.loss.seen(np.linalg.svd(top)[0][:, :1])
        pairs = list(itertools.combinations(range(m), 2))
        for i in self.rng.choice(len(pairs), min(3, len(pairs)), replace=False):
            j, k = pairs[i]
            together, apart = np.zeros((2, m))
            together[[j, k]], apart[[j, k]] = 1.0, (np.sqrt(0.5), -np.sqrt(0.5))
            for power, sign in itertools.product(range(5), (-1.0, 1.0)):
                W = side * together * (sign * 10.0**power * self.loss.size / np.sqrt(2))
                self._curvature(f"{TIE} {j} and {k}", W, side * apart, "their difference")
