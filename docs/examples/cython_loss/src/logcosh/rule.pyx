"""A step rule with a memory: Barzilai and Borwein's, never longer than what descends for certain times `factor`."""

from lplfast.iterate cimport Iterate
from lplfast.losses.loss cimport Loss
from lplfast.rules.rule cimport Rule


cdef class ProductStep(Rule):
    """`<S, S> / <S, Q>` with S, Q the last differences of W and of G, over s_max(T)^2; at first `1 / (K s^2 + |G|)`."""

    cdef readonly double factor

    def __init__(self, factor=4.0):
        self.factor = factor

    @property
    def options(self):
        return {"factor": self.factor}

    cdef void choose(self, Iterate* it, Loss loss, double* scratch) noexcept nogil:
        cdef double s, q, SS = 0.0, SQ = 0.0
        cdef double sure = 1.0 / (it.K * it.sigma_max_sq.hi + it.G_max.hi)
        cdef Py_ssize_t i
        it.eta = sure
        if it.memory.t == 0:
            return
        for i in range(<Py_ssize_t> it.n * it.m):
            s, q = it.W[i] - it.W_old[i], it.G[i] - it.G_old[i]
            SS += s * s
            SQ += s * q
        if SQ > 0.0:
            it.eta = min(self.factor * sure, SS / SQ / it.sigma_max_sq.hi)
