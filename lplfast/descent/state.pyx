"""What a descent holds: its workspace, one block that Python owns, and the part of it that is state."""

import functools
import hashlib
import math

import numpy as np

from libc.math cimport INFINITY
from libc.string cimport memset

from ..cores import available_cores
from ..validation import as_count, as_doubles, as_flag
from ..iterate cimport Memory, directions_size
from ..linalg.tiles cimport most_threads
from ..losses.low_rank import gaps_at_rank
from ..losses.loss cimport Loss
from ..losses.quadratic cimport DiagonalQuadratic
from ..rules.rule cimport Rule
from ..spectral.spectral cimport Spectral
from .history cimport column_count
from .underflow cimport count_underflow

# Every array in the workspace begins at a cache line.
cdef Py_ssize_t LINE = 8

# in the order of their names in iterate.pxd
FAILURES = (None, "too many backtracks", "below rounding", "vacuous bound", "not a step")

CHECKS = ("pl", "descent", "rate", "drift", "gap_bound")

# What the first doubles of a state mean, by name: states of another layout are of no use.
cdef Memory NO_MEMORY
LAYOUT = hashlib.sha256(repr(NO_MEMORY).encode()).hexdigest()[:16]


@functools.lru_cache(maxsize=16)
def _first_directions(size):
    """Return directions that are orthogonal to no eigenvector but by accident, which costs time and nothing else."""
    return np.cos(np.arange(size))


cdef inline Py_ssize_t lines(Py_ssize_t size) noexcept nogil:
    """The size of whole cache lines that `size` doubles take."""
    return (size + LINE - 1) // LINE * LINE


