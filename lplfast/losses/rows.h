/* Losses of rows, eight rows at a time: `rows.pxd` says what each function does.

   A tile is eight rows of a matrix with m columns, column by column: 8 m numbers, those of a column side by side. So
   every sum over a row is one of lanes, whatever m is, and no row waits for another. Rows that fill up the last tile
   are 0 throughout, and so is all that they add. */

#ifndef LPLFAST_ROWS_H
#define LPLFAST_ROWS_H

#include "linalg/elementary.h"

#ifndef LPL_UNIT_ROUNDOFF
  #error "expected LPL_UNIT_ROUNDOFF: see rounding.pxd"
#endif

#define LPL_TILE LPL_EIGHT
#define LPL_EACH_ROW for (l = 0; l < LPL_TILE; l += LPL_LANES)
/* column j of a tile, from row l on */
#define LPL_COLUMN(x, j) LPL_AT((x) + (j) * LPL_TILE + l)
#define LPL_PUT_COLUMN(x, j) LPL_PUT((x) + (j) * LPL_TILE + l)
#define LPL_GREATER(a, b) LPL_CHOOSE((b) > (a), b, a)
#define LPL_LESSER(a, b) LPL_CHOOSE((b) < (a), b, a)

LPL_ANY_CPU void lpl_to_tiles(ptrdiff_t rows, int m, const double* A, double* T) {
    ptrdiff_t i, r;
    int j;
    for (i = 0; i < rows; i += LPL_TILE, A += LPL_TILE * m)
        for (j = 0; j < m; j++, T += LPL_TILE) {
            if (rows - i >= LPL_TILE)
                for (r = 0; r < LPL_TILE; r++)
                    T[r] = A[r * m + j];
            else
                for (r = 0; r < LPL_TILE; r++)
                    T[r] = r < rows - i ? A[r * m + j] : 0.0;
        }
}

LPL_ANY_CPU void lpl_from_tiles(ptrdiff_t rows, int m, const double* T, double* A) {
    ptrdiff_t i, r;
    int j;
    for (i = 0; i < rows; i += LPL_TILE, A += LPL_TILE * m)
        for (j = 0; j < m; j++, T += LPL_TILE) {
            if (rows - i >= LPL_TILE)
                for (r = 0; r < LPL_TILE; r++)
                    A[r * m + j] = T[r];
            else
                for (r = 0; r < rows - i; r++)
                    A[r * m + j] = T[r];
        }
}

/* Beyond it products of probabilities and exponentials may leave float64. */
#define LPL_FAR 600.0

/* One row whose logits differ by more than LPL_FAR: a probability that has underflowed may count again. */
static double lpl_tilt_far(int m, const double* logs, const double* P, const double* c, double* D, double* p,
                           double* R_sq, double* off) {
    double top = -INFINITY, widest = 0.0, S = 0.0;
    ptrdiff_t at, size = (ptrdiff_t) m * LPL_TILE;
    for (at = 0; at < size; at += LPL_TILE) {
        top = logs[at] + c[at] > top ? logs[at] + c[at] : top;
        widest = fabs(c[at]) > widest ? fabs(c[at]) : widest;
    }
    for (at = 0; at < size; at += LPL_TILE)
        S += exp(logs[at] + c[at] - top);
    S = top + log(S);
    for (at = 0; at < size; at += LPL_TILE) {
        double e = exp(logs[at] + c[at] - S);
        if (p)
            p[at] = e;
        D[at] = e - P[at];
        *R_sq += D[at] * D[at];
    }
    *off += 8.0 * LPL_UNIT_ROUNDOFF * (fabs(top) + fabs(S) + 2.0 * widest);
    return S;
}

/* What is remembered of a row for a whole ray, along which its logits move by u = -eta a + eta^2 c: moments and ranges
   of a and c under p. */
enum { LPL_V_AA, LPL_V_AC, LPL_V_CC, LPL_LEAD_A, LPL_LEAD_C, LPL_RANGE_A, LPL_RANGE_C, LPL_SUMMARY };

