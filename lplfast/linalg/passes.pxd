"""Sums over whole matrices in one pass: in lanes, and in blocks, so that their rounding stays small at any size."""

from .blas cimport dot
from .lanes cimport LANES    # and with it the macros
from .rounding cimport BLOCK

cdef extern from *:
    """
    #define LPL_EACH_BLOCK for (start = 0; start < size; start += LPL_BLOCK)
    /* four sums side by side hide the latency of the additions */
    #define LPL_CHAINS 4
    #define LPL_SUM(s) LPL_ADD_UP(((s)[0] + (s)[1]) + ((s)[2] + (s)[3]))
    #define LPL_STOP (size - start < LPL_BLOCK ? size : start + LPL_BLOCK)

    typedef struct { double moved_sq, slope, absolute, forms, bent_sq; } lpl_motion;

    LPL_ANY_CPU double lpl_square_sum(ptrdiff_t size, const double* x) {
        double sum = 0.0;
        ptrdiff_t start, i, c;
        LPL_EACH_BLOCK {
            lpl_lanes s[LPL_CHAINS] = {{0}};
            ptrdiff_t stop = LPL_STOP;
            for (i = start; i + LPL_CHAINS * LPL_LANES <= stop; i += LPL_CHAINS * LPL_LANES)
                for (c = 0; c < LPL_CHAINS; c++)
                    s[c] += LPL_AT(x + i + c * LPL_LANES) * LPL_AT(x + i + c * LPL_LANES);
            for (; i + LPL_LANES <= stop; i += LPL_LANES)
                s[0] += LPL_AT(x + i) * LPL_AT(x + i);
            for (; i < stop; i++)
                sum += x[i] * x[i];
            sum += LPL_SUM(s);
        }
        return sum;
    }

    LPL_ANY_CPU double lpl_distance_sq(ptrdiff_t size, const double* x, const double* y) {
        double sum = 0.0;
        ptrdiff_t start, i;
        LPL_EACH_BLOCK {
            lpl_lanes s = {0};
            ptrdiff_t stop = LPL_STOP;
            for (i = start; i + LPL_LANES <= stop; i += LPL_LANES) {
                lpl_lanes e = LPL_AT(x + i) - LPL_AT(y + i);
                s += e * e;
            }
            for (; i < stop; i++)
                sum += (x[i] - y[i]) * (x[i] - y[i]);
            sum += LPL_ADD_UP(s);
        }
        return sum;
    }

    LPL_ANY_CPU double lpl_move(ptrdiff_t size, const double* z, double eta, const double* g, double* to) {
        double sum = 0.0;
        ptrdiff_t start, i, c;
        LPL_EACH_BLOCK {
            lpl_lanes s[LPL_CHAINS] = {{0}};
            ptrdiff_t stop = LPL_STOP;
            for (i = start; i + LPL_CHAINS * LPL_LANES <= stop; i += LPL_CHAINS * LPL_LANES)
                for (c = 0; c < LPL_CHAINS; c++) {
                    lpl_lanes x = LPL_AT(z + i + c * LPL_LANES) - eta * LPL_AT(g + i + c * LPL_LANES);
                    LPL_PUT(to + i + c * LPL_LANES) = x;
                    s[c] += x * x;
                }
            for (; i + LPL_LANES <= stop; i += LPL_LANES) {
                lpl_lanes x = LPL_AT(z + i) - eta * LPL_AT(g + i);
                LPL_PUT(to + i) = x;
                s[0] += x * x;
            }
            for (; i < stop; i++) {
                to[i] = z[i] - eta * g[i];
                sum += to[i] * to[i];
            }
            sum += LPL_SUM(s);
        }
        return sum;
    }

    LPL_ANY_CPU double lpl_slope(ptrdiff_t size, const double* d, const double* x, const double* y, double* g,
                                 double* x_sq, double* g_sq) {
        double sum = 0.0, xs = 0.0, gs = 0.0;
        ptrdiff_t start, i, c;
        LPL_EACH_BLOCK {
            lpl_lanes s[2] = {{0}}, p[2] = {{0}}, q[2] = {{0}};
            ptrdiff_t stop = LPL_STOP;
            for (i = start; i + 2 * LPL_LANES <= stop; i += 2 * LPL_LANES)
                for (c = 0; c < 2; c++) {
                    ptrdiff_t at = i + c * LPL_LANES;
                    lpl_lanes w = LPL_AT(x + at), e = w - LPL_AT(y + at), f = LPL_AT(d + at) * e;
                    LPL_PUT(g + at) = f;
                    s[c] += f * e;
                    p[c] += w * w;
                    q[c] += f * f;
                }
            for (; i < stop; i++) {
                g[i] = d[i] * (x[i] - y[i]);
                sum += g[i] * (x[i] - y[i]);
                xs += x[i] * x[i];
                gs += g[i] * g[i];
            }
            sum += LPL_ADD_UP(s[0] + s[1]);
            xs += LPL_ADD_UP(p[0] + p[1]);
            gs += LPL_ADD_UP(q[0] + q[1]);
        }
        *x_sq = xs;
        *g_sq = gs;
        return sum;
    }

    LPL_ANY_CPU double lpl_fall(ptrdiff_t size, const double* d, const double* x, const double* y, const double* z,
                                double* absolute) {
        double sum = 0.0, all = 0.0;
        ptrdiff_t start, i;
        LPL_EACH_BLOCK {
            lpl_lanes s = {0}, a = {0};
            ptrdiff_t stop = LPL_STOP;
            for (i = start; i + LPL_LANES <= stop; i += LPL_LANES) {
                lpl_lanes e = LPL_AT(d + i) * (LPL_AT(x + i) - LPL_AT(y + i))
                              * ((LPL_AT(x + i) - LPL_AT(z + i)) + (LPL_AT(y + i) - LPL_AT(z + i)));
                s += e;
                a += LPL_MAGNITUDE(e);
            }
            for (; i < stop; i++) {
                double e = d[i] * (x[i] - y[i]) * ((x[i] - z[i]) + (y[i] - z[i]));
                sum += e;
                all += fabs(e);
            }
            sum += LPL_ADD_UP(s);
            all += LPL_ADD_UP(a);
        }
        *absolute = all;
        return sum;
    }

    LPL_ANY_CPU void lpl_measure(ptrdiff_t size, const double* W, const double* W_new, const double* G,
                                 const double* d, lpl_motion* motion) {
        lpl_motion sum = {0.0, 0.0, 0.0, 0.0, 0.0};
        ptrdiff_t start, i;
        LPL_EACH_BLOCK {
            lpl_lanes s = {0}, p = {0}, a = {0}, f = {0}, b = {0};
            ptrdiff_t stop = LPL_STOP;
            for (i = start; i + LPL_LANES <= stop; i += LPL_LANES) {
                lpl_lanes e = LPL_AT(W_new + i) - LPL_AT(W + i), q = LPL_AT(G + i) * e;
                s += e * e;
                p += q;
                a += LPL_MAGNITUDE(q);
                if (d) {
                    lpl_lanes h = LPL_AT(d + i) * e;
                    f += h * e;
                    b += h * h;
                }
            }
            for (; i < stop; i++) {
                double e = W_new[i] - W[i], q = G[i] * e, h = d ? d[i] * e : 0.0;
                sum.moved_sq += e * e;
                sum.slope += q;
                sum.absolute += fabs(q);
                sum.forms += h * e;
                sum.bent_sq += h * h;
            }
            sum.moved_sq += LPL_ADD_UP(s);
            sum.slope += LPL_ADD_UP(p);
            sum.absolute += LPL_ADD_UP(a);
            sum.forms += LPL_ADD_UP(f);
            sum.bent_sq += LPL_ADD_UP(b);
        }
        *motion = sum;
    }
    """
    # How a step has moved W, M = W_new - W
    ctypedef struct Motion "lpl_motion":
        double moved_sq     # ||M||_F^2
        double slope        # <G, M> for the G before the step,
        double absolute     # and the sum of the absolute values
        double forms        # <M, H M> with H the Hessian of a quadratic loss, else 0
        double bent_sq      # ||H M||_F^2, likewise

    # (x**2).sum(), to the bits that `move` finds
    double square_sum "lpl_square_sum"(Py_ssize_t size, const double* x) noexcept nogil
    # ((x - y)**2).sum()
    double distance_sq "lpl_distance_sq"(Py_ssize_t size, const double* x, const double* y) noexcept nogil
    # to = z - eta * g; the sum of its squares
    double move "lpl_move"(Py_ssize_t size, const double* z, double eta, const double* g, double* to) noexcept nogil
    # g = d * (x - y); (d * (x - y)**2).sum(), and (x**2).sum(), (g**2).sum()
    double slope "lpl_slope"(Py_ssize_t size, const double* d, const double* x, const double* y, double* g,
                             double* x_sq, double* g_sq) noexcept nogil
    # (d * (x - y) * ((x - z) + (y - z))).sum(), which is (d * ((x - z)**2 - (y - z)**2)).sum() without cancellation;
    # and the sum of the absolute values
    double fall "lpl_fall"(Py_ssize_t size, const double* d, const double* x, const double* y, const double* z,
                           double* absolute) noexcept nogil
    # M = W_new - W, and all that `Motion` says of it; d is the Hessian entry by entry, or NULL
    void measure_motion "lpl_measure"(Py_ssize_t size, const double* W, const double* W_new, const double* G,
                                      const double* d, Motion* motion) noexcept nogil


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
