/* Sums over whole matrices in one pass: `passes.pxd` says what each returns. */

#ifndef LPLFAST_PASSES_H
#define LPLFAST_PASSES_H

#include "lanes.h"

#ifndef LPL_BLOCK
  #error "expected LPL_BLOCK, what is added up before it is added to the total: see rounding.pxd"
#endif
#define LPL_EACH_BLOCK for (start = 0; start < size; start += LPL_BLOCK)
/* four chains of the eight sums hide the latency of the additions */
#define LPL_CHAINS 4
/* from so many numbers on a pass is in eight lanes, where there are any */
#define LPL_SHORT_BELOW 64
#define LPL_STOP (size - start < LPL_BLOCK ? size : start + LPL_BLOCK)

typedef struct { double moved_sq, slope, absolute, forms, bent_sq; } lpl_motion;

/* what is in the c-th lanes from entry i on */
#define LPL_C(x) LPL_AT((x) + i + c * LPL_LANES)
#define LPL_EACH_PART for (c = 0; c < LPL_PARTS; c++)
#define LPL_EACH_CHAIN for (c = 0; c < LPL_CHAINS * LPL_PARTS; c++)
#define LPL_PAIR (2 * LPL_PARTS)
#define LPL_EACH_OF_A_PAIR for (c = 0; c < LPL_PAIR; c++)

#define lpl_add_up_pair LPL_KIND(lpl_add_up_pair)
#define lpl_add_up_chains LPL_KIND(lpl_add_up_chains)
#define LPL_KERNELS "linalg/passes.h"
#include "kinds.h"
LPL_BEST(lpl_square_sum)
LPL_BEST(lpl_distance_sq)
LPL_BEST(lpl_move)
LPL_BEST(lpl_arrive)
LPL_BEST(lpl_slope)
LPL_BEST(lpl_fall)
LPL_BEST(lpl_measure)
LPL_BEST(lpl_absolute_norm_sq)

/* Some hundred numbers that have just been written one by one: in clones, as wider reads wait for more of them. */
LPL_ANY_CPU void lpl_copy(ptrdiff_t size, const double* x, double* to) {
    ptrdiff_t i;
    for (i = 0; i + LPL_LANES <= size; i += LPL_LANES)
        LPL_PUT(to + i) = LPL_AT(x + i);
    for (; i < size; i++)
        to[i] = x[i];
}

#elif defined(LPL_KERNELS)

/* Short passes take less in four lanes than in eight: at n = m = 4, three in a hundred of a step. */
#if defined(LPL_KINDS) && LPL_LANES == 8
  #define LPL_LEAVE_SHORT(in_four) if (size < LPL_SHORT_BELOW) return in_four;
#else
  #define LPL_LEAVE_SHORT(in_four)
#endif

LPL_INLINE double lpl_add_up_pair(lpl_lanes s[LPL_PAIR]) {
    ptrdiff_t c;
    LPL_EACH_PART
        s[c] += s[LPL_PARTS + c];
    return lpl_add_up(s);
}

LPL_INLINE double lpl_add_up_chains(lpl_lanes s[LPL_CHAINS * LPL_PARTS]) {
    ptrdiff_t c;
    LPL_EACH_PART
        s[c] = (s[c] + s[LPL_PARTS + c]) + (s[2 * LPL_PARTS + c] + s[3 * LPL_PARTS + c]);
    return lpl_add_up(s);
}

LPL_KERNEL(double, lpl_square_sum)(ptrdiff_t size, const double* x) {
    LPL_LEAVE_SHORT(lpl_square_sum_in_four(size, x))
    double sum = 0.0;
    ptrdiff_t start, i, c;
    LPL_EACH_BLOCK {
        lpl_lanes s[LPL_CHAINS * LPL_PARTS] = {LPL_ZERO};
        ptrdiff_t stop = LPL_STOP;
        for (i = start; i + LPL_CHAINS * LPL_EIGHT <= stop; i += LPL_CHAINS * LPL_EIGHT)
            LPL_EACH_CHAIN
                s[c] += LPL_C(x) * LPL_C(x);
        for (; i + LPL_EIGHT <= stop; i += LPL_EIGHT)
            LPL_EACH_PART
                s[c] += LPL_C(x) * LPL_C(x);
        for (; i < stop; i++)
            sum += x[i] * x[i];
        sum += lpl_add_up_chains(s);
    }
    return sum;
}

