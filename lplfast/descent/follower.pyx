"""A trajectory that somebody else drives, with the brackets, the checks and the rows of the loop.

From one iterate to the next, `follow` does what `Descent._step` does, but for the step: the layers are given. What
moves the brackets is how far the layers have gone, whatever took them there. A step whose size is said, and that leads
where the gradient step of this size would, is checked as one. docs/theory.md, section 7, under "Somebody else's steps".
"""

import numpy as np

from libc.math cimport sqrt

from ..validation import as_doubles, as_output
from ..clock cimport seconds
from ..iterate cimport Iterate, LayerExtremes, Memory
from ..linalg.extremes cimport fmax
from ..linalg.passes cimport arrive, distance_sq, measure_motion
from ..linalg.rounding cimport U, underflow
from ..rules.formulas cimport local_smoothness_at, sharp_smoothness_at
from ..spectral.brackets cimport drift_end, largest_moved, widen_layers
from ..spectral.budget cimport LEAST_STEP
from ..spectral.eigenvalues cimport TINY
from ..spectral.spectral cimport widest
from ..spectral.tangent cimport drift_tangent
from .checks cimport SHARP, Inequality, count_check, pl_inequality
from .descent cimport Descent, Step
from .evaluation cimport allow_underflow, count_evaluation, evaluate, layer_gradients
from .history cimport Row, checked_pl, column_count, fill_iterate_row
from .state cimport set_stacks
from .stopping cimport finite
from .underflow cimport count_underflow

cdef extern from *:
    """
    #define LPL_OBSERVED_PART 0.05
    #define LPL_AHEAD 30.0
    """
    # the part of the gradient steps' multiplications that brackets may be computed anew with, and that of how many
    # steps there is in advance
    const double PART "LPL_OBSERVED_PART"
    const double HEADSTART "LPL_AHEAD"


cdef void copy_transposed(Py_ssize_t rows, Py_ssize_t columns, const double* A, double* to) noexcept nogil:
    """to = A.T with A (rows, columns), in tiles that are in the cache with both."""
    cdef Py_ssize_t i, j, top, left
    for top in range(0, rows, 16):
        for left in range(0, columns, 16):
            for j in range(left, min(left + 16, columns)):
                for i in range(top, min(top + 16, rows)):
                    to[j * rows + i] = A[i * columns + j]


cdef inline double length(Py_ssize_t size, double squares, double lost) noexcept nogil:
    """An upper bound on a norm whose computed square is this."""
    return sqrt(squares) * (1.0 + (size + 8) * U) + lost


cdef void drift_layer_by(LayerExtremes* layer, double gram, double moved) noexcept nogil:
    """Both extremes of a layer that has moved so far, and its Gram matrix."""
    drift_end(&layer.min_sq.lower, gram, moved)
    drift_end(&layer.min_sq.upper, gram, moved)
    drift_end(&layer.max_sq.lower, gram, moved)
    drift_end(&layer.max_sq.upper, gram, moved)


