"""Steps that are planned, and planned again as the run goes on: docs/theory.md, section 11."""

from libc.math cimport INFINITY, floor, hypot, sqrt

from ..iterate cimport Bracket, Iterate, gap_above
from ..linalg.blas cimport gram_columns
from ..linalg.rounding cimport U
from ..losses.loss cimport Loss
from ..spectral.eigenvalues cimport Matrix, eigenvalues, lapack_work, positive_part, svd_extremes
from .formulas cimport sharp_step_at
from .phases cimport (
    FIXED, Effect, Extent, Phase, Plan, Start, advance, first_phase, planned_step, search_plan,
)
from .rule cimport Rule
from .signature import signature

cdef enum:
    EVERY = 4           # iterations from one look for a better plan to the next
    LONGEST = 20000     # steps of a plan, at most

# The part of the gap that plans lead to.
cdef double FACTOR = 1e-6


# What the rule remembers, in `memory.rule`: all zeros before its first step.
cdef struct Remembered:
    double next         # iterations until it looks for another plan
    double left         # iterations that the plan it follows still promises, 0 if there is none
    double target       # the gap that it leads to
    double unit         # K beta, and beta: what the numbers below are measured in
    double beta
    double least        # fields of `Start`
    double greatest
    double error
    double data_least
    double data_greatest
    double top
    double bottom
    double nth
    double mth
    Phase phase
    Plan plan           # but its count


cdef class Planned(Rule):
    """Steps with a guarantee, planned again as the run goes on.

    At its first step it plans as `guaranteed_rate` does, from the gap, the layers, mu and K: the schedule with fewest
    guaranteed iterations to 1e-6 of the gap. Every four iterations it plans from the gap and the imbalance that the run
    has come to, and goes over to the new plan if that promises to get there sooner: so it never takes longer than it
    has promised at first. There it plans for the next 1e-6. Where nothing is guaranteed, its steps are those of
    `sharp`.

    Of a loss that is not squared `guaranteed_rate` knows more, where the minimizer is and the curvature around it, and
    may promise fewer iterations than this rule does at first.

    Examples
    --------
    >>> Planned()
    Planned()
    """

    __signature__ = signature('')

    needs = ("minimum", "smooth", "unique")

    cdef Py_ssize_t scratch(self, int n, int k, int m) noexcept nogil:
        cdef Py_ssize_t imbalance = 2 * <Py_ssize_t> k * k + k + lapack_work(k, k) if small(n, k, m) else 0
        return max(imbalance, 2 * <Py_ssize_t> n * m + min(n, m) + lapack_work(n, m))

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef Remembered* kept = <Remembered*> &it.memory.rule[0]
        cdef Start start
        cdef Extent extent
        cdef Effect effect
        cdef double eta
        if kept.next <= 0.0 or kept.left <= 0.0 and kept.phase.gap <= kept.target:
            plan_again(it, kept, scratch)
            kept.next = EVERY + floor(kept.left / 64.0)
        kept.next -= 1.0
        if kept.left > 0.0:
            recall(it, kept, &start)
            eta = planned_step(&start, &kept.phase, &kept.plan)
            if advance(&start, &kept.phase, FIXED, eta, &extent, &effect):
                kept.left -= 1.0
                it.eta = eta / kept.unit
                return
        # nothing is guaranteed: it looks again some steps later
        kept.left, kept.phase.gap = 0.0, INFINITY
        it.eta = sharp_step_at(it)


cdef inline bint small(int n, int k, int m) noexcept nogil:
    """Whether D is about as small as that of compressed layers, of which the loss may not see some rows."""
    return k <= 4 * (<Py_ssize_t> n + m)


cdef inline void recall(const Iterate* it, const Remembered* kept, Start* start) noexcept nogil:
    """What a plan was made from."""
    start.quadratic, start.mu = it.hessian != NULL, it.mu / it.K
    start.least, start.greatest, start.error = kept.least, kept.greatest, kept.error
    start.data_least, start.data_greatest = kept.data_least, kept.data_greatest
    start.slack = 20.0 * max(it.n, it.m) * U
    start.top, start.bottom, start.nth, start.mth = kept.top, kept.bottom, kept.nth, kept.mth
    start.p1_for_W1, start.p1_for_W2 = it.n <= it.m, it.m <= it.n
    start.of_T = start.of_W = start.of_all = 0.0
    start.known, start.gaps, start.constants = 0, NULL, NULL