/* `lpl_two_points` for b > LPL_FAR: 1 + b beside exp(b) is nothing, and exp(b) may leave float64. */
static double lpl_two_points_far(double v, double b) {
    double square = b * b, other = -v / b, lead = b + log(v / (square + v)), rest;
    if (!(v > 0.0))
        return 0.0;
    rest = 1.0 + square / (square + v) * (exp(other) - 1.0 - other);
    return lead > 0.0 ? lead + log1p(rest * exp(-lead)) : log(rest + exp(lead));
}

#define lpl_largest_of_rows LPL_KIND(lpl_largest_of_rows)
#define lpl_sum_of_rows LPL_KIND(lpl_sum_of_rows)
#define lpl_two_points LPL_KIND(lpl_two_points)
#define lpl_growth LPL_KIND(lpl_growth)
#define LPL_KERNELS "losses/rows.h"
#include "linalg/kinds.h"
LPL_BEST(lpl_move_tiles)
LPL_BEST(lpl_slope_of_tiles)
LPL_BEST(lpl_tilt)
LPL_BEST(lpl_spread)
LPL_BEST(lpl_summarize)
LPL_BEST(lpl_growth_of_rows)
LPL_BEST(lpl_growth_of_pairs)
LPL_BEST(lpl_bend_of_pairs)
LPL_BEST(lpl_spread_of_pairs)

#elif defined(LPL_KERNELS)

LPL_INLINE double lpl_largest_of_rows(const double* s) {
    double largest = s[0];
    int r;
    for (r = 1; r < LPL_TILE; r++)
        largest = s[r] > largest ? s[r] : largest;
    return largest;
}

/* in one order, however many lanes there are */
LPL_INLINE double lpl_sum_of_rows(const double* s) { return lpl_add_up((const lpl_lanes*) s); }

LPL_KERNEL(void, lpl_move_tiles)(ptrdiff_t tiles, int m, const double* D, double eta, const double* moves, double* to) {
    ptrdiff_t i, l, size = (ptrdiff_t) m * LPL_TILE;
    for (i = 0; i < tiles; i++, D += size, to += size, moves += 2 * size)
        for (l = 0; l < size; l += LPL_LANES)
            LPL_PUT(to + l) = LPL_AT(D + l) - eta * (LPL_AT(moves + l) - eta * LPL_AT(moves + size + l));
}

LPL_KERNEL(double, lpl_slope_of_tiles)(ptrdiff_t tiles, int m, const double* R, double eta, const double* moves) {
    double sums[LPL_TILE] = {0.0};
    ptrdiff_t i, l;
    int j;
    for (i = 0; i < tiles; i++, R += m * LPL_TILE, moves += 2 * m * LPL_TILE)
        LPL_EACH_ROW {
            lpl_lanes s = LPL_ZERO;
            for (j = 0; j < m; j++)
                s += LPL_COLUMN(R, j) * (2.0 * eta * LPL_COLUMN(moves, m + j) - LPL_COLUMN(moves, j));
            LPL_PUT(sums + l) += s;
        }
    return lpl_sum_of_rows(sums);
}

/* With c = d - <P, d> and S = <P, exp(c) - 1 - c>, a sum of positive numbers, what is returned is the sum of log1p(S),
   and p - P = P (exp(c) - 1 - S) / (1 + S): neither cancels, however small d is. */
