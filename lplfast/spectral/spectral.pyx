"""Extreme singular values of the layers, of W and of G, as brackets that contain the truth.

A bracket [lo, hi] is what is known of one number at the stored matrices, rounding included. K_t is made of upper ends,
mu_t of lower ones; so a wide bracket makes a step short and a rate slow, but neither wrong. These are tracked, each end
with a bound of its own and with what has moved since it was computed:

    s_min(W1)^2, s_max(W1)^2, s_min(W2)^2, s_max(W2)^2      layer1, layer2      LayerExtremes
    s_max(W), ||G||_2                                       W_max, G_max        TrackedExtreme
    the ends of the tangent kernel's spectrum               tangent             Tangent (tangent.pyx)
    the imbalance's lower bound on s_min(T)^2               imbalance           Imbalance (imbalance.pyx)

The life of a bracket, in a `Certified` run:

    computed: a proof, else LAPACK       `begin`, `_renew`      lower.bound, upper.bound = lo, hi; all drift = 0
        |                                        ^
        v                                        |
    widened by the drift of a step       `drift`, `measure`     now = [lower.bound - drift, upper.bound + drift] <--+
        |                                        |                                                                  |
        | wider than was asked?  -- no --------- | ---------------------------------------------------------------->+
        v yes                                    |                                                                  |
    sharpened from inside                `_keep_narrow`         one end from a Rayleigh quotient; its drift = 0     |
        |                                        |                                                                  |
        | still wider?  -- no ------------------ | ---------------------------------------------------------------->+
        v yes                                    |
        +-- renewed -----------------------------+

Who writes what. `drift`, before a step: `gram_drift` and `matrix_path` of the layers, `Iterate.gram_step`,
`Iterate.product_step`, and the drift of tangent and imbalance. `measure`, after it: `now` of the layers, all of `W_max`
and `G_max`, and whatever is renewed. `publish`: the brackets of the `Iterate`, from every `now`, and
`K_t_share_of_sigma_max_W`. Nothing else writes these, but `Descent` on underflow.

What it costs. Drift takes some forty multiplications and four roots for each layer, and the norm of W_new - W, which
the loop has. A Rayleigh quotient takes one product with a vector. A renewal takes a few products with a Gram matrix and
a Cholesky factorization of it, and the matrix, once for all that is renewed of a layer: if all is, nearly as much as a
step of a square problem. So the renewals have a budget, a twentieth of the multiplications of the steps; where it is
overspent, tolerances grow (budget.pxd).

`Exact` renews everything at every step and needs no drift. `Power` estimates at every step, and its brackets are
points that contain nothing. docs/theory.md, section 6, derives every allowance.
"""

from libc.math cimport sqrt

from ..validation import as_fraction
from ..iterate cimport gap_above
from ..linalg.cholesky cimport factor_size
from ..linalg.extremes cimport fmax
from ..linalg.rounding cimport U
from .brackets cimport directions_of, first_layer, gradient, product, renew_largest, renew_layer, second_layer
from .eigenvalues cimport TINY, Matrix, lapack_work, positive_part, square
from .imbalance cimport imbalance_bound, imbalance_work
from .tangent cimport publish_tangent, renew_tangent

# The most, in units of s_max(T)^2, that rounding adds to any upper end, at every size that memory holds.
ROUNDING = 1e-6


cdef class Spectral:
    """How the singular values behind the constants are found: `Certified`, `Exact` or `Power`; this is their base.

    It is immutable, and runs on several threads may share it: all that it remembers is in `Iterate.memory`. A subclass
    must implement

    measure
        After a step: bring all that `publish` reads up to the evaluated iterate, and publish it.
    upper_widths
        See below.
    mode
        The name by which `train` and saved runs know it.

    and may override

    begin
        At the first iterate of a run: by default what `start` computes.
    drift
        Before a step of size `it.eta`: add what it will move. By default nothing, as nothing is kept.
    start
        Everything anew by LAPACK, however dear: at the first iterate, and where a step has to be redone.
    publish
        Turn what is tracked into the brackets of the iterate, without computing anything.

    Parameters
    ----------
    tolerance : float
        The relative width that brackets may have; what that means, a subclass says.

    Attributes
    ----------
    mode : str
        `"certified"`, `"exact"` or `"power"`.
    upper_widths : (float, float)
        By what part of themselves s_max(T)^2 and s_max(W) may be overestimated at any iterate: by how much the steps of
        `Local` and `Sharp` may be too short, which `guaranteed_rate` allows for.

    Raises
    ------
    TypeError, ValueError
        If the tolerance is not a number between 0 and 1; if it is not one of the subclasses that is called.
    """

    def __init__(self, *, tolerance=0.01):
        if not hasattr(self, "mode"):
            raise TypeError("Spectral: expected Certified, Exact or Power to be called, got their base class")
        self.tolerance = as_fraction("tolerance", tolerance)

    cdef int check(self) except -1:
        """Raise if `__init__` has not been run."""
        if not self.tolerance > 0.0:
            raise TypeError(f"constants: expected what its __init__ has made, got a {type(self).__name__} that has not "
                            "been through it; call the class")
        return 0

    def __repr__(self):
        return f"{type(self).__name__}(tolerance={self.tolerance!r})"

    def __reduce__(self):
        self.check()
        return _make, (type(self), self.tolerance)

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil:
        """How many doubles the other methods work in."""
        cdef Py_ssize_t rows = max(n, m)
        return (4 * rows + max(2 * rows * rows + factor_size(<int> rows), rows * k)
                + max(lapack_work(n, k), lapack_work(m, k), lapack_work(n, m), lapack_work(n, n))
                + imbalance_work(n, k, m))

    cdef void start(self, Iterate* it, double wanted, double* scratch) noexcept nogil:
        """Compute everything by LAPACK, at the evaluated iterate: s_min^2 of the layers by their Gram matrices if
        that gives it to the relative width `wanted`, else by SVD."""
        renew_all(it, wanted, scratch)
        self.publish(it)
        if it.hessian != NULL:
            it.memory.renewals += 2
            renew_tangent(it, True, True, True, self.tolerance, NULL, directions_of(it).tangent, scratch)
            publish_tangent(it)
        self._count(it)

    cdef void begin(self, Iterate* it, double* scratch) noexcept nogil:
        """At the first iterate: as `start`, but no better than it will be kept."""
        self.start(it, EXACT_WIDTH, scratch)

    cdef void drift(self, Iterate* it) noexcept nogil:
        """Before the step of size `it.eta` is taken: add what it will move the layers by."""

    cdef void measure(self, Iterate* it, const Motion* motion, double* scratch) noexcept nogil:
        """After the step: the brackets at the evaluated iterate."""

    cdef void publish(self, Iterate* it) noexcept nogil:
        """Turn what is tracked into the brackets of the iterate."""
        publish_brackets(it, True)

    cdef void _count(self, Iterate* it) noexcept nogil:
        """Count the iterates at which every bracket is as narrow as was asked."""
        it.memory.narrow += widest(it) <= self.tolerance


