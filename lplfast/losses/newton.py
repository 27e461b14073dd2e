"""Newton's method for a smooth, convex function of a matrix: its minimizer, as well as float64 can say.

docs/theory.md, section 12.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy

from ..annotations import Array
from ..interrupts import look_up

__all__ = ["newton"]

# A Hessian block of more rows than this is never formed.
LARGEST = 3000

# Nor is one, as long as conjugate gradients get on without, that takes more multiplications than this, some 0.1 s.
CHEAP = 1e9

# So many conjugate gradients are a step at most; and if they took more than so many, a new preconditioner pays.
LONGEST = 250
MANY = 10

EPS = float(np.finfo(float).eps)

# A step of the line search below this moves nothing that float64 can see.
SHORTEST = 1e-10

# Below this part of a direction, rounding has taken over the Hessian: it is shifted, by so many times the last shift.
SHORT = 0.25
MORE = 100.0


def newton(function, first, *, rounding, project, warm=200, steps=100, report=None):
    """Return a matrix near the minimizer of `function`, and the gradient there. Looks up between evaluations.

    Newton's method with a line search: on the value, and, where values no longer tell two matrices apart, on the norm
    of the gradient, of which a full step takes at least half. Where the Hessian is cheap, its systems are solved by
    Cholesky factors, after L-BFGS has come near; where it is not, by conjugate gradients, as closely as the gradient
    has fallen, preconditioned with what the Hessian were if all columns had their average curvature. A direction that
    rounding has left no step along costs a shift of the Hessian (Levenberg and Marquardt), never an error: what is
    returned is the last matrix of that descent, and the gradient says how good it is.

    Parameters
    ----------
    function : object
        Has `shape`, and of a matrix V `value_and_gradient(V)`; `hessian(V)`, of shape (blocks, size, size), the blocks
        of its Hessian in the order of `V.T.ravel()`; `blocks`; `hessian_at(V)`, a function that multiplies a matrix
        with the Hessian; `average_hessian(V)`, of shape (n, n); and `work`, multiplications for a product with the
        data.
    first : (n, m) array
        Where to begin.
    rounding : callable
        Of a matrix, a bound on what rounding does to the gradient there.
    project : callable
        Of a matrix, the part that a minimizer may have: conjugate gradients stay there.
    warm, steps : int
        Iterations of either method at most.
    report : callable, optional
        Called with the matrix and the norm of the gradient there after every step.
    """
    size = _block_size(function)
    methods = [] if _cheap(function) else [_ConjugateGradients(function, project, last=size > LARGEST)]
    methods += [_Cholesky(function)] if size <= LARGEST else []
    # a trial beyond float64 is one that is not taken
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for method in methods:
            V, gradient = _descend(function, first, method, (warm, steps), rounding, report)
            if method is not methods[-1] and np.linalg.norm(gradient) <= 2 * rounding(V):
                break
    return V, gradient


class _Step(NamedTuple):
    V: Array
    value: float
    gradient: Array
    part: float         # of the direction
    by_value: bool      # whether it was the value that fell


def _descend(function, V, method, most, rounding, report):
    """Return where one method comes to from V, and the gradient there."""
    warm, steps = most
    V, value, gradient = method.start(V, warm)
    for _ in range(steps):
        norm = float(np.linalg.norm(gradient))
        if report is not None:
            report(V, norm)
        look_up()
        direction = method.direction(V, gradient)
        step = None if direction is None else _search(function, V, value, gradient, direction)
        if step is None and norm <= 2 * rounding(V):
            break
        if step is not None:
            V, value, gradient = step.V, step.value, step.gradient
        if not method.goes_on(step, norm):
            break
    return V, gradient


def _cheap(function):
    """Whether the Hessian may be formed and factorized at every step."""
    size = _block_size(function)
    return size <= LARGEST and function.work * size + size**3 * function.blocks / 3 <= CHEAP


def _block_size(function):
    return function.shape[0] * function.shape[1] // function.blocks


def _search(function, V, value, gradient, direction):
    """Return a step along a direction to a matrix that is good enough; None if there is none."""
    slope, norm = np.vdot(gradient, direction), np.linalg.norm(gradient)
    # what rounding may do to a value: to itself, and to the logits that it is summed up from
    noise = 64 * EPS * (abs(value) + np.sqrt(function.K) * np.linalg.norm(V))
    by_value, t = slope > noise, 1.0
    while t >= SHORTEST:
        look_up()
        V_new = V - t * direction
        value_new, gradient_new = function.value_and_gradient(V_new)
        if (value_new <= value - 1e-4 * t * slope if by_value else
                np.linalg.norm(gradient_new) <= (1 - t / 2) * norm < np.inf > value_new):
            return _Step(V_new, value_new, gradient_new, t, by_value)
        t /= 2
    return None


class _Cholesky:
    """Directions by factors of the Hessian, begun with L-BFGS."""

    def __init__(self, function):
        self.function = function
        self.shift = 0.0

    def start(self, V, warm):
        """Return where L-BFGS comes to from V, V itself if that is nowhere, with the value and the gradient there."""
        def flat(v):
            look_up()
            value, gradient = self.function.value_and_gradient(v.reshape(V.shape))
            return value, gradient.ravel()

        found = scipy.optimize.minimize(flat, V.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": warm})
        for at in (found.x.reshape(V.shape), V):
            value, gradient = self.function.value_and_gradient(at)
            if np.isfinite(value) and np.isfinite(gradient).all():
                break
        return at, value, gradient

    def direction(self, V, gradient):
        """Return the Newton direction, a solution D of `H D = gradient`, H shifted."""
        right, found = gradient.T.reshape(self.function.blocks, -1), []
        for H, g in zip(self.function.hessian(V), right, strict=True):
            look_up()
            found.append(_inverse(H, self.shift)(g[:, np.newaxis]))
        return np.reshape(found, V.T.shape).T

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
    """Directions by conjugate gradients: closely enough that the gradient falls faster than linearly."""

    def __init__(self, function, project, last):
        self.function, self.project, self.last, self.first = function, project, last, 0.0
        self.precondition, self.taken = None, 0

    def start(self, V, warm):
        """Return V, with the value and the gradient there."""
        value, gradient = self.function.value_and_gradient(V)
        self.first = np.linalg.norm(gradient)
        return V, value, gradient

    def direction(self, V, gradient):
        """Return a direction near the Newton direction; None where that takes too long and there is another way."""
        norm, K, size = np.linalg.norm(gradient), self.function.K, gradient.size
        if self.precondition is None or self.taken > MANY:
            self.precondition = self._preconditioner(V)
        hessian, self.taken = self.function.hessian_at(V), 0

        # all in units in which nothing exceeds 1
        def product(u):
            look_up()
            self.taken += 1
            return hessian(u.reshape(V.shape)).ravel() / K

        def precondition(u):
            return self.precondition(u.reshape(V.shape)).ravel()

        from scipy.sparse.linalg import LinearOperator, cg
        found, unfinished = cg(
            LinearOperator((size, size), matvec=product, dtype=float), gradient.ravel() / norm,
            rtol=max(1e-6, min(0.1, norm / self.first)), maxiter=4 * LONGEST if self.last else LONGEST,
            M=LinearOperator((size, size), matvec=precondition, dtype=float))
        return None if unfinished and not self.last else self.project(found.reshape(V.shape)) * (norm / K)

    def goes_on(self, step, norm):
        """Return whether the gradient still falls, as a full step takes more than half of it, or rounding has the rest.

        Where values tell matrices apart, every step is one.
        """
        return step is not None and (step.by_value or np.linalg.norm(step.gradient) <= norm / 2)

    def _preconditioner(self, V):
        """Return a function: the inverse of the Hessian if all columns had their average curvature."""
        if self.function.shape[0] > LARGEST:
            return lambda U: U
        H = self.function.average_hessian(V)
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
