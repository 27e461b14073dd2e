/* Gram matrices and Cholesky factors in single precision: `single.pxd` says what each returns, and how it rounds. */

#ifndef LPLFAST_SINGLE_H
#define LPLFAST_SINGLE_H

#include "lanes.h"

/* Sixteen columns side by side, a panel, row by row: so a product reads memory in one go. They are in registers as wide
   as those of lanes: GCC keeps what is wider in memory, which took eight times as long with AVX2. */
#define LPL_PANEL 16
/* So many terms, of a Gram matrix and of a factor, are added up before they are added to the total; and so much of the
   inner length of a Gram matrix before that goes on in double precision. */
#define LPL_GRAM_RUN 8
#define LPL_FACTOR_RUN 16
#define LPL_PIECE 64
/* rows of a tile: its sums stay in registers */
#define LPL_HALF 8

#if LPL_LANES > 1
  #define LPL_SINGLES (2 * LPL_LANES)
  typedef float lpl_singles __attribute__((vector_size(8 * LPL_LANES), aligned(4), may_alias));
  #define LPL_NOUGHT {0}
#else
  #define LPL_SINGLES 1
  typedef float lpl_singles;
  #define LPL_NOUGHT 0
#endif
#define LPL_SINGLE_PARTS (LPL_PANEL / LPL_SINGLES)
#define LPL_SINGLES_AT(x) (*(const lpl_singles*) (x))
#define LPL_PUT_SINGLES(x) (*(lpl_singles*) (x))

/* s = sum over l of a[l, :8].T b[l, :], of rows of panels, in runs of which each is summed up by itself */
#define LPL_SUM_OF_RUNS(most, length, a, b) \
    lpl_singles s[LPL_HALF][LPL_SINGLE_PARTS]; \
    for (v = 0; v < LPL_SINGLE_PARTS; v++) { \
        lpl_singles sum[LPL_HALF] = {LPL_NOUGHT}; \
        for (start = 0; start < (length); start += (most)) { \
            ptrdiff_t stop = (length) - start < (most) ? (length) : start + (most); \
            lpl_singles run[LPL_HALF] = {LPL_NOUGHT}; \
            for (l = start; l < stop; l++) { \
                lpl_singles right = LPL_SINGLES_AT((b) + l * LPL_PANEL + v * LPL_SINGLES); \
                for (r = 0; r < LPL_HALF; r++) \
                    run[r] += (a)[l * LPL_PANEL + r] * right; \
            } \
            for (r = 0; r < LPL_HALF; r++) \
                sum[r] += run[r]; \
        } \
        for (r = 0; r < LPL_HALF; r++) \
            s[r][v] = sum[r]; \
    }

/* Panel p of A.T, A (n, k) row by row, times `scale`: rows l of A[16 p + i, l]; of rows beyond A, 0 */
LPL_ANY_CPU void lpl_pack(int n, int k, const double* A, double scale, int p, float* panel) {
    ptrdiff_t i, l, c, rows = n - LPL_PANEL * p < LPL_PANEL ? n - LPL_PANEL * p : LPL_PANEL;
    A += (ptrdiff_t) LPL_PANEL * p * k;
    /* whole squares are turned in the cache: that takes half the time */
    for (l = 0; l + LPL_PANEL <= k && rows == LPL_PANEL; l += LPL_PANEL) {
        float square[LPL_PANEL][LPL_PANEL];
        for (i = 0; i < LPL_PANEL; i++)
            for (c = 0; c < LPL_PANEL; c++)
                square[i][c] = (float) (scale * A[i * k + l + c]);
        for (c = 0; c < LPL_PANEL; c++)
            for (i = 0; i < LPL_PANEL; i++)
                panel[(l + c) * LPL_PANEL + i] = square[i][c];
    }
    for (; l < k; l++)
        for (i = 0; i < LPL_PANEL; i++)
            panel[l * LPL_PANEL + i] = i < rows ? (float) (scale * A[i * k + l]) : 0.0f;
}

