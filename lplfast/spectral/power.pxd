from .spectral cimport Spectral


cdef class Power(Spectral):
    pass