LPL_KERNEL(double, lpl_distance_sq)(ptrdiff_t size, const double* x, const double* y) {
    double sum = 0.0;
    ptrdiff_t start, i, c;
    LPL_EACH_BLOCK {
        lpl_lanes s[LPL_PARTS] = {LPL_ZERO};
        ptrdiff_t stop = LPL_STOP;
        for (i = start; i + LPL_EIGHT <= stop; i += LPL_EIGHT)
            LPL_EACH_PART {
                lpl_lanes e = LPL_C(x) - LPL_C(y);
                s[c] += e * e;
            }
        for (; i < stop; i++)
            sum += (x[i] - y[i]) * (x[i] - y[i]);
        sum += lpl_add_up(s);
    }
    return sum;
}

LPL_KERNEL(double, lpl_move)(ptrdiff_t size, const double* z, double eta, const double* g, double* to) {
    LPL_LEAVE_SHORT(lpl_move_in_four(size, z, eta, g, to))
    double sum = 0.0;
    ptrdiff_t start, i, c;
    LPL_EACH_BLOCK {
        lpl_lanes s[LPL_CHAINS * LPL_PARTS] = {LPL_ZERO};
        ptrdiff_t stop = LPL_STOP;
        for (i = start; i + LPL_CHAINS * LPL_EIGHT <= stop; i += LPL_CHAINS * LPL_EIGHT)
            LPL_EACH_CHAIN {
                lpl_lanes x = LPL_C(z) - eta * LPL_C(g);
                LPL_PUT(to + i + c * LPL_LANES) = x;
                s[c] += x * x;
            }
        for (; i + LPL_EIGHT <= stop; i += LPL_EIGHT)
            LPL_EACH_PART {
                lpl_lanes x = LPL_C(z) - eta * LPL_C(g);
                LPL_PUT(to + i + c * LPL_LANES) = x;
                s[c] += x * x;
            }
        for (; i < stop; i++) {
            to[i] = z[i] - eta * g[i];
            sum += to[i] * to[i];
        }
        sum += lpl_add_up_chains(s);
    }
    return sum;
}

