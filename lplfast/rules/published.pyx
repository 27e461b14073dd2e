"""Step sizes of earlier papers on the squared loss, as they are printed: docs/theory.md, section 4."""

from libc.math cimport hypot, pow, sqrt

from ..validation import as_choice, as_number
from .signature import signature
from ..linalg.blas cimport gram_columns
from ..spectral.eigenvalues cimport eigenvalues, lapack_work, positive_part
from ..iterate cimport BOUND_VACUOUS, Iterate
from .formulas cimport cubic_root
from ..losses.loss cimport Loss, TargetSummary
from ..linalg.extremes cimport fmax, fmin
from ..linalg.quartic cimport Quartic, first_minimiser
from ..linalg.rounding cimport U

BOUNDS = ("rho", "rho-hat", "f", "f0")

cdef enum:
    RHO
    RHO_HAT
    F
    F0

# What Xu2023 remembers from its first step, in `memory.rule`.
cdef enum:
    ETA_MAX
    LOW
    HIGH
    P2
    FIRST


cdef double phi(double a, double b, double p) noexcept nogil:
    """(-a + b + sqrt((a + b)^2 + 4 p^2)) / 2 without cancellation."""
    return b if p == 0.0 else b + 2.0 * p * p / ((a + b) + hypot(a + b, 2.0 * p))


cdef double printed_p1(Iterate* it, const TargetSummary* target) noexcept nogil:
    """(s_min(Y) - ||Y - X W||_F)+ / s_max(X)"""
    return positive_part(target.least - sqrt(2.0 * it.loss)) / sqrt(it.K)


cdef bint margins(Iterate* it, Loss loss, Margins* found, double* scratch) noexcept nogil:
    """Fill in the bounds at this iterate: one eigenvalue problem of the width of the layers."""
    cdef TargetSummary target
    cdef int k = it.k
    cdef Py_ssize_t size = <Py_ssize_t> k * k, i
    cdef double* D = scratch
    cdef double* values = D + size
    cdef double off = 2.0 * U * (max(it.n, it.m) + 2 + 10.0 * k) * (it.W1_norm * it.W1_norm + it.W2_norm * it.W2_norm)
    cdef double top, bottom, nth = 0.0, mth = 0.0
    if not loss.target(&target):
        return False
    # D = W1.T @ W1 - W2 @ W2.T
    gram_columns(it.n, k, it.W1, D)
    gram_columns(it.m, k, it.W2t, values)
    for i in range(size):
        D[i] -= values[i]
    it.memory.eigenproblems += 1
    if eigenvalues(k, D, values, values + k, <int> lapack_work(k, k)):
        return False
    # eigenvalues err to the safe side, by the rounding of D and of LAPACK, so that 0 stays 0
    top = positive_part(values[k - 1]) + off
    bottom = positive_part(-values[0]) + off
    if it.n <= k:
        nth = positive_part(values[k - it.n] - off)
    if it.m <= k:
        mth = positive_part(-values[it.m - 1] - off)
    found.p1 = printed_p1(it, &target)
    found.p2 = (target.norm + sqrt(2.0 * it.loss)) / sqrt(it.mu)
    found.alpha = (phi(bottom, nth, found.p1 if it.n <= it.m else 0.0)
                   + phi(top, mth, found.p1 if it.m <= it.n else 0.0))
    found.beta = 0.5 * (top + hypot(top, 2.0 * found.p2) + bottom + hypot(bottom, 2.0 * found.p2))
    return True


cdef Quartic polynomial(double mu, double K, double low, double high, double p, double g) noexcept nogil:
    """1 - 2 mu lo eta + (K mu hi^2 + 2 mu p g) eta^2 + 2 mu K hi p g eta^3 + mu K p^2 g^2 eta^4"""
    cdef Quartic q
    q.a = 2.0 * mu * low
    q.b0 = mu * (K * high * high + 2.0 * p * g)
    q.b = 1.0
    q.c = 2.0 * mu * K * high * p * g / q.b0
    q.d = mu * K * p * p * g * g / q.b0
    return q


cdef double longest(Quartic* q, double extra) noexcept nogil:
    """The positive root of b0 (d e^3 + c e^2 + e) + extra e = a."""
    cdef double b = q.b0 + extra, scale = q.a / b
    return scale * cubic_root((q.b0 / b) * q.d * scale * scale, (q.b0 / b) * q.c * scale)


