from .loss cimport Loss, Value

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
    cdef double[:, ::1] unseen          # orthonormal directions of rows that X does not see, or None
    cdef double unseen_off              # what it sees of them is rounding, of at most this norm
    cdef bint centered                  # whether a row that is constant is not seen, either
    cdef double X_norm
    cdef double X_max
    cdef double steepest                # the divergences have second derivatives of at most this, itself at most 2
    cdef bint made                      # whether all of this is there

    cdef double local_pl(self, const double* E, double bent, double rho, const Value* value,
                         double* scratch) noexcept nogil
    cdef double spread(self, Py_ssize_t first, int rows, const double* D, double* bent) noexcept nogil
    cdef double tilt_rows(self, Py_ssize_t first, int rows, double* D, double* R_sq, double* off,
                          double* spare) noexcept nogil
