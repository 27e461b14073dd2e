"""By how much of itself a step certainly lowers the gap: 1 - rate. docs/theory.md, sections 2 and 9."""

from libc.math cimport INFINITY, NAN, fabs, sqrt

from ..iterate cimport Iterate
from ..linalg.extremes cimport fmax, fmin
from ..linalg.passes cimport Motion
from ..linalg.rounding cimport LEAST, U
from ..rules.formulas cimport normal_contraction
from ..spectral.eigenvalues cimport TINY
from ..spectral.tangent cimport second_order


cdef inline double local_pl(const Iterate* old) noexcept nogil:
    """A constant c with ||grad L||^2 >= 2 c gap at this iterate. Of a loss that is not quadratic, the inequality of l
    itself, ||G||^2 >= 2 pl gap, says more than its consequence by s_min(T)^2, as both gradients are known."""
    cdef double G_sq = old.G_norm * old.G_norm
    if old.hessian == NULL and G_sq > TINY:
        return fmax(old.nu.lo, old.pl * (old.grad_sq / G_sq) * (1.0 - (<Py_ssize_t> old.n * old.m + 16) * U))
    return old.nu.lo


cdef inline double lemma_contraction(const Iterate* old, double eta, double K_best) noexcept nogil:
    """Descent lemma and PL inequality: the gap falls by the part mu eta (2 - eta K), rounded down. A step longer than
    2 / K may let it grow, by ||grad L||^2 <= 2 K s_max(T)^2 gap."""
    cdef double bent = eta * K_best
    cdef double left = 2.0 - bent - 8.0 * U * (1.0 + fabs(bent))
    if left >= 0.0:
        return local_pl(old) * eta * left * (1.0 - 8.0 * U)
    return -INFINITY if old.K_is_local else eta * left * old.K * old.sigma_max_sq.hi * (1.0 + 8.0 * U)


cdef inline double decrease_by_motion(const Iterate* old, const Iterate* new, const Motion* motion) noexcept nogil:
    """What the loss fell by at least, given how W has moved: -<G, M> - <M, H M> / 2 with M = W(t+1) - W(t), H the
    Hessian or K, less the rounding of both W; -inf if squares have underflowed, or K holds near W(t) only."""
    cdef Py_ssize_t size = <Py_ssize_t> old.n * old.m
    cdef double forms = motion.forms if old.hessian != NULL else old.K * motion.moved_sq
    cdef double uncertain = old.eps_W + new.eps_W
    if old.K_is_local or not (forms > TINY and motion.moved_sq > TINY):
        return -INFINITY
    return (-motion.slope - 0.5 * forms - uncertain * (old.G_norm + 2.0 * sqrt(old.K * forms) + old.K * uncertain)
            - (old.gradient_error + (size + 8) * U * old.G_norm) * sqrt(motion.moved_sq) - (size + 8) * U * forms)


cdef inline double measured_smoothness(double certified, double first_order, double eta) noexcept nogil:
    """The K with L(t+1) <= L(t) - eta ||grad L||^2 (1 - eta K / 2) for a loss that has fallen by `certified` at least,
    rounded up; `first_order` is eta ||grad L||^2. NaN if that has underflowed."""
    cdef double scale = 0.5 * eta * first_order
    return (first_order - certified + 8.0 * U * first_order) / scale if scale > TINY else NAN


cdef inline double kernel_contraction(Iterate* old, double eta) noexcept nogil:
    """The gap of a quadratic loss is contracted by the tangent kernel: 1 - c^2 with c its norm as it is applied to
    the residual, or what the squares of that say; NaN for another loss, and where the gap has underflowed."""
    cdef double bent, short
    cdef Py_ssize_t size = <Py_ssize_t> old.n * old.m
    if old.hessian != NULL and old.gap > TINY:
        # the products that it is made of may have underflowed
        bent = fmax(second_order(old), TINY) + LEAST * fmax(sqrt(old.K) * old.G_norm, 1.0)
        # 1 - c^2 = (1 - c) (1 + c)
        short = (fmin(eta * old.nu.lo * (1.0 - 4.0 * U), 2.0 - 4.0 * U - eta * old.nu.hi * (1.0 + 4.0 * U))
                 - eta * (eta * bent / sqrt(2.0 * old.gap)) * (1.0 + (size + 16) * U))
        return fmax((short - 8.0 * U * fabs(short)) * (2.0 - short), normal_contraction(old, eta))
    return NAN


cdef inline double guaranteed_contraction(Iterate* old, double eta, double K_best) noexcept nogil:
    """1 - rate of a step, rounded down: the better of the two. fmax passes over one that is NaN."""
    return fmax(lemma_contraction(old, eta, K_best), kernel_contraction(old, eta))


cdef inline double rate_above(double contraction) noexcept nogil:
    """1 - contraction, rounded up, but not beyond 1 where nothing grows."""
    cdef double rate = (1.0 - contraction) * (1.0 + 4.0 * U)
    return fmin(rate, 1.0) if contraction >= 0.0 else rate


cdef inline double bound_above(double gap_bound, double rate) noexcept nogil:
    """The bound on the gap after a step of this rate, rounded up, but not beyond the bound before it where nothing
    grows."""
    cdef double bound = gap_bound * rate * (1.0 + 4.0 * U) + LEAST
    return bound if rate > 1.0 else fmin(bound, gap_bound)
