/* Sums over whole matrices in one pass: `passes.pxd` says what each returns. */

#ifndef LPLFAST_PASSES_H
#define LPLFAST_PASSES_H

#include "lanes.h"

#ifndef LPL_BLOCK
  #error "expected LPL_BLOCK, what is added up before it is added to the total: see rounding.pxd"
#endif
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
        lpl_lanes s[LPL_CHAINS] = {LPL_ZERO};
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
        lpl_lanes s[LPL_CHAINS] = {LPL_ZERO};
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

LPL_ANY_CPU double lpl_arrive(ptrdiff_t size, const double* x, const double* z, double eta, const double* g,
                              double* to, double* moved_sq, double* off_sq) {
    double sum = 0.0, moved = 0.0, off = 0.0;
    ptrdiff_t start, i, c;
    LPL_EACH_BLOCK {
        lpl_lanes s[2] = {LPL_ZERO}, p[2] = {LPL_ZERO}, q[2] = {LPL_ZERO};
        ptrdiff_t stop = LPL_STOP;
        for (i = start; i + 2 * LPL_LANES <= stop; i += 2 * LPL_LANES)
            for (c = 0; c < 2; c++) {
                ptrdiff_t at = i + c * LPL_LANES;
                lpl_lanes w = LPL_AT(x + at), e = w - LPL_AT(z + at), f = w - (LPL_AT(z + at) - eta * LPL_AT(g + at));
                LPL_PUT(to + at) = w;
                s[c] += w * w;
                p[c] += e * e;
                q[c] += f * f;
            }
        for (; i < stop; i++) {
            double w = x[i], e = w - z[i], f = w - (z[i] - eta * g[i]);
            to[i] = w;
            sum += w * w;
            moved += e * e;
            off += f * f;
        }
        sum += LPL_ADD_UP(s[0] + s[1]);
        moved += LPL_ADD_UP(p[0] + p[1]);
        off += LPL_ADD_UP(q[0] + q[1]);
    }
    *moved_sq = moved;
    *off_sq = off;
    return sum;
}

LPL_ANY_CPU double lpl_slope(ptrdiff_t size, const double* d, const double* x, const double* y, double* g,
                             double* x_sq, double* g_sq) {
    double sum = 0.0, xs = 0.0, gs = 0.0;
    ptrdiff_t start, i, c;
    LPL_EACH_BLOCK {
        lpl_lanes s[2] = {LPL_ZERO}, p[2] = {LPL_ZERO}, q[2] = {LPL_ZERO};
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

#endif