def _make(kind, tolerance):
    return kind(tolerance=tolerance)


cdef void renew_all(Iterate* it, double wanted, double* scratch) noexcept nogil:
    """Compute the extremes of the layers, of W and of G by LAPACK."""
    cdef Matrix W1 = first_layer(it), W2t = second_layer(it), W = product(it), G = gradient(it)
    renew_layer(&W1, wanted, &it.memory.layer1, scratch)
    renew_layer(&W2t, wanted, &it.memory.layer2, scratch)
    renew_largest(&W, &it.memory.W_max, scratch)
    renew_largest(&G, &it.memory.G_max, scratch)
    it.memory.renewals += 4
    it.memory.eigenproblems += 4


cdef double greatest_product(LayerExtremes* one, LayerExtremes* two) noexcept nogil:
    """An upper bound on s_max(W1) s_max(W2); the product of the squares may leave float64."""
    return sqrt(one.max_sq.now.hi) * sqrt(two.max_sq.now.hi) * (1.0 + 4.0 * U)


cdef inline void publish_product(Iterate* it, bint certified) noexcept nogil:
    """The bracket of s_max(W1 W2), of the exact product of the stored layers."""
    cdef LayerExtremes* one = &it.memory.layer1
    cdef LayerExtremes* two = &it.memory.layer2
    cdef Bracket* W_max = &it.memory.W_max.now
    cdef double product_sq = one.max_sq.now.hi * two.max_sq.now.hi
    # W as computed is at most eps_W away
    it.sigma_max_W.lo = positive_part(W_max.lo - it.eps_W) * (1.0 - U)
    it.sigma_max_W.hi = (W_max.hi + it.eps_W) * (1.0 + 2.0 * U)
    # s_max(W) <= s_max(W1) s_max(W2), which is all that is known where its square has underflowed
    if it.W_norm * it.W_norm < TINY:
        it.sigma_max_W.hi = greatest_product(one, two)
        return
    it.sigma_max_W.hi = min(it.sigma_max_W.hi, it.W_norm * (1.0 + (<double> it.n * it.m + 8) * U) + it.eps_W)
    # two roots, where they may matter; estimates bound nothing
    if certified and not square(it.sigma_max_W.hi) < product_sq:
        it.sigma_max_W.hi = min(it.sigma_max_W.hi, greatest_product(one, two))


cdef void publish_brackets(Iterate* it, bint certified) noexcept nogil:
    """Turn what is tracked into the brackets of the iterate; `certified` says whether its ends are bounds."""
    cdef LayerExtremes* one = &it.memory.layer1
    cdef LayerExtremes* two = &it.memory.layer2
    cdef Bracket* G_max = &it.memory.G_max.now
    cdef double square_g, first, eta
    it.sigma_min_sq.lo = max((one.min_sq.now.lo + two.min_sq.now.lo) * (1.0 - U), imbalance_bound(it))
    it.sigma_min_sq.hi = (one.min_sq.now.hi + two.min_sq.now.hi) * (1.0 + 2.0 * U)
    it.sigma_max_sq.lo = (one.max_sq.now.lo + two.max_sq.now.lo) * (1.0 - U)
    it.sigma_max_sq.hi = (one.max_sq.now.hi + two.max_sq.now.hi) * (1.0 + 2.0 * U)
    publish_product(it, certified)
    # G as computed is at most G_error away from that of the stored layers
    it.G_max.lo = positive_part(G_max.lo - it.G_error) * (1.0 - 2.0 * U)
    it.G_max.hi = min(G_max.hi + it.G_error + 8.0 * U * it.G_norm, it.G_norm)
    publish_tangent(it)
    # the term 3 K s_max(W) (g eta)^2 of K_t, beside the first ones; K s_max(W) ||G||_2 ||G||_F eta^2 / 2 is less
    square_g = fmax(2.0 * it.K * gap_above(it), square(it.G_norm))
    first = it.K * it.sigma_max_sq.hi + sqrt(square_g)
    eta = max(it.memory.eta, 1.0 / first)
    it.K_t_share_of_sigma_max_W = 3.0 * it.K * square_g * eta * eta / first if first > 0.0 else 0.0