/* The rows of panel p of scale A @ A.T, from the panels of A.T, each of k rows: from that panel on to the right */
LPL_ANY_CPU void lpl_gram_rows(int n, int k, const float* panels, double scale, int p, double* C) {
    ptrdiff_t first = (ptrdiff_t) LPL_PANEL * p, piece, j, r, v, l, start, c;
    int half;
    for (piece = 0; piece < k; piece += LPL_PIECE) {
        ptrdiff_t length = k - piece < LPL_PIECE ? k - piece : LPL_PIECE;
        for (j = first; j < n; j += LPL_PANEL)
            for (half = 0; half < 2; half++) {
                const float* a = panels + first * k + piece * LPL_PANEL + half * LPL_HALF;
                const float* b = panels + j * k + piece * LPL_PANEL;
                float tile[LPL_HALF][LPL_PANEL];
                ptrdiff_t rows = n - first - half * LPL_HALF, columns = n - j < LPL_PANEL ? n - j : LPL_PANEL;
                LPL_SUM_OF_RUNS(LPL_GRAM_RUN, length, a, b)
                for (r = 0; r < LPL_HALF; r++)
                    for (v = 0; v < LPL_SINGLE_PARTS; v++)
                        LPL_PUT_SINGLES(tile[r] + v * LPL_SINGLES) = s[r][v];
                for (r = 0; r < LPL_HALF && r < rows; r++) {
                    double* row = C + (first + half * LPL_HALF + r) * n + j;
                    for (c = 0; c < columns; c++)
                        row[c] = (piece ? row[c] : 0.0) + scale * tile[r][c];
                }
            }
    }
}

/* The panels of sign * scale * (A - shift * I), A (n, n) as `gram_rows` writes it; beyond it, an identity */
LPL_ANY_CPU void lpl_shifted_panels(int n, double sign, double shift, double scale, const double* A, float* F) {
    ptrdiff_t size = (n + LPL_PANEL - 1) / LPL_PANEL * LPL_PANEL, p, i, c;
    for (p = 0; p < size; p += LPL_PANEL)
        for (i = 0; i < p + LPL_PANEL; i++) {
            float* row = F + p * size + i * LPL_PANEL;
            if (i < p && p + LPL_PANEL <= n)
                for (c = 0; c < LPL_PANEL; c++)
                    row[c] = (float) (sign * scale * A[i * n + p + c]);
            else
                for (c = 0; c < LPL_PANEL; c++)
                    row[c] = (i < n && p + c < n && p + c > i ? (float) (sign * scale * A[i * n + p + c])
                              : i < n && p + c == i ? (float) (sign * scale * (A[i * n + i] - shift)) : i == p + c);
        }
}

/* Whether A = R.T @ R has a factor R, which is written over its panels, eight rows at a time */
LPL_ANY_CPU int lpl_cholesky_single(int n, float* F) {
    ptrdiff_t size = (n + LPL_PANEL - 1) / LPL_PANEL * LPL_PANEL, i, j, l, r, v, start, c;
    float inverse[LPL_HALF];
    for (i = 0; i < size; i += LPL_HALF) {
        ptrdiff_t half = i % LPL_PANEL, own = i - half;
        const float* a = F + own * size + half;
        for (j = own; j < size; j += LPL_PANEL) {
            float* b = F + j * size;
            LPL_SUM_OF_RUNS(LPL_FACTOR_RUN, i, a, b)
            for (r = 0; r < LPL_HALF; r++)
                for (v = 0; v < LPL_SINGLE_PARTS; v++)
                    s[r][v] = LPL_SINGLES_AT(b + (i + r) * LPL_PANEL + v * LPL_SINGLES) - s[r][v];
            if (j == own) {
                for (r = 0; r < LPL_HALF; r++)
                    for (v = 0; v < LPL_SINGLE_PARTS; v++)
                        LPL_PUT_SINGLES(b + (i + r) * LPL_PANEL + v * LPL_SINGLES) = s[r][v];
                for (r = 0; r < LPL_HALF; r++) {
                    float* row = b + (i + r) * LPL_PANEL + half;
                    for (l = 0; l < r; l++) {
                        const float* above = b + (i + l) * LPL_PANEL + half;
                        for (c = r; c < LPL_PANEL - half; c++)
                            row[c] -= above[r] * above[c];
                    }
                    if (!(row[r] > 0.0f))
                        return 0;
                    row[r] = sqrtf(row[r]);
                    inverse[r] = 1.0f / row[r];
                    for (c = r + 1; c < LPL_PANEL - half; c++)
                        row[c] *= inverse[r];
                }
            } else
                for (r = 0; r < LPL_HALF; r++)
                    for (v = 0; v < LPL_SINGLE_PARTS; v++) {
                        for (l = 0; l < r; l++)
                            s[r][v] -= a[(i + l) * LPL_PANEL + r] * s[l][v];
                        s[r][v] *= inverse[r];
                        LPL_PUT_SINGLES(b + (i + r) * LPL_PANEL + v * LPL_SINGLES) = s[r][v];
                    }
        }
    }
    return 1;
}

#endif