LPL_KERNEL(double, lpl_tilt)(ptrdiff_t tiles, int m, const double* logs, const double* P, double* D, double* p,
                             double* spare, double* R_sq, double* off) {
    double sums[LPL_TILE] = {0.0}, squares[LPL_TILE] = {0.0}, beyond[LPL_TILE], far_gap = 0.0;
    double* c_far = spare + (ptrdiff_t) m * LPL_TILE;
    ptrdiff_t i, l, r, size = (ptrdiff_t) m * LPL_TILE;
    int j, far;
    for (i = 0; i < tiles; i++, logs += size, P += size, D += size) {
        LPL_EACH_ROW {
            lpl_lanes mean = LPL_ZERO, outside = LPL_ZERO, none = LPL_ZERO;
            for (j = 0; j < m; j++)
                mean += LPL_COLUMN(P, j) * LPL_COLUMN(D, j);
            for (j = 0; j < m; j++) {
                lpl_lanes c = LPL_COLUMN(D, j) - mean;
                LPL_PUT_COLUMN(spare, j) = c;
                outside += LPL_CHOOSE(LPL_MAGNITUDE(c) <= LPL_FAR, none, none + 1.0);
            }
            LPL_PUT(beyond + l) = outside;
        }
        for (far = 0, r = 0; r < LPL_TILE; r++)
            far |= beyond[r] > 0.0;
        if (far) {
            memcpy(c_far, spare, size * sizeof(double));
            for (r = 0; r < LPL_TILE; r++)
                for (j = 0; j < m && beyond[r] > 0.0; j++)
                    spare[j * LPL_TILE + r] = 0.0;
        }
        LPL_EACH_ROW {
            lpl_lanes S = LPL_ZERO, square = LPL_ZERO, e, x, inverse;
            for (j = 0; j < m; j++) {
                lpl_lanes c = LPL_COLUMN(spare, j);
                x = lpl_excess(c, &e);
                S += LPL_COLUMN(P, j) * x;
                LPL_PUT_COLUMN(D, j) = c + x;
                LPL_PUT_COLUMN(spare, j) = e;
            }
            inverse = 1.0 / (1.0 + S);
            for (j = 0; j < m; j++) {
                x = LPL_COLUMN(P, j) * inverse;
                if (p)
                    LPL_PUT_COLUMN(p, j) = x * LPL_COLUMN(spare, j);
                x *= LPL_COLUMN(D, j) - S;
                LPL_PUT_COLUMN(D, j) = x;
                square += x * x;
            }
            LPL_PUT(sums + l) += lpl_log1p(S);
            LPL_PUT(squares + l) += square;
        }
        for (r = 0; far && r < LPL_TILE; r++)
            if (beyond[r] > 0.0)
                far_gap += lpl_tilt_far(m, logs + r, P + r, c_far + r, D + r, p ? p + r : NULL, R_sq, off);
        if (p)
            p += size;
    }
    *R_sq += lpl_sum_of_rows(squares);
    return lpl_sum_of_rows(sums) + far_gap;
}

LPL_KERNEL(double, lpl_spread)(ptrdiff_t tiles, int m, const double* P, const double* D, double* bent) {
    double sums[LPL_TILE] = {0.0}, widest[LPL_TILE] = {0.0};
    ptrdiff_t i, l;
    int j;
    for (i = 0; i < tiles; i++, P += m * LPL_TILE, D += m * LPL_TILE)
        LPL_EACH_ROW {
            lpl_lanes low = LPL_COLUMN(D, 0), high = low, mean = LPL_ZERO, s = LPL_ZERO, d;
            for (j = 0; j < m; j++) {
                d = LPL_COLUMN(D, j);
                low = LPL_LESSER(low, d);
                high = LPL_GREATER(high, d);
                mean += LPL_COLUMN(P, j) * d;
            }
            for (j = 0; j < m; j++) {
                d = LPL_COLUMN(D, j) - mean;
                s += LPL_COLUMN(P, j) * d * d;
            }
            LPL_PUT(sums + l) += s;
            d = high - low;
            LPL_PUT(widest + l) = LPL_GREATER(LPL_AT(widest + l), d);
        }
    *bent += lpl_sum_of_rows(sums);
    return lpl_largest_of_rows(widest);
}

