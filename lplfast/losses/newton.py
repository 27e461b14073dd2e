"""Newton's method for a smooth, strongly convex function of a matrix: its minimizer, as well as float64 can say.

docs/theory.md, section 12.
"""

import numpy as np
import scipy

from ..interrupts import look_up

__all__ = ["newton"]

# A Hessian block of more rows than this is never formed: its systems are solved by conjugate gradients.
LARGEST = 3000

EPS = float(np.finfo(float).eps)

# A step of the line search below this moves nothing that float64 can see.
SHORTEST = 1e-10


def newton(function, *, warm=200, steps=100):
    """Return a matrix near the minimizer of `function`, and the gradient there. Looks up between evaluations.

    L-BFGS first, then Newton's method with a line search: on the value, and, where values no longer tell two matrices
    apart, on the norm of the gradient, of which a full step takes at least half. A Hessian that rounding has made
    singular costs steps, never an error: what is returned is the last matrix of that descent, and the gradient says
    how good it is.

    Parameters
    ----------
    function : object
        Has `shape`, and of a matrix V `value_and_gradient(V)`; `hessian(V)`, of shape (blocks, size, size), the blocks
        of its Hessian in the order of `V.T.ravel()`; `blocks`; and `hessian_product(V, U)`.
    warm, steps : int
        Iterations of either method at most.
    """
    # a trial beyond float64 is one that is not taken
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        V, value, gradient = _start(function, warm)
        for _ in range(steps):
            look_up()
            direction = _solve(function, V, gradient)
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
                    break
                t /= 2
            else:
                break
            V, value, gradient = V_new, value_new, gradient_new
    return V, gradient


def _start(function, warm):
    """Return where L-BFGS comes to from 0, 0 itself if that is nowhere, with the value and the gradient there."""
    def flat(v):
        look_up()
        value, gradient = function.value_and_gradient(v.reshape(function.shape))
        return value, gradient.ravel()

    zero = np.zeros(function.shape)
    found = scipy.optimize.minimize(flat, zero.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": warm})
    for V in (found.x.reshape(function.shape), zero):
        value, gradient = function.value_and_gradient(V)
        if np.isfinite(value) and np.isfinite(gradient).all():
            break
    return V, value, gradient


def _solve(function, V, gradient):
    """Return the Newton direction, a solution D of `H D = gradient`."""
    size = gradient.size // function.blocks
    if size > LARGEST:
        from scipy.sparse.linalg import LinearOperator, cg

        # in units in which neither exceeds 1
        norm = np.linalg.norm(gradient)

        def product(u):
            look_up()
            return function.hessian_product(V, u.reshape(V.shape)).ravel() / function.K
        operator = LinearOperator((gradient.size, gradient.size), matvec=product, dtype=float)
        found, _ = cg(operator, gradient.ravel() / norm, rtol=1e-6, maxiter=1000)
        return found.reshape(V.shape) * (norm / function.K)
    right = gradient.T.reshape(function.blocks, size)
    found = []
    for H, g in zip(function.hessian(V), right, strict=True):
        look_up()
        found.append(_solve_block(H, g))
    return np.reshape(found, V.T.shape).T


def _solve_block(H, g):
    """Return the solution of `H d = g`; where rounding has left H without one, a descent direction near it.

    H is scaled to a unit diagonal first: then no column of the data is lost beside a larger one.
    """
    scale = 1 / np.sqrt(H.diagonal())
    H = H * scale * scale[:, np.newaxis]
    try:
        return scale * scipy.linalg.cho_solve(scipy.linalg.cho_factor(H), scale * g)
    except np.linalg.LinAlgError:
        # H is positive definite, so what rounding made of its least eigenvalues is noise: no step along them may be
        # longer than that
        eigenvalues, Q = scipy.linalg.eigh(H)
        return scale * (Q @ ((Q.T @ (scale * g)) / np.maximum(eigenvalues, len(g) * EPS * eigenvalues[-1])))
