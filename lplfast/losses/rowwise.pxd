from .loss cimport Loss

# X passes through the cache in blocks of so many rows: once for X @ E, and from there for X.T @ R.
cdef enum:
    BLOCK = 128


cdef class Rowwise(Loss):
    cdef Py_ssize_t N
    cdef double[:, ::1] X
    cdef double[:, ::1] W_star
    cdef readonly double weight         # of a row: 1, or 1/N for a mean
    cdef readonly double l2
    cdef readonly double uncertainty    # ||grad l(W_star)|| of the loss that was asked for is at most this
    cdef readonly double blur           # and what D_i is told of the minimizer's outputs is off by, in the norm
    cdef double X_norm
    cdef double X_max
    cdef double steepest                # the divergences have second derivatives of at most this, itself at most 2
    cdef bint made                      # whether all of this is there

    cdef double tilt_rows(self, Py_ssize_t first, int rows, double* D, double* R_sq, double* off,
                          double* spare) noexcept nogil
