"""Extreme singular values of the layers, of W and of G, as brackets that contain the truth.

A computation (by proof or by LAPACK, widened by what rounding can have done to it) is a bracket. From then on the
bracket is widened by how far the matrix has moved (Weyl), which costs next to nothing, until it is wider than a
tolerance and is computed anew: each side of each layer by itself, and s_max(W), ||G||_2 only where they matter to K_t.
docs/theory.md, section 6, derives every allowance used here.
"""

from libc.math cimport INFINITY, fmax, sqrt

from ..linalg.blas cimport gram_columns, gram_rows
from .eigenvalues cimport (
    HUGE, NEGLIGIBLE, TINY, bracket_greatest, bracket_least, gram_extremes, inverse_iterate, lapack_work, positive_part,
    power_iterate, quotient, square, svd_extremes, width,
)
from .imbalance cimport drift_imbalance, find_imbalance, imbalance_bound, imbalance_work
from ..iterate cimport Bracket, End, Iterate, Layer, Memory, Tracked, gap_above
from ..linalg.rounding cimport U
from ..linalg.passes cimport Motion, distance_sq
from .tangent cimport publish_tangent, renew_tangent, tangent_is_narrow

# LAPACK is asked for s_min^2 to this part of the tolerance, and for an SVD if that takes one.
cdef double FRESH_WIDTH = 1e-3

# The width of s_max(W) may take up this part of the tolerance in K_t; and, as it bounds how far the layers move, this
# part of s_max(W).
cdef double W_PART = 0.25
cdef double W_WIDTH = 0.6

# The tangent kernel is in the rates only, and costs as much as all else: a wider tolerance, by this factor.
cdef double TANGENT_FACTOR = 4.0

# A least value that was below this part of what one step moves is not chased: one step later nothing would be left of
# it.
cdef double FUTILE = 1e-2

# Once the layers have moved this many times what one step moves, it is worth another look: it may have grown as much.
cdef double SEVERAL = 32.0

# Where steps are long, with eta K s_max(T)^2 above the first (those of `Local` and its like stay below 1), and so many
# of them hardly move the layers, the greatest values are kept to this part of the tolerance: 2 - eta K_t is small.
cdef double LONG = 1.2
cdef double CLOSEST = 0.2

# Renewals have a share in the multiplications of the steps, as if there had been so many steps more. Where they
# outspend it, all tolerances grow with the third power of how far, to this many times at most.
cdef double SHARE = 0.05
cdef double HEADSTART = 600.0
cdef double LEAST_STEP = 2e5        # a step counts as so many multiplications at least
cdef double LOOSE = 10.0
cdef double CLOSE = 3.0             # of the greatest singular values, on which the step size depends

# From this many rows on, a proof by Cholesky is faster than LAPACK's eigenvalues: measured 1.2 times at 4 rows, 2
# at 12, 2.4 at 20; the directions that it leaves behind save renewals, too. A single row needs neither.
cdef int PROOF_FROM = 2

# A certificate may take up this part of the tolerance; the rest is left for drift.
cdef double PROOF_WIDTH = 0.125

MODES = ("certified", "exact", "power")

# The most, in units of s_max(T)^2, that rounding adds to any upper end, at every size that memory holds.
ROUNDING = 1e-6


cdef void renew_end(End* end, double bound) noexcept nogil:
    end.bound = bound
    end.drift = end.path = 0.0


cdef void renew(Tracked* tracked, double lo, double hi) noexcept nogil:
    """The bracket has been computed: it is [lo, hi]."""
    renew_end(&tracked.lower, lo)
    renew_end(&tracked.upper, hi)
    tracked.now.lo, tracked.now.hi = lo, hi


cdef void unknown_layer(int n, int k, double A_norm, Layer* layer) noexcept nogil:
    """What the Frobenius norm alone says of the layer A (n, k)."""
    cdef double F_sq = square(A_norm), round = (<double> n * k + 8) * U
    renew(&layer.max_sq, F_sq / min(n, k) * (1.0 - round), F_sq * (1.0 + round))
    renew(&layer.min_sq, 0.0, F_sq / n * (1.0 + round) if k >= n else 0.0)


