"""How much the loss of a row can grow where its logits move along a ray: docs/theory.md, section 12.

A row's loss is log sum exp(z) less something linear. Where its logits move by u from probabilities p, what it exceeds
its tangent by is log E exp(X), for X = u_j - <p, u> with probability p_j.
"""

from libc.math cimport exp, fabs, log, log1p

from ..linalg.rounding cimport U

# What is remembered of a row for a whole ray, u = -eta a + eta^2 c: moments and ranges of a and c under p.
cdef enum:
    SUMMARY = 7


cdef extern from *:
    """
    #define LPL_NEAR 0.35
    """
    # exp(c) - 1 - c by its series below, by exp above: either way right to some 40 u
    const double NEAR "LPL_NEAR"


cdef inline double greater(double a, double b) noexcept nogil:
    """The greater of two, a if b is NaN; without the call that fmax is."""
    return b if b > a else a


cdef inline double lesser(double a, double b) noexcept nogil:
    """The lesser of two, a if b is NaN."""
    return b if b < a else a


cdef inline double near_excess(double c) noexcept nogil:
    """exp(c) - 1 - c for |c| <= NEAR: c^2 (1/2! + c/3! + ...), whose next term is below u of the first."""
    return c * c * (1.0 / 2 + c * (1.0 / 6 + c * (1.0 / 24 + c * (1.0 / 120 + c * (1.0 / 720 + c * (
        1.0 / 5040 + c * (1.0 / 40320 + c * (1.0 / 362880 + c * (1.0 / 3628800 + c * (1.0 / 39916800 + c * (
            1.0 / 479001600 + c * (1.0 / 6227020800.0 + c * (1.0 / 87178291200.0)))))))))))))


cdef inline double excess(double c) noexcept nogil:
    """exp(c) - 1 - c, a convex function, without cancellation."""
    return near_excess(c) if fabs(c) <= NEAR else exp(c) - 1.0 - c


cdef inline double log_of_more(double x) noexcept nogil:
    """log1p(x) for x >= 0: by its series where the next term is below u of the first, without the call."""
    if x > 0.01:
        return log1p(x)
    return x * (1.0 - x * (1.0 / 2 - x * (1.0 / 3 - x * (1.0 / 4 - x * (1.0 / 5 - x * (1.0 / 6 - x * (1.0 / 7 - x * (
        1.0 / 8))))))))


cdef inline void summarize(int m, const double* p, const double* a, const double* c, double* s) noexcept nogil:
    """s = variance of a, covariance, variance of c; max(mean(a) - a), max(c - mean(c)); the ranges of both."""
    cdef double a_mean = 0.0, c_mean = 0.0, a_low = a[0], a_high = a[0], c_low = c[0], c_high = c[0]
    cdef int j
    for j in range(m):
        a_mean += p[j] * a[j]
        c_mean += p[j] * c[j]
        a_low, a_high = lesser(a_low, a[j]), greater(a_high, a[j])
        c_low, c_high = lesser(c_low, c[j]), greater(c_high, c[j])
    s[0] = s[1] = s[2] = 0.0
    for j in range(m):
        s[0] += p[j] * (a[j] - a_mean) * (a[j] - a_mean)
        s[1] += p[j] * (a[j] - a_mean) * (c[j] - c_mean)
        s[2] += p[j] * (c[j] - c_mean) * (c[j] - c_mean)
    s[3], s[4] = greater(0.0, a_mean - a_low), greater(0.0, c_high - c_mean)
    s[5], s[6] = a_high - a_low, c_high - c_low


cdef inline double two_points(double v, double b) noexcept nogil:
    """The most that log E exp(X) is for X of mean 0 and variance v that is at most b: two points, b and -v/b.

    log1p((v excess(b) + b^2 excess(-v/b)) / (b^2 + v)), which grows with v and with b, and is exact for two values.
    """
    cdef double square = b * b, lead
    if not (v > 0.0 and b > 0.0):
        return 0.0
    if b > 600.0:
        # 1 + b beside exp(b) is nothing, and exp(b) may leave float64
        lead = b + log(v / (square + v))
        v = 1.0 + square / (square + v) * excess(-v / b)
        return lead + log1p(v * exp(-lead)) if lead > 0.0 else log(v + exp(lead))
    return log_of_more((v * excess(b) + square * excess(-v / b)) / (square + v))


cdef inline double row_growth(const double* s, double eta, double rho) noexcept nogil:
    """What a row's loss exceeds its tangent by at eta, at most: by its variance and largest value, or by its range.

    Probabilities are off by the part rho, as are sums: variance and largest value are raised by what that may hide.
    """
    cdef double r = eta * (s[5] + eta * s[6]) * (1.0 + 4.0 * U), by_range = 0.125 * r * r, found
    # a sum that may have cancelled: what is lost is relative to its terms
    cdef double v = greater(0.0, eta * eta * ((s[0] - 2.0 * eta * s[1] + eta * eta * s[2])
                                              + 4.0 * rho * (s[0] + eta * eta * s[2])))
    found = two_points(v, eta * (s[3] + eta * s[4]) + 2.0 * rho * r)
    return found if found < by_range else by_range