LPL_KERNEL(double, lpl_summarize)(ptrdiff_t tiles, int m, const double* p, const double* moves, double* to) {
    double sums[LPL_TILE] = {0.0};
    ptrdiff_t i, l;
    int j;
    for (i = 0; i < tiles; i++, p += m * LPL_TILE, moves += 2 * m * LPL_TILE, to += LPL_SUMMARY * LPL_TILE)
        LPL_EACH_ROW {
            lpl_lanes a_low = LPL_COLUMN(moves, 0), a_high = a_low, a_mean = LPL_ZERO, aa = LPL_ZERO, ac = LPL_ZERO;
            lpl_lanes c_low = LPL_COLUMN(moves, m), c_high = c_low, c_mean = LPL_ZERO, cc = LPL_ZERO, a, c, q;
            lpl_lanes none = LPL_ZERO;
            for (j = 0; j < m; j++) {
                q = LPL_COLUMN(p, j);
                a = LPL_COLUMN(moves, j);
                c = LPL_COLUMN(moves, m + j);
                a_mean += q * a;
                c_mean += q * c;
                a_low = LPL_LESSER(a_low, a);
                a_high = LPL_GREATER(a_high, a);
                c_low = LPL_LESSER(c_low, c);
                c_high = LPL_GREATER(c_high, c);
            }
            for (j = 0; j < m; j++) {
                q = LPL_COLUMN(p, j);
                a = LPL_COLUMN(moves, j) - a_mean;
                c = LPL_COLUMN(moves, m + j) - c_mean;
                aa += q * a * a;
                ac += q * a * c;
                cc += q * c * c;
            }
            LPL_PUT(sums + l) += aa;
            LPL_PUT_COLUMN(to, LPL_V_AA) = aa;
            LPL_PUT_COLUMN(to, LPL_V_AC) = ac;
            LPL_PUT_COLUMN(to, LPL_V_CC) = cc;
            a = a_mean - a_low;
            c = c_high - c_mean;
            LPL_PUT_COLUMN(to, LPL_LEAD_A) = LPL_CHOOSE(a > 0.0, a, none);
            LPL_PUT_COLUMN(to, LPL_LEAD_C) = LPL_CHOOSE(c > 0.0, c, none);
            LPL_PUT_COLUMN(to, LPL_RANGE_A) = a_high - a_low;
            LPL_PUT_COLUMN(to, LPL_RANGE_C) = c_high - c_low;
        }
    return lpl_sum_of_rows(sums);
}

/* The most that log E exp(X) is for X of mean 0 and variance v that is at most b: two points, b and -v/b.
   log1p((v psi(b) + b^2 psi(-v/b)) / (b^2 + v)), psi(t) = exp(t) - 1 - t. It grows with v and with b, and is exact for
   two values. */
LPL_INLINE lpl_lanes lpl_two_points(lpl_lanes v, lpl_lanes b) {
    lpl_lanes none = LPL_ZERO, square = b * b, other = -v / b, cut, e, first, second;
    first = lpl_excess(LPL_LESSER(b, none + LPL_FAR), &e);
    /* psi(t) is -1 - t where exp(t) is nothing */
    cut = LPL_GREATER(other, none - LPL_FAR);
    second = lpl_excess(cut, &e) + (cut - other);
    e = lpl_log1p((v * first + square * second) / (square + v));
    return LPL_CHOOSE(b > 0.0, LPL_CHOOSE(v > 0.0, e, none), none);
}

/* Of eight rows: by variance and largest value, or by the range (Hoeffding), whichever says less. */
LPL_INLINE lpl_lanes lpl_growth(const double* v, const double* b, lpl_lanes by_range) {
    double found[LPL_LANES];
    ptrdiff_t r;
    LPL_PUT(found) = lpl_two_points(LPL_AT(v), LPL_AT(b));
    for (r = 0; r < LPL_LANES; r++)
        if (b[r] > LPL_FAR)
            found[r] = lpl_two_points_far(v[r], b[r]);
    return LPL_LESSER(by_range, LPL_AT(found));
}

