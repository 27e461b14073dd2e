"""A monotonic clock that needs no interpreter."""

cdef extern from "clock.h":
    double seconds "lpl_seconds"() noexcept nogil
