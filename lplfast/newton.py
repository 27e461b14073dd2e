"""Newton's method for a smooth, strongly convex function of a matrix: its minimizer, as well as float64 can say."""

import numpy as np
import scipy

__all__ = ["newton"]

# A Hessian block of more rows than this is never formed: its systems are solved by conjugate gradients.
LARGEST = 3000

EPS = float(np.finfo(float).eps)


def newton(function, *, warm=200, steps=100):
    """Return a matrix near the minimizer of `function`, and the gradient there.

    L-BFGS first, then Newton's method with a line search, and, where values no longer tell two matrices apart, full
    steps as long as each at least halves the gradient.

    Parameters
    ----------
    function : object
        Has `shape`, and of a matrix V `value_and_gradient(V)`; `hessian(V)`, of shape (blocks, size, size), the blocks
        of its Hessian in the order of `V.T.ravel()`; `blocks`; and `hessian_product(V, U)`.
    warm, steps : int
        Iterations of either method at most.
    """
    def flat(v):
        value, gradient = function.value_and_gradient(v.reshape(function.shape))
        return value, gradient.ravel()

    start = scipy.optimize.minimize(flat, np.zeros(function.shape).ravel(), jac=True, method="L-BFGS-B",
                                    options={"maxiter": warm})
    V = start.x.reshape(function.shape)
    value, gradient = function.value_and_gradient(V)
    for _ in range(steps):
        direction = _solve(function, V, gradient)
        slope = np.vdot(gradient, direction)
        noise = 64 * EPS * abs(value)
        t, searching = 1.0, slope > noise
        while True:
            V_new = V - t * direction
            value_new, gradient_new = function.value_and_gradient(V_new)
            if not searching or value_new <= value - 1e-4 * t * slope or t < 1e-10:
                break
            t /= 2
        if not np.isfinite(gradient_new).all():
            break
        if not searching and not np.linalg.norm(gradient_new) <= 0.5 * np.linalg.norm(gradient):
            if np.linalg.norm(gradient_new) < np.linalg.norm(gradient):
                V, gradient = V_new, gradient_new
            break
        V, value, gradient = V_new, value_new, gradient_new
    return V, gradient


def _solve(function, V, gradient):
    """Return the Newton direction, a solution D of `H D = gradient`."""
    size = gradient.size // function.blocks
    if size > LARGEST:
        from scipy.sparse.linalg import LinearOperator, cg

        def product(u):
            return function.hessian_product(V, u.reshape(V.shape)).ravel()
        operator = LinearOperator((gradient.size, gradient.size), matvec=product, dtype=float)
        found, _ = cg(operator, gradient.ravel(), rtol=1e-6, maxiter=1000)
        return found.reshape(V.shape)
    right = gradient.T.reshape(function.blocks, size)
    found = [scipy.linalg.solve(H, g, assume_a="pos") for H, g in zip(function.hessian(V), right, strict=True)]
    return np.reshape(found, V.T.shape).T
