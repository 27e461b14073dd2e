"""The greater and the lesser of two doubles, where a NaN is passed over, as C's fmax and fmin: those are calls into the
library of mathematics, a step of a small problem has fifty of them."""

cdef extern from *:
    """
    static inline double lpl_fmax(double a, double b) {
        double greater = a > b ? a : b;
        return b == b ? greater : a;
    }
    static inline double lpl_fmin(double a, double b) {
        double lesser = a < b ? a : b;
        return b == b ? lesser : a;
    }
    """
    double fmax "lpl_fmax"(double a, double b) noexcept nogil
    double fmin "lpl_fmin"(double a, double b) noexcept nogil
