/* Cholesky factors: of small and middle-sized matrices faster than any call. */

#ifndef LPLFAST_CHOLESKY_H
#define LPLFAST_CHOLESKY_H

#include "products.h"

/* With whole lanes in rows of their own: column j is subtracted from all later ones; its entries above the diagonal
   are 0 and change nothing. */
LPL_ANY_CPU int lpl_small_cholesky(int n, double* A) {
    double L[LPL_FEW_ROWS * LPL_FEW_ROWS], column[LPL_FEW_ROWS];
    ptrdiff_t i, j, l, whole = (n + LPL_LANES - 1) / LPL_LANES * LPL_LANES;
    for (i = 0; i < n; i++)
        for (l = 0; l < whole; l++)
            L[i * LPL_FEW_ROWS + l] = l <= i ? A[i * n + l] : 0.0;
    for (j = 0; j < n; j++) {
        double pivot = L[j * LPL_FEW_ROWS + j], inverse;
        if (!(pivot > 0.0))
            return (int) j + 1;
        pivot = sqrt(pivot);
        inverse = 1.0 / pivot;
        A[j * n + j] = pivot;
        for (i = 0; i < whole; i++)
            column[i] = 0.0;
        for (i = j + 1; i < n; i++)
            A[i * n + j] = column[i] = L[i * LPL_FEW_ROWS + j] * inverse;
        for (i = j + 1; i < n; i++)
            for (l = j / LPL_LANES * LPL_LANES; l <= i; l += LPL_LANES)
                LPL_PUT(L + i * LPL_FEW_ROWS + l) = (LPL_AT(L + i * LPL_FEW_ROWS + l)
                                                     - column[i] * LPL_AT(column + l));
    }
    return 0;
}

/* Eight rows at a time of R, R.T R = A, each entry summed up in a register. Rows and columns are padded to whole lots of
   eight, and rows are `apart` doubles apart; the upper triangle is read and written, and of each eight rows the square on
   the diagonal. `LPL_PART(V)`: V lanes of eight rows of A from column j on, less what the rows above take from them. */
#define LPL_ROWS 8
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

/* and those eight rows of R */
#define LPL_ROWS_OF_R(V) { \
    LPL_PART(V) \
    for (r = 0; r < LPL_ROWS; r++) \
        for (v = 0; v < V; v++) { \
            for (l = 0; l < r; l++) \
                s[r][v] -= A[(i + l) * apart + i + r] * s[l][v]; \
            s[r][v] *= inverse[r]; \
            LPL_PUT(A + (i + r) * apart + j + v * LPL_LANES) = s[r][v]; \
        } \
    }

LPL_ANY_CPU int lpl_cholesky(int n, int apart_, double* A) {
    ptrdiff_t apart = apart_, i, j, l, r, v;
    double inverse[LPL_ROWS];
    for (i = 0; i < n; i += LPL_ROWS) {
        j = i;
        {
            LPL_PART(LPL_ROWS / LPL_LANES)
            for (r = 0; r < LPL_ROWS; r++)
                for (v = 0; v < LPL_ROWS / LPL_LANES; v++)
                    LPL_PUT(A + (i + r) * apart + j + v * LPL_LANES) = s[r][v];
        }
        for (r = 0; r < LPL_ROWS; r++) {
            double* row = A + (i + r) * apart + i;
            for (l = 0; l < r; l++) {
                const double* above = A + (i + l) * apart + i;
                for (v = r; v < LPL_ROWS; v++)
                    row[v] -= above[r] * above[v];
            }
            if (!(row[r] > 0.0))
                return (int) (i + r) + 1;
            row[r] = sqrt(row[r]);
            inverse[r] = 1.0 / row[r];
            for (v = r + 1; v < LPL_ROWS; v++)
                row[v] *= inverse[r];
        }
        for (j = i + LPL_ROWS; j + 2 * LPL_LANES <= n; j += 2 * LPL_LANES)
            LPL_ROWS_OF_R(2)
        for (; j < n; j += LPL_LANES)
            LPL_ROWS_OF_R(1)
    }
    return 0;
}

#endif
