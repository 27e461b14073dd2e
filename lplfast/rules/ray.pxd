"""The ray that a step from an iterate moves the product on, as losses are asked about it."""

from ..iterate cimport Iterate
from ..losses.loss cimport Loss, Ray


cdef inline void begin(Iterate* it, Loss loss, double* scratch, Ray* ray) noexcept nogil:
    """The ray from this iterate."""
    ray.W, ray.G, ray.tau, ray.B = it.W, it.G, it.tau, it.B
    ray.loss, ray.gap, ray.a = it.loss, it.gap, it.grad_sq
    ray.own, ray.here = it.own, it.here
    loss.prepare(ray, scratch)
