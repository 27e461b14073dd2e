"""The loop: evaluate, bracket, choose, step, check; no GIL, nothing allocated.

Every allowance for rounding: docs/theory.md, section 7.
"""

import hashlib

import numpy as np

from libc.math cimport INFINITY, NAN, fabs, fmax, fmin, isfinite, sqrt
from libc.string cimport memset

from ..linalg.blas cimport add_matmul_nt, matmul_nn, matmul_nt, matmul_tn
from .clock cimport seconds
from ..spectral.eigenvalues cimport TINY
from ..iterate cimport NO_FAILURE, Bracket, Check, Iterate, Memory, directions_size, gap_above, gap_tolerance
from ..rules.formulas cimport local_smoothness, sharp_smoothness
from ..losses.loss cimport DiagonalQuadratic, Loss, Value, forget
from ..linalg.rounding cimport LEAST, LEAST_NORM, U, underflow
from ..rules.rule cimport Rule
from ..spectral.spectral cimport EXACT_WIDTH, Spectral, greatest_product, widest
from ..linalg.passes cimport Motion, measure_motion, move, square_sum
from ..spectral.tangent cimport second_order

# A squared gradient norm below this has lost digits to underflow.
cdef double UNDERFLOWN = 1e-280

# The square of a greatest singular value is not said to be below this: its digits have been lost to underflow.
cdef double FAINT = 1e-290

# Beside the rounding of W, inequalities are checked up to this many (n + m) u times the sum of the absolute
# values of their terms.
cdef double ALLOWANCE = 50.0

# Every array in the workspace begins at a cache line.
cdef Py_ssize_t LINE = 8


cdef inline Py_ssize_t lines(Py_ssize_t size) noexcept nogil:
    """The size of whole cache lines that `size` doubles take."""
    return (size + LINE - 1) // LINE * LINE


cdef Row NO_ROW
COLUMNS = tuple(NO_ROW)
cdef Py_ssize_t COLUMN_COUNT = sizeof(Row) // sizeof(double)

cdef enum:
    RUNNING
    CONVERGED
    MAX_ITER
    FLOOR_REACHED
    SADDLE
    DIVERGED
    OVERFLOWED
    STALLED
    GUARANTEE_FAILED
    REDO            # never leaves this file

OUTCOMES = ("running", "converged", "max_iter", "floor", "saddle", "diverged", "overflow", "stalled",
            "guarantee_failed")

# in the order of their names in iterate.pxd
FAILURES = (None, "too many backtracks", "below rounding", "vacuous bound", "not a step")

CHECKS = ("pl", "descent", "rate", "drift", "gap_bound")

# What the first doubles of a state mean, by name: states of another layout are of no use.
cdef Memory NO_MEMORY
LAYOUT = hashlib.sha256(repr(NO_MEMORY).encode()).hexdigest()[:16]


# An inequality that is checked to this part of what it claims has been checked, even if it is an equality.
cdef double SHARP = 1e-6


cdef inline bint note(Check* check, double t, double slack, double difference, double claim,
                      double allowance) noexcept nogil:
    """Count one checked inequality `difference >= 0`; return whether it fails by more than rounding explains.

    It is uninformative if rounding may take more than its slack, and more than a millionth of the claim: then its slack
    is rounding, and not among those of which the smallest is kept. An allowance that is no number is none.
    """
    cdef bint vacuous = not allowance < INFINITY
    cdef bint violated = not vacuous and not difference >= -allowance
    check.steps += 1
    check.violations += violated
    if vacuous or (not violated and allowance > difference and not allowance <= SHARP * fabs(claim)):
        check.uninformative += 1
    elif check.steps - check.uninformative == 1 or slack < check.smallest:
        check.smallest = slack
        check.smallest_at = t
    return violated