LPL_KERNEL(double, lpl_arrive)(ptrdiff_t size, const double* x, const double* z, double eta, const double* g,
                               double* to, double* moved_sq, double* off_sq) {
    double sum = 0.0, moved = 0.0, off = 0.0;
    ptrdiff_t start, i, c;
    LPL_EACH_BLOCK {
        lpl_lanes s[LPL_PAIR] = {LPL_ZERO}, p[LPL_PAIR] = {LPL_ZERO}, q[LPL_PAIR] = {LPL_ZERO};
        ptrdiff_t stop = LPL_STOP;
        for (i = start; i + 2 * LPL_EIGHT <= stop; i += 2 * LPL_EIGHT)
            LPL_EACH_OF_A_PAIR {
                lpl_lanes w = LPL_C(x), e = w - LPL_C(z), f = w - (LPL_C(z) - eta * LPL_C(g));
                LPL_PUT(to + i + c * LPL_LANES) = w;
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
        sum += lpl_add_up_pair(s);
        moved += lpl_add_up_pair(p);
        off += lpl_add_up_pair(q);
    }
    *moved_sq = moved;
    *off_sq = off;
    return sum;
}

LPL_KERNEL(double, lpl_slope)(ptrdiff_t size, const double* d, const double* x, const double* y, double* g,
                              double* x_sq, double* g_sq) {
    LPL_LEAVE_SHORT(lpl_slope_in_four(size, d, x, y, g, x_sq, g_sq))
    double sum = 0.0, xs = 0.0, gs = 0.0;
    ptrdiff_t start, i, c;
    LPL_EACH_BLOCK {
        lpl_lanes s[LPL_PAIR] = {LPL_ZERO}, p[LPL_PAIR] = {LPL_ZERO}, q[LPL_PAIR] = {LPL_ZERO};
        ptrdiff_t stop = LPL_STOP;
        for (i = start; i + 2 * LPL_EIGHT <= stop; i += 2 * LPL_EIGHT)
            LPL_EACH_OF_A_PAIR {
                lpl_lanes w = LPL_C(x), e = w - LPL_C(y), f = LPL_C(d) * e;
                LPL_PUT(g + i + c * LPL_LANES) = f;
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
        sum += lpl_add_up_pair(s);
        xs += lpl_add_up_pair(p);
        gs += lpl_add_up_pair(q);
    }
    *x_sq = xs;
    *g_sq = gs;
    return sum;
}

LPL_KERNEL(double, lpl_fall)(ptrdiff_t size, const double* d, const double* x, const double* y, const double* z,
                             double* absolute) {
    double sum = 0.0, all = 0.0;
    ptrdiff_t start, i, c;
    LPL_EACH_BLOCK {
        lpl_lanes s[LPL_PARTS] = {LPL_ZERO}, a[LPL_PARTS] = {LPL_ZERO};
        ptrdiff_t stop = LPL_STOP;
        for (i = start; i + LPL_EIGHT <= stop; i += LPL_EIGHT)
            LPL_EACH_PART {
                lpl_lanes e = (LPL_C(d) * (LPL_C(x) - LPL_C(y))
                               * ((LPL_C(x) - LPL_C(z)) + (LPL_C(y) - LPL_C(z))));
                s[c] += e;
                a[c] += LPL_MAGNITUDE(e);
            }
        for (; i < stop; i++) {
            double e = d[i] * (x[i] - y[i]) * ((x[i] - z[i]) + (y[i] - z[i]));
            sum += e;
            all += fabs(e);
        }
        sum += lpl_add_up(s);
        all += lpl_add_up(a);
    }
    *absolute = all;
    return sum;
}

LPL_KERNEL(void, lpl_measure)(ptrdiff_t size, const double* W, const double* W_new, const double* G,
                              const double* d, lpl_motion* motion) {
    LPL_LEAVE_SHORT(lpl_measure_in_four(size, W, W_new, G, d, motion))
    lpl_motion sum = {0.0, 0.0, 0.0, 0.0, 0.0};
    ptrdiff_t start, i, c;
    LPL_EACH_BLOCK {
        lpl_lanes s[LPL_PARTS] = {LPL_ZERO}, p[LPL_PARTS] = {LPL_ZERO}, a[LPL_PARTS] = {LPL_ZERO};
        lpl_lanes f[LPL_PARTS] = {LPL_ZERO}, b[LPL_PARTS] = {LPL_ZERO};
        ptrdiff_t stop = LPL_STOP;
        for (i = start; i + LPL_EIGHT <= stop; i += LPL_EIGHT)
            LPL_EACH_PART {
                lpl_lanes e = LPL_C(W_new) - LPL_C(W), q = LPL_C(G) * e;
                s[c] += e * e;
                p[c] += q;
                a[c] += LPL_MAGNITUDE(q);
                if (d) {
                    lpl_lanes h = LPL_C(d) * e;
                    f[c] += h * e;
                    b[c] += h * h;
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
        sum.moved_sq += lpl_add_up(s);
        sum.slope += lpl_add_up(p);
        sum.absolute += lpl_add_up(a);
        sum.forms += lpl_add_up(f);
        sum.bent_sq += lpl_add_up(b);
    }
    *motion = sum;
}

LPL_KERNEL(double, lpl_absolute_norm_sq)(ptrdiff_t n, ptrdiff_t k, const double* A, double* sums) {
    double largest = 0.0;
    ptrdiff_t i, j, c;
    memset(sums, 0, k * sizeof(double));
    for (i = 0; i < n * k; i += k)
        for (j = 0; j < k; j++)
            sums[j] += fabs(A[i + j]);
    for (i = 0; i < n; i++, A += k) {
        lpl_lanes s[LPL_PARTS] = {LPL_ZERO};
        double sum = 0.0;
        for (j = 0; j + LPL_EIGHT <= k; j += LPL_EIGHT)
            LPL_EACH_PART
                s[c] += LPL_MAGNITUDE(LPL_AT(A + j + c * LPL_LANES)) * LPL_AT(sums + j + c * LPL_LANES);
        for (; j < k; j++)
            sum += fabs(A[j]) * sums[j];
        sum += lpl_add_up(s);
        largest = sum > largest ? sum : largest;
    }
    return largest;
}

#undef LPL_LEAVE_SHORT

#endif
