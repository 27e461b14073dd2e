"""Step sizes that are fixed beforehand."""

import numpy as np

from libc.math cimport NAN

from ..linalg.extremes cimport fmin
from ..iterate cimport Iterate
from ..losses.loss cimport Loss
from ..validation import as_doubles, shown
from .rule cimport Rule
from .signature import signature

# How many steps a schedule may have.
LONGEST = 10**6

# How many of them a repr shows.
SHOWN = 8


cdef class Schedule(Rule):
    """A list of step sizes, one after the other; the last one from then on.

    It counts from its own first step: a run that goes on with it takes `steps[0]` next. `guaranteed_rate` says what is
    guaranteed with it before the first step.

    Parameters
    ----------
    steps : sequence of float
        The step sizes: positive, at most 10^6 of them.

    Examples
    --------
    >>> Schedule([0.1, 0.2])
    Schedule(steps=[0.1, 0.2])
    """

    cdef object values              # read-only
    cdef const double* first
    cdef Py_ssize_t size            # 0 until __init__ has been run

    __signature__ = signature('steps')

    def __init__(self, steps):
        if isinstance(steps, str):
            raise TypeError(f"steps: expected positive numbers, got {shown(steps)}")
        values = np.array(as_doubles("steps", steps, 1))
        if not 1 <= values.size <= LONGEST:
            raise ValueError(f"steps: expected 1 to {LONGEST} numbers, got {values.size}")
        if not ((values > 0.0) & (values < np.inf)).all():
            raise ValueError("steps: expected finite positive numbers, got "
                             f"{values[~((values > 0.0) & (values < np.inf))][0]!r}")
        values.flags.writeable = False
        cdef const double[::1] view = values
        self.values, self.first, self.size = values, &view[0], values.size

    @property
    def steps(self):
        """The step sizes, a list."""
        return [] if self.values is None else self.values.tolist()

    @property
    def options(self):
        """The arguments that make this rule again, by name."""
        return {"steps": self.steps}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef double* count = &it.memory.rule[0]
        if self.size and count[0] >= 0.0:
            it.eta = self.first[<Py_ssize_t> fmin(count[0], self.size - 1)]
            count[0] += 1.0
        else:
            it.eta = NAN

    def __repr__(self):
        if self.size <= SHOWN:
            return f"Schedule(steps={self.steps})"
        return f"Schedule(steps=[{self.first[0]:.4g}, ... {self.size} in all ..., {self.first[self.size - 1]:.4g}])"
