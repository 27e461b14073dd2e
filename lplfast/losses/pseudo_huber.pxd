from .rowwise cimport Rowwise


cdef class PseudoHuber(Rowwise):
    cdef double[:, ::1] residuals       # at the minimizer, in units of delta
    cdef double[:, ::1] cosines         # 1 / sqrt(1 + residual^2)
    cdef readonly double delta
