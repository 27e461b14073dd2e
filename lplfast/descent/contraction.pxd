"""By how much of itself a step certainly lowers the gap: 1 - rate. docs/theory.md, sections 2 and 9."""

from libc.math cimport NAN, fmax, fmin, sqrt

from ..iterate cimport Iterate
from ..linalg.passes cimport Motion
from ..linalg.rounding cimport LEAST, U
from ..spectral.eigenvalues cimport TINY
from ..spectral.tangent cimport second_order


cdef inline double lemma_contraction(const Iterate* old, double eta, double K_best) noexcept nogil:
    """Descent lemma and PL inequality: the gap falls by the part mu eta (2 - eta K). A step longer than 2 / K may let
    it grow, by ||grad L||^2 <= 2 K s_max(T)^2 gap."""
    if eta * K_best <= 2.0:
        return old.nu.lo * eta * (2.0 - eta * K_best)
    return -eta * (eta * K_best - 2.0) * old.K * old.sigma_max_sq.hi


cdef inline double measured_contraction(const Iterate* old, const Iterate* new, const Motion* motion,
                                        double growth) noexcept nogil:
    """The decrease that follows from where the step led, by the PL inequality; NaN if squares have underflowed.

    L falls by at least -<G, M> - <M, H M> / 2 with M = W(t+1) - W(t), H the Hessian or K, or `growth` if that is less;
    less the rounding of both W.
    """
    cdef Py_ssize_t size = <Py_ssize_t> old.n * old.m
    # fmin passes over a NaN
    cdef double forms = motion.forms if old.hessian != NULL else fmin(old.K * motion.moved_sq, 2.0 * growth)
    cdef double uncertain = old.eps_W + new.eps_W
    cdef double decrease = (
        -motion.slope - 0.5 * forms - uncertain * (old.G_norm + 2.0 * sqrt(old.K * forms) + old.K * uncertain)
        - (old.gradient_error + (size + 8) * U * old.G_norm) * sqrt(motion.moved_sq) - (size + 8) * U * forms)
    if decrease > TINY and forms > TINY and motion.moved_sq > TINY:
        return 2.0 * old.nu.lo * (decrease / old.grad_sq) * (1.0 - 8.0 * U)
    return NAN


cdef inline double kernel_contraction(Iterate* old, double eta) noexcept nogil:
    """The gap of a quadratic loss is contracted by the tangent kernel, 1 - c^2 with c its norm as it is applied to
    the residual; NaN for another loss, and where the gap has underflowed."""
    cdef double bent, short
    cdef Py_ssize_t size = <Py_ssize_t> old.n * old.m
    if old.hessian != NULL and old.gap > TINY:
        # the products that it is made of may have underflowed
        bent = fmax(second_order(old), TINY) + LEAST * fmax(sqrt(old.K) * old.G_norm, 1.0)
        # 1 - c^2 = (1 - c) (1 + c)
        short = (fmin(eta * old.nu.lo, 2.0 - eta * old.nu.hi)
                 - eta * (eta * bent / sqrt(2.0 * old.gap)) * (1.0 + (size + 16) * U))
        return short * (2.0 - short)
    return NAN


cdef inline double guaranteed_contraction(Iterate* old, const Iterate* new, const Motion* motion, double eta,
                                          double K_best, double growth) noexcept nogil:
    """1 - rate of the step from `old` to `new`: the best of the three. fmax passes over those that are NaN."""
    return fmax(fmax(lemma_contraction(old, eta, K_best), measured_contraction(old, new, motion, growth)),
                kernel_contraction(old, eta))