cdef class State:
    """The layers, and what is remembered beside them; the rest of the workspace is computed from these.

    Parameters
    ----------
    loss, rule, spectral
        The compiled parts; immutable, so that several descents may share them.
    stack : array of shape (n + m, k)
        The layers, `[W1; W2.T]`; copied.
    n_threads : int, optional
        How many threads share the products, at most as many as there are tiles for; None for all cores that there are.
        No bit depends on it.

    Raises
    ------
    TypeError, ValueError
        If a part is none, or has not been through its `__init__`; if the stack does not fit.
    RuntimeError
        By what changes a state, or evaluates it, while `advance` is under way.
    """

    def __cinit__(self, Loss loss not None, Rule rule not None, Spectral spectral not None, stack, *, n_threads=1):
        # not __init__, which can be left out: no descent is without its memory
        loss.check()
        spectral.check()
        n, m = loss.shape
        stack = as_doubles("stack", stack, 2)
        if stack.shape[0] != n + m or stack.shape[1] < 1:
            raise ValueError(f"stack: expected a shape ({n} + {m}, k), got {stack.shape}")
        self.loss, self.rule, self.spectral = loss, rule, spectral
        self.it.n, self.it.k, self.it.m = n, stack.shape[1], m
        self.it.mu, self.it.K, self.it.hessian = loss.mu, loss.K, loss.curvature()
        self.it.K_is_local = loss.K == INFINITY
        self.looks = self.it.K_is_local or (rule.needs_tau and rule.needs_B)
        # of another quadratic loss, the decrease would be taken on trust
        self.by_motion = isinstance(loss, DiagonalQuadratic)
        asked = available_cores() if n_threads is None else as_count("n_threads", n_threads)
        self.n_threads = min(asked, max(most_threads(self.it.n, self.it.k, self.it.m), loss.most_threads()))
        self._find_unreached()
        count_underflow(&self.it, &self.lost)
        cdef Sizes sizes = self._sizes()
        total = (sizes.memory + sizes.directions + 2 * sizes.stack + 4 * sizes.product + 2 * sizes.previous + sizes.ray
                 + sizes.own + 2 * sizes.kept + sizes.weights + sizes.row + sizes.scratch)
        # np.empty: pages that are never touched cost nothing
        block = np.empty(total + LINE)
        cdef double[::1] memory = block
        cdef Py_ssize_t first = LINE - 1 - (<Py_ssize_t> &memory[0] // <Py_ssize_t> sizeof(double) + LINE - 1) % LINE
        self._block = block[first:first + total]
        memory = self._block
        self._place(&memory[0], &sizes)
        self._fill_weights()
        self._remembered = sizes.memory + sizes.directions
        memset(self.it.memory, 0, sizes.memory * sizeof(double))
        if sizes.previous:
            memset(self.it.g_old, 0, sizes.previous * sizeof(double))
        if sizes.kept:
            self.carried = loss.carried_size()
            self._kept()[:] = np.nan
        self._block[sizes.memory:self._remembered] = _first_directions(sizes.directions)
        self._layers()[:] = stack

    def _find_unreached(self):
        """How far above l* a network that is narrower than the loss stays, if that is known."""
        self.it.unreached = self.it.unreached_error = 0.0
        if self.it.k >= min(self.it.n, self.it.m) or not self.loss.quadratic or self.loss.minimizer is None:
            return
        least, below = gaps_at_rank(self.loss, self.it.k)
        if 0.0 < least < math.inf:
            self.it.unreached, self.it.unreached_error = least, least - below

    cdef Sizes _sizes(self):
        cdef int n = self.it.n, k = self.it.k, m = self.it.m
        cdef Sizes sizes
        sizes.memory = lines(sizeof(Memory) // sizeof(double))
        sizes.directions = lines(directions_size(n, m))
        sizes.stack = lines(<Py_ssize_t> (n + m) * k)
        sizes.product = lines(<Py_ssize_t> n * m)
        sizes.previous = sizes.stack if self.rule.needs_previous else 0
        sizes.ray = 2 * sizes.product if self.rule.needs_B or self.looks else 0
        sizes.weights = sizes.product if self.it.hessian != NULL and not self.by_motion else 0
        sizes.row = lines(column_count())
        sizes.own = lines(self.loss.ray_size()) if self.looks else 0
        sizes.kept = lines(self.loss.kept_size()) if self.looks else 0
        # a rule may evaluate the loss: they work side by side
        sizes.scratch = max(self.loss.scratch() + self.rule.scratch(n, k, m), self.spectral.scratch(n, k, m), 1)
        return sizes

    cdef void _place(self, double* free, const Sizes* sizes):
        """Point at each part of the workspace, which begins at `free`."""
        self.it.memory = <Memory*> free
        free += sizes.memory
        self.it.directions = free
        free += sizes.directions
        set_stacks(&self.it, free, free + sizes.stack)
        free += 2 * sizes.stack
        self.it.W, self.it.W_old = free, free + sizes.product
        self.it.G, self.it.G_old = free + 2 * sizes.product, free + 3 * sizes.product
        free += 4 * sizes.product
        if sizes.previous:
            self.it.g_old, self.spare = free, free + sizes.previous
            free += 2 * sizes.previous
        if sizes.ray:
            self.it.tau, self.it.B = free, free + sizes.product
            free += sizes.ray
        if sizes.own:
            self.it.own = free
            free += sizes.own
        if sizes.kept:
            self.it.here, self.it.here_old = free, free + sizes.kept
            free += 2 * sizes.kept
        if sizes.weights:
            self.it.weights = free
            free += sizes.weights
        self.row = <Row*> free
        self.scratch = free + sizes.row

    cdef void _fill_weights(self):
        """The Hessian by entries: the loss's own where it has one."""
        cdef Py_ssize_t i, j
        if self.by_motion:
            self.it.weights = &(<DiagonalQuadratic> self.loss).weights[0, 0]
        elif self.it.hessian != NULL:
            for i in range(self.it.n):
                for j in range(self.it.m):
                    self.it.weights[i * self.it.m + j] = self.it.hessian[i]

    cdef object _view(self, const double* Z):
        """A view of the stack at Z, of shape (n + m, k)."""
        cdef Py_ssize_t at = Z - <const double*> self.it.memory
        return self._block[at:at + (self.it.n + self.it.m) * self.it.k].reshape(self.it.n + self.it.m, self.it.k)

    def _layers(self):
        """A view of the stack [W1; W2.T]."""
        return self._view(self.it.W1)

    @property
    def stack(self):
        """The layers, [W1; W2.T] (n + m, k), as a new array."""
        return self._layers().copy()

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
    def memory(self):
        """What is remembered beside the layers, as a new array of doubles."""
        return self._block[:self._remembered].copy()

    @memory.setter
    def memory(self, saved):
        self._refuse_if_busy()
        saved = as_doubles("memory", saved, 1)
        if saved.size != self._remembered:
            raise ValueError(f"memory: expected {self._remembered} numbers, got {saved.size}")
        before = self.memory
        self._block[:self._remembered] = saved
        try:
            self._check_counts()
        except ValueError:
            self._block[:self._remembered] = before
            raise
        self.evaluated = False

    def _refuse_if_busy(self):
        """Raise if a call of `advance` is under way: in another thread, or around a rule or loss that has come here."""
        if self.busy:
            raise RuntimeError("a descent that is under way cannot be changed: wait until `advance` has come back")

    cdef object _kept(self):
        """A view of what the loss carries from iterate to iterate."""
        cdef Py_ssize_t at = self.it.here - <const double*> self.it.memory if self.carried else 0
        return self._block[at:at + self.carried]

    def state(self):
        """All that a run carries from step to step, as a new array of doubles: the memory, the layers, and between them
        the gradients of one step ago if its rule looks at them, and what the loss carries if it looks along rays."""
        previous = [self._view(self.it.g_old).ravel()] if self.rule.needs_previous else []
        return np.concatenate([self.memory, *previous, self._kept(), self._layers().ravel()])

    def restore(self, saved, *, same_rule=True):
        """Go on from the `state()` of a descent on the same loss; another rule than its own begins with no memory.

        Raises
        ------
        ValueError
            If it is of another size, or something in it that counts is no count. Whatever else is in it is taken, and
            brackets that are none make constants that are none.

        """
        cdef Py_ssize_t layers = self._layers().size, kept = self._remembered
        saved, same_rule = as_doubles("state", saved, 1), as_flag("same_rule", same_rule)
        expected = kept + layers
        if same_rule:
            expected += self.carried + (layers if self.rule.needs_previous else 0)
        if saved.size < expected or (same_rule and saved.size != expected):
            raise ValueError(f"state: expected {expected} numbers, got an array of shape {saved.shape}")
        self.memory = saved[:kept]
        self._layers()[:] = saved[saved.size - layers:].reshape(self._layers().shape)
        if not same_rule:
            memset(self.it.memory.rule, 0, sizeof(self.it.memory.rule))
            self._kept()[:] = np.nan
            return
        if self.rule.needs_previous:
            self._view(self.it.g_old)[:] = saved[kept:kept + layers].reshape(self._layers().shape)
        self._kept()[:] = saved[saved.size - layers - self.carried:saved.size - layers]

    def _check_counts(self):
        """Refuse a memory with counts that are none: they are shown as integers, and steps go on from theirs."""
        cdef Memory* memory = self.it.memory
        counts = {"t": memory.t, "redone": memory.redone, "renewals": memory.renewals,
                  "eigenproblems": memory.eigenproblems, "evaluations": memory.evaluations,
                  "gradients": memory.gradients, "backtracks": memory.backtracks, "narrow": memory.narrow}
        for name, check in zip(CHECKS, (memory.pl, memory.descent, memory.rate, memory.drift, memory.bound)):
            counts.update({f"{name} {key}": value for key, value in check.items() if key != "smallest"})
        for name, count in counts.items():
            # beyond 2^53 a double cannot count on
            if not 0.0 <= count < 2.0**53 or count != int(count):
                raise ValueError("memory: expected finite counts of what was done, integers >= 0 and below 2^53, got "
                                 f"{count!r} for {name}")

    @property
    def counters(self):
        """How much work was done, and how often the brackets were narrow."""
        cdef Memory* memory = self.it.memory
        return {name: int(value) for name, value in (
            ("loss_evaluations", memory.evaluations), ("gradient_evaluations", memory.gradients),
            ("eigenproblems", memory.eigenproblems), ("backtracks", memory.backtracks),
            ("renewals", memory.renewals), ("redone", memory.redone), ("narrow", memory.narrow))}

    @property
    def unreached(self):
        """The least gap of a network of this width: 0 if it reaches every W, NaN where that is not known."""
        cdef bint known = self.it.k >= min(self.it.n, self.it.m) or (
            self.loss.quadratic and self.loss.minimizer is not None)
        return self.it.unreached if known else math.nan

    @property
    def search_failure(self):
        """Why the rule found no step, in two or three words; None if it did."""
        return FAILURES[self.it.failure]

    @property
    def violations(self):
        """How often one of the theorems that are checked at every step has failed beyond rounding."""
        cdef Memory* memory = self.it.memory
        return int(memory.pl.violations + memory.descent.violations + memory.rate.violations)

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
