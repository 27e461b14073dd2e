from ..iterate cimport Iterate
from ..losses.loss cimport Loss
from ..rules.rule cimport Rule
from ..spectral.spectral cimport Spectral
from .history cimport Row
from .underflow cimport Underflow


# How many doubles each part of the workspace takes, in the order in which they lie there; each begins a cache line.
cdef struct Sizes:
    Py_ssize_t memory       # Memory
    Py_ssize_t directions   # where iterations for extreme eigenvectors start: the second part of what is remembered
    Py_ssize_t stack        # twice: the layers and the gradients, which change places at each step
    Py_ssize_t product      # four times: W and G, here and one step ago
    Py_ssize_t previous     # twice a stack for a rule that looks one step back: those gradients, and where to step to
    Py_ssize_t ray          # tau and B, if the rule needs B or somebody looks along the ray
    Py_ssize_t own          # what the loss keeps of a ray, if somebody does,
    Py_ssize_t kept         # and twice: of the iterate, here and one step ago
    Py_ssize_t weights      # the Hessian by entries, of a quadratic loss that has it by rows only
    Py_ssize_t row
    Py_ssize_t scratch      # of the loss and the rule, or of the spectral part


cdef class State:
    cdef readonly Loss loss
    cdef readonly Rule rule
    cdef readonly Spectral spectral
    cdef readonly Py_ssize_t n_threads
    cdef object _block          # the NumPy array that owns all memory below, Memory first
    cdef Py_ssize_t _remembered  # how many doubles of it `memory` is
    cdef Iterate it
    cdef double* spare          # where the next layers go, for rules that look at the gradients of one step ago
    cdef double* scratch
    cdef Row* row
    cdef Underflow lost
    cdef bint evaluated         # whether `it` has been filled at the layers
    cdef bint looks             # whether the ray is looked along: by the rule, or for a loss without a global K
    cdef Py_ssize_t carried     # how many doubles the loss carries from iterate to iterate, and saves
    cdef bint busy              # whether `advance` is under way
    cdef bint by_motion         # whether the decrease of the loss follows from how W has moved

    cdef Sizes _sizes(self)
    cdef void _place(self, double* free, const Sizes* sizes)
    cdef void _fill_weights(self)
    cdef object _view(self, const double* Z)
    cdef object _kept(self)


cdef inline void set_stacks(Iterate* it, double* Z, double* g) noexcept nogil:
    """The stack of layers is at Z, that of gradients at g."""
    cdef Py_ssize_t nk = <Py_ssize_t> it.n * it.k
    it.W1, it.W2t = Z, Z + nk
    it.g1, it.g2t = g, g + nk
