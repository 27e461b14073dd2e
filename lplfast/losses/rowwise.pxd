from .loss cimport Ray, Value
from .row_sums cimport Pass, RowSums

# What is kept of a ray, `own`: numbers by these names, then X @ [tau, B] in tiles of 2 m columns, then what a
# subclass keeps.
cdef enum:
    TAU_NORM        # NaN until the products have been made
    B_NORM
    PROBABILITIES   # of a subclass, these two
    BEND
    OWN


cdef class Rowwise(RowSums):
    cdef void _look_part(self, Pass* rows, int part) noexcept nogil
    cdef void _part_along(self, Pass* rows, int part) noexcept nogil
    cdef void _look(self, Ray* ray, double* scratch) noexcept nogil
    cdef double _along(self, Ray* ray, double eta, Value* value, double* scratch) noexcept nogil
