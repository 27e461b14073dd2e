"""What a step-size rule in Python sees of an iterate."""

import numpy as np

from ..validation import as_doubles
from libc.math cimport sqrt
from libc.string cimport memcpy

from ..iterate cimport VIEW_MEMORY, Iterate
from .formulas cimport local_smoothness_at, sharp_smoothness_at


cdef class IterateView:
    """What a step-size rule in Python sees of the current iterate. It is valid during the call only.

    Attributes
    ----------
    t : int
        The iteration.
    eta : float
        The last step size; 0 before the first.
    mu, K : float
        The constants of the loss; of one without K, an upper bound on its curvature at W and nearby.
    loss, gap, grad_norm : float
        L, L - l* (NaN if l* is unknown), and the norm of the gradient of both layers together.
    unreached : float
        The least gap of a network of this width on a squared loss; 0 where it reaches every W, or that is not known.
    mu_t, sigma_min_sq, nu_lo : float
        Lower bounds: `mu * sigma_min_sq`, s_min(T)^2, and the least eigenvalue of the tangent kernel (for a loss that
        is not quadratic a local PL constant, `mu_t` or better).
    sigma_max_sq, sigma_max_W, G_max, G_norm, nu_hi : float
        Upper bounds: s_max(T)^2, s_max(W), the spectral and the Frobenius norm of G, and the greatest eigenvalue of the
        tangent kernel (NaN for a loss that is not quadratic).
    W1, W2, W, G, g1, g2 : arrays
        The layers (n, k) and (k, m) as they are trained: compressed, and in the frame of the data; their product,
        the gradients of l at it and of L in both layers. Copies.
    previous_g1, previous_g2 : arrays
        The gradients one step ago; zeros before the first step. Copies.
    memory : (8,) array
        Numbers to remember: zeros at first; what is written here comes back at the next step, and is saved with the
        run.

    Raises
    ------
    RuntimeError
        By every attribute, when the call is over.
    """

    cdef Iterate* _at(self) except NULL:
        if self.it == NULL:
            raise RuntimeError("the iterate is gone: copy what you need while the rule is being called")
        return self.it

    @property
    def t(self):
        return int(self._at().memory.t)

    @property
    def eta(self):
        return self._at().memory.eta

    @property
    def mu(self):
        return self._at().mu

    @property
    def K(self):
        return self._at().K

    @property
    def loss(self):
        return self._at().loss

    @property
    def gap(self):
        return self._at().gap

    @property
    def unreached(self):
        return self._at().unreached

    @property
    def grad_norm(self):
        return sqrt(self._at().grad_sq)

    @property
    def mu_t(self):
        return self._at().mu * self.it.sigma_min_sq.lo

    @property
    def sigma_min_sq(self):
        return self._at().sigma_min_sq.lo

    @property
    def sigma_max_sq(self):
        return self._at().sigma_max_sq.hi

    @property
    def sigma_max_W(self):
        return self._at().sigma_max_W.hi

    @property
    def G_max(self):
        return self._at().G_max.hi

    @property
    def G_norm(self):
        return self._at().G_norm

    @property
    def nu_lo(self):
        return self._at().nu.lo

    @property
    def nu_hi(self):
        return self._at().nu.hi

    def K_t(self, eta):
        """The local smoothness constant of Xu et al. (2025) of a step of size eta, an upper bound."""
        return local_smoothness_at(self._at(), eta)

    def K_t_sharp(self, eta):
        """The sharper local smoothness constant of a step of size eta, an upper bound."""
        return sharp_smoothness_at(self._at(), eta)

    @property
    def W1(self):
        return self._copied(self._at().W1, self.it.n, self.it.k)

    @property
    def W2(self):
        return self._copied(self._at().W2t, self.it.m, self.it.k).T

    @property
    def W(self):
        return self._copied(self._at().W, self.it.n, self.it.m)

    @property
    def G(self):
        return self._copied(self._at().G, self.it.n, self.it.m)

    @property
    def g1(self):
        return self._copied(self._at().g1, self.it.n, self.it.k)

    @property
    def g2(self):
        return self._copied(self._at().g2t, self.it.m, self.it.k).T

    @property
    def previous_g1(self):
        return self._copied(self._at().g_old, self.it.n, self.it.k)

    @property
    def previous_g2(self):
        return self._copied(self._at().g_old + <Py_ssize_t> self.it.n * self.it.k, self.it.m, self.it.k).T

    @property
    def memory(self):
        if self._memory is None:
            self._memory = self._copied(&self._at().memory.rule[0], 1, VIEW_MEMORY)[0]
        return self._memory

    cdef object _copied(self, const double* values, Py_ssize_t rows, Py_ssize_t columns):
        """A new (rows, columns) array of what is at `values`, a part of the iterate."""
        array = np.empty((rows, columns))
        cdef double[:, ::1] view = array
        # making an array may run a finalizer, and that another thread: look again before the memory is read
        self._at()
        memcpy(&view[0, 0], values, rows * columns * sizeof(double))
        return array

    cdef int _write_back(self, double* kept) except -1:
        """Copy the memory, if it was asked for, to where it is kept. The view is gone by now."""
        cdef const double[::1] memory
        if self._memory is not None:
            # the user has had this array: its shape, its type and its memory may be others by now
            values = as_doubles("memory", np.ravel(self._memory), 1)
            if values.size != VIEW_MEMORY:
                raise ValueError(f"memory: expected {VIEW_MEMORY} numbers, got {values.size}")
            memory = values
            memcpy(kept, &memory[0], VIEW_MEMORY * sizeof(double))
        return 0

    def __repr__(self):
        if self.it == NULL:
            return "<IterateView: gone>"
        return f"<IterateView: t={self.t}, gap={self.gap:.3g}, grad_norm={self.grad_norm:.3g}>"