cdef void unknown_largest(int n, int m, double A_norm, Tracked* largest) noexcept nogil:
    """What the Frobenius norm of A (n, m), or an upper bound on it, says of its largest singular value."""
    renew(largest, 0.0, fmax(A_norm, sqrt(TINY)) * (1.0 + (<double> n * m + 8) * U))


cdef void renew_layer(int n, int k, const double* A, double A_norm, double wanted, Layer* layer,
                      double* scratch) noexcept nogil:
    """Compute both extremes of the layer A (n, k) anew.

    By its Gram matrix; and where the smallest value is then not known to the relative width `wanted`,
    by SVD, whose errors are relative to s_min s_max where those of the Gram matrix are to ||A||_F^2.
    """
    cdef Bracket least, greatest
    least.lo = greatest.lo = 0.0
    least.hi = greatest.hi = INFINITY
    cdef bint found = gram_extremes(n, k, A, A_norm, &least, &greatest, scratch)
    if not found or (n <= k and width(&least) > wanted * least.lo):
        found = svd_extremes(n, k, A, &least, &greatest, scratch) or found
    if not found:
        unknown_layer(n, k, A_norm, layer)
        return
    if k < n:
        least.lo = least.hi = 0.0       # n rows of length k < n: s_n(A) is exactly 0
    renew(&layer.min_sq, least.lo, least.hi)
    renew(&layer.max_sq, greatest.lo, greatest.hi)


cdef void renew_largest(int n, int m, const double* A, double A_norm, Tracked* largest,
                        double* scratch) noexcept nogil:
    """Compute the largest singular value of A (n, m) anew."""
    cdef Bracket least, greatest
    if not gram_extremes(n, m, A, A_norm, &least, &greatest, scratch):
        unknown_largest(n, m, A_norm, largest)
        return
    renew(largest, sqrt(greatest.lo) * (1.0 - 2.0 * U), sqrt(greatest.hi) * (1.0 + 2.0 * U))


cdef void estimate_layer(int n, int k, const double* A, double tolerance, Layer* layer, double* directions,
                         double* scratch) noexcept nogil:
    """Estimate both extremes of the layer A (n, k) by power and inverse iteration: no certificate. The greatest is
    approached from below, the least from above; it is called 0 where its Cholesky factorization breaks down."""
    cdef int p = min(n, k)
    cdef double* work = scratch + <Py_ssize_t> p * p
    cdef double least = 0.0
    if n <= k:
        gram_rows(n, k, A, scratch)
        least = inverse_iterate(n, scratch, directions + n, work, work + n, PROOF_WIDTH * tolerance)
        if not least < INFINITY:
            least = 0.0
    else:
        gram_columns(n, k, A, scratch)
    layer.max_sq.now.lo = layer.max_sq.now.hi = power_iterate(p, scratch, directions, work, PROOF_WIDTH * tolerance)
    layer.min_sq.now.lo = layer.min_sq.now.hi = least


cdef void estimate_largest(int n, int m, const double* A, double tolerance, Tracked* largest, double* direction,
                           double* scratch) noexcept nogil:
    """Estimate the largest singular value of A (n, m) by power iteration, from below: no certificate."""
    cdef int p = min(n, m)
    if n <= m:
        gram_rows(n, m, A, scratch)
    else:
        gram_columns(n, m, A, scratch)
    largest.now.lo = largest.now.hi = sqrt(power_iterate(p, scratch, direction, scratch + <Py_ssize_t> p * p,
                                                         PROOF_WIDTH * tolerance))


cdef bint prove(int n, int k, const double* A, double A_norm, bint greatest, double tolerance, double* direction,
                Bracket* found, double* scratch) noexcept nogil:
    """Bracket the greatest, or the least, eigenvalue of the smaller of A A.T and A.T A without an eigenvalue problem;
    False if that did not work out."""
    cdef double F_sq = A_norm * A_norm
    cdef int p = min(n, k), q = max(n, k)
    cdef double* work = scratch + <Py_ssize_t> p * p
    if p < PROOF_FROM or not TINY < F_sq < HUGE:
        return False
    if n <= k:
        gram_rows(n, k, A, scratch)
    else:
        gram_columns(n, k, A, scratch)
    if greatest:
        return bracket_greatest(p, q, scratch, F_sq, direction, PROOF_WIDTH * tolerance, found, work)
    return bracket_least(p, q, scratch, F_sq, direction, PROOF_WIDTH * tolerance, found, work)


