"""Brackets that drift, and when they are computed anew: by a proof, or by LAPACK where that does not work out."""

cimport cython

from libc.math cimport INFINITY, sqrt

from ..iterate cimport Bracket, Iterate, LayerExtremes, Memory, TrackedExtreme
from ..linalg.extremes cimport fmax, fmin
from ..linalg.passes cimport Motion, distance_sq
from ..linalg.rounding cimport U
from ..linalg.single cimport SINGLE_FROM
from .brackets cimport (
    Directions, directions_of, drift_layer, first_layer, gradient, largest_moved, product, renew, renew_end,
    renew_largest, renew_layer, second_layer, unknown_largest, unknown_layer, widen_layers,
)
from .budget cimport (
    CLOSE, CLOSEST, FRESH_WIDTH, FUTILE, HEADSTART, LEAST_STEP, LONG, LOOSE, MOST_IN_ADVANCE, PROOF_FROM, PROOF_WIDTH,
    SEVERAL, SHARE, TANGENT_FACTOR, WASTED, W_PART, W_WIDTH,
)
from .eigenvalues cimport (
    HUGE, NEGLIGIBLE, TINY, Gram, Matrix, bracket_extreme, bracket_greatest, gram_within, no_gram, quotient,
    single_error, width,
)
from .imbalance cimport drift_imbalance, find_imbalance
from .spectral cimport Spectral
from .tangent cimport drift_tangent, lower_is_narrow, publish_tangent, renew_tangent, upper_is_narrow

from .spectral import ROUNDING


cdef inline int compressed(Iterate* it) noexcept nogil:
    """The width that compression leaves: all work is counted at that, so that no width makes a difference."""
    return min(it.k, it.n + it.m)


cdef inline Layer layer_of(const Matrix A, LayerExtremes* extremes, double* directions) noexcept nogil:
    cdef Layer layer
    layer.A, layer.extremes, layer.directions = A, extremes, directions
    layer.gram, layer.allowed = no_gram(), INFINITY
    return layer


cdef inline double product_cost(int n, int k) noexcept nogil:
    """About how many multiplications a Gram matrix takes: of a symmetric one, half."""
    cdef double p = min(n, k), q = max(n, k)
    return 0.5 * p * p * q


cdef inline double proof_cost(double p) noexcept nogil:
    """About how many a proof takes after that: a factorization, and some products with vectors."""
    return p * p * (0.25 * p + 10.0)


cdef inline double svd_cost(const Matrix* A) noexcept nogil:
    """About how many multiplications the singular values of a matrix take: twice as many again are no products."""
    cdef double p = min(A.rows, A.columns), q = max(A.rows, A.columns)
    return 4.0 * p * p * q


cdef bint form(Layer* layer, Iterate* it, double* scratch) noexcept nogil:
    """Compute the Gram matrix of a layer into `scratch`, unless it is there; False if nothing can be proved by it."""
    cdef const Matrix* A = &layer.A
    if layer.gram.rows:
        return True
    if min(A.rows, A.columns) < PROOF_FROM or not TINY < A.norm * A.norm < HUGE:
        return False
    layer.gram = gram_within(A, layer.allowed, scratch)
    it.memory.spent += product_cost(A.rows, min(A.columns, compressed(it))) * (0.5 if layer.gram.exact != NULL else 1.0)
    return True


cdef bint prove_largest(const Matrix* A, double room, double allowed, TrackedExtreme* largest, double* direction,
                        double* scratch) noexcept nogil:
    """Renew the largest singular value of W or G, whose square single precision may put off by `allowed`, without an
    eigenvalue problem; False if that did not work out."""
    cdef Gram gram
    cdef Bracket greatest
    if min(A.rows, A.columns) < PROOF_FROM or not TINY < A.norm * A.norm < HUGE:
        return False
    gram = gram_within(A, allowed, scratch)
    if not bracket_greatest(&gram, direction, room, &greatest, scratch + <Py_ssize_t> gram.rows * gram.rows):
        return False
    renew(largest, sqrt(greatest.lo) * (1.0 - 2.0 * U), sqrt(greatest.hi) * (1.0 + 2.0 * U))
    return True


