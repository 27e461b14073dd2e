"""Iterations for an extreme eigenvector of a symmetric matrix, and its Rayleigh quotient: which ends of brackets they
are, and why none needs to have converged, is in docs/theory.md, section 6.2.
"""

from libc.math cimport INFINITY, NAN, fabs, sqrt
from libc.string cimport memcpy

from ..linalg.blas cimport dot, norm, symmetric_times
from ..linalg.cholesky cimport cholesky, cholesky_solve, shifted
from ..linalg.extremes cimport fmax
from ..linalg.rounding cimport TINY, U

# Until an iteration changes the eigenvalue by this part of the width wanted; so many at most.
cdef double SETTLED = 0.1
cdef int POWER_STEPS = 40
cdef int INVERSE_STEPS = 40


cdef double power_iterate(int p, const double* gram, double* v, double* w, double room) noexcept nogil:
    """The Rayleigh quotient of gram (p, p) at v, after power iteration from v; never above the greatest
    eigenvalue but for rounding. It is wanted to the relative accuracy `room`."""
    cdef double size = norm(p, v), quotient = 0.0, before
    cdef int _step
    cdef Py_ssize_t i
    for _step in range(POWER_STEPS):
        if not size > 0.0:
            break
        for i in range(p):
            v[i] /= size
        symmetric_times(p, gram, v, w)
        before, quotient = quotient, dot(p, v, w)
        if not quotient > 0.0:
            break
        for i in range(p):
            v[i] = w[i] / quotient      # of order 1, whatever the scale
        size = norm(p, v)
        if quotient - before <= SETTLED * room * quotient:
            break
    return quotient


cdef double inverse_iterate(int p, const double* gram, double* v, double* w, double* factor,
                            double room) noexcept nogil:
    """The Rayleigh quotient of gram (p, p) at v, after inverse iteration from v; never below the least
    eigenvalue but for rounding. `factor` receives the Cholesky factor; INFINITY if there is none."""
    cdef double size = norm(p, v), quotient = INFINITY, before
    cdef int _step
    cdef Py_ssize_t i
    shifted(p, 1.0, 0.0, gram, factor)
    if cholesky(p, factor):
        return INFINITY
    for _step in range(INVERSE_STEPS):
        if not 0.0 < size < INFINITY:
            return INFINITY
        for i in range(p):
            v[i] /= size
        # w = gram^-1 v: then w.T gram w = w.T v
        memcpy(w, v, p * sizeof(double))
        cholesky_solve(p, factor, w)
        size = norm(p, w)
        if not 0.0 < size < INFINITY:
            return INFINITY
        before, quotient = quotient, dot(p, v, w) / size / size
        for i in range(p):
            v[i] = w[i] / size
        size = norm(p, v)
        if before - quotient <= SETTLED * room * quotient:
            break
    return quotient


cdef double quotient_at(int p, const double* gram, double* v, double* w) noexcept nogil:
    """Normalize v; w = gram @ v; return the Rayleigh quotient v @ w."""
    cdef double size = norm(p, v)
    cdef Py_ssize_t i
    if not 0.0 < size < INFINITY:
        return NAN
    for i in range(p):
        v[i] /= size
    symmetric_times(p, gram, v, w)
    return dot(p, v, w)


cdef void rayleigh_cg(int p, double sign, const double* gram, double* v, double* work, double quotient,
                      double room) noexcept nogil:
    """Make `sign` times the Rayleigh quotient of gram (p, p) at v as large as it gets from v by conjugate gradients
    (Polak and Ribiere's), wanted to the relative accuracy `room`. A step is the best one in the plane of v and the
    direction d. `work` has room for 4 p doubles; v, `work` and `quotient` are as `quotient_at` leaves them.
    """
    cdef double* w = work           # gram @ v
    cdef double* r = work + p       # the residual w - quotient * v
    cdef double* d = work + 2 * p
    cdef double* e = work + 3 * p   # gram @ d
    cdef double r_sq = 1.0, last_sq, before, beta, along, d_norm, b, c, half, length, turn, old
    cdef Py_ssize_t i
    cdef int _step
    for i in range(p):
        r[i] = d[i] = 0.0
    for _step in range(POWER_STEPS):
        for i in range(p):
            e[i] = w[i] - quotient * v[i]
        last_sq, r_sq = r_sq, dot(p, e, e)
        beta = fmax((r_sq - dot(p, e, r)) / fmax(last_sq, TINY), 0.0)
        for i in range(p):
            r[i] = e[i]
            d[i] = e[i] + beta * d[i]
        # where the residual is little more than rounding, part of that is along v
        along = dot(p, d, v)
        for i in range(p):
            d[i] -= along * v[i]
        d_norm = norm(p, d)
        if not d_norm > 4.0 * U * fabs(quotient):
            break
        symmetric_times(p, gram, d, e)
        # the greatest or least eigenvalue of [[quotient, b], [b, c]] and its eigenvector, in the basis v, d / ||d||
        b, c, before = dot(p, v, e) / d_norm, dot(p, d, e) / d_norm / d_norm, quotient
        half = 0.5 * (quotient - c)
        length = sign * half + sqrt(half * half + b * b)
        if not length > 0.0:
            break
        quotient = c + sign * length
        turn = sqrt(length * length + b * b)
        length, b = length / turn, sign * b / turn
        c = b / d_norm
        b *= d_norm
        for i in range(p):
            old = v[i]
            v[i] = length * old + c * d[i]
            w[i] = length * w[i] + c * e[i]
            d[i] = length * d[i] - b * old
        if sign * (quotient - before) <= SETTLED * room * fabs(quotient):
            break
