"""A lower bound on s_min(T)^2 from the imbalance `D = W1.T W1 - W2 W2.T`, which moves to second order only.

`s_n(W1)^2 >= lam_n(D)+` and `s_m(W2)^2 >= lam_m(-D)+`; one step moves D by `eta^2 (g1.T g1 - g2 g2.T)` and rounding.
docs/theory.md, section 10.
"""

from libc.math cimport INFINITY

from ..linalg.blas cimport FEW_ROWS, gram_columns
from .eigenvalues cimport HUGE, TINY, eigenvalues, lapack_work, positive_part
from ..iterate cimport Imbalance, Iterate
from ..linalg.rounding cimport U


cdef inline bint bounds_something(int n, int k, int m) noexcept nogil:
    """Whether D can have n positive or m negative eigenvalues, and is no larger than that of compressed layers."""
    return min(n, m) <= k <= n + m


cdef bint diagonal_allows(Iterate* it, double* diagonal) noexcept nogil:
    """Whether the diagonal of D leaves it open that D has n positive or m negative eigenvalues. All k of them have a
    sign only where all entries have it; of fewer it says nothing."""
    cdef Py_ssize_t i, j, k = it.k
    cdef double low = INFINITY, high = -INFINITY
    for j in range(k):
        diagonal[j] = 0.0
    for i in range(it.n):
        for j in range(k):
            diagonal[j] += it.W1[i * k + j] * it.W1[i * k + j]
    for i in range(it.m):
        for j in range(k):
            diagonal[j] -= it.W2t[i * k + j] * it.W2t[i * k + j]
    for j in range(k):
        low, high = min(low, diagonal[j]), max(high, diagonal[j])
    return (it.n <= k and (it.n < k or low > 0.0)) or (it.m <= k and (it.m < k or high < 0.0))


cdef Py_ssize_t imbalance_work(int n, int k, int m) noexcept nogil:
    """How many doubles `find_imbalance` works in."""
    return 2 * <Py_ssize_t> k * k + k + lapack_work(k, k) if bounds_something(n, k, m) else 0


cdef bint find_imbalance(Iterate* it, double* scratch) noexcept nogil:
    """Compute the bound at the layers as they are; return whether that took an eigenvalue problem.

    The two products, each of inner length n or m, and their difference are within (max(n, m) + 4) u (||W1||_F^2 +
    ||W2||_F^2) of D, and LAPACK's eigenvalues within 10 k u of the same (engineering, as in `symmetric_extremes`).
    """
    cdef Imbalance* imbalance = &it.memory.imbalance
    cdef int n = it.n, k = it.k, m = it.m
    cdef double size = it.W1_norm * it.W1_norm + it.W2_norm * it.W2_norm, error
    cdef double* D = scratch
    cdef double* other = D + <Py_ssize_t> k * k
    cdef double* values = other + <Py_ssize_t> k * k
    cdef Py_ssize_t i, j
    imbalance.found = True
    imbalance.bound = imbalance.drift = 0.0
    if not (bounds_something(n, k, m) and TINY < size < HUGE and diagonal_allows(it, scratch)):
        return False
    gram_columns(n, k, it.W1, D)
    gram_columns(m, k, it.W2t, other)
    for i in range(k):
        for j in range(0 if k < FEW_ROWS else i, k):
            D[i * k + j] -= other[i * k + j]
    if eigenvalues(k, D, values, values + k, <int> lapack_work(k, k)):
        return True
    error = (max(n, m) + 4 + 10.0 * k) * U * size * (1.0 + (<double> (n + m) * k + 16) * U)
    # ascending: the n-th largest, and the m-th smallest
    if k >= n:
        imbalance.bound = positive_part(values[k - n] - error)
    if k >= m:
        imbalance.bound += positive_part(-values[m - 1] - error)
    imbalance.bound *= 1.0 - 4.0 * U
    return True


cdef double layer_part(Iterate* it, Py_ssize_t size, int inner, double A_norm, double s, double other_norm,
                       double g_norm) noexcept nogil:
    """What one step of a layer of `size` entries, of spectral norm at most s, adds: eta^2 ||g||_F^2 with the gradient g
    of the stored G, of which `inner` terms make an entry, and twice what rounding may add to either side."""
    cdef double off = it.eta * (inner + 4) * U * it.G_norm * other_norm
    cdef double step = it.eta * g_norm * (1.0 + (size + 6) * U) + off
    cdef double rounding = off + U * (1.0 + 8.0 * U) * (A_norm + 2.0 * it.eta * g_norm) * (1.0 + (size + 6) * U)
    return step * step + 2.0 * rounding * (2.0 * (s + step) + rounding)


cdef void drift_imbalance(Iterate* it, double one, double two) noexcept nogil:
    """Before the step of size `it.eta` is taken: add what it will move D by; `one` and `two` are upper bounds on
    s_max(W1) and s_max(W2)."""
    cdef Imbalance* imbalance = &it.memory.imbalance
    if not imbalance.bound > imbalance.drift:
        return
    imbalance.drift += (layer_part(it, <Py_ssize_t> it.n * it.k, it.m, it.W1_norm, one, it.W2_norm, it.g1_norm)
                        + layer_part(it, <Py_ssize_t> it.m * it.k, it.n, it.W2_norm, two, it.W1_norm, it.g2_norm))
    imbalance.drift *= 1.0 + 16.0 * U


cdef double imbalance_bound(Iterate* it) noexcept nogil:
    """The bound now; 0 where there is none."""
    return positive_part(it.memory.imbalance.bound - it.memory.imbalance.drift) * (1.0 - U)