cdef double guaranteed_contraction(Iterate* old, Iterate* new, const Motion* motion, double K_best) noexcept nogil:
    """1 - rate for the step from `old` to `new`: the best of what is known to hold, from what is known at `old` and
    of where the step leads. `K_best` is the smaller of the local smoothness constants.
    """
    cdef double eta = new.eta, PL = old.nu.lo, best, decrease, forms, uncertain, short, bent
    cdef Py_ssize_t size = <Py_ssize_t> old.n * old.m
    # the descent lemma and the PL inequality; or, for longer steps, ||grad L||^2 <= 2 K s_max(T)^2 gap
    if eta * K_best <= 2.0:
        best = PL * eta * (2.0 - eta * K_best)
    else:
        best = -eta * (eta * K_best - 2.0) * old.K * old.sigma_max_sq.hi
    # L falls by at least -<G, M> - <M, H M> / 2 with M = W(t+1) - W(t), H the Hessian or K; less the rounding of both W
    forms = motion.forms if old.hessian != NULL else old.K * motion.moved_sq
    uncertain = old.eps_W + new.eps_W
    decrease = (-motion.slope - 0.5 * forms - uncertain * (old.G_norm + 2.0 * sqrt(old.K * forms) + old.K * uncertain)
                - (old.gradient_error + (size + 8) * U * old.G_norm) * sqrt(motion.moved_sq) - (size + 8) * U * forms)
    # squares that have underflowed certify nothing
    if decrease > TINY and forms > TINY and motion.moved_sq > TINY:
        best = fmax(best, 2.0 * PL * (decrease / old.grad_sq) * (1.0 - 8.0 * U))
    # the tangent kernel of a quadratic loss contracts the gap
    if old.hessian != NULL and old.gap > TINY:
        # the products that it is made of may have underflowed
        bent = fmax(second_order(old), TINY) + LEAST * fmax(sqrt(old.K) * old.G_norm, 1.0)
        # 1 - c^2 = (1 - c) (1 + c)
        short = (fmin(eta * old.nu.lo, 2.0 - eta * old.nu.hi)
                 - eta * (eta * bent / sqrt(2.0 * old.gap)) * (1.0 + (size + 16) * U))
        best = fmax(best, short * (2.0 - short))
    return best


def copy_columns(const double[:, ::1] rows, columns, double[:, :] table):
    """table[:] = rows[:, columns].T"""
    cdef Py_ssize_t[::1] wanted = np.asarray(columns, dtype=np.intp)
    cdef Py_ssize_t block, i, j
    with nogil:
        # a cache line of each at a time
        for block in range(0, lines(rows.shape[0]), 8):
            for j in range(wanted.shape[0]):
                for i in range(block, min(block + 8, rows.shape[0])):
                    table[j, i] = rows[i, wanted[j]]


