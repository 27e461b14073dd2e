"""Iterations for an extreme eigenvector of a symmetric matrix."""

cdef double power_iterate(int p, const double* gram, double* v, double* w, double room) noexcept nogil
cdef double inverse_iterate(int p, const double* gram, double* v, double* w, double* factor,
                            double room) noexcept nogil
cdef double quotient_at(int p, const double* gram, double* v, double* w) noexcept nogil
cdef void rayleigh_cg(int p, double sign, const double* gram, double* v, double* work, double quotient,
                      double room) noexcept nogil
