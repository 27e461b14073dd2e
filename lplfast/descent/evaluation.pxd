"""What is computed at every iterate from its layers alone: the loss, its gradients, their rounding.

Every allowance: docs/theory.md, section 7.
"""

from libc.math cimport NAN, sqrt

from ..iterate cimport Bracket, Iterate, turn_units
from ..linalg.blas cimport both_gradients, matmul_nn, matmul_nt, matmul_tn
from ..linalg.extremes cimport fmax
from ..linalg.passes cimport square_sum
from ..linalg.rounding cimport LEAST, U
from ..losses.loss cimport Loss, Value, forget
from ..spectral.eigenvalues cimport TINY
from ..spectral.spectral cimport Spectral, greatest_product
from .underflow cimport Underflow

cdef extern from *:
    """
    #define LPL_FAINT 1e-290
    """
    # the square of a greatest singular value is not said to be below this: its digits have been lost to underflow
    const double FAINT "LPL_FAINT"


cdef inline double product_rounding(const Iterate* it, const Underflow* lost) noexcept nogil:
    """|fl(W1 W2) - W1 W2| <= gamma_k |W1| |W2|, in the Frobenius norm; and what turning it rounds."""
    cdef Py_ssize_t nk = <Py_ssize_t> it.n * it.k, mk = <Py_ssize_t> it.m * it.k
    return ((it.k / (1.0 - it.k * U) + turn_units(it)) * U * (it.W1_norm + lost.W1) * (it.W2_norm + lost.W2)
            * (1.0 + (nk + mk + 16) * U) + lost.product)


cdef inline double ray_slack(const Iterate* old, const Iterate* new, const Underflow* lost, double eta) noexcept nogil:
    """How far the computed product of the layers after a step may be from W - eta tau + eta^2 B as computed: W at both
    ends, tau, two sums of k products, and B, one, gamma_k of the norms each; and the rounding of the new layers."""
    return (product_rounding(old, lost) + product_rounding(new, lost)
            + (old.k + 8.0) * U * eta * (2.0 * (old.g1_norm * old.W2_norm + old.W1_norm * old.g2_norm)
                                         + eta * old.g1_norm * old.g2_norm)
            + 1.01 * ((U * (old.W1_norm + 2.0 * eta * old.g1_norm) + lost.step1) * (new.W2_norm + lost.W2)
                      + (U * (old.W2_norm + 2.0 * eta * old.g2_norm) + lost.step2) * (new.W1_norm + lost.W1)))


cdef inline void evaluate(Iterate* it, Loss loss, const Underflow* lost, bint carried, double* scratch) noexcept nogil:
    """W, the loss and G at the layers, whose norms are known, and what follows from them; what the loss keeps of the
    iterate has been carried there, or is to be found anew."""
    cdef Value value
    cdef Py_ssize_t nm = <Py_ssize_t> it.n * it.m
    if it.turn == NULL:
        # W = W1 @ W2
        matmul_nt(it.n, it.k, it.m, it.W1, it.W2t, it.W)
    else:
        # W = turn.T @ (W1 @ W2), by way of where G will be
        matmul_nt(it.n, it.k, it.m, it.W1, it.W2t, it.G)
        matmul_tn(it.n, it.n, it.m, it.turn, it.G, it.W)
    forget(&value)
    if it.here == NULL:
        loss.evaluate(it.W, &value, it.G, scratch)
    else:
        loss.evaluate_here(it.W, &value, it.G, it.here, carried, scratch)
    if value.W_sq != value.W_sq or value.G_sq != value.G_sq:
        value.W_sq, value.G_sq = square_sum(nm, it.W), square_sum(nm, it.G)
    it.W_norm = sqrt(value.W_sq)
    it.loss, it.gap, it.gap_error = value.loss, value.gap, value.gap_error
    if it.K_is_local:
        it.K = value.K
    # fmax passes over a NaN
    it.pl = fmax(it.mu, value.pl)
    # products that underflow are off by LEAST beside, and norms by LEAST_NORM an entry
    it.rounding, it.gradient_error = value.rounding, value.gradient_error + nm * LEAST
    it.gradient_error += turn_units(it) * U * sqrt(value.G_sq)
    it.eps_W = product_rounding(it, lost)
    it.floor = it.K * it.eps_W * it.eps_W
    it.G_error = it.gradient_error + it.K * it.eps_W
    it.G_norm = (sqrt(value.G_sq) + lost.G) * (1.0 + (<double> nm + 10) * U) + it.G_error


cdef inline void layer_gradients(Iterate* it, const Underflow* lost) noexcept nogil:
    """The gradients in both layers and their norms, from G."""
    cdef Py_ssize_t nk = <Py_ssize_t> it.n * it.k, mk = <Py_ssize_t> it.m * it.k
    cdef double first, second
    cdef const double* G = it.G
    if it.turn != NULL:
        # G = turn @ G
        matmul_nn(it.n, it.n, it.m, it.turn, it.G, it.turned)
        G = it.turned
    # g1 = G @ W2.T; g2.T = G.T @ W1
    both_gradients(it.n, it.k, it.m, G, it.W1, it.W2t, it.g1, it.g2t)
    first = square_sum(nk, it.g1)
    second = square_sum(mk, it.g2t)
    it.grad_sq = first + second
    # the layers may move by what their squares have lost to underflow
    it.g1_norm, it.g2_norm = sqrt(first) + lost.W1, sqrt(second) + lost.W2


cdef inline void allow_underflow(Iterate* it, Spectral spectral, const Underflow* lost) noexcept nogil:
    """Widen brackets of squares by what underflow may have taken from them; at any other size, no bit changes."""
    cdef Bracket* one = &it.memory.layer1.max_sq.now
    cdef Bracket* two = &it.memory.layer2.max_sq.now
    if one.hi < FAINT or two.hi < FAINT:
        # by these the next step is bounded, too; they are remembered, and a continuation publishes them
        one.hi, two.hi = fmax(one.hi, FAINT), fmax(two.hi, FAINT)
        spectral.publish(it)
    it.sigma_min_sq.lo = fmax(0.0, it.sigma_min_sq.lo - lost.squares)
    it.nu.lo = fmax(0.0, it.nu.lo - lost.kernel)
    it.nu.hi += lost.kernel
    it.nu_hi_from_below = fmax(0.0, it.nu_hi_from_below - lost.kernel) if it.hessian != NULL else NAN
    if it.W_norm * it.W_norm < TINY:
        it.sigma_max_W.hi = fmax(it.sigma_max_W.hi, greatest_product(&it.memory.layer1, &it.memory.layer2))


cdef inline void count_evaluation(Iterate* it) noexcept nogil:
    it.memory.evaluations += 1
    it.memory.gradients += 1
