"""A step-size rule that is a Python function of the iterate."""

from ..validation import as_callable
from .rule cimport Rule
from .view cimport IterateView


cdef class CallableRule(Rule):
    """A step size chosen by a Python function `(iterate) -> eta`, called with an `IterateView` at every step.

    `train` makes one of a callable. The rest of the loop, its bounds and its checks stay compiled.

    Parameters
    ----------
    function : callable
        Takes the iterate, returns the step size. One that is not positive and finite ends the run as `"stalled"`.
    """

    def __cinit__(self):
        self.asks = self.needs_previous = True

    def __init__(self, function):
        self.function = as_callable("function", function)

    @property
    def options(self):
        """The function's name: a file cannot keep the function."""
        return {"function": getattr(self.function, "__qualname__", type(self.function).__qualname__)}

    def __reduce__(self):
        return CallableRule, (self.function,)

    def __eq__(self, other):
        return type(self) is type(other) and self.function == other.function

    def __hash__(self):
        return hash(self.function)

    cdef object _asked(self, IterateView view):
        if self.function is None:
            raise TypeError("step_size: expected a rule that its __init__ has made, got a CallableRule that has not "
                            "been through it; call the class")
        return self.function(view)

    def __repr__(self):
        return f"CallableRule({self.options['function']})"
