"""A lower bound on s_min(T)^2 from the imbalance of the layers."""

from ..iterate cimport Iterate


cdef Py_ssize_t imbalance_work(int n, int k, int m) noexcept nogil
cdef bint find_imbalance(Iterate* it, double* scratch) noexcept nogil
cdef void drift_imbalance(Iterate* it, double one, double two) noexcept nogil
cdef double imbalance_bound(Iterate* it) noexcept nogil
