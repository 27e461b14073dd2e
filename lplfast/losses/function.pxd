from .loss cimport Loss


cdef class PythonLoss(Loss):
    cdef readonly object function
    cdef readonly double lower_bound
    cdef readonly double uncertainty    # what the declared minimum may exceed l* by
    cdef dict errors                    # by thread

    cdef int call(self, const double* W, double* loss, double* G) except -1
