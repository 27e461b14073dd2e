/* Cholesky factors of up to some hundred rows: faster than any call. */

#ifndef LPLFAST_CHOLESKY_H
#define LPLFAST_CHOLESKY_H

#include "lanes.h"

/* rows at a time: four suffice for two lanes of each to hide how long a sum takes, with sixteen registers for all */
#define LPL_ROWS (LPL_LANES < 4 ? 4 : LPL_LANES)

/* sign * (A - shift * I) where `lpl_cholesky` expects it, of A (n, n) the upper triangle: beyond it, an identity */
LPL_ANY_CPU void lpl_shifted(int n, int apart, double sign, double shift, const double* A, double* F) {
    ptrdiff_t size = (n + LPL_ROWS - 1) / LPL_ROWS * LPL_ROWS, i, j;
    for (i = 0; i < size; i++, A += n, F += apart) {
        ptrdiff_t first = i / LPL_ROWS * LPL_ROWS;
        /* what is computed along with the diagonal, and not used, is finite */
        for (j = first; j < first + LPL_ROWS; j++)
            F[j] = i < j && j < n ? sign * A[j] : 0.0;
        F[i] = i < n ? sign * (A[i] - shift) : 1.0;
        for (; j + LPL_LANES <= n; j += LPL_LANES)
            LPL_PUT(F + j) = sign * LPL_AT(A + j);
        for (; j < size; j++)
            F[j] = j < n ? sign * A[j] : 0.0;
    }
}

/* V lanes of so many rows of A from column j on, less what the rows above take from them, summed up in registers */
#define LPL_PART(V) \
    lpl_lanes s[LPL_ROWS][V]; \
    const double* above = A; \
    for (r = 0; r < LPL_ROWS; r++) \
        for (v = 0; v < V; v++) \
            s[r][v] = LPL_AT(A + (i + r) * apart + j + v * LPL_LANES); \
    for (l = 0; l < i; l++, above += apart) { \
        lpl_lanes b[V]; \
        for (v = 0; v < V; v++) \
            b[v] = LPL_AT(above + j + v * LPL_LANES); \
        for (r = 0; r < LPL_ROWS; r++) \
            for (v = 0; v < V; v++) \
                s[r][v] -= above[i + r] * b[v]; \
    }

/* and those rows of R */
#define LPL_ROWS_OF_R(V) { \
    LPL_PART(V) \
    for (r = 0; r < LPL_ROWS; r++) \
        for (v = 0; v < V; v++) { \
            for (l = 0; l < r; l++) \
                s[r][v] -= square[l][r] * s[l][v]; \
            s[r][v] *= inverse[r]; \
            LPL_PUT(A + (i + r) * apart + j + v * LPL_LANES) = s[r][v]; \
        } \
    }

/* R, R.T R = A, over A, of which the upper triangle is read, and with it the square on the diagonal of each LPL_ROWS rows.
   There are whole lots of rows and columns, `apart_` doubles from row to row. Return 0, or one more than the row at which
   there is no R: those above it are complete up to its column. */
LPL_ANY_CPU int lpl_cholesky(int n, int apart_, double* A) {
    ptrdiff_t apart = apart_, i, j, l, r, v;
    for (i = 0; i < n; i += LPL_ROWS) {
        double square[LPL_ROWS][LPL_ROWS], inverse[LPL_ROWS];
        int stopped = 0;
        j = i;
        {
            LPL_PART(LPL_ROWS / LPL_LANES)
            for (r = 0; r < LPL_ROWS; r++)
                for (v = 0; v < LPL_ROWS / LPL_LANES; v++)
                    LPL_PUT(square[r] + v * LPL_LANES) = s[r][v];
        }
        for (r = 0; r < LPL_ROWS && !stopped; r++) {
            for (l = 0; l < r; l++)
                for (v = r; v < LPL_ROWS; v++)
                    square[r][v] -= square[l][r] * square[l][v];
            if (!(square[r][r] > 0.0))
                stopped = (int) (i + r) + 1;
            square[r][r] = sqrt(square[r][r]);
            inverse[r] = 1.0 / square[r][r];
            for (v = r + 1; v < LPL_ROWS; v++)
                square[r][v] *= inverse[r];
        }
        for (r = 0; r < LPL_ROWS; r++)
            for (v = 0; v < LPL_ROWS; v += LPL_LANES)
                LPL_PUT(A + (i + r) * apart + i + v) = LPL_AT(square[r] + v);
        if (stopped)
            return stopped;
        for (j = i + LPL_ROWS; j + 2 * LPL_LANES <= n; j += 2 * LPL_LANES)
            LPL_ROWS_OF_R(2)
        for (; j < n; j += LPL_LANES)
            LPL_ROWS_OF_R(1)
    }
    return 0;
}

#endif