cdef class Follower(Descent):
    """A `Descent` that is told where it goes."""

    def turn_by(self, basis):
        """Take all layers, those that are here too, as in another frame than that of the loss: `W = basis.T @ W1 @ W2`.

        Wide layers are not turned then, but their product.

        Raises
        ------
        TypeError, ValueError
            If it is no (n, n) matrix of real numbers.
        """
        cdef Py_ssize_t n = self.it.n
        basis = as_doubles("basis", basis, 2)
        if basis.shape != (n, n):
            raise ValueError(f"basis: expected shape {(n, n)}, got {basis.shape}")
        self._refuse_if_busy()
        self._turn, self._turned = basis, np.empty(n * max(self.it.k, self.it.m))
        cdef const double[:, ::1] turn = self._turn
        cdef double[::1] turned = self._turned
        count_underflow(&self.it, &self.lost)
        self.lost.product += underflow(n * n * self.it.m)
        self.lost.g += underflow(n * n * self.it.m)
        self.it.turn, self.it.turned = &turn[0, 0], &turned[0]
        self.evaluated = False

    def follow(self, W1, W2, double step_size, double unit, row):
        """Go on to these layers, (n, k) and (k, m), and write the row of the iterate that is left.

        `step_size` is NaN where the step is said to be none of gradient descent; `unit` is the unit roundoff of what
        took it.

        Returns
        -------
        bool
            Whether the step was one of gradient descent; None if the loss or its gradient leaves float64 there, and
            nothing has changed.

        """
        first, turned1 = _laid_out("W1", W1, (self.it.n, self.it.k))
        second, turned2 = _laid_out("W2", W2, (self.it.k, self.it.m))
        cdef const double[:, ::1] one = first, two = second
        cdef double[::1] filled = as_output("row", row, 1)
        cdef bint t1 = turned1, t2 = turned2, there, taken = False
        if filled.shape[0] != column_count():
            raise ValueError(f"row: expected {column_count()} numbers, got {filled.shape[0]}")
        self._start()
        self._refuse_if_busy()
        self.busy = True
        with nogil:
            there = self._follow(&one[0, 0], &two[0, 0], t1, t2, step_size, unit, <Row*> &filled[0], &taken)
        self.busy = False
        self._raise_error()
        return taken if there else None

    cdef bint _follow(self, const double* W1, const double* W2, bint turned1, bint turned2, double eta, double unit,
                      Row* row, bint* taken) noexcept nogil:
        """As `follow`; returns whether the iterate is within float64."""
        cdef Iterate* it = &self.it
        cdef double started = seconds(), drifted = 0.0
        cdef Departure went
        cdef Inequality pl
        cdef Step step
        fill_iterate_row(row, it)
        step.old, step.before, step.gap_known = self.it, it.memory[0], it.gap == it.gap
        pl = pl_inequality(it, checked_pl(it, row.mu_t))
        went = self._arrive(W1, W2, turned1, turned2, eta)
        taken[0] = self._is_step(&went, eta, unit)
        if taken[0]:
            step.eta = it.eta = eta
            step.K_t, step.K_t_sharp = local_smoothness_at(it, eta), sharp_smoothness_at(it, eta)
            step.K_best = step.K_t_sharp if not step.K_t < step.K_t_sharp else step.K_t
            self._drift_of_step(&went)
        else:
            drifted = self._drift(&went)
        self._take(&went)
        evaluate(it, self.loss, &self.lost, False, self.scratch)
        count_evaluation(it)
        if not finite(it):
            self._undo(&step)
            return False
        if taken[0]:
            self._certify(&step, &went, row)
        else:
            self._begin_again(&step, drifted)
        if step.gap_known:
            count_check(&it.memory.pl, row.iteration, row.slack_pl, pl.difference, pl.claim, pl.allowance)
        layer_gradients(it, &self.lost)
        if self._affordable():
            self._refresh_brackets(&step)
        else:
            self._carry_brackets(&step)
        it.memory.seconds += seconds() - started
        self.filled += 1
        return True

    cdef Departure _arrive(self, const double* W1, const double* W2, bint turned1, bint turned2,
                           double eta) noexcept nogil:
        """Copy the layers to the spare stack, and measure how they have moved."""
        cdef Iterate* it = &self.it
        cdef Py_ssize_t nk = <Py_ssize_t> it.n * it.k, mk = <Py_ssize_t> it.m * it.k
        cdef double* one = self.spare
        cdef double* two = one + nk
        cdef double size1, size2, moved1, moved2, off1, off2
        cdef Departure went
        if turned1:
            copy_transposed(it.k, it.n, W1, one)
            W1 = one
        if not turned2:     # what is kept is its transpose
            copy_transposed(it.k, it.m, W2, two)
            W2 = two
        size1 = arrive(nk, W1, it.W1, eta, it.g1, one, &moved1, &off1)
        size2 = arrive(mk, W2, it.W2t, eta, it.g2t, two, &moved2, &off2)
        went.norm1, went.norm2 = sqrt(size1), sqrt(size2)
        went.moved1, went.moved2 = length(nk, moved1, self.lost.W1), length(mk, moved2, self.lost.W2)
        # z - eta g rounds twice
        went.off1 = length(nk, off1, self.lost.W1) + U * (it.W1_norm + 3.0 * eta * it.g1_norm)
        went.off2 = length(mk, off2, self.lost.W2) + U * (it.W2_norm + 3.0 * eta * it.g2_norm)
        return went

    cdef bint _is_step(self, const Departure* went, double eta, double unit) noexcept nogil:
        """Whether the layers are where a gradient step leads: to a millionth of the step, and what rounding by `unit`
        leaves, in the product, its gradient, those of the layers and the step."""
        cdef Iterate* it = &self.it
        cdef double size, products
        if not eta > 0.0:
            return False
        size = it.W1_norm + it.W2_norm
        products = (it.k + it.n + it.m + 50.0) * unit * size * (it.K * it.W1_norm * it.W2_norm + it.G_norm)
        return (went.off1 + went.off2
                <= SHARP * eta * sqrt(it.grad_sq) + 4.0 * unit * (size + 2.0 * eta * sqrt(it.grad_sq))
                + eta * products)

    cdef double _drift(self, const Departure* went) noexcept nogil:
        """Move every bracket by how far the layers have gone; return how far their Gram matrices may have."""
        cdef Iterate* it = &self.it
        cdef double one = sqrt(it.memory.layer1.max_sq.now.hi) * (1.0 + 2.0 * U)
        cdef double two = sqrt(it.memory.layer2.max_sq.now.hi) * (1.0 + 2.0 * U)
        it.gram_step = 0.0
        self._widen(went.moved1, one, went.moved2, two)
        it.product_step = ((went.moved1 * two + one * went.moved2 + went.moved1 * went.moved2) * (1.0 + 8.0 * U)
                           + it.eps_W)
        return it.gram_step

    cdef void _drift_of_step(self, const Departure* went) noexcept nogil:
        """Move every bracket by a gradient step of size `it.eta`, and by how far from it the layers are."""
        cdef Iterate* it = &self.it
        cdef double one = sqrt(it.memory.layer1.max_sq.now.hi) * (1.0 + 2.0 * U) + went.moved1
        cdef double two = sqrt(it.memory.layer2.max_sq.now.hi) * (1.0 + 2.0 * U) + went.moved2
        self.spectral.drift(it)
        self._widen(went.off1, one + went.off1, went.off2, two + went.off2)
        it.product_step += (went.off1 * two + one * went.off2 + went.off1 * went.off2) * (1.0 + 8.0 * U)

    cdef void _widen(self, double moved1, double one, double moved2, double two) noexcept nogil:
        """Move every bracket by distances of the layers, of which `one` and `two` bound the norms."""
        cdef Memory* memory = self.it.memory
        cdef double gram1 = moved1 * (2.0 * one + moved1) * (1.0 + 4.0 * U)
        cdef double gram2 = moved2 * (2.0 * two + moved2) * (1.0 + 4.0 * U)
        drift_layer_by(&memory.layer1, gram1, moved1)
        drift_layer_by(&memory.layer2, gram2, moved2)
        gram1 = (gram1 + gram2) * (1.0 + 2.0 * U)
        self.it.gram_step += gram1
        drift_tangent(&memory.tangent, gram1)
        memory.imbalance.drift = (memory.imbalance.drift + gram1) * (1.0 + 2.0 * U)

    cdef void _take(self, const Departure* went) noexcept nogil:
        """What was spare is the stack of layers; what were the layers and the gradients change places as in a step."""
        cdef Iterate* it = &self.it
        cdef double* to = self.spare
        it.W1_norm, it.W2_norm = went.norm1, went.norm2
        it.g_old, self.spare = it.g1, it.g_old
        set_stacks(it, to, it.W1)
        it.W, it.W_old, it.G, it.G_old = it.W_old, it.W, it.G_old, it.G

    cdef void _certify(self, Step* step, const Departure* went, Row* row) noexcept nogil:
        """Check a gradient step; what it was off by belongs to what is uncertain."""
        cdef Iterate* it = &self.it
        cdef double off = (went.off1 * it.W2_norm + went.off2 * it.W1_norm + went.off1 * went.off2) * (1.0 + 16.0 * U)
        self._judge(step)
        off = it.G_norm * off + it.K * off * off
        step.uncertain += off
        step.allowance += off
        self._fill_step_row(step, row)
        self._count_checks(step, row)
        self._advance_memory(step, row)

    cdef void _begin_again(self, Step* step, double drifted) noexcept nogil:
        """After a step that was none of gradient descent: nothing bounds the gap but itself, and the imbalance may have
        moved by as much as the Gram matrices."""
        cdef Iterate* it = &self.it
        measure_motion(<Py_ssize_t> it.n * it.m, it.W_old, it.W, it.G_old, it.weights, &step.motion)
        it.memory.gap_bound, it.memory.bound_error = it.gap, 0.0
        it.memory.imbalance_drift = (it.memory.imbalance_drift + drifted) * (1.0 + 2.0 * U)
        it.memory.t += 1

    cdef bint _affordable(self) noexcept nogil:
        """Whether brackets may be computed anew: a call may take no longer than the gradient step that it watches, and
        hardly any does that has its part of PART in all, with HEADSTART steps in advance."""
        cdef Iterate* it = &self.it
        cdef double step = fmax(3.0 * it.n * it.m * min(it.k, it.n + it.m), LEAST_STEP)
        return it.memory.spent <= PART * step * (it.memory.t + HEADSTART)

    cdef void _carry_brackets(self, Step* step) noexcept nogil:
        """The brackets of the new iterate, widened by what has moved, and nothing computed anew."""
        cdef Iterate* it = &self.it
        cdef Memory* memory = it.memory
        cdef Py_ssize_t size = <Py_ssize_t> it.n * it.m
        widen_layers(it)
        largest_moved(&memory.W_max, sqrt(max(step.motion.moved_sq, TINY)) * (1.0 + (size + 8) * U))
        largest_moved(&memory.G_max, sqrt(max(distance_sq(size, it.G, it.G_old), TINY)) * (1.0 + (size + 8) * U))
        self.spectral.publish(it)
        memory.narrow += widest(it) <= self.spectral.tolerance
        allow_underflow(it, self.spectral, &self.lost)


def _laid_out(name, A, shape):
    """Return a matrix of this shape, or its transpose, as compiled code reads it, and whether it is the transpose."""
    if type(A) is np.ndarray and A.shape == shape and A.dtype == np.float64 and A.flags.carray:
        return A, False
    turned = isinstance(A, np.ndarray) and A.ndim == 2 and A.flags.f_contiguous and not A.flags.c_contiguous
    found = as_doubles(name, A.T if turned else A, 2)
    if found.shape != (shape[::-1] if turned else shape):
        raise ValueError(f"{name}: expected shape {shape}, got {found.shape[::-1] if turned else found.shape}")
    return found, turned