cdef bint prove_largest(int n, int m, const double* A, double A_norm, double tolerance, Tracked* largest,
                        double* direction, double* scratch) noexcept nogil:
    """Renew the largest singular value of A (n, m) without an eigenvalue problem; False if that did not work out."""
    cdef Bracket greatest
    if not prove(n, m, A, A_norm, True, tolerance, direction, &greatest, scratch):
        return False
    renew(largest, sqrt(greatest.lo) * (1.0 - 2.0 * U), sqrt(greatest.hi) * (1.0 + 2.0 * U))
    return True


cdef void widen(Tracked* squared) noexcept nogil:
    """The bracket of a squared singular value of a layer now, from its ends and their drift since: of the Gram matrix,
    and of the layer."""
    cdef End* lower = &squared.lower
    cdef End* upper = &squared.upper
    squared.now.lo = max(positive_part(lower.bound - lower.drift) * (1.0 - U),
                         square(positive_part(sqrt(lower.bound) * (1.0 - U) - lower.path)) * (1.0 - 4.0 * U))
    squared.now.hi = min((upper.bound + upper.drift) * (1.0 + 2.0 * U),
                         square(sqrt(upper.bound) + upper.path) * (1.0 + 6.0 * U))


cdef inline void drift_end(End* end, double moved, double path) noexcept nogil:
    end.drift = (end.drift + moved) * (1.0 + 2.0 * U)
    end.path = (end.path + path) * (1.0 + 2.0 * U)


cdef double drift_layer(Layer* layer, Iterate* it, double other_max, Py_ssize_t size, double A_norm, double other_norm,
                        double g_norm, int m, double* e) noexcept nogil:
    """Add what one step `A - eta g` adds to the drift of a layer of `size` entries and of its Gram matrix; return the
    latter, and in `e` the former, in the spectral norm. The gradient g is a product of G and the other layer, whose
    largest singular value is at most `other_max`, of inner length `m`."""
    cdef double off = (m + 4) * U * it.G_norm * other_norm
    cdef double step = it.eta * min((1.0 + (size + 6) * U) * g_norm, (it.G_max.hi * other_max + off) * (1.0 + 4.0 * U))
    cdef double rounding = U * (1.0 + 8.0 * U) * (A_norm + 2.0 * it.eta * g_norm) * (1.0 + (size + 6) * U)
    cdef double s = sqrt(layer.max_sq.now.hi) * (1.0 + 2.0 * U), product, moved
    e[0] = step + rounding
    # A_new A_new.T - A A.T = -eta (C + C.T) + eta^2 g g.T with C = A g.T = W @ G.T, for layer 2 W.T @ G
    product = (it.sigma_max_W.hi * it.G_max.hi + A_norm * off) * (1.0 + 4.0 * U)
    moved = min(2.0 * s * e[0] + e[0] * e[0], 2.0 * it.eta * product + step * step + 2.0 * rounding * (s + step)
                + rounding * rounding) * (1.0 + 8.0 * U)
    drift_end(&layer.min_sq.lower, moved, e[0])
    drift_end(&layer.min_sq.upper, moved, e[0])
    drift_end(&layer.max_sq.lower, moved, e[0])
    drift_end(&layer.max_sq.upper, moved, e[0])
    return moved


cdef inline int compressed(Iterate* it) noexcept nogil:
    """The width that compression leaves: all work is counted at that, so that no width makes a difference."""
    return min(it.k, it.n + it.m)


cdef inline double cost(int n, int k) noexcept nogil:
    """About how many multiplications a renewal takes: a Gram matrix, a factorization, some products with vectors."""
    cdef double p = min(n, k), q = max(n, k)
    return p * p * (q + p / 3.0 + 10.0)