cdef inline bint stays_wide(Layer* layer, bint greatest, double wanted, double* scratch) noexcept nogil:
    """Whether a bracket of a layer is wider than `wanted`, and stays so when its inner end, for a greatest value the
    lower one, is the Rayleigh quotient at the last direction. That is not tried of more rows than columns: their Gram
    matrix is small, and a bracket renewed at once is narrow for longer."""
    cdef const Matrix* A = &layer.A
    cdef TrackedExtreme* side = &layer.extremes.max_sq if greatest else &layer.extremes.min_sq
    cdef Bracket inside
    cdef double gone = side.now.hi - side.upper.bound if greatest else side.lower.bound - side.now.lo
    if width(&side.now) <= wanted or A.rows > A.columns:
        return width(&side.now) > wanted
    # of many rows, a value moves by far less than it may have: the other end cannot make up for that
    if A.rows >= SINGLE_FROM and gone > 2.0 * wanted:
        return True
    inside = quotient(A, layer.directions if greatest else layer.directions + A.rows, scratch)
    if greatest and inside.lo > side.now.lo:
        renew_end(&side.lower, inside.lo)
        side.now.lo = inside.lo
    elif not greatest and inside.hi < side.now.hi:
        renew_end(&side.upper, inside.hi)
        side.now.hi = inside.hi
    return width(&side.now) > wanted


cdef inline bint wastes(const Bracket* norm, double pace) noexcept nogil:
    """Whether so much of a bracket of ||G||_2 or s_max(W) is width that it pays to renew it: what layers are said to
    move by is a multiple of its upper end, and least values are renewed `pace` times a step for that."""
    return pace > WASTED and fmin(pace, 1.0) - fmin(pace * norm.lo / norm.hi, 1.0) > WASTED


cdef inline double G_step(Iterate* it, const Motion* motion, double W_step) noexcept nogil:
    """An upper bound on how far the computed G has moved, given that on W."""
    cdef Py_ssize_t size = <Py_ssize_t> it.n * it.m
    if it.weights == NULL:
        return sqrt(max(distance_sq(size, it.G, it.G_old), TINY)) * (1.0 + (size + 8) * U)
    # G = H (W - W*), each entry to 2 u
    return (min(sqrt(max(motion.bent_sq, TINY)) * (1.0 + (size + 8) * U), it.K * W_step * (1.0 + 2.0 * U))
            + 2.0 * U * (2.0 * it.G_norm + it.K * sqrt(motion.moved_sq)) * (1.0 + (size + 8) * U))


