# cython: boundscheck=False
"""What N m calls of libm's exp cost: compiled when a benchmark asks for it, no part of the library."""

from libc.math cimport exp


def exponentials(const double[::1] x not None, double[::1] y not None):
    """y = exp(x), one call after the other."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(x.shape[0]):
            y[i] = exp(x[i])