cdef class Spectral:
    """How the singular values behind the constants are found.

    Parameters
    ----------
    mode : {"certified", "exact", "power"}
        `"exact"`: by LAPACK at every step. `"certified"`: brackets by drift around computed values, renewed when
        wider than `tolerance`, by a Cholesky factorization whose completion is the proof, or by LAPACK. Either
        way every K_t is an upper and every mu_t a lower bound, with rounding. `"power"`: warm-started power and
        inverse iteration at every step: an estimate, whose K_t errs low and mu_t high.
    tolerance : float
        The relative width at which a bracket of s_min(T)^2 or s_max(T)^2 is renewed; that of s_max(W) is as wide as K_t
        lets it be. Where renewals would cost more than a share of the steps, as at n = m = 100 while the layers move
        fast, up to 10 and 3 times that. A least value that would be gone in a few steps is not kept so, but bounded by
        the imbalance of the layers, or by 0. docs/theory.md, section 6.3, has a table of what comes of it.

    Attributes
    ----------
    upper_widths : (float, float)
        By what part of themselves s_max(T)^2 and s_max(W) may be overestimated at any iterate: what `guaranteed_rate`
        allows for. Infinite for `"power"`.

    Examples
    --------
    >>> Spectral("certified", tolerance=0.01)
    Spectral('certified', tolerance=0.01)
    """

    def __init__(self, mode="certified", *, double tolerance=0.01):
        if mode not in MODES:
            raise ValueError(f"constants: expected one of {', '.join(map(repr, MODES))}, got {mode!r}")
        if not 0.0 < tolerance < 1.0:
            raise ValueError(f"tolerance: expected a number between 0 and 1, got {tolerance!r}")
        self.mode = mode
        self.tolerance = tolerance
        self.always = mode == "exact"
        self.estimates = mode == "power"

    @property
    def upper_widths(self):
        """By what part of themselves s_max(T)^2 and s_max(W) may be overestimated at any iterate: by how much
        the steps of `Local` and `Sharp` may be too short. Infinite for `"power"`, which guarantees nothing."""
        if self.estimates:
            return INFINITY, INFINITY
        if self.always:
            return ROUNDING, ROUNDING
        return CLOSE * self.tolerance + ROUNDING, W_WIDTH / (1.0 - W_WIDTH) + ROUNDING

    def __repr__(self):
        return f"Spectral({self.mode!r}, tolerance={self.tolerance!r})"

    def __reduce__(self):
        return _spectral, (self.mode, self.tolerance)

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil:
        """How many doubles the other methods work in."""
        cdef Py_ssize_t rows = max(n, m)
        return (2 * rows + max(2 * rows * rows, rows * k)
                + max(lapack_work(n, k), lapack_work(m, k), lapack_work(n, m), lapack_work(n, n))
                + imbalance_work(n, k, m))

    cdef void start(self, Iterate* it, double wanted, double* scratch) noexcept nogil:
        """Compute everything by LAPACK, at the evaluated iterate: s_min^2 of the layers by their Gram matrices if
        that gives it to the relative width `wanted`, else by SVD."""
        renew_layer(it.n, it.k, it.W1, it.W1_norm, wanted, &it.memory.layer1, scratch)
        renew_layer(it.m, it.k, it.W2t, it.W2_norm, wanted, &it.memory.layer2, scratch)
        renew_largest(it.n, it.m, it.W, it.W_norm, &it.memory.W_max, scratch)
        renew_largest(it.n, it.m, it.G, it.G_norm, &it.memory.G_max, scratch)
        it.memory.renewals += 4
        it.memory.eigenproblems += 4
        self.publish(it)
        if it.hessian != NULL and not self.estimates:
            it.memory.renewals += 1
            renew_tangent(it, True, self.tolerance, NULL, scratch)
            publish_tangent(it)
        self._count(it)

    cdef void begin(self, Iterate* it, double* scratch) noexcept nogil:
        """At the first iterate: as `start`, but no better than it will be kept."""
        cdef Memory* memory = it.memory
        if self.always or self.estimates:
            self.start(it, EXACT_WIDTH, scratch)
            return
        unknown_layer(it.n, it.k, it.W1_norm, &memory.layer1)
        unknown_layer(it.m, it.k, it.W2_norm, &memory.layer2)
        unknown_largest(it.n, it.m, it.W_norm, &memory.W_max)
        unknown_largest(it.n, it.m, it.G_norm, &memory.G_max)
        self.publish(it)
        self._renew(it, scratch)

    cdef void drift(self, Iterate* it) noexcept nogil:
        """Before the step of size `it.eta` is taken: add what it will move the layers by."""
        if self.always or self.estimates:
            return
        cdef double moved, e1, e2
        cdef double one = sqrt(it.memory.layer1.max_sq.now.hi) * (1.0 + 2.0 * U)
        cdef double two = sqrt(it.memory.layer2.max_sq.now.hi) * (1.0 + 2.0 * U)
        moved = drift_layer(&it.memory.layer1, it, two, <Py_ssize_t> it.n * it.k, it.W1_norm, it.W2_norm,
                            it.g1_norm, it.m, &e1)
        moved += drift_layer(&it.memory.layer2, it, one, <Py_ssize_t> it.m * it.k, it.W2_norm, it.W1_norm,
                             it.g2_norm, it.n, &e2)
        it.memory.tangent.drift = (it.memory.tangent.drift + moved) * (1.0 + 2.0 * U)
        it.moved = moved
        it.reach = (e1 * two + one * e2 + e1 * e2) * (1.0 + 8.0 * U) + it.eps_W
        drift_imbalance(it, one, two)

    cdef void measure(self, Iterate* it, const Motion* motion, double* scratch) noexcept nogil:
        """After the step: the brackets at the evaluated iterate, renewed where they have become too wide."""
        cdef Memory* memory = it.memory
        cdef Layer* one = &memory.layer1
        cdef Layer* two = &memory.layer2
        cdef Py_ssize_t size = <Py_ssize_t> it.n * it.m
        cdef double* directions = it.directions
        cdef double moved
        if self.always:
            self.start(it, EXACT_WIDTH, scratch)
            return
        if self.estimates:
            estimate_layer(it.n, it.k, it.W1, self.tolerance, one, directions, scratch)
            estimate_layer(it.m, it.k, it.W2t, self.tolerance, two, directions + 2 * it.n, scratch)
            directions += 2 * it.n + 2 * it.m
            estimate_largest(it.n, it.m, it.W, self.tolerance, &memory.W_max, directions, scratch)
            estimate_largest(it.n, it.m, it.G, self.tolerance, &memory.G_max, directions + min(it.n, it.m), scratch)
            self.publish(it)
            return
        widen(&one.max_sq)
        widen(&two.max_sq)
        if it.k >= it.n:
            widen(&one.min_sq)
        if it.k >= it.m:
            widen(&two.min_sq)
        # the computed W and G have moved by the differences of what is stored, but where their squares underflow
        moved = min(sqrt(max(motion.moved_sq, TINY)) * (1.0 + (size + 8) * U), it.reach + it.eps_W)
        largest_moved(&memory.W_max, moved)
        if it.weights != NULL:
            # G = H (W - W*), each entry to 2 u
            moved = min(sqrt(max(motion.bent_sq, TINY)) * (1.0 + (size + 8) * U), it.K * moved * (1.0 + 2.0 * U))
            moved += 2.0 * U * (2.0 * it.G_norm + it.K * sqrt(motion.moved_sq)) * (1.0 + (size + 8) * U)
        else:
            moved = sqrt(max(distance_sq(size, it.G, it.G_old), TINY)) * (1.0 + (size + 8) * U)
        largest_moved(&memory.G_max, moved)
        self._renew(it, scratch)

    cdef double _affordable(self, Iterate* it) noexcept nogil:
        """The tolerance, or more where renewals have outspent their share."""
        cdef double step = max(3.0 * it.n * it.m * compressed(it), LEAST_STEP)
        cdef double excess = max(it.memory.spent / (SHARE * step * (it.memory.t + HEADSTART)), 1.0)
        return self.tolerance * min(excess * excess * excess, LOOSE)

    cdef void _renew(self, Iterate* it, double* scratch) noexcept nogil:
        """Renew what has become too wide, publish the brackets, and count."""
        cdef Memory* memory = it.memory
        cdef Layer* one = &memory.layer1
        cdef Layer* two = &memory.layer2
        cdef double tolerance = self._affordable(it), close = min(tolerance, CLOSE * self.tolerance)
        cdef double least, greatest, wanted, closest
        cdef double* first = it.directions
        cdef double* second = first + 2 * it.n
        cdef double* of_W = second + 2 * it.m
        cdef double* of_G = of_W + min(it.n, it.m)
        greatest = one.max_sq.now.lo + two.max_sq.now.lo
        closest = INFINITY
        if memory.eta * it.K * greatest > LONG:
            closest = max(CLOSEST * self.tolerance * greatest, SEVERAL * it.moved)
        wanted = 0.5 * min(close * greatest, closest)
        self._keep_narrow(it, one, True, it.n, it.k, it.W1, it.W1_norm, wanted, first, scratch)
        self._keep_narrow(it, two, True, it.m, it.k, it.W2t, it.W2_norm, wanted, second, scratch)
        greatest = one.max_sq.now.lo + two.max_sq.now.lo
        # ||G||_2 matters only beside K s_max(T)^2
        if not width(&memory.G_max.now) <= close * (it.K * greatest + memory.G_max.now.lo):
            self._renew_largest(it, it.G, it.G_norm, &memory.G_max, of_G, scratch)
        # the weight is that of one step ago
        if not (width(&memory.W_max.now) * it.W_weight <= W_PART * close
                and width(&memory.W_max.now) <= W_WIDTH * memory.W_max.now.hi):
            self._renew_largest(it, it.W, it.W_norm, &memory.W_max, of_W, scratch)
        least = 0.5 * tolerance * max(one.min_sq.now.lo + two.min_sq.now.lo, NEGLIGIBLE * greatest)
        if (one.min_sq.upper.bound + two.min_sq.upper.bound > FUTILE * it.moved
                or min(one.min_sq.lower.drift, two.min_sq.lower.drift) > SEVERAL * it.moved):
            self._keep_narrow(it, one, False, it.n, it.k, it.W1, it.W1_norm, least, first + it.n, scratch)
            self._keep_narrow(it, two, False, it.m, it.k, it.W2t, it.W2_norm, least, second + it.m, scratch)
        elif not memory.imbalance.found:
            if find_imbalance(it, scratch):
                memory.eigenproblems += 1
                memory.spent += cost(it.k, it.k)
        self.publish(it)
        if it.hessian != NULL and not tangent_is_narrow(it, TANGENT_FACTOR * tolerance, closest):
            memory.renewals += 1
            memory.spent += 2.0 * cost(it.n, compressed(it))
            renew_tangent(it, False, PROOF_WIDTH * self.tolerance, of_G + min(it.n, it.m), scratch)
            publish_tangent(it)
        self._count(it)

    cdef void _keep_narrow(self, Iterate* it, Layer* layer, bint greatest, int n, int k, const double* A, double A_norm,
                           double wanted, double* direction, double* scratch) noexcept nogil:
        """Sharpen one bracket of a layer that has become too wide from inside, by a Rayleigh quotient at the last
        direction; if that is not enough, renew it."""
        cdef Tracked* side = &layer.max_sq if greatest else &layer.min_sq
        cdef double part = CLOSEST if greatest and it.memory.eta * it.K * it.sigma_max_sq.lo > LONG else 1.0
        cdef Bracket inside
        if width(&side.now) <= wanted:
            return
        if n <= k:
            inside = quotient(n, k, A, A_norm, direction, scratch)
            if greatest and inside.lo > side.now.lo:
                renew_end(&side.lower, inside.lo)
                side.now.lo = inside.lo
            elif not greatest and inside.hi < side.now.hi:
                renew_end(&side.upper, inside.hi)
                side.now.hi = inside.hi
            if width(&side.now) <= wanted:
                return
        it.memory.renewals += 1
        it.memory.spent += cost(n, min(k, compressed(it)))
        # the Gram matrix of an ill-conditioned layer may not be good enough: an SVD is
        if (prove(n, k, A, A_norm, greatest, part * self.tolerance, direction, &inside, scratch)
                and width(&inside) <= 0.5 * fmax(wanted, self.tolerance * inside.lo)):
            renew(side, inside.lo, inside.hi)
        else:
            it.memory.eigenproblems += 1
            renew_layer(n, k, A, A_norm, FRESH_WIDTH * self.tolerance, layer, scratch)

    cdef void _renew_largest(self, Iterate* it, const double* A, double A_norm, Tracked* largest, double* direction,
                             double* scratch) noexcept nogil:
        """Renew the largest singular value of W or G."""
        it.memory.renewals += 1
        it.memory.spent += cost(it.n, it.m)
        if not prove_largest(it.n, it.m, A, A_norm, self.tolerance, largest, direction, scratch):
            it.memory.eigenproblems += 1
            renew_largest(it.n, it.m, A, A_norm, largest, scratch)

    cdef void publish(self, Iterate* it) noexcept nogil:
        """Turn what is tracked into the brackets of the iterate."""
        cdef Layer* one = &it.memory.layer1
        cdef Layer* two = &it.memory.layer2
        cdef Bracket* W_max = &it.memory.W_max.now
        cdef Bracket* G_max = &it.memory.G_max.now
        cdef double square_g, first, eta
        cdef double product_sq = one.max_sq.now.hi * two.max_sq.now.hi
        it.sigma_min_sq.lo = max((one.min_sq.now.lo + two.min_sq.now.lo) * (1.0 - U), imbalance_bound(it))
        it.sigma_min_sq.hi = (one.min_sq.now.hi + two.min_sq.now.hi) * (1.0 + 2.0 * U)
        it.sigma_max_sq.lo = (one.max_sq.now.lo + two.max_sq.now.lo) * (1.0 - U)
        it.sigma_max_sq.hi = (one.max_sq.now.hi + two.max_sq.now.hi) * (1.0 + 2.0 * U)
        # W and G as computed are at most eps_W and G_error away from those of the stored layers
        it.sigma_max_W.lo = positive_part(W_max.lo - it.eps_W) * (1.0 - U)
        it.sigma_max_W.hi = (W_max.hi + it.eps_W) * (1.0 + 2.0 * U)
        # s_max(W) <= s_max(W1) s_max(W2), which is all that is known where its square has underflowed
        if it.W_norm * it.W_norm < TINY:
            it.sigma_max_W.hi = greatest_product(one, two)
        else:
            it.sigma_max_W.hi = min(it.sigma_max_W.hi, it.W_norm * (1.0 + (<double> it.n * it.m + 8) * U) + it.eps_W)
            # two roots, where they may matter
            if not self.estimates and not square(it.sigma_max_W.hi) < product_sq:
                it.sigma_max_W.hi = min(it.sigma_max_W.hi, greatest_product(one, two))
        it.G_max.lo = positive_part(G_max.lo - it.G_error) * (1.0 - 2.0 * U)
        it.G_max.hi = min(G_max.hi + it.G_error + 8.0 * U * it.G_norm, it.G_norm)
        publish_tangent(it)
        # the term 3 K s_max(W) (g eta)^2 of K_t, beside the first ones; K s_max(W) ||G||_2 ||G||_F eta^2 / 2 is less
        square_g = fmax(2.0 * it.K * gap_above(it), square(it.G_norm))
        first = it.K * it.sigma_max_sq.hi + sqrt(square_g)
        eta = max(it.memory.eta, 1.0 / first)
        it.W_weight = 3.0 * it.K * square_g * eta * eta / first if first > 0.0 else 0.0

    cdef void _count(self, Iterate* it) noexcept nogil:
        """Count the iterates at which every bracket is as narrow as was asked."""
        it.memory.narrow += widest(it) <= self.tolerance


