/* Products of small matrices, row by row: up to some size faster than any call. */

#ifndef LPLFAST_PRODUCTS_H
#define LPLFAST_PRODUCTS_H

#include "lanes.h"

/* Below this many rows symmetric matrices are worked on in plain loops, too: about as fast, and OpenBLAS takes a lock
   in each of these calls, in which two threads of small problems would meet. */
#define LPL_FEW_ROWS 24

/* ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)) of the eight sums in `s`, of each of LPL_LANES such `s` */
#if LPL_LANES == 8
  #define LPL_HALVES(a, b) (LPL_PICK(a, b, 0, 1, 2, 3, 8, 9, 10, 11) + LPL_PICK(a, b, 4, 5, 6, 7, 12, 13, 14, 15))
  #define LPL_QUARTERS(a, b) (LPL_PICK(a, b, 0, 1, 4, 5, 8, 9, 12, 13) + LPL_PICK(a, b, 2, 3, 6, 7, 10, 11, 14, 15))
LPL_INLINE lpl_lanes lpl_add_up_each(lpl_lanes s[LPL_LANES][LPL_PARTS]) {
    lpl_lanes p = LPL_QUARTERS(LPL_HALVES(s[0][0], s[1][0]), LPL_HALVES(s[2][0], s[3][0]));
    lpl_lanes q = LPL_QUARTERS(LPL_HALVES(s[4][0], s[5][0]), LPL_HALVES(s[6][0], s[7][0]));
    return LPL_PICK(p, q, 0, 2, 4, 6, 8, 10, 12, 14) + LPL_PICK(p, q, 1, 3, 5, 7, 9, 11, 13, 15);
}
#elif LPL_LANES == 4
  #define LPL_HALVES(a, b) (LPL_PICK(a, b, 0, 1, 4, 5) + LPL_PICK(a, b, 2, 3, 6, 7))
LPL_INLINE lpl_lanes lpl_add_up_each(lpl_lanes s[LPL_LANES][LPL_PARTS]) {
    lpl_lanes p = LPL_HALVES(s[0][0] + s[0][1], s[1][0] + s[1][1]);
    lpl_lanes q = LPL_HALVES(s[2][0] + s[2][1], s[3][0] + s[3][1]);
    return LPL_PICK(p, q, 0, 2, 4, 6) + LPL_PICK(p, q, 1, 3, 5, 7);
}
#elif LPL_LANES == 2
LPL_INLINE lpl_lanes lpl_add_up_each(lpl_lanes s[LPL_LANES][LPL_PARTS]) {
    lpl_lanes p = (s[0][0] + s[0][2]) + (s[0][1] + s[0][3]), q = (s[1][0] + s[1][2]) + (s[1][1] + s[1][3]);
    return LPL_PICK(p, q, 0, 2) + LPL_PICK(p, q, 1, 3);
}
#else
LPL_INLINE lpl_lanes lpl_add_up_each(lpl_lanes s[LPL_LANES][LPL_PARTS]) {
    return ((s[0][0] + s[0][4]) + (s[0][2] + s[0][6])) + ((s[0][1] + s[0][5]) + (s[0][3] + s[0][7]));
}
#endif

/* C = A @ B.T, of as many entries at once as there are lanes: each is eight sums, added up in the end. Where fewer are
   left, the last one is computed several times. */
LPL_ANY_CPU void lpl_small_nt(int n, int k, int m, const double* A, const double* B, double* C) {
    const double* end = A + (ptrdiff_t) n * k;
    const double* b = B;
    const double* last = B + (ptrdiff_t) (m - 1) * k;
    ptrdiff_t left = (ptrdiff_t) n * m, whole = k - k % LPL_EIGHT, l, c, v;
    for (; left > 0; left -= LPL_LANES, C += LPL_LANES) {
        const double *row[LPL_LANES], *column[LPL_LANES];
        lpl_lanes s[LPL_LANES][LPL_PARTS] = {{LPL_ZERO}}, rest = LPL_ZERO;
        for (c = 0; c < LPL_LANES; c++) {
            row[c] = A;
            column[c] = b;
            if (b != last)
                b += k;
            else if (A + k != end) {
                b = B;
                A += k;
            }
        }
        for (l = 0; l < whole; l += LPL_EIGHT)
            for (c = 0; c < LPL_LANES; c++)
                for (v = 0; v < LPL_PARTS; v++)
                    s[c][v] += LPL_AT(row[c] + l + v * LPL_LANES) * LPL_AT(column[c] + l + v * LPL_LANES);
        for (; l < k; l++)
            for (c = 0; c < LPL_LANES; c++)
                LPL_LANE(rest, c) += row[c][l] * column[c][l];
        rest += lpl_add_up_each(s);
        if (left >= LPL_LANES)
            LPL_PUT(C) = rest;
        else
            for (c = 0; c < left; c++)
                C[c] = LPL_LANE(rest, c);
    }
}

/* V lanes of a row of C from column `from` on, where the entries of the row of A are `step` apart */
#define LPL_PART_OF_ROW(V, from, step) { \
    lpl_lanes s[V] = {LPL_ZERO}; \
    for (l = 0; l < k; l++) \
        for (v = 0; v < V; v++) \
            s[v] += A[l * (step)] * LPL_AT(B + l * m + (from) + v * LPL_LANES); \
    for (v = 0; v < V; v++) \
        LPL_PUT(C + (from) + v * LPL_LANES) = s[v]; \
    }

/* C = A @ B, where row i of A begins at A + i * row; sixteen columns at a time, then eight, the last of which may be
   among those before */
#define LPL_SMALL(row, step) \
    ptrdiff_t i, j, l, v; \
    for (i = 0; i < n; i++, A += row, C += m) { \
        for (j = 0; m >= 2 * LPL_EIGHT && j + 2 * LPL_EIGHT <= m; j += 2 * LPL_EIGHT) \
            LPL_PART_OF_ROW(2 * LPL_PARTS, j, step) \
        for (; j < m && m >= LPL_EIGHT; j += LPL_EIGHT) { \
            ptrdiff_t last = j + LPL_EIGHT <= m ? j : m - LPL_EIGHT; \
            LPL_PART_OF_ROW(LPL_PARTS, last, step) \
        } \
        for (; j < m; j++) { \
            double sum = 0.0; \
            for (l = 0; l < k; l++) \
                sum += A[l * (step)] * B[l * m + j]; \
            C[j] = sum; \
        } \
    }

LPL_ANY_CPU void lpl_small_nn(int n, int k, int m, const double* A, const double* B, double* C) { LPL_SMALL(k, 1) }

LPL_ANY_CPU void lpl_small_tn(int n, int k, int m, const double* A, const double* B, double* C) { LPL_SMALL(1, n) }

#endif
