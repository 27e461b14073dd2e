"""The loop: evaluate, bracket, choose, step, check; no GIL, nothing allocated.

One step, from the iterate at t to the one at t + 1. On the right, what a hook writes: `it` is the Iterate, `memory`
what is remembered beside the layers, `step` what the hooks of one step hand on, `row` the row of the history.

      Iterate at t
          |
      stopping_status       nothing                                     --> a status ends the loop
      fill_iterate_row      row: what belongs to the iterate
          |
    .-->  _prepare_ray      it.tau, it.B, for rules that ask; it.own, when the rule asks the loss about the ray
    |     _choose           it.eta, memory.rule; step.eta, .K_t, ...    --> no step size: STALLED
    |     spectral.drift    memory: brackets, widened by what the step will move
    |     _move             it.W1, .W2t = Z - eta [g1; g2.T]; W and W_old, G and G_old, here and here_old change places
    |     _carry            it.here, for losses that keep something of an iterate and rules that look along the ray
    |     evaluate          it.W, .G, .loss, .gap, their rounding       --> not finite: _undo, OVERFLOWED
    |     _judge            step: the decrease promised and measured, what rounding may explain
    |         |
    |         |  the first time the descent lemma fails, the brackets may have been too wide for the rule or too
    '---------+  narrow for the truth: _undo, _renew_brackets (exact singular values), and once more
              |
          _fill_step_row    row: what belongs to the step
          _count_checks     memory.descent, .drift, .rate
          _advance_memory   memory.gap_bound and its error, .bound, .imbalance_drift, .eta, .t
          layer_gradients   it.g1, .g2t and their norms
          _refresh_brackets memory: brackets, widened or computed anew; it.sigma_min_sq, ... .nu
          |
      Iterate at t + 1, or GUARANTEE_FAILED if exact singular values did not help

State is `memory`, the layers, for some rules the gradients of one step ago, and what the loss carries along for those
that look along the ray: `State.state()`. All else in `it` is
computed from it; `row` and `scratch` hold nothing between steps.

A step is taken back by copying `it` and `memory` as they were, which `step` keeps. The arrays that they point at are
still there, since a step writes over the gradients alone: these are computed again, from the old G. The loss, which may
be a Python function that has failed, is not called. Only the counts of evaluations stay: the work has been done.

No number depends on where a call of `advance` ends. It ends between steps only; what it lacks when it goes on, `_start`
computes by the same code from the same bits. Brackets are not among that: computed anew they would be narrower than
those of a run that was never stopped, so they are published as they are remembered. The clock decides when a call ends,
and nothing else.

Every allowance for rounding: docs/theory.md, section 7.

Above 350 lines for this page: the loop is read from top to bottom, and the order of its hooks is the algorithm.
"""

from libc.math cimport INFINITY, NAN, fabs, sqrt

from ..validation import as_count, as_double, as_output
from ..iterate cimport NO_FAILURE, Iterate, Memory, gap_above, gap_tolerance
from ..linalg.blas cimport add_matmul_nt, matmul_nt
from ..linalg.extremes cimport fmax, fmin
from ..linalg.passes cimport Motion, copy, measure_motion, move, square_sum
from ..linalg.rounding cimport LEAST, U
from ..linalg.team cimport dismiss, gather
from ..losses.loss cimport Ray
from ..rules.formulas cimport local_smoothness_at, sharp_smoothness_at
from ..rules.ray cimport begin
from ..spectral.spectral cimport EXACT_WIDTH
from .checks cimport Inequality, count_check, pl_inequality, share, step_rounding
from ..clock cimport seconds
from .contraction cimport bound_above, decrease_by_motion, guaranteed_contraction, measured_smoothness, rate_above
from .evaluation cimport allow_underflow, count_evaluation, evaluate, layer_gradients, ray_slack
from .history cimport Row, checked_pl, column_count, fill_iterate_row
from .state cimport State, set_stacks
from .stopping cimport GUARANTEE_FAILED, OVERFLOWED, REDO, RUNNING, STALLED, Limits, finite, stopping_status

# What a loss carries along is found anew at every so-many-th iterate.
cdef enum:
    ANEW = 16

# in the order of their names in stopping.pxd
OUTCOMES = ("running", "converged", "max_iter", "floor", "saddle", "diverged", "overflow", "stalled",
            "guarantee_failed")