@cython.final
cdef class Certified(Spectral):
    """Brackets by drift around computed values, renewed when wider than `tolerance`, by a Cholesky factorization whose
    completion is the proof, or by LAPACK: every K_t is an upper and every mu_t a lower bound, with rounding.

    Parameters
    ----------
    tolerance : float
        The relative width at which a bracket of s_min(T)^2 or s_max(T)^2 is renewed; that of s_max(W) is as wide as K_t
        lets it be. Where renewals would cost more than a share of the steps, as at n = m = 100 while the layers move
        fast, up to 10 and 3 times that. A least value that would be gone in a few steps is not kept so, but bounded by
        the imbalance of the layers, or by 0. docs/theory.md, section 6.3, has a table of what comes of it.

    Examples
    --------
    >>> Certified(tolerance=0.2)
    Certified(tolerance=0.2)
    """

    mode = "certified"

    @property
    def upper_widths(self):
        """By what part of themselves s_max(T)^2 and s_max(W) may be overestimated at any iterate."""
        return CLOSE * self.tolerance + ROUNDING, W_WIDTH / (1.0 - W_WIDTH) + ROUNDING

    cdef void begin(self, Iterate* it, double* scratch) noexcept nogil:
        cdef Memory* memory = it.memory
        cdef Matrix W1 = first_layer(it), W2t = second_layer(it), W = product(it), G = gradient(it)
        unknown_layer(&W1, &memory.layer1)
        unknown_layer(&W2t, &memory.layer2)
        unknown_largest(&W, &memory.W_max)
        unknown_largest(&G, &memory.G_max)
        self.publish(it)
        self._renew(it, scratch)

    cdef void drift(self, Iterate* it) noexcept nogil:
        cdef Memory* memory = it.memory
        cdef Matrix W1 = first_layer(it), W2t = second_layer(it)
        cdef double moved, e1, e2
        cdef double one = sqrt(memory.layer1.max_sq.now.hi) * (1.0 + 2.0 * U)
        cdef double two = sqrt(memory.layer2.max_sq.now.hi) * (1.0 + 2.0 * U)
        moved = drift_layer(&memory.layer1, it, &W1, &W2t, two, it.g1_norm, &e1)
        moved += drift_layer(&memory.layer2, it, &W2t, &W1, one, it.g2_norm, &e2)
        drift_tangent(&memory.tangent, moved)
        it.gram_step = moved
        it.product_step = (e1 * two + one * e2 + e1 * e2) * (1.0 + 8.0 * U) + it.eps_W
        drift_imbalance(it, one, two)

    cdef void measure(self, Iterate* it, const Motion* motion, double* scratch) noexcept nogil:
        cdef Memory* memory = it.memory
        cdef Py_ssize_t size = <Py_ssize_t> it.n * it.m
        cdef double W_step
        widen_layers(it)
        # the computed W and G have moved by the differences of what is stored, but where their squares underflow
        W_step = min(sqrt(max(motion.moved_sq, TINY)) * (1.0 + (size + 8) * U), it.product_step + it.eps_W)
        largest_moved(&memory.W_max, W_step)
        largest_moved(&memory.G_max, G_step(it, motion, W_step))
        self._renew(it, scratch)

    cdef double _affordable(self, Iterate* it) noexcept nogil:
        """The tolerance, or more where renewals have outspent their share."""
        cdef double step = max(3.0 * it.n * it.m * compressed(it), LEAST_STEP)
        cdef double granted = SHARE * (step * it.memory.t + min(step * HEADSTART, MOST_IN_ADVANCE))
        cdef double excess = max(it.memory.spent / granted, 1.0)
        # with the third power: a little more than the share is hardly felt, much more is soon stopped
        return self.tolerance * min(excess * excess * excess, LOOSE)

    cdef void _renew(self, Iterate* it, double* scratch) noexcept nogil:
        """Renew what has become too wide, publish the brackets, and count."""
        cdef Memory* memory = it.memory
        cdef Directions at = directions_of(it)
        # W1 comes last: the tangent kernel needs its Gram matrix
        cdef Layer one = layer_of(first_layer(it), &memory.layer1, at.one)
        cdef Layer two = layer_of(second_layer(it), &memory.layer2, at.two)
        cdef double greatest = memory.layer1.max_sq.now.lo + memory.layer2.max_sq.now.lo, least
        cdef Widths widths
        widths.least = self._affordable(it)
        widths.greatest, widths.closest = min(widths.least, CLOSE * self.tolerance), INFINITY
        if memory.eta * it.K * greatest > LONG:
            widths.closest = max(CLOSEST * self.tolerance * greatest, SEVERAL * it.gram_step)
        self._renew_beside(it, &widths, scratch)
        least = self._least_width(it, &widths, scratch)
        greatest = 0.5 * min(widths.greatest * greatest, widths.closest)
        self._keep_narrow(it, &two, &widths, greatest, least, scratch)
        self._keep_narrow(it, &one, &widths, greatest, least, scratch)
        self.publish(it)
        if it.hessian != NULL:
            self._renew_tangent(it, &one, &widths, scratch)
        self._count(it)

    cdef void _renew_beside(self, Iterate* it, const Widths* widths, double* scratch) noexcept nogil:
        """Keep ||G||_2 and s_max(W) to what matters beside s_max(T)^2, and to what the drift of the layers asks for."""
        cdef Memory* memory = it.memory
        cdef Bracket* G_max = &memory.G_max.now
        cdef Bracket* W_max = &memory.W_max.now
        cdef double greatest = memory.layer1.max_sq.now.lo + memory.layer2.max_sq.now.lo, wanted
        cdef double pace = 0.0
        cdef Matrix W, G
        if min(it.n, it.m) >= SINGLE_FROM:
            # about what the next step moves both layers by (6.1), in parts of what least values may be off by
            pace = 4.0 * memory.eta * W_max.hi * G_max.hi / (
                widths.least * fmax(memory.layer1.min_sq.now.lo + memory.layer2.min_sq.now.lo, TINY))
        # ||G||_2 matters only beside K s_max(T)^2
        wanted = widths.greatest * (it.K * greatest + G_max.lo)
        if not width(G_max) <= wanted or wastes(G_max, pace):
            G = gradient(it)
            self._renew_largest(it, &G, &memory.G_max, wanted, directions_of(it).G, scratch)
        # the share is that of one step ago
        wanted = W_WIDTH * W_max.hi
        if it.K_t_share_of_sigma_max_W > 0.0:
            wanted = min(wanted, W_PART * widths.greatest / it.K_t_share_of_sigma_max_W)
        if not width(W_max) <= wanted or wastes(W_max, pace):
            W = product(it)
            self._renew_largest(it, &W, &memory.W_max, wanted, directions_of(it).W, scratch)

    cdef double _least_width(self, Iterate* it, const Widths* widths, double* scratch) noexcept nogil:
        """How wide the bracket of a layer's least value may be: half of what that of s_min(T)^2 may, or INFINITY where
        that is left to the imbalance."""
        cdef Memory* memory = it.memory
        cdef LayerExtremes* one = &memory.layer1
        cdef LayerExtremes* two = &memory.layer2
        cdef double greatest = one.max_sq.now.lo + two.max_sq.now.lo
        if (one.min_sq.upper.bound + two.min_sq.upper.bound > FUTILE * it.gram_step
                or min(one.min_sq.lower.gram_drift, two.min_sq.lower.gram_drift) > SEVERAL * it.gram_step):
            return 0.5 * widths.least * max(one.min_sq.now.lo + two.min_sq.now.lo, NEGLIGIBLE * greatest)
        if not memory.imbalance.found and find_imbalance(it, scratch):
            memory.eigenproblems += 1
            memory.spent += product_cost(it.k, it.k) + proof_cost(it.k)
        return INFINITY

    cdef void _renew_tangent(self, Iterate* it, Layer* one, const Widths* widths, double* scratch) noexcept nogil:
        """Keep the tangent kernel, which is made of what has just been published, to a wider tolerance."""
        cdef bint lower = not lower_is_narrow(it, TANGENT_FACTOR * widths.least, widths.closest)
        cdef bint upper = not upper_is_narrow(it, widths.greatest, widths.closest)
        cdef const Gram* known = NULL
        if not lower and not upper:
            return
        if upper:
            one.allowed = PROOF_WIDTH * widths.greatest * it.memory.layer2.max_sq.now.hi
        if lower:
            one.allowed = PROOF_WIDTH * TANGENT_FACTOR * widths.least * (
                it.memory.layer1.min_sq.now.lo + it.memory.layer2.min_sq.now.lo)
        if one.gram.rows and not single_error(&one.gram) <= one.allowed:
            one.gram.rows = 0
        if it.n <= it.k and it.turn == NULL and form(one, it, scratch):
            known = &one.gram
            scratch += <Py_ssize_t> it.n * it.n
        else:
            it.memory.spent += 0.5 * it.n * it.n * compressed(it)
        it.memory.renewals += lower + upper
        it.memory.spent += (lower + upper) * proof_cost(it.n)
        renew_tangent(it, lower, upper, False, PROOF_WIDTH * self.tolerance, known, directions_of(it).tangent, scratch)
        publish_tangent(it)

    cdef void _keep_narrow(self, Iterate* it, Layer* layer, const Widths* widths, double greatest, double least,
                           double* scratch) noexcept nogil:
        """Renew the brackets of a layer that are wider than `greatest` and `least`."""
        cdef LayerExtremes* extremes = layer.extremes
        cdef Py_ssize_t smaller = min(layer.A.rows, layer.A.columns)
        cdef double* work = scratch + smaller * smaller
        cdef bint renew_greatest = stays_wide(layer, True, greatest, work)
        cdef bint renew_least = stays_wide(layer, False, least, work)
        # one Gram matrix serves both
        if renew_greatest:
            layer.allowed = PROOF_WIDTH * fmax(greatest, widths.greatest * extremes.max_sq.now.lo)
        if renew_least:
            layer.allowed = fmin(layer.allowed, PROOF_WIDTH * fmax(least, widths.least * extremes.min_sq.upper.bound))
        if renew_greatest:
            self._renew_side(it, layer, True, widths, greatest, scratch)
        if renew_least:
            self._renew_side(it, layer, False, widths, least, scratch)

    cdef void _renew_side(self, Iterate* it, Layer* layer, bint greatest, const Widths* widths, double wanted,
                          double* scratch) noexcept nogil:
        """Renew one bracket of a layer, by proof if that makes it as narrow as was `wanted`; of a least value that an
        SVD for would cost more than is paid in advance, LOOSE times as wide will do."""
        cdef const Matrix* A = &layer.A
        cdef TrackedExtreme* side = &layer.extremes.max_sq if greatest else &layer.extremes.min_sq
        cdef double* direction = layer.directions if greatest else layer.directions + A.rows
        cdef double* work = scratch + <Py_ssize_t> min(A.rows, A.columns) * min(A.rows, A.columns)
        cdef double relative = widths.greatest if greatest else widths.least, part = 1.0, enough = relative
        cdef Bracket found
        if greatest and it.memory.eta * it.K * it.sigma_max_sq.lo > LONG:
            part = CLOSEST
        it.memory.renewals += 1
        it.memory.spent += proof_cost(min(A.rows, A.columns))
        while form(layer, it, scratch):
            if layer.gram.exact == NULL and not greatest and svd_cost(A) > MOST_IN_ADVANCE:
                enough = LOOSE * self.tolerance
            if bracket_extreme(&layer.gram, greatest, direction, PROOF_WIDTH * part * relative, &found,
                               work) and width(&found) <= 0.5 * fmax(wanted, enough * found.lo):
                renew(side, found.lo, found.hi)
                return
            if layer.gram.exact == NULL:
                break
            # once more, in double precision
            layer.gram.rows, layer.allowed = 0, 0.0
        # the Gram matrix of an ill-conditioned layer may not be good enough: an SVD is
        it.memory.eigenproblems += 1
        layer.gram.rows = 0
        renew_layer(A, FRESH_WIDTH * self.tolerance, layer.extremes, scratch)

    cdef void _renew_largest(self, Iterate* it, const Matrix* A, TrackedExtreme* largest, double allowed,
                             double* direction, double* scratch) noexcept nogil:
        """Renew the largest singular value of W or G, whose bracket may be as wide as `allowed`."""
        it.memory.renewals += 1
        it.memory.spent += product_cost(it.n, it.m) + proof_cost(min(it.n, it.m))
        # of its square, twice as much of it
        allowed *= 2.0 * PROOF_WIDTH * largest.now.hi
        if not prove_largest(A, PROOF_WIDTH * self.tolerance, allowed, largest, direction, scratch):
            it.memory.eigenproblems += 1
            renew_largest(A, largest, scratch)