cdef bint find_imbalance(Iterate* it, Remembered* found, double* scratch) noexcept nogil:
    """The eigenvalues of D at the layers as they are, to their safe sides: by how much, docs/theory.md, section 10."""
    cdef int n = it.n, k = it.k, m = it.m
    cdef Py_ssize_t size = <Py_ssize_t> k * k, i
    cdef double* D = scratch
    cdef double* values = D + size
    cdef double off = 2.0 * U * (max(n, m) + 4 + 10.0 * k) * (it.W1_norm * it.W1_norm + it.W2_norm * it.W2_norm)
    if not small(n, k, m):
        return False
    gram_columns(n, k, it.W1, D)
    gram_columns(m, k, it.W2t, values)
    for i in range(size):
        D[i] -= values[i]
    it.memory.eigenproblems += 1
    if eigenvalues(k, D, values, values + k, <int> lapack_work(k, k)):
        return False
    found.top, found.bottom = positive_part(values[k - 1]) + off, positive_part(-values[0]) + off
    found.nth = positive_part(values[k - n] - off) if n <= k else 0.0
    found.mth = positive_part(-values[m - 1] - off) if m <= k else 0.0
    return True


cdef bint extremes_of(Iterate* it, double of_W, double of_G, double* least, double* greatest,
                      double* scratch) noexcept nogil:
    """The extreme singular values of `H^of_W W - H^of_G G`, a diagonal H: of W itself for a loss without one."""
    cdef Py_ssize_t i, j, at
    cdef double square = 0.0, by_W = 1.0, by_G = 0.0
    cdef Matrix A
    cdef Bracket low, high
    for i in range(it.n):
        if it.hessian != NULL:
            by_W = sqrt(it.hessian[i]) if of_W > 0.0 else 1.0
            by_G = 1.0 / (sqrt(it.hessian[i]) if of_W > 0.0 else it.hessian[i])
        for j in range(it.m):
            at = i * it.m + j
            scratch[at] = by_W * it.W[at] - by_G * it.G[at]
            square += scratch[at] * scratch[at]
    A = Matrix(rows=it.n, columns=it.m, entries=scratch, norm=sqrt(square))
    low.lo = high.lo = 0.0
    low.hi = high.hi = INFINITY
    if not svd_extremes(&A, &low, &high, scratch + <Py_ssize_t> it.n * it.m):
        return False
    least[0], greatest[0] = sqrt(low.lo) * (1.0 - 4.0 * U), sqrt(high.hi) * (1.0 + 4.0 * U)
    return True


cdef bint look_around(Iterate* it, Remembered* found, double gap, double* scratch) noexcept nogil:
    """Fill in what a plan is made from at this iterate, in units of its own."""
    cdef double r = sqrt(2.0 * gap) / sqrt(it.mu), p2, beta, root = sqrt(it.K)
    if not (find_imbalance(it, found, scratch) and extremes_of(it, 0.0, 1.0, &found.least, &found.greatest, scratch)):
        return False
    found.error, found.data_least, found.data_greatest = 0.0, -1.0, -1.0
    p2 = found.greatest + r
    if it.hessian == NULL:
        # W is within r of the minimizer, whose own singular values are not known
        found.error = r * (1.0 + 8.0 * U)
        p2 += r
    elif not extremes_of(it, 0.5, 0.5, &found.data_least, &found.data_greatest, scratch):
        return False
    beta = 0.5 * (found.top + hypot(found.top, 2.0 * p2) + found.bottom + hypot(found.bottom, 2.0 * p2))
    if not (0.0 < it.K * beta < INFINITY and beta > 0.0):
        return False
    found.unit, found.beta = it.K * beta, beta
    found.least, found.greatest, found.error = found.least / beta, found.greatest / beta, found.error / beta
    found.top, found.bottom = found.top / beta, found.bottom / beta
    found.nth, found.mth = found.nth / beta, found.mth / beta
    if it.hessian != NULL:
        found.data_least, found.data_greatest = found.data_least / (root * beta), found.data_greatest / (root * beta)
    return True


cdef void plan_again(Iterate* it, Remembered* kept, double* scratch) noexcept nogil:
    """Go over to a new plan from here, if the one that is followed promises nothing, or more iterations."""
    cdef Remembered found = kept[0]
    cdef Start start
    cdef Phase here
    cdef Plan plan
    cdef double gap = gap_above(it), target = kept.target * kept.unit * kept.beta, limit = LONGEST
    cdef bint arrived = not kept.left > 0.0
    if not (it.mu > 0.0 and 0.0 < gap < INFINITY) or not look_around(it, &found, gap, scratch):
        return
    first_phase(&here, gap / found.unit / found.beta, 0.0)
    found.target = target / found.unit / found.beta
    recall(it, &found, &start)
    if arrived or not here.gap > found.target:
        found.target = FACTOR * here.gap
    else:
        limit = kept.left - 1.0
    search_plan(&start, &here, found.target, limit, &plan)
    if plan.count <= limit:
        found.phase, found.plan, found.left = here, plan, plan.count
        kept[0] = found