cdef class Xu2023(Rule):
    """The step sizes of Xu, Min, Tarmoun, Mallada, Vidal (2023) for the squared loss without ridge.

    The minimizer, over `(0, eta_max]`, of a bound on the ratio of gaps,
    `1 - 2 mu lo eta + (K mu hi^2 + 2 mu p g) eta^2 + 2 mu K hi p g eta^3 + mu K p^2 g^2 eta^4`, with bounds
    `lo, hi, p` on s_min(T)^2, s_max(T)^2 and s_max(W), and `g = sqrt(2 K gap)`, for `"rho"` `||G||_F`. eta_max is the
    smaller root of `d e^3 + c e^2 + (b + 4 c2 gap_0 K / (c2 - 1)) e = a` and the same with
    `8 c2 beta_0 gap_0 K / ((1 - c1) alpha_0)`, where `1 - a e + b e^2 + ...` is the polynomial of `"f"` at t = 0.

    Parameters
    ----------
    bound : {"rho", "rho-hat", "f", "f0"}
        Where `lo, hi, p` come from: singular values; bounds on them at the current iterate, from the imbalance and the
        loss; `c1 alpha_0, c2 beta_0, p2` at t = 0; the same, and eta that of t = 0 throughout.
    c1, c2 : float
        How far the bounds of t = 0 may be off later, `0 < c1 < 1 < c2`.

    Examples
    --------
    >>> Xu2023("rho-hat")
    Xu2023(bound='rho-hat', c1=0.5, c2=1.5)
    """

    __signature__ = signature("bound='rho', *, c1=0.5, c2=1.5")

    needs = ("target", "alpha")

    def __init__(self, bound="rho", *, c1=0.5, c2=1.5):
        self.bound, self.kind = as_choice("bound", bound, BOUNDS), BOUNDS.index(bound)
        self.c1, self.c2 = as_number("c1", c1, positive=True), as_number("c2", c2, positive=True)
        if not self.c1 < 1.0 < self.c2:
            raise ValueError(f"c1, c2: expected c1 < 1 < c2, got {c1!r} and {c2!r}")

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"bound": self.bound, "c1": self.c1, "c2": self.c2}

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil:
        return 2 * <Py_ssize_t> k * k + k + lapack_work(k, k)

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef double* first = &it.memory.rule[0]
        cdef double g = sqrt(2.0 * it.K) * sqrt(it.gap)
        cdef Quartic q
        cdef Margins now
        if first[ETA_MAX] == 0.0:
            self._begin(it, loss, scratch)
        if self.kind == F0 and first[FIRST] > 0.0:
            it.eta = first[FIRST]
            return
        if self.kind == RHO:
            q = polynomial(it.mu, it.K, it.sigma_min_sq.lo, it.sigma_max_sq.hi, it.sigma_max_W.hi, it.G_norm)
        elif self.kind == RHO_HAT:
            if not margins(it, loss, &now, scratch):
                return
            q = polynomial(it.mu, it.K, now.alpha, now.beta, now.p2, g)
        else:
            q = polynomial(it.mu, it.K, first[LOW], first[HIGH], first[P2], g)
        if not q.a > 0.0:
            it.failure = BOUND_VACUOUS
            return
        it.eta = fmin(first_minimiser(&q), first[ETA_MAX])
        first[FIRST] = it.eta

    cdef void _begin(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        """Remember what the first iterate determines."""
        cdef double* first = &it.memory.rule[0]
        cdef double extra
        cdef Margins start
        cdef Quartic q
        if not margins(it, loss, &start, scratch) or not start.alpha > 0.0:
            return
        first[LOW], first[HIGH], first[P2] = self.c1 * start.alpha, self.c2 * start.beta, start.p2
        q = polynomial(it.mu, it.K, first[LOW], first[HIGH], first[P2], sqrt(2.0 * it.K) * sqrt(it.gap))
        extra = fmax(4.0 * self.c2 / (self.c2 - 1.0),
                     8.0 * self.c2 * start.beta / ((1.0 - self.c1) * start.alpha))
        first[ETA_MAX] = longest(&q, extra * it.gap * it.K)


cdef class Arora2018(Rule):
    """`eta = p1^3 / (6144 * 8 ||Y||_F^4)`, constant: Arora, Cohen, Golowich, Hu (2018), as printed in Xu et al. (2023).

    For `||X W - Y||_F^2 / 2` with `X.T X = I`, from `p1 = s_min(Y) - ||Y - X W||_F` at t = 0, which must be positive.
    (The public code of Xu et al. has 1e5 in place of 6144 * 8.)

    Examples
    --------
    >>> Arora2018()
    Arora2018()
    """

    __signature__ = signature('')

    needs = ("target", "orthogonal", "margin")

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef TargetSummary target
        cdef double* eta = &it.memory.rule[0]
        if eta[0] == 0.0 and loss.target(&target):
            eta[0] = pow(printed_p1(it, &target) / target.norm, 3.0) / (6144.0 * 8.0 * target.norm)
        it.eta = eta[0]


cdef class Du2018(Rule):
    """`eta_t = sqrt(eps / r) / (100 (t + 1) ||Y||_F^(3/2))`, r the rank of Y: Du, Hu, Lee (2018), in Xu et al. (2023).

    Parameters
    ----------
    eps : float, optional
        The accuracy that is aimed at; `||Y||_F / 2` by default.

    Examples
    --------
    >>> Du2018(eps=0.1)
    Du2018(eps=0.1)
    """

    __signature__ = signature('*, eps=None')

    needs = ("target",)

    def __init__(self, *, eps=None):
        self.eps = None if eps is None else as_number("eps", eps, positive=True)
        self.accuracy = 0.0 if eps is None else self.eps

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"eps": self.eps}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef TargetSummary target
        cdef double eps = self.accuracy
        if not loss.target(&target):
            return
        if eps == 0.0:
            eps = 0.5 * target.norm
        it.eta = sqrt(eps / target.rank) / (100.0 * (it.memory.t + 1.0) * pow(target.norm, 1.5))
