from .loss cimport Loss, Ray, Value

# What is kept of an iterate where there is no global K: the curvature at a W from which `carry` has come, and that W.
cdef enum:
    CURVATURE
    REFERENCE

# What is kept of a ray behind the room for W(eta) and a gradient: <tau, H tau>^(1/2), <B, H B>^(1/2), and how fast
# the curvature may change along tau and B. The first is NaN until they are known.
cdef enum:
    TAU_FORM
    B_FORM
    TAU_CHANGE
    B_CHANGE
    RAY_NUMBERS


cdef class PythonLoss(Loss):
    cdef readonly object function
    cdef readonly object hessian_form
    cdef readonly object concordance
    cdef readonly double lower_bound
    cdef readonly double uncertainty    # what the declared minimum may exceed l* by
    cdef dict errors                    # by thread

    cdef int call(self, const double* W, double* loss, double* G) except -1
    cdef object _copied(self, const double* A)
    cdef double form(self, const double* W, const double* M) noexcept nogil
    cdef double change_along(self, const double* M) noexcept nogil
    cdef double curvature_sum(self, const double* W, double* M) noexcept nogil
    cdef void _tell(self, Value* value, double K) noexcept nogil
    cdef double* _numbers(self, Ray* ray) noexcept nogil
