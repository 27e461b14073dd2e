from .spectral cimport Spectral


cdef class Exact(Spectral):
    pass
