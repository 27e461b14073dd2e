from .loss cimport Loss, TargetSummary


cdef class DiagonalQuadratic(Loss):
    cdef double[::1] d
    cdef double[:, ::1] weights     # d, entry by entry
    cdef double[:, ::1] W_star
    cdef readonly double frame
    cdef readonly double uncertainty
    cdef bint made                  # whether all of this is there
    cdef double root_K
    cdef double stretch             # the root of 1 + frame
    cdef bint targeted              # whether there is a `summary`
    cdef TargetSummary summary