cdef class Descent(State):
    """Gradient descent on `l(W1 W2)`, with everything that is known along the way: a pure continuation.

    No number depends on where one call of `advance` ends and the next begins. Made from a loss, a rule, a spectral
    part and the stack of the layers, as `State` says.
    """

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
        return gap_above(&self.it) if finite(&self.it) else float("inf")

    @property
    def gap_error(self):
        """What the gap here may be off by beyond rounding of W1 W2: l* is uncertain, and so may be the loss."""
        return self.it.gap_error + self.it.rounding

    @property
    def failure(self):
        """The decrease that the descent lemma promised and the one measured, where it failed."""
        return self.promised, self.measured

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
        cdef void* team
        if self.evaluated:
            return
        self._refuse_if_busy()
        self.busy = True
        with nogil:
            team = gather(self.n_threads)
            self._evaluate_start(wanted)
            dismiss(team)
        self.busy = False
        self.evaluated = True
        self._raise_error()

    cdef void _evaluate_start(self, double wanted) noexcept nogil:
        cdef Iterate* it = &self.it
        cdef Memory* memory = it.memory
        cdef bint fresh = memory.evaluations == 0
        it.W1_norm = sqrt(square_sum(<Py_ssize_t> it.n * it.k, it.W1))
        it.W2_norm = sqrt(square_sum(<Py_ssize_t> it.m * it.k, it.W2t))
        # what has been carried here, if anything has, was saved with the layers
        evaluate(it, self.loss, &self.lost, self.carried > 0 and it.here[0] == it.here[0], self.scratch)
        layer_gradients(it, &self.lost)
        if fresh:
            # a continuation's evaluation has been counted when its iterate was reached
            count_evaluation(it)
        if not finite(it):
            # not finite: NaN, since 0 would read as a valid bound
            it.sigma_min_sq.lo = it.sigma_min_sq.hi = NAN
            it.sigma_max_sq = it.sigma_max_W = it.G_max = it.nu = it.sigma_min_sq
            it.nu_hi_from_below = memory.gap_0 = memory.gap_bound = NAN
            return
        if memory.t == 0:
            memory.gap_0 = memory.gap_bound = it.gap
            memory.grad_0 = sqrt(it.grad_sq)
        if fresh and wanted < EXACT_WIDTH:
            self.spectral.start(it, wanted, self.scratch)
        elif fresh:
            self.spectral.begin(it, self.scratch)
        else:
            # renewing here would make a continuation's numbers depend on where it began
            self.spectral.publish(it)
        allow_underflow(it, self.spectral, &self.lost)

    def _raise_error(self):
        """Raise what a Python part has raised inside the loop."""
        for part in (self.loss, self.rule):
            error = part.take_error()
            if error is not None:
                raise error

    def advance(self, rows, *, every=1, max_iter=1000, tol=1e-10, grad_tol=-1.0, max_growth=INFINITY,
                budget=INFINITY):
        """Take steps until a verdict, `max_iter` steps in all, `rows` full, or `budget` seconds.

        Converged is a gap of at most `tol` times the first, or a gradient of at most `grad_tol` times the first;
        diverged is a gap of more than `max_growth` times the first. A row is written for each step whose number divides
        by `every`, and counted in `filled`. Signals wait until the call is over: `train` makes many short ones.

        Returns
        -------
        str
            `"running"` if a further call would go on, else why it stopped.

        Raises
        ------
        TypeError, ValueError
            If `rows` is no contiguous float64 array of so many columns that can be written to; if `every` is below 1.
        RuntimeError
            If another call is under way.
        BaseException
            Whatever a loss or a rule written in Python raised; layers and rows are those of the steps before.
        """
        cdef Limits limits = Limits(max_iter=as_double("max_iter", max_iter), tol=as_double("tol", tol),
                                    grad_tol=as_double("grad_tol", grad_tol),
                                    max_growth=as_double("max_growth", max_growth))
        cdef Py_ssize_t one_in = as_count("every", every)
        cdef double seconds_at_most = as_double("budget", budget)
        cdef int outcome
        cdef void* team
        rows = as_output("rows", rows, 2)
        if rows.shape[1] != column_count() or rows.shape[0] < 1 or not rows.flags.c_contiguous:
            raise ValueError(f"rows: expected at least one row of {column_count()} columns, contiguous, "
                             f"got shape {rows.shape}")
        cdef double[:, ::1] filled = rows
        self._start()
        self._refuse_if_busy()
        self.busy = True
        with nogil:
            team = gather(self.n_threads)
            outcome = self._run(&filled[0, 0], filled.shape[0], one_in, &limits, seconds_at_most)
            dismiss(team)
        self.busy = False
        self._raise_error()
        return OUTCOMES[outcome]

    def last_row(self):
        """The history's row of the current iterate: the step columns are NaN."""
        self._start()
        fill_iterate_row(self.row, &self.it)
        cdef Py_ssize_t at = <double*> self.row - <double*> self.it.memory
        return self._block[at:at + column_count()].copy()

    cdef int _step(self, Row* row, bint redo) noexcept nogil:
        """Choose and take a step, check it, fill the step's part of the row.

        A step that overflows, and a first one that fails the descent lemma, is taken back.
        """
        cdef Iterate* it = &self.it
        cdef Step step
        cdef bint failed
        if redo:
            self._renew_brackets(row)
        copy(sizeof(Iterate) // sizeof(double), <double*> it, <double*> &step.old)
        copy(sizeof(Memory) // sizeof(double), <double*> it.memory, <double*> &step.before)
        step.gap_known = it.gap == it.gap
        self._prepare_ray()
        if not self._choose(&step):
            return STALLED
        self.spectral.drift(it)
        self._move(step.eta)
        evaluate(it, self.loss, &self.lost, self._carry(&step), self.scratch)
        count_evaluation(it)
        if not finite(it):
            self._undo(&step)
            return OVERFLOWED
        self._judge(&step)
        if not redo and not step.decrease - step.promised >= -step.allowance:
            self._undo(&step)
            return REDO
        self._fill_step_row(&step, row)
        failed = self._count_checks(&step, row)
        self._advance_memory(&step, row)
        layer_gradients(it, &self.lost)
        self._refresh_brackets(&step)
        return GUARANTEE_FAILED if failed else RUNNING

    cdef void _renew_brackets(self, Row* row) noexcept nogil:
        """Before a step is redone: exact singular values, and a row that shows them."""
        self.it.memory.redone += 1
        self.spectral.start(&self.it, EXACT_WIDTH, self.scratch)
        allow_underflow(&self.it, self.spectral, &self.lost)
        fill_iterate_row(row, &self.it)

    cdef void _prepare_ray(self) noexcept nogil:
        """tau and B of the ray W - eta tau + eta^2 B, for the rules that ask for them."""
        cdef Iterate* it = &self.it
        if self.rule.needs_tau or self.looks:
            # tau = g1 @ W2 + W1 @ g2
            matmul_nt(it.n, it.k, it.m, it.g1, it.W2t, it.tau)
            add_matmul_nt(it.n, it.k, it.m, it.W1, it.g2t, it.tau)
        if self.rule.needs_B or self.looks:
            # B = g1 @ g2
            matmul_nt(it.n, it.k, it.m, it.g1, it.g2t, it.B)
        if it.own != NULL:
            it.own[0] = NAN     # nobody has looked along it yet

    cdef bint _choose(self, Step* step) noexcept nogil:
        """Ask the rule for a step size, and work out the smoothness constants of a step of this size; return whether
        there is one."""
        cdef Iterate* it = &self.it
        it.eta, it.failure = NAN, NO_FAILURE
        if self.rule.asks:
            self.rule.ask(it)
        else:
            self.rule.choose(it, self.loss, self.scratch)
        if not 0.0 < it.eta < INFINITY:
            # the step may be tried again: what its rule has remembered of it is forgotten
            it.memory.rule = step.before.rule
            return False
        step.eta = it.eta
        step.K_t = local_smoothness_at(it, it.eta)
        step.K_t_sharp = sharp_smoothness_at(it, it.eta)
        # fmin passes over a NaN: K_t is one where l* is unknown
        step.K_best = self._promise(step.eta) if it.K_is_local else fmin(step.K_t, step.K_t_sharp)
        return True

    cdef double _promise(self, double eta) noexcept nogil:
        """The K of a step that the loss promises to fall along, with which the descent lemma says the same."""
        cdef Iterate* it = &self.it
        cdef Ray ray
        begin(it, self.loss, self.scratch, &ray)
        return measured_smoothness(-self.loss.upper(&ray, eta, self.scratch), eta * it.grad_sq, eta)

    cdef void _move(self, double eta) noexcept nogil:
        """Z = Z - eta [g1; g2.T], written over the gradients, or to the spare stack if the rule looks back at them.

        The old layers stay until the step has been judged; then their place is that of the new gradients.
        """
        cdef Iterate* it = &self.it
        cdef Py_ssize_t nk = <Py_ssize_t> it.n * it.k, mk = <Py_ssize_t> it.m * it.k
        cdef double* to = self.spare if self.rule.needs_previous else it.g1
        it.W1_norm = sqrt(move(nk, it.W1, eta, it.g1, to))
        it.W2_norm = sqrt(move(mk, it.W2t, eta, it.g2t, to + nk))
        if self.rule.needs_previous:
            it.g_old, self.spare = it.g1, it.g_old
        set_stacks(it, to, it.W1)
        it.W, it.W_old, it.G, it.G_old = it.W_old, it.W, it.G_old, it.G
        it.here, it.here_old = it.here_old, it.here

    cdef bint _carry(self, Step* step) noexcept nogil:
        """Take along what the loss keeps of the iterate, by sums; return whether it was taken along.

        At iterations that are fixed beforehand it is found anew, so that what rounding does to it stays small.
        """
        cdef Iterate* it = &self.it
        if not self.carried or (<Py_ssize_t> it.memory.t + 1) % ANEW == 0:
            return False
        return self.loss.carry(it.own, step.eta, ray_slack(&step.old, it, &self.lost, step.eta), it.here_old, it.here)

    cdef void _undo(self, Step* step) noexcept nogil:
        """Go back one step. All but the gradients, which the new layers have been written over, is still there: the
        loss, which may be Python that has failed, is not asked again.
        """
        cdef double evaluations = self.it.memory.evaluations, gradients = self.it.memory.gradients
        if self.rule.needs_previous:
            self.spare = self.it.W1
        self.it = step.old
        self.it.memory[0] = step.before
        # the work is counted though its outcome is dropped
        self.it.memory.evaluations, self.it.memory.gradients = evaluations, gradients
        layer_gradients(&self.it, &self.lost)

    cdef void _judge(self, Step* step) noexcept nogil:
        """What the descent lemma promised, what the loss fell by, how far rounding may have put the two apart, and the
        smoothness constant that follows from the decrease."""
        cdef Iterate* it = &self.it
        cdef Motion* motion = &step.motion
        step.first_order = step.eta * step.old.grad_sq
        step.promised = step.first_order * (1.0 - 0.5 * step.eta * step.K_best)
        measure_motion(<Py_ssize_t> it.n * it.m, it.W_old, it.W, it.G_old, it.weights, motion)
        if self.by_motion:
            step.decrease, step.terms = -motion.slope - 0.5 * motion.forms, motion.absolute + 0.5 * motion.forms
        elif step.gap_known:
            step.decrease = self.loss.decrease(it.W_old, it.W, step.old.gap, it.gap, &step.terms)
        else:
            step.decrease = self.loss.decrease(it.W_old, it.W, step.old.loss, it.loss, &step.terms)
        # rounding at both ends of the step; a wrong l* would be wrong at both
        step.uncertain = (gap_tolerance(&step.old) + gap_tolerance(it)
                          + step_rounding(&step.old, it, &self.lost, step.eta))
        step.allowance = step.uncertain + share(it) * (
            step.terms + step.first_order * (1.0 + 0.5 * step.eta * step.K_best))
        # the loss at both ends says what it fell by, and so does how W has moved; fmin passes over a NaN
        step.K_t_step = fmin(step.K_best, measured_smoothness(
            fmax(decrease_by_motion(&step.old, it, motion), step.decrease - step.allowance), step.first_order,
            step.eta))

    cdef void _fill_step_row(self, Step* step, Row* row) noexcept nogil:
        """Write the step's part of the row. The rate is that of the true gap, whether l* is known or not."""
        step.contraction = guaranteed_contraction(&step.old, step.eta, step.K_t_step)
        row.step_size, row.K_t, row.K_t_sharp, row.K_t_step = step.eta, step.K_t, step.K_t_sharp, step.K_t_step
        row.rate_bound = rate_above(step.contraction)
        row.slack_descent = (step.decrease - step.promised) / step.first_order
        row.slack_drift = 2.0 * step.decrease / step.first_order - 1.0
        row.slack_rate = step.decrease / step.old.gap - step.contraction

    cdef bint _count_checks(self, Step* step, Row* row) noexcept nogil:
        """Check the descent lemma, the drift of the imbalance and the rate; return whether the descent lemma fails."""
        cdef Memory* memory = self.it.memory
        cdef double decrease = step.decrease, gap = step.old.gap, part = fabs(step.contraction), claim
        cdef bint failed = count_check(&memory.descent, memory.t, row.slack_descent, decrease - step.promised,
                                       step.promised, step.allowance)
        if failed:
            self.promised, self.measured = step.promised, decrease
        count_check(&memory.drift, memory.t, row.slack_drift, 2.0 * decrease - step.first_order, step.first_order,
                    2.0 * step.allowance)
        if step.gap_known:
            claim = step.contraction * gap
            step.rate_allowance = (step.uncertain + part * (gap_tolerance(&step.old) + step.old.gap_error)
                                   + share(&self.it) * (step.terms + part * gap) + LEAST * fmax(gap, 1.0))
            count_check(&memory.rate, memory.t, row.slack_rate, decrease - claim, claim, step.rate_allowance)
        return failed

    cdef void _advance_memory(self, Step* step, Row* row) noexcept nogil:
        """The bound on the gap, and its check at the new iterate; the drift of the imbalance; the iteration."""
        cdef Iterate* it = &self.it
        cdef Memory* memory = it.memory
        memory.gap_bound = bound_above(memory.gap_bound, row.rate_bound)
        if step.gap_known:
            # no bound is an infinite one: comparisons with NaN would be passed
            memory.rounding_so_far += step.rate_allowance if step.rate_allowance == step.rate_allowance else INFINITY
            memory.bound_error = row.rate_bound * memory.bound_error + step.rate_allowance + 4.0 * U * memory.gap_bound
            if memory.bound_error != memory.bound_error:
                memory.bound_error = INFINITY       # a rate beyond float64, of no error
            count_check(&memory.bound, memory.t + 1, 1.0 - it.gap / memory.gap_bound, memory.gap_bound - it.gap,
                        memory.gap_bound, memory.bound_error)
        memory.imbalance_drift = (memory.imbalance_drift + step.eta * step.first_order) * (1.0 + 8.0 * U)
        memory.eta = step.eta
        memory.t += 1

    cdef void _refresh_brackets(self, Step* step) noexcept nogil:
        """The brackets of the new iterate: widened by what the step moved, or computed anew."""
        self.spectral.measure(&self.it, &step.motion, self.scratch)
        allow_underflow(&self.it, self.spectral, &self.lost)

    cdef int _run(self, double* rows, Py_ssize_t capacity, Py_ssize_t every, const Limits* limits,
                  double budget) noexcept nogil:
        """Take steps until there is a status, `capacity` rows are full, or `budget` seconds are over."""
        cdef Iterate* it = &self.it
        cdef Memory* memory = it.memory
        cdef double started = seconds(), spent_before = memory.seconds
        cdef Row* row = self.row
        cdef Inequality pl
        cdef bint known
        cdef Py_ssize_t filled_before = self.filled
        cdef int outcome
        while True:
            outcome = stopping_status(it, limits)
            if outcome != RUNNING or self.filled - filled_before == capacity or memory.seconds - spent_before > budget:
                break
            fill_iterate_row(row, it)
            known, pl = it.gap == it.gap, pl_inequality(it, checked_pl(it, row.mu_t))
            outcome = self._step(row, False)
            if outcome == REDO:
                outcome = self._step(row, True)
            if outcome != RUNNING and outcome != GUARANTEE_FAILED:
                break
            if known:
                count_check(&memory.pl, row.iteration, row.slack_pl, pl.difference, pl.claim, pl.allowance)
            memory.seconds = spent_before + (seconds() - started)
            if <Py_ssize_t> row.iteration % every == 0:
                (<Row*> rows)[self.filled - filled_before] = row[0]
                self.filled += 1
            if outcome == GUARANTEE_FAILED:
                break
        return outcome
