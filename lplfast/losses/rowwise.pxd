from .loss cimport Loss


cdef class Rowwise(Loss):
    cdef Py_ssize_t N
    cdef double[:, ::1] X
    cdef double[:, ::1] logits          # what the minimizer makes of X
    cdef double[:, ::1] logs            # log-probabilities at the minimizer, one distribution a row
    cdef double[:, ::1] probabilities   # the same, exponentiated
    cdef double[:, ::1] W_star
    cdef readonly double weight         # of a row: 1, or 1/N for a mean
    cdef readonly double l2
    cdef readonly double uncertainty    # ||grad l(W_star)|| of the loss that was asked for is at most this
    cdef double X_norm
    cdef double X_max
    cdef bint made                      # whether all of this is there

    cdef double tilt_rows(self, Py_ssize_t first, int rows, double* D, double* R_sq, double* off,
                          double* spare) noexcept nogil


cdef class Softmax(Rowwise):
    pass


cdef class Logistic(Rowwise):
    pass
