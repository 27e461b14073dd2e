"""Newton's method for a smooth, convex function of a matrix: its minimizer, as well as float64 can say.

docs/theory.md, section 12.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.linalg

from ..interrupts import look_up
from ..parts_of_scipy import part_of_scipy
from .expansion import Expansion

__all__ = ["newton"]

# A Hessian block of more rows than this is never formed.
LARGEST = 3000

# Nor is one, as long as conjugate gradients get on without, that takes more multiplications than this, some 0.5 ms.
CHEAP = 1e7

# So many conjugate gradients are a step at most; and if they took more than so many, a new preconditioner pays. Of a
# single column it is the Hessian itself, after which one or two are enough: it pays earlier.
LONGEST = 250
MANY = 10
MANY_OF_ONE = 5

# They are broken off where so much of the gradient is left, or more, as long as it is large.
CLOSE = 1e-2
FAR = 0.3

# A gradient that is this part of what rounding may have done to it is as good as none; that is looked at where values
# no longer tell two matrices apart, or the gradient has fallen to this part of the first.
NONE_LEFT = 1e-2
FALLEN = 1e-12

EPS = float(np.finfo(float).eps)

# A step of the line search below this moves nothing that float64 can see.
SHORTEST = 1e-10

# Below this part of a direction, rounding has taken over the Hessian: it is shifted, by so many times the last shift.
SHORT = 0.25
MORE = 100.0


def newton(function, first, *, project, steps=100, report=None):
    """Return what `function` is near its minimizer, to second order. Looks up between evaluations.

    Newton's method with a line search: on the value, and, where values no longer tell two matrices apart, on the norm
    of the gradient, of which a full step takes at least half. Where the Hessian is cheap, its systems are solved by
    Cholesky factors; where it is not, by conjugate gradients, the more closely the more the gradient has fallen,
    preconditioned with what the Hessian were if all rows and columns had their average curvature, or, where that does
    not do, all columns. A direction that rounding has left no step along costs a shift of the Hessian (Levenberg and
    Marquardt), never an error: what is returned is the last matrix of that descent, and the gradient says how good it
    is.

    Parameters
    ----------
    function : object
        Has `shape`; `blocks`, of the Hessian; `K`; `work`, multiplications for a product with the data; and `at(V)`,
        an `Expansion` at the matrix V.
    first : (n, m) array
        Where to begin.
    project : callable
        Of a matrix, the part that a minimizer may have: steps stay there.
    steps : int
        Iterations of either method at most.
    report : callable, optional
        Called with the matrix and the norm of the gradient there after every step.
    """
    size = _block_size(function)
    methods = [] if _cheap(function) else [_ConjugateGradients(function, project, last=size > LARGEST)]
    methods += [_Cholesky(function, project)] if size <= LARGEST else []
    # a trial beyond float64 is one that is not taken
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        at = function.at(first)
        for method in methods:
            at, none_left = _descend(function, at, method, steps, report)
            if none_left or method is methods[-1] or np.linalg.norm(at.gradient) <= 2 * at.rounding:
                break
    return at


class _Step(NamedTuple):
    at: Expansion
    part: float         # of the direction
    by_value: bool      # whether it was the value that fell


def _descend(function, at, method, steps, report):
    """Return where one method comes to, and whether the gradient there is known to be rounding alone."""
    first, by_value = np.linalg.norm(at.gradient), True
    for _ in range(steps):
        norm = float(np.linalg.norm(at.gradient))
        if report is not None:
            report(at.V, norm)
        look_up()
        if (norm <= FALLEN * first or not by_value) and norm <= NONE_LEFT * at.rounding:
            return at, True
        direction = method.direction(at, norm / first)
        step = None if direction is None else _search(function, at, direction)
        if step is None and norm <= 2 * at.rounding:
            break
        if step is not None:
            at, by_value = step.at, step.by_value
        if not method.goes_on(step, norm):
            break
    return at, False


def _cheap(function):
    """Whether the Hessian may be formed and factorized at every step."""
    size = _block_size(function)
    return size <= LARGEST and function.work * size + size**3 * function.blocks / 3 <= CHEAP


def _block_size(function):
    return function.shape[0] * function.shape[1] // function.blocks


def _search(function, at, direction):
    """Return a step along a direction to a matrix that is good enough; None if there is none."""
    slope, norm = np.vdot(at.gradient, direction), np.linalg.norm(at.gradient)
    # what rounding may do to a value: to itself, and to the logits that it is summed up from
    noise = 64 * EPS * (abs(at.value) + np.sqrt(function.K) * np.linalg.norm(at.V))
    by_value, t = slope > noise, 1.0
    while t >= SHORTEST:
        look_up()
        new = function.at(at.V - t * direction)
        if (new.value <= at.value - 1e-4 * t * slope if by_value else
                np.linalg.norm(new.gradient) <= (1 - t / 2) * norm < np.inf > new.value):
            return _Step(new, t, by_value)
        t /= 2
    return None


class _Cholesky:
    """Directions by factors of the Hessian."""

    def __init__(self, function, project):
        self.function, self.project = function, project
        self.shift = 0.0

    def direction(self, at, _left):
        """Return the Newton direction, a solution D of `H D = gradient`, H shifted."""
        right, found = at.gradient.T.reshape(self.function.blocks, -1), []
        for H, g in zip(at.hessian(), right, strict=True):
            look_up()
            found.append(_inverse(H, self.shift)(g[:, np.newaxis]))
        return self.project(np.reshape(found, at.V.T.shape).T)

    def goes_on(self, step, norm):
        """Shift the Hessian further where it led nowhere, and less where a whole step was taken; False at the end."""
        part = 0.0 if step is None else step.part
        if part < SHORT:
            more = max(MORE * self.shift, MORE * EPS)
            # beyond its diagonal, what is left is the gradient in units of that
            if more > MORE:
                return step is not None
            self.shift = more
        elif part == 1.0:
            self.shift = self.shift / math.sqrt(MORE) if self.shift > EPS else 0.0
        return True


class _ConjugateGradients:
    """Directions by conjugate gradients, as close as helps the next step."""

    def __init__(self, function, project, last):
        self.function, self.project, self.last = function, project, last
        self.precondition, self.taken = None, 0
        n, m = function.shape
        # a new preconditioner takes as long as so many
        self.many = max(MANY_OF_ONE, n // 25) if m == 1 else max(MANY, n // (2 * m))

    def direction(self, at, left):
        """Return a direction near the Newton direction; None where that takes too long and there is another way.

        `left` is the part of the first gradient that is left.
        """
        norm, K, shape, size = np.linalg.norm(at.gradient), self.function.K, at.V.shape, at.V.size
        if self.precondition is None or self.taken > self.many:
            self.precondition = self._preconditioner(at, rows_alike=self.precondition is None)
        self.taken = 0

        # all in units in which nothing exceeds 1
        def product(u):
            look_up()
            self.taken += 1
            return at.times_hessian(u.reshape(shape)).ravel() / K

        def precondition(u):
            return self.precondition(u.reshape(shape)).ravel()

        sparse = part_of_scipy("sparse.linalg")
        found, unfinished = sparse.cg(
            sparse.LinearOperator((size, size), matvec=product, dtype=float), at.gradient.ravel() / norm,
            rtol=max(CLOSE, min(FAR, math.sqrt(left))), maxiter=4 * LONGEST if self.last else LONGEST,
            M=sparse.LinearOperator((size, size), matvec=precondition, dtype=float))
        return None if unfinished and not self.last else self.project(found.reshape(shape)) * (norm / K)

    def goes_on(self, step, norm):
        """Return whether the gradient still falls, as a full step takes more than half of it, or rounding has the rest.

        Where values tell matrices apart, every step is one.
        """
        return step is not None and (step.by_value or np.linalg.norm(step.at.gradient) <= norm / 2)

    def _preconditioner(self, at, rows_alike):
        """Return a function: the inverse of the Hessian if all columns had their average curvature, and all rows."""
        if self.function.shape[0] > LARGEST:
            return lambda U: U
        H = at.average_hessian(rows_alike)
        H /= H.diagonal().max()     # in any units
        return _inverse(H) if np.isfinite(H).all() and H.diagonal().all() else lambda U: U


def _inverse(H, shift=0.0):
    """Return a function that solves `(H + shift diag(H)) D = G`; by a greater shift where rounding left H no factor.

    H is scaled to a unit diagonal first: then no column of the data is lost beside a larger one. It stays positive
    definite, so that a solution is a direction of descent.
    """
    scale = 1 / np.sqrt(H.diagonal())[:, np.newaxis]
    H = H * scale * scale.T
    while True:
        shifted = H.copy()
        shifted[np.diag_indices_from(H)] += shift
        try:
            factor = scipy.linalg.cho_factor(shifted, overwrite_a=True)
        except np.linalg.LinAlgError:
            # H is positive definite, so what is below 0 is rounding, of which there is less than this soon
            shift = max(MORE * shift, len(H) * EPS)
        else:
            return lambda G: scale * scipy.linalg.cho_solve(factor, scale * G, check_finite=False)
