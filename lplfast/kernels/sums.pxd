"""Sums over rows in four lanes: four times as fast as one running sum, and the same bits on every compiler."""

from libc.math cimport fabs

from .blas cimport dot


cdef inline double distance_sq(Py_ssize_t size, const double* x, const double* y) noexcept nogil:
    """((x - y)**2).sum()"""
    cdef double[4] s
    cdef double d
    cdef Py_ssize_t i, j
    for j in range(4):
        s[j] = 0.0
    for i in range(0, size - 3, 4):
        for j in range(4):
            d = x[i + j] - y[i + j]
            s[j] += d * d
    for i in range(size - size % 4, size):
        d = x[i] - y[i]
        s[0] += d * d
    return (s[0] + s[1]) + (s[2] + s[3])


cdef inline double scaled_difference(Py_ssize_t size, double d, const double* x, const double* y,
                                     double* g) noexcept nogil:
    """g = d * (x - y); return ((x - y)**2).sum()"""
    cdef double[4] s
    cdef double e
    cdef Py_ssize_t i, j
    for j in range(4):
        s[j] = 0.0
    for i in range(0, size - 3, 4):
        for j in range(4):
            e = x[i + j] - y[i + j]
            g[i + j] = d * e
            s[j] += e * e
    for i in range(size - size % 4, size):
        e = x[i] - y[i]
        g[i] = d * e
        s[0] += e * e
    return (s[0] + s[1]) + (s[2] + s[3])


cdef inline double difference_of_squares(Py_ssize_t size, const double* x, const double* y, const double* z,
                                         double* absolute) noexcept nogil:
    """((x - y) * ((x - z) + (y - z))).sum(), which is ((x - z)**2 - (y - z)**2).sum() without cancellation.

    `absolute` receives the sum of the absolute values.
    """
    cdef double[4] s
    cdef double[4] a
    cdef double e
    cdef Py_ssize_t i, j
    for j in range(4):
        s[j] = a[j] = 0.0
    for i in range(0, size - 3, 4):
        for j in range(4):
            e = (x[i + j] - y[i + j]) * ((x[i + j] - z[i + j]) + (y[i + j] - z[i + j]))
            s[j] += e
            a[j] += fabs(e)
    for i in range(size - size % 4, size):
        e = (x[i] - y[i]) * ((x[i] - z[i]) + (y[i] - z[i]))
        s[0] += e
        a[0] += fabs(e)
    absolute[0] = (a[0] + a[1]) + (a[2] + a[3])
    return (s[0] + s[1]) + (s[2] + s[3])


cdef inline double weighted_cross(Py_ssize_t n, Py_ssize_t m, const double* d, const double* U,
                                  const double* V) noexcept nogil:
    """(d[:, None] * U * V).sum() of (n, m) matrices"""
    cdef double s = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        s += d[i] * dot(m, U + i * m, V + i * m)
    return s


cdef inline double weighted_square(Py_ssize_t n, Py_ssize_t m, const double* d, const double* U) noexcept nogil:
    """(d[:, None] * U**2).sum() of an (n, m) matrix"""
    return weighted_cross(n, m, d, U, U)


cdef inline double displacement(Py_ssize_t n, Py_ssize_t m, const double* W, const double* W_new, const double* G,
                                const double* d, double* slope, double* forms) noexcept nogil:
    """M = W_new - W; slope = (G * M).sum(); forms = (d[:, None] * M**2).sum() unless d is NULL; return (M**2).sum()"""
    cdef double[4] s
    cdef double[4] a
    cdef double e, row, total = 0.0
    cdef Py_ssize_t i, j, r
    slope[0] = forms[0] = 0.0
    for r in range(n):
        for j in range(4):
            s[j] = a[j] = 0.0
        for i in range(r * m, r * m + m - 3, 4):
            for j in range(4):
                e = W_new[i + j] - W[i + j]
                s[j] += e * e
                a[j] += G[i + j] * e
        for i in range(r * m + m - m % 4, r * m + m):
            e = W_new[i] - W[i]
            s[0] += e * e
            a[0] += G[i] * e
        slope[0] += (a[0] + a[1]) + (a[2] + a[3])
        row = (s[0] + s[1]) + (s[2] + s[3])
        total += row
        if d != NULL:
            forms[0] += d[r] * row
    return total
