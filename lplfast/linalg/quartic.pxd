"""The quartic L - a eta + b0 (b eta^2 + c eta^3 + d eta^4) that the loss is, or is below, along a step.

Its coefficients are kept relative to b0, the part of the second one that is a square: they leave float64 last.
docs/theory.md, section 8.
"""

from libc.math cimport fabs, sqrt

from .rounding cimport U

cdef enum:
    HALVINGS = 200


cdef struct Quartic:
    double a        # ||grad L||^2 > 0
    double b0       # > 0
    double b        # 1 + <G, B> / b0
    double c
    double d        # >= 0


cdef inline double fall(Quartic* q, double eta) noexcept nogil:
    """How much lower the quartic is after a step."""
    return eta * (q.a - eta * q.b0 * (q.b + eta * (q.c + eta * q.d)))


cdef inline double first_minimiser(Quartic* q) noexcept nogil:
    """The first positive root of the derivative; with several wells the far one can ruin the layers.

    In x = 2 b0 eta / a the derivative is `p(x) = D x^3 + C x^2 + B x - 1`, ratios only.
    """
    cdef double scale = 0.5 * q.a / q.b0
    cdef double B = q.b, C = 1.5 * q.c * scale, D = 2.0 * (q.d * scale) * scale
    cdef double low = 0.0, high = 1.0, x, p, slope, root, first, second
    cdef int _i
    # p rises from -1; where it can turn back are the roots of p' = 3 D x^2 + 2 C x + B
    root = C * C - 3.0 * B * D
    if D > 0.0 and root > 0.0:
        root = sqrt(root)
        # first < second, each without cancellation
        if C >= 0.0:
            first, second = -(C + root) / (3.0 * D), -B / (C + root)
        else:
            first, second = B / (root - C), (root - C) / (3.0 * D)
        if first > 0.0 and ((D * first + C) * first + B) * first >= 1.0:
            high = first            # up to its first maximum
        elif second > 0.0:
            low = second            # beyond its minimum
            high = 2.0 * second
    for _i in range(HALVINGS):
        if ((D * high + C) * high + B) * high >= 1.0:
            break
        low, high = high, 2.0 * high
    x = high
    for _i in range(HALVINGS):
        p = ((D * x + C) * x + B) * x - 1.0
        if p < 0.0:
            low = x
        else:
            high = x
        slope = (3.0 * D * x + 2.0 * C) * x + B
        root = x - p / slope if slope > 0.0 else low
        if not low < root < high:
            root = 0.5 * (low + high)
        if fabs(root - x) <= 2.0 * U * x:
            break
        x = root
    return x * scale