LPL_KERNEL(double, lpl_growth_of_rows)(ptrdiff_t tiles, const double* summary, double eta, double rho) {
    double sums[LPL_TILE] = {0.0}, v[LPL_LANES], b[LPL_LANES];
    ptrdiff_t i, l;
    for (i = 0; i < tiles; i++, summary += LPL_SUMMARY * LPL_TILE)
        LPL_EACH_ROW {
            lpl_lanes aa = LPL_COLUMN(summary, LPL_V_AA), cc = eta * eta * LPL_COLUMN(summary, LPL_V_CC);
            lpl_lanes none = LPL_ZERO, r, s;
            r = eta * (LPL_COLUMN(summary, LPL_RANGE_A) + eta * LPL_COLUMN(summary, LPL_RANGE_C));
            r *= 1.0 + 4.0 * LPL_UNIT_ROUNDOFF;
            /* a sum that may have cancelled: what is lost is relative to its terms */
            s = eta * eta * ((aa - 2.0 * eta * LPL_COLUMN(summary, LPL_V_AC) + cc) + 4.0 * rho * (aa + cc));
            LPL_PUT(v) = LPL_GREATER(none, s);
            LPL_PUT(b) = (eta * (LPL_COLUMN(summary, LPL_LEAD_A) + eta * LPL_COLUMN(summary, LPL_LEAD_C))
                          + 2.0 * rho * r);
            LPL_PUT(sums + l) += lpl_growth(v, b, 0.125 * r * r);
        }
    return lpl_sum_of_rows(sums);
}

/* Of two values, variance and largest value are known at every eta. */
LPL_KERNEL(double, lpl_growth_of_pairs)(ptrdiff_t tiles, int m, const double* p, const double* moves, double eta,
                                        double rho) {
    double sums[LPL_TILE] = {0.0}, v[LPL_LANES], b[LPL_LANES];
    ptrdiff_t i, l;
    int j;
    for (i = 0; i < tiles; i++, moves += 2 * m * LPL_TILE)
        for (j = 0; j < m; j++, p += 2 * LPL_TILE)
            LPL_EACH_ROW {
                lpl_lanes u = eta * (eta * LPL_COLUMN(moves, m + j) - LPL_COLUMN(moves, j));
                LPL_PUT(v) = LPL_COLUMN(p, 0) * LPL_COLUMN(p, 1) * u * u * (1.0 + 4.0 * rho);
                LPL_PUT(b) = (LPL_CHOOSE(u > 0.0, u * LPL_COLUMN(p, 0), -u * LPL_COLUMN(p, 1))
                              + 2.0 * rho * LPL_MAGNITUDE(u));
                LPL_PUT(sums + l) += lpl_growth(v, b, 0.125 * u * u);
            }
    return lpl_sum_of_rows(sums);
}

LPL_KERNEL(double, lpl_bend_of_pairs)(ptrdiff_t tiles, int m, const double* p, const double* moves) {
    double sums[LPL_TILE] = {0.0};
    ptrdiff_t i, l;
    int j;
    for (i = 0; i < tiles; i++, moves += 2 * m * LPL_TILE)
        for (j = 0; j < m; j++, p += 2 * LPL_TILE)
            LPL_EACH_ROW
                LPL_PUT(sums + l) += (LPL_COLUMN(p, 0) * LPL_COLUMN(p, 1)
                                      * LPL_COLUMN(moves, j) * LPL_COLUMN(moves, j));
    return lpl_sum_of_rows(sums);
}

/* Of pairs of logits 0 and d: the largest |d|, and their quadratic forms. */
LPL_KERNEL(double, lpl_spread_of_pairs)(ptrdiff_t tiles, int m, const double* P, const double* D, double* bent) {
    double sums[LPL_TILE] = {0.0}, widest[LPL_TILE] = {0.0};
    ptrdiff_t i, l;
    for (i = 0; i < tiles * m; i++, P += 2 * LPL_TILE, D += LPL_TILE)
        LPL_EACH_ROW {
            lpl_lanes d = LPL_COLUMN(D, 0), size = LPL_MAGNITUDE(d);
            LPL_PUT(sums + l) += LPL_COLUMN(P, 0) * LPL_COLUMN(P, 1) * d * d;
            LPL_PUT(widest + l) = LPL_GREATER(LPL_AT(widest + l), size);
        }
    *bent += lpl_sum_of_rows(sums);
    return lpl_largest_of_rows(widest);
}

#endif
