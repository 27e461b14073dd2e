"""The local constants of Xu, Min, Tarmoun, Mallada, Vidal (2025), and the step sizes that follow from them.

docs/theory.md, sections 2 to 4. In all of these `sigma_sq` is s_max(T)^2 = s_max(W1)^2 + s_max(W2)^2.
"""

from libc.math cimport INFINITY, fabs, sqrt

from ..iterate cimport Iterate, gap_above
from ..linalg.extremes cimport fmin
from ..linalg.rounding cimport U

cdef extern from *:
    """
    #define LPL_HALF_THE_DIGITS 7.450580596923828e-9
    """
    const double HALF_THE_DIGITS "LPL_HALF_THE_DIGITS"      # 2^-27, whose square is u / 2

cdef enum:
    NEWTON_STEPS = 60
    NORMAL_STEPS = 4


cdef inline double local_smoothness(double K, double sigma_sq, double sigma_W, double gap,
                                    double eta) noexcept nogil:
    """K_t(eta) = K s^2 + g + 3 K s^2 g eta + 6 K^2 s_max(W) gap eta^2 with g = sqrt(2 K gap), rounded up."""
    # products in an order that does not leave float64 before the result does; g^2 = 2 K gap
    cdef double g = sqrt(2.0 * K) * sqrt(gap)
    return (K * sigma_sq + g + 3.0 * K * sigma_sq * (g * eta)
            + 3.0 * (K * sigma_W) * (g * eta) * (g * eta)) * (1.0 + 24.0 * U)


cdef inline double sharp_smoothness(double K, double sigma_sq, double sigma_W, double G_2, double G_F,
                                    double eta) noexcept nogil:
    """K s^2 + ||G||_2 + K s^2 ||G||_2 eta + K s_max(W) ||G||_2 ||G||_F eta^2 / 2, rounded up."""
    return (K * sigma_sq + G_2 + K * sigma_sq * (G_2 * eta)
            + 0.5 * (K * sigma_W) * (G_2 * eta) * (G_F * eta)) * (1.0 + 24.0 * U)


cdef inline double cubic_root(double A, double B) noexcept nogil:
    """The root in (0, 1] of A x^3 + B x^2 + x = 1 for A, B >= 0, by Newton from the right: monotone."""
    cdef double x = 1.0, change
    cdef int _i
    for _i in range(NEWTON_STEPS):
        change = (((A * x + B) * x + 1.0) * x - 1.0) / ((3.0 * A * x + 2.0 * B) * x + 1.0)
        x -= change
        # what is left after a change d is at most d^2 / x, here u / 2 of x
        if not fabs(change) > HALF_THE_DIGITS * x:
            break
    return x


cdef inline double local_step(double K, double sigma_sq, double sigma_W, double gap) noexcept nogil:
    """The root of eta K_t(eta) = 1, rounded down; ratios only, so that no product overflows."""
    cdef double g = sqrt(2.0 * K) * sqrt(gap)
    cdef double c = K * sigma_sq + g
    cdef double B = 3.0 * (K * sigma_sq / c) * (g / c)
    cdef double A = 3.0 * (K * sigma_W / c) * (g / c) * (g / c)
    return cubic_root(A, B) / c * (1.0 - 48.0 * U)


cdef inline double sharp_step(double K, double sigma_sq, double sigma_W, double G_2, double G_F) noexcept nogil:
    """The root of eta K_t_sharp(eta) = 1, rounded down; ratios only, so that no product overflows."""
    cdef double c = K * sigma_sq + G_2
    cdef double B = (K * sigma_sq / c) * (G_2 / c)
    cdef double A = 0.5 * (K * sigma_W / c) * (G_2 / c) * (G_F / c)
    return cubic_root(A, B) / c * (1.0 - 48.0 * U)


# The same at an iterate, each from the ends of the brackets that make it err to the safe side.

cdef inline double local_smoothness_at(Iterate* it, double eta) noexcept nogil:
    if it.K_is_local:
        return INFINITY
    return local_smoothness(it.K, it.sigma_max_sq.hi, it.sigma_max_W.hi, gap_above(it), eta)


cdef inline double sharp_smoothness_at(Iterate* it, double eta) noexcept nogil:
    if it.K_is_local:
        return INFINITY
    return sharp_smoothness(it.K, it.sigma_max_sq.hi, it.sigma_max_W.hi, it.G_max.hi, it.G_norm, eta)


cdef inline double local_step_at(Iterate* it) noexcept nogil:
    return local_step(it.K, it.sigma_max_sq.hi, it.sigma_max_W.hi, gap_above(it))


cdef inline double sharp_step_at(Iterate* it) noexcept nogil:
    return sharp_step(it.K, it.sigma_max_sq.hi, it.sigma_max_W.hi, it.G_max.hi, it.G_norm)


# For a quadratic loss, with the spectrum of the tangent kernel: docs/theory.md, section 9.

cdef inline double beyond_first_order(Iterate* it, double eta) noexcept nogil:
    """||G||_2 (1 + K s_max(T)^2 eta + K s_max(W) ||G||_F eta^2 / 2), rounded up: K_t_sharp without its first term."""
    return it.G_max.hi * (1.0 + it.K * it.sigma_max_sq.hi * eta
                          + 0.5 * (it.K * it.sigma_max_W.hi * eta) * (it.G_norm * eta)) * (1.0 + 24.0 * U)


cdef inline double normal_contraction(Iterate* it, double eta) noexcept nogil:
    """1 - rate of a step, the lesser of eta nu (2 - eta (nu + Gamma)) at both ends nu of the spectrum, rounded down."""
    cdef double bent = beyond_first_order(it, eta)
    cdef double low = eta * it.nu.lo * (2.0 - 8.0 * U - eta * (it.nu.lo + bent) * (1.0 + 8.0 * U))
    cdef double high = eta * it.nu.hi * (2.0 - 8.0 * U - eta * (it.nu.hi + bent) * (1.0 + 8.0 * U))
    cdef double least = low if low < high else high
    return least - 8.0 * U * fabs(least)


cdef inline double normal_step(Iterate* it) noexcept nogil:
    """About the step with the greatest `normal_contraction`: where one end turns, or both cross."""
    cdef double eta = 1.0 / (it.K * it.sigma_max_sq.hi + it.G_max.hi), bent
    cdef int _i
    for _i in range(NORMAL_STEPS):
        bent = beyond_first_order(it, eta)
        eta = fmin(1.0 / (it.nu.lo + bent), 2.0 / (it.nu.lo + it.nu.hi + bent))
    return eta