cdef double greatest_product(Layer* one, Layer* two) noexcept nogil:
    """An upper bound on s_max(W1) s_max(W2); the product of the squares may leave float64."""
    return sqrt(one.max_sq.now.hi) * sqrt(two.max_sq.now.hi) * (1.0 + 4.0 * U)


cdef void largest_moved(Tracked* largest, double distance) noexcept nogil:
    """The bracket of a largest singular value after its matrix has moved by at most `distance`."""
    drift_end(&largest.lower, distance, 0.0)
    drift_end(&largest.upper, distance, 0.0)
    largest.now.lo = positive_part(largest.lower.bound - largest.lower.drift) * (1.0 - U)
    largest.now.hi = (largest.upper.bound + largest.upper.drift) * (1.0 + 2.0 * U)


def spectral_from(constants):
    """Return the Spectral that an argument `constants` means: one itself, the name of a mode, or None for the default.

    Raises
    ------
    TypeError, ValueError
        If it is none of these.

    Examples
    --------
    >>> spectral_from(None), spectral_from("exact")
    (Spectral('certified', tolerance=0.01), Spectral('exact', tolerance=0.01))
    """
    if constants is None or isinstance(constants, str):
        return Spectral("certified" if constants is None else str(constants))
    if not isinstance(constants, Spectral):
        raise TypeError(f"constants: expected 'certified', 'exact' or 'power', got {constants!r}")
    return constants


def _spectral(mode, tolerance):
    return Spectral(mode, tolerance=tolerance)
