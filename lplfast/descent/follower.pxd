from ..iterate cimport Iterate
from .descent cimport Descent, Step
from .history cimport Row


# How far a step of somebody else's has gone, upper bounds: each layer from where it was, and from where a gradient step
# of the size that was said would have led.
cdef struct Departure:
    double moved1
    double moved2
    double off1
    double off2
    double norm1        # of the layers there, as computed
    double norm2


cdef class Follower(Descent):
    cdef object _turn           # what `it.turn` and `it.turned` point at
    cdef object _turned
    cdef Departure _arrive(self, const double* W1, const double* W2, bint turned1, bint turned2,
                           double eta) noexcept nogil
    cdef bint _is_step(self, const Departure* went, double eta, double unit) noexcept nogil
    cdef double _drift(self, const Departure* went) noexcept nogil
    cdef void _drift_of_step(self, const Departure* went) noexcept nogil
    cdef void _widen(self, double moved1, double one, double moved2, double two) noexcept nogil
    cdef void _take(self, const Departure* went) noexcept nogil
    cdef void _certify(self, Step* step, const Departure* went, Row* row) noexcept nogil
    cdef void _begin_again(self, Step* step, double drifted) noexcept nogil
    cdef bint _affordable(self) noexcept nogil
    cdef void _carry_brackets(self, Step* step) noexcept nogil
    cdef bint _follow(self, const double* W1, const double* W2, bint turned1, bint turned2, double eta, double unit,
                      Row* row, bint* taken) noexcept nogil
