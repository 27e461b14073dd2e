from ..linalg.team cimport Work
from .loss cimport Loss, Ray
from .row_sums cimport Pass
from .rowwise cimport Rowwise


cdef class CrossEntropy(Rowwise):
    cdef double[:, ::1] logits          # what the minimizer makes of X
    cdef double[::1] logs               # log-probabilities at the minimizer, one distribution a row, in tiles
    cdef double[::1] probabilities      # the same, exponentiated
    cdef double widest                  # the largest norm of a row of X, and the largest log-probability
    cdef double faintest

    cdef Py_ssize_t summary_size(self) noexcept nogil
    cdef double bend(self, Py_ssize_t first, Py_ssize_t tiles, const Ray* ray) noexcept nogil
    cdef void _look_at_rows(self, Ray* ray, double* scratch) noexcept nogil
    cdef double growth(self, Ray* ray, double eta, double* scratch) noexcept nogil
    cdef double rows_growth(self, Py_ssize_t first, Py_ssize_t tiles, const Ray* ray, double eta,
                            double rho) noexcept nogil
    cdef double _sum_of_parts(self, Work work, Pass* rows) noexcept nogil


cdef class Softmax(CrossEntropy):
    pass


cdef class Logistic(CrossEntropy):
    pass
