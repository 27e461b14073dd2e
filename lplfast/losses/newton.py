"""Newton's method for a smooth, convex function of a matrix: its minimizer, as well as float64 can say.

docs/theory.md, section 12.
"""

import numpy as np
import scipy

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


def newton(function, first, *, rounding, project, warm=200, steps=100, report=None):
    """Return a matrix near the minimizer of `function`, and the gradient there. Looks up between evaluations.

    Newton's method with a line search: on the value, and, where values no longer tell two matrices apart, on the norm
    of the gradient, of which a full step takes at least half. Where the Hessian is cheap, its systems are solved by
    Cholesky factors, after L-BFGS has come near; where it is not, by conjugate gradients, as closely as the gradient
    has fallen, preconditioned with what the Hessian were if all columns had their average curvature. A Hessian that
    rounding has made singular costs steps, never an error: what is returned is the last matrix of that descent, and
    the gradient says how good it is.

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
            V, gradient = _descend(function, first, method, warm, steps, report)
            if method is not methods[-1] and np.linalg.norm(gradient) <= 2 * rounding(V):
                break
    return V, gradient


def _descend(function, V, method, warm, steps, report):
    """Return where one method comes to from V, and the gradient there."""
    V, value, gradient = method.start(V, warm)
    for _ in range(steps):
        if report is not None:
            report(V, float(np.linalg.norm(gradient)))
        look_up()
        direction = method.direction(V, gradient)
        found = None if direction is None else _search(function, V, value, gradient, direction)
        if found is None:
            break
        before = np.linalg.norm(gradient)
        V, value, gradient, by_value = found
        # where values no longer tell matrices apart, a full step takes more than half of the gradient, or rounding is
        # all that is left of it
        if not (by_value or method.exact or np.linalg.norm(gradient) <= before / 2):
            break
    return V, gradient


def _cheap(function):
    """Whether the Hessian may be formed and factorized at every step."""
    size = _block_size(function)
    return size <= LARGEST and function.work * size + size**3 * function.blocks / 3 <= CHEAP


def _block_size(function):
    return function.shape[0] * function.shape[1] // function.blocks


def _search(function, V, value, gradient, direction):
    """Return a matrix along a direction that is good enough, the value and the gradient there; None if there is none.

    And whether it was the value that said so.
    """
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
            return V_new, value_new, gradient_new, by_value
        t /= 2
    return None


class _Cholesky:
    """Directions by factors of the Hessian, begun with L-BFGS."""

    exact = True

    def __init__(self, function):
        self.function = function

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
        """Return the Newton direction, a solution D of `H D = gradient`."""
        right, found = gradient.T.reshape(self.function.blocks, -1), []
        for H, g in zip(self.function.hessian(V), right, strict=True):
            look_up()
            found.append(_inverse(H)(g[:, np.newaxis]))
        return np.reshape(found, V.T.shape).T


class _ConjugateGradients:
    """Directions by conjugate gradients: closely enough that the gradient falls faster than linearly."""

    exact = False

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

    def _preconditioner(self, V):
        """Return a function: the inverse of the Hessian if all columns had their average curvature."""
        if self.function.shape[0] > LARGEST:
            return lambda U: U
        H = self.function.average_hessian(V)
        H /= H.diagonal().max()     # in any units
        return _inverse(H) if np.isfinite(H).all() and H.diagonal().all() else lambda U: U


def _inverse(H):
    """Return a function that solves `H D = G`; where rounding has left H without a solution, by one near it.

    H is scaled to a unit diagonal first: then no column of the data is lost beside a larger one. It stays positive
    definite, so that a solution is a direction of descent.
    """
    scale = 1 / np.sqrt(H.diagonal())[:, np.newaxis]
    H = H * scale * scale.T
    try:
        factor = scipy.linalg.cho_factor(H)
    except np.linalg.LinAlgError:
        # H is positive definite, so what rounding made of its least eigenvalues is noise: no step along them may be
        # longer than that
        eigenvalues, Q = scipy.linalg.eigh(H)
        eigenvalues = np.maximum(eigenvalues, len(H) * EPS * eigenvalues[-1])[:, np.newaxis]
        return lambda G: scale * (Q @ ((Q.T @ (scale * G)) / eigenvalues))
    return lambda G: scale * scipy.linalg.cho_solve(factor, scale * G, check_finite=False)