cdef class Descent:
    """Gradient descent on `l(W1 W2)`, with everything that is known along the way: a pure continuation.

    No number depends on where one call of `advance` ends and the next begins. All state that matters are the
    layers, and `memory`, what is remembered beside them.

    Parameters
    ----------
    loss, rule, spectral
        The compiled parts; immutable, so that several descents may share them.
    W1, W2 : arrays of shape (n, k) and (k, m)
        The layers; copied.
    """

    def __init__(self, Loss loss not None, Rule rule not None, Spectral spectral not None, W1, W2):
        cdef Py_ssize_t n, k, m
        n, k = W1.shape
        m = W2.shape[1]
        if (n, m) != loss.shape or W2.shape[0] != k or k < 1:
            raise ValueError(f"layers: expected shapes ({loss.n}, k) and (k, {loss.m}), "
                             f"got {W1.shape} and {W2.shape}")
        self.loss, self.rule, self.spectral = loss, rule, spectral
        self.it.n, self.it.k, self.it.m = <int> n, <int> k, <int> m
        cdef Py_ssize_t size = n * m, i, j
        cdef Py_ssize_t header = lines(sizeof(Memory) // sizeof(double))
        cdef Py_ssize_t directions = lines(directions_size(<int> n, <int> m))
        cdef Py_ssize_t layers = lines((n + m) * k), product = lines(size)
        cdef Py_ssize_t ray = 2 * product if rule.needs_B else 0
        # of another quadratic loss, the decrease would be taken on trust
        self.by_motion = isinstance(loss, DiagonalQuadratic)
        cdef Py_ssize_t weights = product if loss.curvature() != NULL and not self.by_motion else 0
        cdef Py_ssize_t previous = layers if rule.needs_previous else 0
        # a rule may evaluate the loss: the two work side by side
        cdef Py_ssize_t scratch = max(loss.scratch() + rule.scratch(<int> n, <int> k, <int> m),
                                      spectral.scratch(<int> n, <int> k, <int> m), 1)
        cdef Py_ssize_t total = (header + directions + 2 * layers + 2 * previous + 4 * product + ray + weights
                                 + lines(COLUMN_COUNT) + scratch)
        # np.empty: pages that are never touched cost nothing
        block = np.empty(total + LINE)
        self._block = block[-block.ctypes.data // sizeof(double) % LINE:][:total]
        cdef double[::1] memory = self._block
        cdef double* free = &memory[0]
        self.it.memory = <Memory*> free
        self.it.directions = free + header
        free += header + directions
        self._point(free, free + layers)
        free += 2 * layers
        self.it.W, self.it.W_old = free, free + product
        self.it.G, self.it.G_old = free + 2 * product, free + 3 * product
        free += 4 * product
        if previous:
            memset(free, 0, previous * sizeof(double))
            self.it.g_old, self.spare = free, free + previous
            free += 2 * previous
        if ray:
            self.it.tau, self.it.B = free, free + product
        free += ray
        self.it.mu, self.it.K, self.it.hessian = loss.mu, loss.K, loss.curvature()
        self._count_underflow()
        if self.by_motion:
            self.it.weights = &(<DiagonalQuadratic> loss).weights[0, 0]
        elif weights:
            self.it.weights = free
            for i in range(n):
                for j in range(m):
                    self.it.weights[i * m + j] = self.it.hessian[i]
        free += weights
        self.row = <Row*> free
        self.scratch = free + lines(COLUMN_COUNT)
        memset(self.it.memory, 0, header * sizeof(double))
        self._remembered = header + directions
        # orthogonal to no eigenvector but by accident, which costs time and nothing else
        self._block[header:header + directions] = np.cos(np.arange(directions))
        stack = self._layers()
        stack[:n] = W1
        stack[n:] = W2.T

    cdef void _count_underflow(self) noexcept nogil:
        """What underflow may take, for these sizes; docs/theory.md, section 7."""
        cdef Py_ssize_t n = self.it.n, k = self.it.k, m = self.it.m
        cdef Underflow* lost = &self.lost
        lost.W1, lost.W2, lost.G = n * k * LEAST_NORM, m * k * LEAST_NORM, n * m * LEAST_NORM
        lost.product = lost.g = underflow(n * k * m)
        lost.step1 = lost.W1 * U + underflow(n * k)
        lost.step2 = lost.W2 * U + underflow(m * k)
        lost.squares = (n + m) * k * LEAST
        # K times it, but no subnormal number, with which products are slow
        lost.kernel = lost.squares * fmax(self.it.K, 1.0) + LEAST
        self.it.lost = underflow(n * m)

    cdef void _point(self, double* Z, double* g) noexcept nogil:
        """The stack of layers is at Z, that of gradients at g."""
        cdef Py_ssize_t nk = <Py_ssize_t> self.it.n * self.it.k
        self.it.W1, self.it.W2t = Z, Z + nk
        self.it.g1, self.it.g2t = g, g + nk

    cdef object _stack(self, const double* Z):
        """A view of the stack at Z, of shape (n + m, k)."""
        cdef Py_ssize_t at = Z - <const double*> self.it.memory
        return self._block[at:at + (self.it.n + self.it.m) * self.it.k].reshape(self.it.n + self.it.m, self.it.k)

    def _layers(self):
        """A view of the stack [W1; W2.T]."""
        return self._stack(self.it.W1)

    @property
    def W1(self):
        """The first layer (n, k), as a new array."""
        return self._layers()[:self.it.n].copy()

    @property
    def W2(self):
        """The second layer (k, m), as a new array."""
        return self._layers()[self.it.n:].T.copy()

    @property
    def t(self):
        """How many steps have been taken."""
        return int(self.it.memory.t)

    @property
    def first_gap(self):
        """The gap at t = 0."""
        self._start()
        return self.it.memory.gap_0

    @property
    def first_grad_norm(self):
        """The norm of the gradient of both layers at t = 0."""
        self._start()
        return self.it.memory.grad_0

    @property
    def gap_above(self):
        """An upper bound on the gap here, rounding included; NaN if no lower bound of l* is known, infinite if anything
        is beyond float64."""
        self._start()
        return gap_above(&self.it) if self._finite() else float("inf")

    @property
    def gap_error(self):
        """What the gap here may be off by beyond rounding of W1 W2: l* is uncertain, and so may be the loss."""
        return self.it.gap_error + self.it.rounding

    @property
    def failure(self):
        """The decrease that the descent lemma promised and the one measured, where it failed."""
        return self.promised, self.measured

    @property
    def memory(self):
        """What is remembered beside the layers, as a new array of doubles."""
        return self._block[:self._remembered].copy()

    @memory.setter
    def memory(self, saved):
        self._block[:self._remembered] = saved
        self.evaluated = False

    def state(self):
        """All that a run carries from step to step, as a new array of doubles: the memory, the layers, and between them
        the gradients of one step ago if its rule looks at them."""
        previous = [self._stack(self.it.g_old).ravel()] if self.rule.needs_previous else []
        return np.concatenate([self.memory, *previous, self._layers().ravel()])

    def restore(self, saved, *, same_rule=True):
        """Go on from the `state()` of a descent on the same loss; another rule than its own begins with no memory."""
        cdef Py_ssize_t layers = self._layers().size, kept = self._remembered
        expected = kept + layers + (layers if self.rule.needs_previous and same_rule else 0)
        if saved.ndim != 1 or saved.size < expected or (same_rule and saved.size != expected):
            raise ValueError(f"state: expected {expected} numbers, got an array of shape {saved.shape}")
        self.memory = saved[:kept]
        self._layers()[:] = saved[saved.size - layers:].reshape(self._layers().shape)
        if not same_rule:
            memset(self.it.memory.rule, 0, sizeof(self.it.memory.rule))
        elif self.rule.needs_previous:
            self._stack(self.it.g_old)[:] = saved[kept:kept + layers].reshape(self._layers().shape)

    @property
    def counters(self):
        """How much work was done, and how often the brackets were narrow."""
        cdef Memory* memory = self.it.memory
        return {name: int(value) for name, value in (
            ("loss_evaluations", memory.evaluations), ("gradient_evaluations", memory.gradients),
            ("eigenproblems", memory.eigenproblems), ("backtracks", memory.backtracks),
            ("renewals", memory.renewals), ("redone", memory.redone), ("narrow", memory.narrow))}

    @property
    def search_failure(self):
        """Why the rule found no step, in two or three words; None if it did."""
        return FAILURES[self.it.failure]

    @property
    def checks(self):
        """The inequalities checked at every step: a dict of counts and smallest slacks for each."""
        cdef Memory* memory = self.it.memory
        found = {}
        for name, check in zip(CHECKS, (memory.pl, memory.descent, memory.rate, memory.drift, memory.bound)):
            found[name] = {key: (value if key == "smallest" else int(value)) for key, value in check.items()}
            if check["steps"] == check["uninformative"]:
                found[name]["smallest"] = found[name]["smallest_at"] = None
        return found

    def local(self):
        """Everything known at the current iterate, as a dict; brackets as (lo, hi), as narrow as can be."""
        self._start(wanted=0.0)
        cdef Iterate* it = &self.it
        return {
            "loss": it.loss, "gap": it.gap, "gap_above": gap_above(it), "floor": it.floor,
            "grad_norm": sqrt(it.grad_sq), "G_norm": it.G_norm,
            "sigma_min_sq": (it.sigma_min_sq.lo, it.sigma_min_sq.hi),
            "sigma_max_sq": (it.sigma_max_sq.lo, it.sigma_max_sq.hi),
            "sigma_max_W": (it.sigma_max_W.lo, it.sigma_max_W.hi),
            "G_max": (it.G_max.lo, it.G_max.hi),
            "nu": (it.nu.lo, it.nu.hi),
        }

    def _start(self, double wanted=EXACT_WIDTH):
        """Evaluate the first iterate, its s_min^2 to the relative width `wanted`, or the one a continuation starts at.
        """
        cdef bint fresh
        if self.evaluated:
            return
        with nogil:
            self.it.W1_norm = sqrt(square_sum(<Py_ssize_t> self.it.n * self.it.k, self.it.W1))
            self.it.W2_norm = sqrt(square_sum(<Py_ssize_t> self.it.m * self.it.k, self.it.W2t))
            self._evaluate()
            self._gradients()
            fresh = self.it.memory.evaluations == 0
            if fresh:
                # a continuation's evaluation has been counted when its iterate was reached
                self._count_evaluation()
            if not self._finite():
                # nothing can be said here, and zeros would say something
                self.it.sigma_min_sq.lo = self.it.sigma_min_sq.hi = NAN
                self.it.sigma_max_sq = self.it.sigma_max_W = self.it.G_max = self.it.nu = self.it.sigma_min_sq
                self.it.memory.gap_0 = self.it.memory.gap_bound = NAN
            else:
                if self.it.memory.t == 0:
                    self.it.memory.gap_0 = self.it.memory.gap_bound = self.it.gap
                    self.it.memory.grad_0 = sqrt(self.it.grad_sq)
                if fresh and wanted < EXACT_WIDTH:
                    self.spectral.start(&self.it, wanted, self.scratch)
                elif fresh:
                    self.spectral.begin(&self.it, self.scratch)
                else:
                    # renewing here would make a continuation's numbers depend on where it began
                    self.spectral.publish(&self.it)
                self._allow_underflow()
        self.evaluated = True
        self._raise_error()

    def _raise_error(self):
        """Raise what a Python part has raised inside the loop."""
        for part in (self.loss, self.rule):
            error = part.take_error()
            if error is not None:
                raise error

    def advance(self, double[:, ::1] rows, *, Py_ssize_t every=1, max_iter=1000, double tol=1e-10,
                double grad_tol=-1.0, double max_growth=INFINITY, double budget=0.1):
        """Take steps until a verdict, `max_iter` steps in all, `rows` full, or `budget` seconds.

        Converged is a gap of at most `tol` times the first, or a gradient of at most `grad_tol` times the first;
        diverged is a gap of more than `max_growth` times the first. A row is written for each step whose number divides
        by `every`, and counted in `filled`.

        Returns
        -------
        str
            `"running"` if a further call would go on, else why it stopped.

        Raises
        ------
        BaseException
            Whatever a loss or a rule written in Python raised; layers and rows are those of the steps before.
        """
        cdef double limit = max_iter
        cdef int outcome
        if rows.shape[1] != COLUMN_COUNT or rows.shape[0] < 1:
            raise ValueError(f"rows: expected at least one row of {COLUMN_COUNT} columns")
        self._start()
        with nogil:
            outcome = self._run(&rows[0, 0], rows.shape[0], every, limit, tol, grad_tol, max_growth, budget)
        self._raise_error()
        return OUTCOMES[outcome]

    def last_row(self):
        """The history's row of the current iterate: the step columns are NaN."""
        self._start()
        self._look(self.row)
        return np.array(<double[:COLUMN_COUNT]> <double*> self.row)

    cdef void _evaluate(self) noexcept nogil:
        """W, the loss and G at the layers, whose norms are known, and what follows from them."""
        cdef Iterate* it = &self.it
        cdef Value value
        cdef Py_ssize_t nk = <Py_ssize_t> it.n * it.k, mk = <Py_ssize_t> it.m * it.k
        cdef Py_ssize_t nm = <Py_ssize_t> it.n * it.m
        # W = W1 @ W2
        matmul_nt(it.n, it.k, it.m, it.W1, it.W2t, it.W)
        forget(&value)
        self.loss.evaluate(it.W, &value, it.G, self.scratch)
        if value.W_sq != value.W_sq or value.G_sq != value.G_sq:
            value.W_sq, value.G_sq = square_sum(nm, it.W), square_sum(nm, it.G)
        it.W_norm = sqrt(value.W_sq)
        it.loss, it.gap, it.gap_error = value.loss, value.gap, value.gap_error
        # products that underflow are off by LEAST beside, and norms by LEAST_NORM an entry
        it.rounding, it.gradient_error = value.rounding, value.gradient_error + nm * LEAST
        # |fl(W1 W2) - W1 W2| <= gamma_k |W1| |W2|
        it.eps_W = (it.k * U / (1.0 - it.k * U) * (it.W1_norm + self.lost.W1) * (it.W2_norm + self.lost.W2)
                    * (1.0 + (nk + mk + 16) * U) + self.lost.product)
        it.floor = it.K * it.eps_W * it.eps_W
        it.G_error = it.gradient_error + it.K * it.eps_W
        it.G_norm = (sqrt(value.G_sq) + self.lost.G) * (1.0 + (<double> nm + 10) * U) + it.G_error

    cdef void _gradients(self) noexcept nogil:
        """The gradients in both layers and their norms, from G."""
        cdef Iterate* it = &self.it
        cdef Py_ssize_t nk = <Py_ssize_t> it.n * it.k, mk = <Py_ssize_t> it.m * it.k
        cdef double first, second
        # g1 = G @ W2.T
        matmul_nn(it.n, it.m, it.k, it.G, it.W2t, it.g1)
        # g2.T = G.T @ W1
        matmul_tn(it.m, it.n, it.k, it.G, it.W1, it.g2t)
        first = square_sum(nk, it.g1)
        second = square_sum(mk, it.g2t)
        it.grad_sq = first + second
        # the layers may move by what their squares have lost to underflow
        it.g1_norm, it.g2_norm = sqrt(first) + self.lost.W1, sqrt(second) + self.lost.W2

    cdef void _allow_underflow(self) noexcept nogil:
        """Widen brackets of squares by what underflow may have taken from them; at any other size, no bit changes."""
        cdef Iterate* it = &self.it
        cdef Bracket* one = &it.memory.layer1.max_sq.now
        cdef Bracket* two = &it.memory.layer2.max_sq.now
        if one.hi < FAINT or two.hi < FAINT:
            # by these the next step is bounded, too; they are remembered, and a continuation publishes them
            one.hi, two.hi = fmax(one.hi, FAINT), fmax(two.hi, FAINT)
            self.spectral.publish(it)
        it.sigma_min_sq.lo = fmax(0.0, it.sigma_min_sq.lo - self.lost.squares)
        it.nu.lo = fmax(0.0, it.nu.lo - self.lost.kernel)
        it.nu.hi += self.lost.kernel
        if it.W_norm * it.W_norm < TINY:
            it.sigma_max_W.hi = fmax(it.sigma_max_W.hi, greatest_product(&it.memory.layer1, &it.memory.layer2))

    cdef void _count_evaluation(self) noexcept nogil:
        self.it.memory.evaluations += 1
        self.it.memory.gradients += 1

    cdef bint _finite(self) noexcept nogil:
        cdef Iterate* it = &self.it
        # with an upper bound on the norm of the gradients, which may not be there yet
        cdef double bound = it.G_norm * (it.W1_norm + it.W2_norm)
        return isfinite(it.loss) and isfinite(it.floor) and isfinite(bound * bound)

    cdef void _look(self, Row* row) noexcept nogil:
        """Write the iterate's part of its row, and NaN for the step's."""
        cdef Iterate* it = &self.it
        cdef Memory* memory = it.memory
        cdef double mu_t = fmax(0.0, it.mu * it.sigma_min_sq.lo * (1.0 - 4.0 * U) - LEAST)
        row.iteration = memory.t
        row.loss = it.loss
        row.gap = it.gap
        row.gap_bound = memory.gap_bound
        row.grad_norm = sqrt(it.grad_sq)
        row.mu_t = mu_t
        row.sigma_min_sq = it.sigma_min_sq.lo
        row.sigma_max_sq = it.sigma_max_sq.hi
        row.sigma_max_W = it.sigma_max_W.hi
        row.floor = fmax(it.floor, it.rounding + (it.gap_error if it.gap == it.gap else 0.0))
        row.nu_lo = it.nu.lo
        row.nu_hi = it.nu.hi
        row.drift = memory.drifted
        row.loss_evaluations = memory.evaluations
        row.gradient_evaluations = memory.gradients
        row.eigenproblems = memory.eigenproblems
        row.backtracks = memory.backtracks
        row.rounding = memory.rounded
        row.bracket_width = widest(it)
        row.time = memory.seconds
        # ||grad L||^2 / 2 >= mu_t gap, as a part of the left side
        row.slack_pl = 1.0 - mu_t * it.gap / (0.5 * it.grad_sq) if it.grad_sq > 0.0 else NAN
        row.rate_bound = row.step_size = row.K_t = row.K_t_sharp = NAN
        row.slack_descent = row.slack_rate = row.slack_drift = NAN

    cdef void _undo(self, Iterate* old, Memory* before) noexcept nogil:
        """Go back one step. All but the gradients, which the new layers have been written over, is still there: the
        loss, which may be Python that has failed, is not asked again.
        """
        cdef double evaluations = self.it.memory.evaluations, gradients = self.it.memory.gradients
        if self.rule.needs_previous:
            self.spare = self.it.W1
        self.it = old[0]
        self.it.memory[0] = before[0]
        # what was done was done
        self.it.memory.evaluations, self.it.memory.gradients = evaluations, gradients
        self._gradients()

    cdef int _step(self, Row* row, bint redo) noexcept nogil:
        """Choose and take a step, check it, fill the step's part of the row.

        A step that overflows, and a first one that fails the descent lemma, is taken back.
        """
        cdef Iterate* it = &self.it
        cdef Memory* memory = it.memory
        cdef Iterate old
        cdef Memory before
        cdef Motion motion
        cdef Py_ssize_t nk = <Py_ssize_t> it.n * it.k, mk = <Py_ssize_t> it.m * it.k, nm = <Py_ssize_t> it.n * it.m
        cdef double* to = self.spare if self.rule.needs_previous else it.g1
        cdef double eta, K_t, K_t_sharp, K_best, contraction, fall, terms, promised, first_order, uncertain, allowance
        cdef double d1, d2, r1, r2
        cdef double share = ALLOWANCE * (it.n + it.m) * U
        cdef bint known = it.gap == it.gap, failed
        if redo:
            memory.redone += 1
            self.spectral.start(it, EXACT_WIDTH, self.scratch)
            self._allow_underflow()
            self._look(row)
        old = it[0]
        before = memory[0]

        if self.rule.needs_tau:
            # tau = g1 @ W2 + W1 @ g2
            matmul_nt(it.n, it.k, it.m, it.g1, it.W2t, it.tau)
            add_matmul_nt(it.n, it.k, it.m, it.W1, it.g2t, it.tau)
        if self.rule.needs_B:
            # B = g1 @ g2
            matmul_nt(it.n, it.k, it.m, it.g1, it.g2t, it.B)
        it.eta, it.failure = NAN, NO_FAILURE
        if self.rule.asks:
            self.rule.ask(it)
        else:
            self.rule.choose(it, self.loss, self.scratch)
        eta = it.eta
        if not 0.0 < eta < INFINITY:
            # the step may be tried again: what its rule has remembered of it is forgotten
            memory.rule = before.rule
            return STALLED
        K_t = local_smoothness(it.K, it.sigma_max_sq.hi, it.sigma_max_W.hi, gap_above(it), eta)
        K_t_sharp = sharp_smoothness(it.K, it.sigma_max_sq.hi, it.sigma_max_W.hi, it.G_max.hi, it.G_norm, eta)
        # fmin passes over a NaN: K_t is one where l* is unknown
        K_best = fmin(K_t, K_t_sharp)

        self.spectral.drift(it)
        # Z = Z - eta * [g1; g2.T]
        it.W1_norm = sqrt(move(nk, it.W1, eta, it.g1, to))
        it.W2_norm = sqrt(move(mk, it.W2t, eta, it.g2t, to + nk))
        if self.rule.needs_previous:
            it.g_old, self.spare = it.g1, it.g_old
        # the old layers stay until the step has been checked; then their place is that of the new gradients
        self._point(to, it.W1)
        it.W, it.W_old, it.G, it.G_old = it.W_old, it.W, it.G_old, it.G
        self._evaluate()
        self._count_evaluation()
        if not self._finite():
            self._undo(&old, &before)
            return OVERFLOWED

        first_order = eta * old.grad_sq
        promised = first_order * (1.0 - 0.5 * eta * K_best)
        measure_motion(nm, it.W_old, it.W, it.G_old, it.weights, &motion)
        if self.by_motion:
            fall, terms = -motion.slope - 0.5 * motion.forms, motion.absolute + 0.5 * motion.forms
        elif known:
            fall = self.loss.decrease(it.W_old, it.W, old.gap, it.gap, &terms)
        else:
            fall = self.loss.decrease(it.W_old, it.W, old.loss, it.loss, &terms)
        # rounding at both ends of the step; a wrong l* would be wrong at both
        uncertain = gap_tolerance(&old) + gap_tolerance(it)
        # the computed gradients are d1, d2 away from those of the stored layers; the step itself rounds: r1, r2
        d1 = ((it.m + 4) * U * old.G_norm + old.G_error) * (old.W2_norm + self.lost.W2) + self.lost.g
        d2 = ((it.n + 4) * U * old.G_norm + old.G_error) * (old.W1_norm + self.lost.W1) + self.lost.g
        r1 = eta * d1 + U * (old.W1_norm + 2.0 * eta * old.g1_norm) + self.lost.step1
        r2 = eta * d2 + U * (old.W2_norm + 2.0 * eta * old.g2_norm) + self.lost.step2
        uncertain += 1.01 * (it.G_norm * (r1 * (it.W2_norm + self.lost.W2) + r2 * (it.W1_norm + self.lost.W1) + r1 * r2)
                             + 2.0 * eta * (old.g1_norm * d1 + old.g2_norm * d2))
        allowance = uncertain + share * (terms + first_order * (1.0 + 0.5 * eta * K_best))
        if not redo and not fall - promised >= -allowance:
            self._undo(&old, &before)
            return REDO
        contraction = guaranteed_contraction(&old, it, &motion, K_best)
        # the rate is that of the true gap, whether l* is known or not
        row.step_size, row.K_t, row.K_t_sharp, row.rate_bound = eta, K_t, K_t_sharp, 1.0 - contraction
        row.slack_descent = (fall - promised) / first_order
        row.slack_drift = 2.0 * fall / first_order - 1.0
        row.slack_rate = fall / old.gap - contraction
        failed = note(&memory.descent, memory.t, row.slack_descent, fall - promised, promised, allowance)
        if failed:
            self.promised, self.measured = promised, fall
        note(&memory.drift, memory.t, row.slack_drift, 2.0 * fall - first_order, first_order, 2.0 * allowance)
        memory.gap_bound *= row.rate_bound
        if known:
            allowance = (uncertain + fabs(contraction) * (gap_tolerance(&old) + old.gap_error)
                         + share * (terms + fabs(contraction) * old.gap) + LEAST * fmax(old.gap, 1.0))
            note(&memory.rate, memory.t, row.slack_rate, fall - contraction * old.gap, contraction * old.gap, allowance)
            # no bound is an infinite one: comparisons with NaN would be passed
            memory.rounded += allowance if allowance == allowance else INFINITY
            memory.bound_error = row.rate_bound * memory.bound_error + allowance + 4.0 * U * memory.gap_bound
            if memory.bound_error != memory.bound_error:
                memory.bound_error = INFINITY       # a rate beyond float64, of no error
            note(&memory.bound, memory.t + 1, 1.0 - it.gap / memory.gap_bound, memory.gap_bound - it.gap,
                 memory.gap_bound, memory.bound_error)
        memory.drifted = (memory.drifted + eta * first_order) * (1.0 + 8.0 * U)
        memory.eta = eta
        memory.t += 1
        self._gradients()
        self.spectral.measure(it, &motion, self.scratch)
        self._allow_underflow()
        return GUARANTEE_FAILED if failed else RUNNING

    cdef bint _at_rest(self) noexcept nogil:
        """Whether G is 0 in every entry: then a gap of 0 has not underflowed."""
        cdef Py_ssize_t i
        for i in range(<Py_ssize_t> self.it.n * self.it.m):
            if self.it.G[i] != 0.0:
                return False
        return True

    cdef int _verdict(self, double max_iter, double tol, double grad_tol, double max_growth) noexcept nogil:
        """Whether to go on from the current iterate, and if not, why."""
        cdef Iterate* it = &self.it
        cdef Memory* memory = it.memory
        cdef double unsure, lost
        if not self._finite():
            return OVERFLOWED
        # rounding and an uncertain l* may hide as much; neither may pass for convergence
        unsure, lost = it.gap_error + it.rounding, it.lost
        if it.gap < -unsure - lost - 8.0 * (it.n + it.m) * U * fabs(it.loss):
            return GUARANTEE_FAILED     # below the minimum
        if it.gap + unsure + lost <= tol * memory.gap_0 or (it.gap + unsure == 0.0 and self._at_rest()):
            return CONVERGED
        # a gradient that is 0 from the start, or where the gap is known not to be, is a saddle's
        if (grad_tol > 0.0 and sqrt(it.grad_sq) <= grad_tol * memory.grad_0 and memory.grad_0 > 0.0
                and (it.grad_sq > 0.0 or it.gap != it.gap)):
            return CONVERGED
        if it.gap <= fmax(it.floor, unsure + lost):
            return FLOOR_REACHED
        if it.gap > max_growth * memory.gap_0:
            return DIVERGED
        if it.grad_sq == 0.0:
            # where l* is not known, this may be it
            return SADDLE if it.gap == it.gap else STALLED
        if it.grad_sq < UNDERFLOWN:
            return STALLED
        # the next step would not move the layers beyond their rounding
        if memory.eta > 0.0 and memory.eta * sqrt(it.grad_sq) <= 0.5 * U * (it.W1_norm + it.W2_norm):
            return STALLED
        return MAX_ITER if memory.t >= max_iter else RUNNING

    cdef int _run(self, double* rows, Py_ssize_t capacity, Py_ssize_t every, double max_iter, double tol,
                  double grad_tol, double max_growth, double budget) noexcept nogil:
        cdef Iterate* it = &self.it
        cdef Memory* memory = it.memory
        cdef double started = seconds(), spent_before = memory.seconds
        cdef Row* row = self.row
        cdef double share = ALLOWANCE * (it.n + it.m) * U, P, mu_gap, off
        cdef bint pl_known
        cdef Py_ssize_t filled_before = self.filled
        cdef int outcome
        while True:
            outcome = self._verdict(max_iter, tol, grad_tol, max_growth)
            if outcome != RUNNING or self.filled - filled_before == capacity or memory.seconds - spent_before > budget:
                break
            self._look(row)
            pl_known = it.gap == it.gap
            # true of the computed W, whatever its rounding, for every G; but g1 and g2 are sums that round
            P, mu_gap = 0.5 * it.grad_sq, row.mu_t * it.gap
            off = U * it.G_norm * ((it.m + 4) * it.g1_norm * it.W2_norm + (it.n + 4) * it.g2_norm * it.W1_norm)
            # and G itself may be off: ||T(G)||^2 / 2 is at least s_min(T)^2 (||grad l|| - gradient_error)^2 / 2
            off += it.sigma_min_sq.lo * it.G_norm * it.gradient_error
            off += share * (P + mu_gap) + row.mu_t * (it.gap_error + it.rounding)
            outcome = self._step(row, False)
            if outcome == REDO:
                outcome = self._step(row, True)
            if outcome != RUNNING and outcome != GUARANTEE_FAILED:
                break
            if pl_known:
                note(&memory.pl, row.iteration, row.slack_pl, P - mu_gap, mu_gap, off)
            memory.seconds = spent_before + (seconds() - started)
            if <Py_ssize_t> row.iteration % every == 0 or outcome == GUARANTEE_FAILED:
                (<Row*> rows)[self.filled - filled_before] = row[0]
                self.filled += 1
            if outcome == GUARANTEE_FAILED:
                break
        return outcome
