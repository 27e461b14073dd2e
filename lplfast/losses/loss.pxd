"""Public: `cdef class MyLoss(Loss)` with its own `evaluate` trains in the compiled loop like any other loss."""

from libc.math cimport NAN


cdef struct Value:
    double loss         # l(W)
    double gap          # l(W) - l*, without cancellation where the loss knows how; NaN if l* is unknown
    double gap_error    # what l(W) - l* may exceed `gap` by, l* being uncertain; if gap is NaN, may be
    # What rounding inside `evaluate` may do, beyond a few u of the value and of each entry of G; 0 if nothing is said
    double rounding         # to the loss and the gap
    double gradient_error   # to G, in the Frobenius norm
    # ||W||_F^2 and ||G||_F^2 as computed, where the loss has come by both; else NaN
    double W_sq
    double G_sq


cdef inline void forget(Value* value) noexcept nogil:
    """What is known before a loss has said anything."""
    value.loss = value.gap = value.W_sq = value.G_sq = NAN
    value.gap_error = value.rounding = value.gradient_error = 0.0


# What a squared loss without ridge, ||X W - Y||_F^2 / 2, is aimed at, for the rules whose formulas speak of Y.
cdef struct Target:
    double least        # s_min(Y)
    double norm         # ||Y||_F
    double rank         # of Y


cdef class Loss:
    cdef readonly int n
    cdef readonly int m
    cdef readonly double mu
    cdef readonly double K
    cdef readonly double minimum

    cdef Py_ssize_t scratch(self) noexcept nogil
    cdef void evaluate(self, const double* W, Value* value, double* G, double* scratch) noexcept nogil
    cdef const double* curvature(self) noexcept nogil
    cdef bint target(self, Target* target) noexcept nogil
    cdef double decrease(self, const double* W_old, const double* W, double before, double after,
                         double* terms) noexcept nogil


cdef class DiagonalQuadratic(Loss):
    cdef double[::1] d
    cdef double[:, ::1] weights     # d, entry by entry
    cdef double[:, ::1] W_star
    cdef readonly object aim
    cdef readonly double frame
    cdef readonly double uncertainty
    cdef double root_K
    cdef double stretch     # the root of 1 + frame
    cdef double least
    cdef double norm
    cdef double rank
